"""A step at a time gives what the whole recording gives, with the same mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from edgevoice.asr.bundle import FeatureSettings, load_bundle
from edgevoice.asr.model import AcousticModel
from edgevoice.asr.steps import SIZE
from edgevoice.config import AsrSettings
from export.build import ExportOptions, export
from export.parity import load_clips
from export.step import Step, to_onnx
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.attention import use_fast_relative_key
from training.chunked import hear_in_chunks
from training.config import StreamingConfig
from training.loading import Checkpoint
from training.models import JointConfig, JointModel
from training.run import train

MEL = FeatureSettings(kind="log_mel", stride=4)
WAVE = FeatureSettings(kind="waveform")


def checkpoint(encoder, features) -> Checkpoint:
    """A joint one with random weights that hears in chunks."""
    torch.manual_seed(1)
    model = JointModel(JointConfig(encoder=dict(encoder), vocab_size=8, classifier_size=8, num_labels=3)).eval()
    use_fast_relative_key(model)
    chunking = hear_in_chunks(model, features, StreamingConfig(chunks_s=(0.08, 0.2), left_s=0.24))
    return Checkpoint("tiny", "joint", model, features, tuple("abcdefgh"), 0, ("x", "y", "z"), chunking)


FAMILIES = pytest.mark.parametrize(
    ("encoder", "features", "step", "reach"),
    [(TINY_BERT, MEL, 1, 1), (TINY_WAV2VEC2, WAVE, 320, 590)],
    ids=["bert", "wav2vec2"],
)


def cuts(frames: int, size: int) -> list[tuple[int, int]]:
    """Where the steps begin and end: one chunk, two, one, and what is left."""
    ends = np.minimum(np.cumsum([size, 2 * size, size, frames]), frames)
    return list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))


@FAMILIES
@pytest.mark.parametrize("size", [2, 5])
def test_steps_give_what_the_whole_gives(encoder, features, step, reach, size) -> None:
    """In PyTorch: as the model was trained, and a step at a time."""
    loaded = checkpoint(encoder, features)
    assert loaded.chunking is not None
    loaded.chunking.size = size
    inputs = torch.randn((2, 33, 320) if step == 1 else (2, step * 32 + reach))
    with torch.no_grad():
        whole = loaded.model(**{loaded.model.main_input_name: inputs})
        stepper = Step(loaded)
        state = tuple(stepper.nothing(2).values())
        found = []
        for begin, end in cuts(33, size):
            new = inputs[:, begin * step : (end - 1) * step + reach]
            ctc, intent, *state = stepper(new, torch.tensor(size), *state)
            found.append(ctc)
    np.testing.assert_allclose(torch.cat(found, dim=1), whole.ctc_logits, atol=1e-5)
    np.testing.assert_allclose(intent, whole.intent_logits, atol=1e-5)


@FAMILIES
@pytest.mark.parametrize("size", [2, 5])
def test_the_graph_does_the_same(tmp_path, encoder, features, step, reach, size) -> None:
    """For one stream as for two, in steps and in one go, with any size of chunks."""
    loaded = checkpoint(encoder, features)
    assert loaded.chunking is not None
    loaded.chunking.size = size
    inputs = torch.randn((1, 33, 320) if step == 1 else (1, step * 32 + reach))
    with torch.no_grad():
        whole = loaded.model(**{loaded.model.main_input_name: inputs})
    stepper = Step(loaded)
    to_onnx(stepper, tmp_path / "step.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(parts: list[tuple[int, int]]) -> tuple[Any, Any]:
        state = {each: value.numpy() for each, value in stepper.nothing(1).items()}
        found = []
        for begin, end in parts:
            new = inputs[:, begin * step : (end - 1) * step + reach].numpy()
            feeds = {name: new, SIZE: np.array(size), **state}
            ctc, intent, *after = session.run(None, feeds)
            state = dict(zip(state, after, strict=True))
            found.append(ctc)
        return np.concatenate(found, axis=1), intent

    for parts in (cuts(33, size), [(0, 33)]):
        ctc, intent = run(parts)
        np.testing.assert_allclose(ctc, whole.ctc_logits, atol=1e-4)
        np.testing.assert_allclose(intent, whole.intent_logits, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "normalise"),
    [(TINY_BERT, "running"), (TINY_WAV2VEC2, "none"), (TINY_WAV2VEC2, "utterance")],
    ids=["bert", "wav2vec2", "wav2vec2-running"],
)
@pytest.mark.parametrize("hop_s", [0.16, 0.32])
def test_a_bundle_hears_live_what_it_hears_offline(tmp_path, encoder, normalise, hop_s) -> None:
    """Trained, exported and run: clips cut at random places give what they give whole, to 1e-4, and every frame is
    encoded once. What is normalised over the utterance, as checkpoints of the hub are, is trained with a running
    normalisation."""
    recipe = tiny_recipe(
        small_corpus(tmp_path),
        encoder,
        "trainer.max_steps=5",
        "model.streaming={chunks_s=[0.16, 0.32], left_s=0.8}",
        f"model.features.normalise={normalise}",
        *(["model.features.kind=waveform"] if encoder is TINY_WAV2VEC2 else []),
    )
    train("joint", recipe, tmp_path / "run")
    export([str(tmp_path / "run")], tmp_path / "bundle", ExportOptions(precisions=("fp32",)))
    bundle = load_bundle(tmp_path / "bundle")
    graph = bundle.manifest.graphs["shared"]
    assert graph.chunks == ((4, 8) if encoder is TINY_BERT else (8, 16))
    assert graph.features.normalise == ("none" if normalise == "none" else "running")
    model = AcousticModel(bundle, AsrSettings(provider="cpu", hop_s=hop_s))
    rng = np.random.default_rng(1)
    for clip in load_clips():
        stream = model.stream()
        assert stream is not None
        found = []
        for piece in np.split(clip, np.sort(rng.integers(0, len(clip), 7))):
            stream.feed(piece)
            while stream.due:
                found.append(stream.advance().log_probs)
        last = stream.rest()
        whole = model.encode(clip)
        np.testing.assert_allclose(np.concatenate([*found, last.log_probs]), whole.log_probs, atol=1e-4)
        np.testing.assert_allclose(last.intent_logits, whole.intent_logits, atol=1e-4)
        again = stream.rest()  # a step that was only tried changes nothing
        np.testing.assert_array_equal(again.log_probs, last.log_probs)
