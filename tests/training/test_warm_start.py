"""Training that goes on from a bundle."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from edgevoice.asr.bundle import FeatureSettings, write_manifest
from edgevoice.errors import ModelError
from export.build import ExportOptions, export
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from tests.tiny import tiny_bundle
from training.checkpoint import save_features
from training.config import ModelConfig
from training.loading import load_checkpoint
from training.models import JointModel, build_model, encoder_of
from training.run import train
from training.vocabulary import canonical, characters_tokenizer
from training.warm_start import checkpoint_folder, unpack

ONLY_FP32 = ExportOptions(precisions=("fp32",))


STREAMING = (
    "model.streaming={chunks_s=[0.16, 0.32], left_s=0.8}",
    "model.features.kind=waveform",
    "model.features.normalise=none",
)


@pytest.fixture(
    scope="module",
    params=[
        ("joint", TINY_BERT, ()),
        ("ctc", TINY_WAV2VEC2, ()),
        ("joint", TINY_BERT, STREAMING[:1]),
        ("ctc", TINY_WAV2VEC2, STREAMING),
    ],
    ids=["joint", "ctc", "joint in chunks", "ctc in chunks"],
)
def exported(request, tmp_path_factory):
    """A task, its manifest of clips, a checkpoint and the bundle made of it."""
    task, encoder, streaming = request.param
    folder = tmp_path_factory.mktemp("exported")
    clips = small_corpus(folder)
    train(task, tiny_recipe(clips, encoder, "trainer.max_steps=5", *streaming), folder / "run")
    export([str(folder / "run")], folder / "bundle", ONLY_FP32)
    return task, clips, folder / "run", folder / "bundle"


def test_a_bundle_gives_its_checkpoint_back(tmp_path, exported):
    """Every weight that the graph uses, the vocabulary and the features. What was a direction and a length in training
    is one weight in the graph, and is taken apart again."""
    _, _, run, bundle = exported
    unpacked = unpack(bundle, tmp_path / "checkpoint")
    before, after = load_file(run / "model.safetensors"), load_file(unpacked / "model.safetensors")
    assert set(before) == set(after)
    differing = [name for name in before if not torch.equal(before[name], after[name])]
    assert [name for name in differing if not any(part in name for part in ("masked_spec_embed", "weight.orig"))] == []
    models = [load_checkpoint(str(folder)).model for folder in (run, unpacked)]
    convolutions = [
        [module.weight for module in model.modules() if torch.nn.utils.parametrize.is_parametrized(module)]
        for model in models
    ]
    torch.testing.assert_close(*convolutions)


def test_training_goes_on_from_a_bundle(tmp_path, exported):
    """With the loss that the bundle's checkpoint begins with, and into a bundle again."""
    task, clips, run, bundle = exported
    started = []
    for start in (run, bundle):
        recipe = tiny_recipe(clips, TINY_BERT, "trainer.max_steps=1", "trainer.evaluate_every=1")
        model = dataclasses.replace(recipe.model, checkpoint=str(start))
        started.append(train(task, dataclasses.replace(recipe, model=model), tmp_path / start.name))
    assert started[0]["eval_small_loss"] == pytest.approx(started[1]["eval_small_loss"], rel=1e-3)
    export([str(tmp_path / "bundle")], tmp_path / "again", ONLY_FP32)


@pytest.mark.parametrize(("task", "encoder"), [("ctc", TINY_WAV2VEC2), ("joint", TINY_BERT)], ids=["ctc", "joint"])
def test_a_bundle_of_a_checkpoint_that_was_never_trained(tmp_path, task, encoder):
    """Whose biases are all zeros and whose norms all ones: an exporter keeps one of equal tensors. It can be trained,
    and exported again."""
    mel = task == "joint"
    features = FeatureSettings(kind="log_mel" if mel else "waveform", normalise="utterance", stride=4)
    config = ModelConfig(encoder=encoder, features=features)
    letters = ("", *" abcdefghijklmnopqrstuvwxyz'")
    run = tmp_path / "run"
    run.mkdir()
    torch.manual_seed(0)
    vocabulary = canonical(characters_tokenizer(letters, 0, run))[0]
    model = build_model(task, config, vocabulary_size=len(vocabulary), blank=0, labels=["a", "b"], intent_weight=1.0)
    model.save_pretrained(run)
    save_features(features, run)
    export([str(run)], tmp_path / "bundle", ONLY_FP32)
    _check_equal(run, unpack(tmp_path / "bundle", tmp_path / "checkpoint"))
    export([str(tmp_path / "bundle")], tmp_path / "again", ONLY_FP32)
    _check_equal(run, unpack(tmp_path / "again", tmp_path / "checkpoint-again"))


def _check_equal(run, unpacked):
    before, after = (load_checkpoint(str(folder)).model for folder in (run, unpacked))
    for name, value in before.state_dict().items():
        if not any(part in name for part in ("masked_spec_embed", "weight.orig")):
            assert torch.equal(after.state_dict()[name], value), name


def test_the_bundled_model_can_be_trained_further(tmp_path):
    """It is what `from-phrases` goes on from, and it may go on as a model of one head."""
    assert checkpoint_folder("banking-en", tmp_path) == str(tmp_path)
    assert load_checkpoint(str(tmp_path)).labels
    config = ModelConfig(checkpoint=str(tmp_path))
    intent = build_model("intent", config, vocabulary_size=0, blank=0, labels=["a", "b"], intent_weight=1.0)
    joint = JointModel.from_pretrained(tmp_path)
    for name, weight in joint.encoder.state_dict().items():
        assert torch.equal(encoder_of(intent)[1].state_dict()[name], weight)


def test_a_bundle_without_its_configuration_is_refused(tmp_path):
    """One made by hand, for example."""
    with pytest.raises(ModelError, match="form that can be trained"):
        unpack(tiny_bundle(tmp_path / "tiny").path, tmp_path / "checkpoint")


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_bundle_that_names_code_of_the_hub_is_refused(tmp_path, key, nested):
    """With the package `kernels` Transformers would fetch and run it, trusted or not."""
    made = tiny_bundle(tmp_path / "tiny")
    hostile = {key: "somebody/kernel"}
    config = {"model_type": "wav2vec2", **({"encoder": hostile} if nested else hostile)}
    graph = dataclasses.replace(made.manifest.graphs["shared"], config=config)
    write_manifest(made.path, dataclasses.replace(made.manifest, graphs={"shared": graph}))
    with pytest.raises(ModelError, match="wants to run code of 'somebody/kernel'"):
        unpack(made.path, tmp_path / "checkpoint")
