"""A step at a time gives what the whole recording gives, with the same mask."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from edgevoice.asr import session as sessions
from edgevoice.asr.bundle import Bundle, FeatureSettings, Graph, Manifest, load_bundle, sha256, write_manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.asr.session import nothing
from edgevoice.asr.steps import NEXT, SIZE
from edgevoice.config import AsrSettings
from edgevoice.errors import ProviderError
from export import convert
from export.build import ExportOptions, export
from export.parity import load_clips
from export.precision import halve, peaks, quantise
from export.step import Step, to_onnx
from tests.pretended_gpu import CPU, CUDA, TENSORRT, Runtime
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


def written(folder: Path, encoder, features) -> tuple[Bundle, Graph]:
    """A bundle of a step graph with random weights, in all precisions."""
    loaded = checkpoint(encoder, features)
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    convert.to_onnx(loaded, folder / "model.onnx")
    quantise(folder / "model.onnx", folder / "model.int8.onnx")
    inputs = [model_input(sound(), features)]
    halve(folder / "model.onnx", folder / "model.fp16.onnx", inputs, {SIZE: np.array(5)})
    names = {"fp32": "model.onnx", "fp16": "model.fp16.onnx", "int8": "model.int8.onnx"}
    graph = dataclasses.replace(convert.graph(loaded, folder / "model.onnx"), variants=names)
    files = {name: sha256(folder / name) for name in names.values()}
    manifest = Manifest(
        name="steps", graphs={"shared": graph}, files=files, vocabulary=loaded.vocabulary, labels=loaded.labels
    )
    write_manifest(folder, manifest)
    return load_bundle(folder), graph


def sound(seconds: float = 3.0) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def live_and_whole(model: AcousticModel) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities chunk by chunk, and at once."""
    stream = model.stream()
    assert stream is not None
    found = []
    for piece in np.array_split(sound(), 13):
        stream.feed(piece)
        while stream.due:
            found.append(stream.advance().log_probs)
    found.append(stream.rest().log_probs)
    return np.concatenate(found), model.encode(sound()).log_probs


@pytest.mark.parametrize(("encoder", "features"), [(TINY_BERT, MEL), (TINY_WAV2VEC2, WAVE)], ids=["bert", "wav2vec2"])
def test_other_precisions_hear_live_what_they_hear_offline(tmp_path, encoder, features) -> None:
    """As near as rounding lets them. What int8 rounds depends on the rest of the input, so that a chunk is not quite
    what it is in the whole: measured 1.4 % of how much log-probabilities vary, and int8 is 1.4 to 2.2 % from fp32.
    What is remembered is float32 throughout."""
    bundle, _ = written(tmp_path, encoder, features)
    settings = AsrSettings(provider="cpu", threads=1, hop_s=0.2, keep_optimised=False)
    whole = {}
    for precision in ("fp32", "fp16", "int8"):
        model = AcousticModel(bundle, dataclasses.replace(settings, precision=precision))
        types = {each.type for each in model._passes[0].session._session.get_inputs()}
        assert types == {"tensor(float)", "tensor(int64)"}
        live, whole[precision] = live_and_whole(model)
        spread = whole["fp32"].std()
        off = np.sqrt(np.square(live - whole[precision]).mean()) / spread
        from_fp32 = np.sqrt(np.square(whole[precision] - whole["fp32"]).mean()) / spread
        assert off <= {"fp32": 1e-4, "fp16": 5e-3, "int8": 0.05}[precision]
        assert from_fp32 <= {"fp32": 0, "fp16": 0.01, "int8": 0.1}[precision]


def test_values_are_looked_at_in_the_second_step_too(tmp_path) -> None:
    """What grows with what is remembered is seen: the sum of what the intent head takes the mean of."""
    loaded = checkpoint(TINY_BERT, MEL)
    convert.to_onnx(loaded, tmp_path / "step.onnx")
    inputs, beside = model_input(sound(), MEL), {SIZE: np.array(5)}
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx", providers=["CPUExecutionProvider"])
    state = {each.name: nothing(each) for each in session.get_inputs()[2:]}
    names = [each.name for each in session.get_outputs()]
    once = dict(zip(names, session.run(None, {loaded.compute.input_name: inputs, **beside, **state}), strict=True))
    found = peaks(tmp_path / "step.onnx", [inputs], beside)
    assert found[NEXT + "pooled"] > 1.5 * np.abs(once[NEXT + "pooled"]).max()


@pytest.mark.parametrize(("encoder", "features"), [(TINY_BERT, MEL), (TINY_WAV2VEC2, WAVE)], ids=["bert", "wav2vec2"])
def test_steps_run_on_a_gpu(tmp_path, monkeypatch, encoder, features) -> None:
    """Copied in and out, and nothing is recorded: what is remembered belongs to a stream, not to a buffer."""
    bundle, _ = written(tmp_path, encoder, features)
    fake = Runtime([TENSORRT, CUDA, CPU], [CUDA, CPU])
    monkeypatch.setattr(sessions, "_runtime", lambda: fake)
    monkeypatch.setattr(sessions, "gpu_present", lambda: True)
    settings = AsrSettings(provider="cuda", hop_s=0.2)
    model = load_model(bundle, None, settings)
    assert (model.provider, model.precision) == ("cuda", "fp16")
    live, whole = live_and_whole(model)
    np.testing.assert_allclose(live, whole, atol=0.05)
    assert {run.how for run in fake.runs} == {"copied"}
    assert fake.asked[-1][1][0][1]["enable_cuda_graph"] == "0"
    with pytest.raises(ProviderError, match=r"does not run on TensorRT.*--provider cuda"):
        AcousticModel(bundle, dataclasses.replace(settings, provider="tensorrt"))
    fake.no_numbers = "fp16"
    assert load_model(bundle, None, settings).precision == "fp32"


def test_a_gpu_that_is_lost_between_two_steps_loses_nothing(tmp_path, monkeypatch) -> None:
    bundle, _ = written(tmp_path, TINY_BERT, MEL)
    fake = Runtime([CUDA, CPU], [CUDA, CPU])
    monkeypatch.setattr(sessions, "_runtime", lambda: fake)
    monkeypatch.setattr(sessions, "gpu_present", lambda: True)
    model = AcousticModel(bundle, AsrSettings(provider="auto", precision="fp32", hop_s=0.2))
    fake.left = 3
    live, _ = live_and_whole(model)
    assert model.provider == "cpu"
    np.testing.assert_allclose(live, model.encode(sound()).log_probs, atol=1e-4)


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
