"""A step at a time gives what the whole recording gives, with the same mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgevoice import __version__
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import AcousticModel
from edgevoice.asr.session import Session, open_session
from edgevoice.asr.steps import NEXT, SIZE
from edgevoice.config import AsrSettings
from export.build import ExportOptions, export
from export.convert import graph as entry_of
from export.convert import to_onnx
from export.parity import load_clips
from export.served import remembering_nothing
from tests.checkpoints import MEL, WAVE, in_chunks
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.loading import Checkpoint
from training.run import train
from training.warm_start import named_weights

POST_NORMED = {**TINY_WAV2VEC2, "do_stable_layer_norm": False}
ADAPTED = {**TINY_WAV2VEC2, "adapter_attn_dim": 4, "conv_bias": True}
PLAIN_BERT = {**TINY_BERT, "position_embeddings_type": None}


def session_of(loaded: Checkpoint, folder: Path) -> Session:
    """A session on its graph."""
    to_onnx(loaded, folder / "step.onnx")
    return open_session(folder / "step.onnx", "cpu")


FAMILIES = pytest.mark.parametrize(
    ("encoder", "features", "step", "reach"),
    [
        (TINY_BERT, MEL, 1, 1),
        (PLAIN_BERT, MEL, 1, 1),
        (TINY_WAV2VEC2, WAVE, 320, 590),
        (POST_NORMED, WAVE, 320, 590),
        (ADAPTED, WAVE, 320, 590),
    ],
    ids=["bert", "bert without positions", "wav2vec2", "wav2vec2 normed behind", "wav2vec2 adapted"],
)


def sound(streams: int, step: int, reach: int, frames: int = 33) -> torch.Tensor:
    """The inputs of so many frames."""
    return torch.randn((streams, frames, 320) if step == 1 else (streams, step * (frames - 1) + reach))


def cuts(frames: int, size: int) -> list[tuple[int, int]]:
    """Where the steps begin and end: one chunk, two, one, and what is left."""
    ends = np.minimum(np.cumsum([size, 2 * size, size, frames]), frames)
    return list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))


@FAMILIES
@pytest.mark.parametrize("size", [2, 5])
def test_steps_give_what_the_whole_gives(tmp_path, encoder, features, step, reach, size) -> None:
    """What the model gives as it was trained, the graph gives in steps and in one go, with any size of chunks."""
    loaded = in_chunks(encoder, features)
    assert loaded.chunking is not None
    loaded.chunking.size = size
    inputs = sound(1, step, reach)
    with torch.no_grad():
        whole = loaded.model(**{loaded.model.main_input_name: inputs})
    session = session_of(loaded, tmp_path)
    for parts in (cuts(33, size), [(0, 33)]):
        state: dict[str, Any] = {}
        found = []
        for begin, end in parts:
            new = inputs[:, begin * step : (end - 1) * step + reach].numpy()
            outputs = session.step({loaded.model.main_input_name: new, SIZE: np.array(size), **state})
            state = remembered(outputs)
            found.append(outputs["ctc_logits"])
        np.testing.assert_allclose(np.concatenate(found, axis=1), whole.ctc_logits, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(outputs["intent_logits"], whole.intent_logits, atol=1e-5, rtol=1e-5)


@FAMILIES
def test_streams_that_began_at_different_times_share_a_step(tmp_path, encoder, features, step, reach) -> None:
    """Each gives what it gives alone."""
    loaded = in_chunks(encoder, features)
    name, size = loaded.model.main_input_name, np.array(5)
    session = session_of(loaded, tmp_path)
    inputs = sound(2, step, reach).numpy()

    def alone(stream: int, begin: int, end: int, state: dict[str, Any]) -> dict[str, Any]:
        new = inputs[stream : stream + 1, begin * step : (end - 1) * step + reach]
        return session.step({name: new, SIZE: size, **state})

    before = [remembered(alone(0, 0, 5, {})), remembered(alone(1, 0, 25, {}))]
    expected = [alone(0, 5, 12, before[0]), alone(1, 25, 32, before[1])]
    both = {each: np.concatenate([state[each] for state in before]) for each in before[0]}
    pieces = [inputs[:1, 5 * step : 11 * step + reach], inputs[1:, 25 * step : 31 * step + reach]]
    found = session.step({name: np.concatenate(pieces), SIZE: size, **both})
    for output, value in found.items():
        together = np.concatenate([each[output] for each in expected])
        np.testing.assert_allclose(value, together, atol=1e-5, rtol=1e-5, err_msg=output)


@pytest.mark.parametrize(("encoder", "features"), [(TINY_BERT, MEL), (TINY_WAV2VEC2, WAVE)], ids=["bert", "wav2vec2"])
@pytest.mark.parametrize("task", ["ctc", "intent"])
def test_models_of_one_head(tmp_path, encoder, features, task) -> None:
    loaded = in_chunks(encoder, features, task)
    assert loaded.chunking is not None
    inputs = sound(1, 1, 1) if features is MEL else sound(1, 320, 590)
    name, size = loaded.model.main_input_name, np.array(loaded.chunking.size)
    with torch.no_grad():
        whole = loaded.model(**{name: inputs}).logits
    session = session_of(loaded, tmp_path)
    entry = entry_of(loaded, tmp_path / "step.onnx")
    found = session.step({name: inputs.numpy(), SIZE: size})
    np.testing.assert_allclose(found[entry.outputs[task]], whole, atol=1e-5, rtol=1e-5)


@FAMILIES
def test_every_weight_can_be_had_back(tmp_path, encoder, features, step, reach) -> None:
    """Bit for bit, though some are joined, turned or halved in the graph."""
    loaded = in_chunks(encoder, features)
    to_onnx(loaded, tmp_path / "step.onnx")
    held = named_weights(onnx.load(str(tmp_path / "step.onnx")))
    for name, value in loaded.model.named_parameters():
        if not name.endswith("masked_spec_embed"):
            np.testing.assert_array_equal(held[name], value.detach().numpy(), err_msg=name)


@FAMILIES
def test_a_server_runs_it_without_a_memory(tmp_path, encoder, features, step, reach) -> None:
    """For two at once, what the first step of each stream gives."""
    loaded = in_chunks(encoder, features)
    inputs, name = sound(2, step, reach).numpy(), loaded.model.main_input_name
    session = session_of(loaded, tmp_path)
    alone = [session.step({name: inputs[stream : stream + 1], SIZE: np.array(5)}) for stream in range(2)]
    onnx.save(remembering_nothing(onnx.load(str(tmp_path / "step.onnx")), 5), str(tmp_path / "served.onnx"))
    served = onnxruntime.InferenceSession(tmp_path / "served.onnx", providers=["CPUExecutionProvider"])
    assert [each.name for each in served.get_inputs()] == [name]
    outputs = [each.name for each in served.get_outputs()]
    assert outputs == ["ctc_logits", "intent_logits"]
    for output, value in zip(outputs, served.run(None, {name: inputs}), strict=True):
        expected = np.concatenate([each[output] for each in alone])
        np.testing.assert_allclose(value, expected, atol=1e-5, rtol=1e-5)


def remembered(outputs: dict[str, Any]) -> dict[str, Any]:
    """What goes into the next step."""
    return {name.removeprefix(NEXT): each for name, each in outputs.items() if name.startswith(NEXT)}


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
    assert (bundle.manifest.streaming, bundle.manifest.made_by) == ("cached", __version__)
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
        last = stream.rest(len(clip))
        whole = model.encode(clip)
        np.testing.assert_allclose(np.concatenate([*found, last.log_probs]), whole.log_probs, atol=1e-4)
        np.testing.assert_allclose(last.intent_logits, whole.intent_logits, atol=1e-4)
        again = stream.rest(len(clip))  # a step that was only tried changes nothing
        np.testing.assert_array_equal(again.log_probs, last.log_probs)
        # nor does what came after the end that is asked for
        stream.feed(clip[:400])
        np.testing.assert_array_equal(stream.rest(len(clip)).log_probs, last.log_probs)
