"""Graphs that hear in chunks in other precisions, and on a GPU."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edgevoice.asr import session as sessions
from edgevoice.asr.bundle import Bundle, Graph, Manifest, load_bundle, sha256, write_manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.asr.session import nothing
from edgevoice.asr.steps import NEXT, SIZE
from edgevoice.config import AsrSettings
from edgevoice.errors import ProviderError
from export import convert
from export.precision import halve, peaks, quantise
from tests.checkpoints import MEL, WAVE, in_chunks
from tests.pretended_gpu import CPU, CUDA, TENSORRT, Runtime
from tests.small import TINY_BERT, TINY_WAV2VEC2


def written(folder: Path, encoder, features) -> tuple[Bundle, Graph]:
    """A bundle of a step graph with random weights, in all precisions."""
    loaded = in_chunks(encoder, features)
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
        name="steps",
        streaming="cached",
        graphs={"shared": graph},
        files=files,
        vocabulary=loaded.vocabulary,
        labels=loaded.labels,
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
    found.append(stream.rest(len(sound())).log_probs)
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
    loaded = in_chunks(TINY_BERT, MEL)
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
