"""Providers are proved, not assumed; files and libraries that are missing are named."""

import sys
import types

import numpy as np
import pytest

from edgevoice.asr import session as sessions
from edgevoice.asr.session import open_session
from edgevoice.errors import EdgeVoiceError, MissingExtraError, ModelError, ProviderError
from tests.tiny import tiny_bundle


@pytest.fixture
def file(tmp_path):
    return tiny_bundle(tmp_path).path / "model.onnx"


class Runtime(types.SimpleNamespace):
    """onnxruntime as a script: `offers` is what it lists, `grants` what a session really gets, or an exception."""

    def __init__(self, offers: list[str], grants: object) -> None:
        import onnxruntime

        super().__init__(
            **{name: getattr(onnxruntime, name) for name in ("SessionOptions", "ExecutionMode")}, __version__="1.99.0"
        )
        self.offers, self.grants, self.asked = offers, grants, []

    def get_available_providers(self):
        return self.offers

    def InferenceSession(self, file, sess_options, providers, enable_fallback):  # noqa: N802
        names = [each if isinstance(each, str) else each[0] for each in providers]
        self.asked.append((names, providers, sess_options, enable_fallback))
        cuda = "CUDAExecutionProvider" in names
        if cuda and isinstance(self.grants, Exception):
            raise self.grants
        value = types.SimpleNamespace(name="x", type="tensor(float)")
        return types.SimpleNamespace(
            get_providers=lambda: self.grants if cuda else ["CPUExecutionProvider"],
            get_inputs=lambda: [value],
            get_outputs=lambda: [value],
            disable_fallback=lambda: None,
        )


CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture
def runtime(monkeypatch):
    def install(offers: list[str], grants: object) -> Runtime:
        fake = Runtime(offers, grants)
        monkeypatch.setattr(sessions, "_runtime", lambda: fake)
        monkeypatch.setattr(sessions, "_missing_library", lambda: "the library libcublasLt.so.13 was not found")
        return fake

    return install


def test_a_session_runs_and_names_its_outputs(file):
    session = open_session(file, "cpu", 1)
    outputs = session.run(np.zeros((1, 5, 160), dtype=np.float32))
    assert (session.provider, session.note) == ("cpu", "")
    assert {name: value.shape for name, value in outputs.items()} == {"ctc": (1, 5, 6), "intent": (1, 4)}


def test_telemetry_is_off():
    import os

    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_cuda_is_used_with_the_options_that_matter(runtime, file):
    fake = runtime([CUDA, CPU], [CUDA, CPU])
    session = open_session(file, "auto", 3)
    (names, providers, options, fallback), *others = fake.asked
    assert (session.provider, session.note, names, fallback, others) == ("cuda", "", [CUDA, CPU], 0, [])
    assert providers[0][1]["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_cuda_refuses_a_runtime_without_it(runtime, file):
    runtime([CPU], [CPU])
    with pytest.raises(ProviderError, match=r"has no CUDA. Install .*edgevoice\[gpu\].*--provider cpu"):
        open_session(file, "cuda", 1)


@pytest.mark.parametrize("grants", [[CPU], RuntimeError("CUDA failure 35\nmore")])
def test_cuda_refuses_to_fall_back_and_names_the_library(runtime, file, grants):
    runtime([CUDA, CPU], grants)
    with pytest.raises(ProviderError, match=r"CUDA cannot be used: the library libcublasLt.so.13 was not found"):
        open_session(file, "cuda", 1)


@pytest.mark.parametrize(("offers", "grants"), [([CPU], [CPU]), ([CUDA, CPU], [CPU]), ([CUDA], RuntimeError("x"))])
def test_auto_falls_back_and_says_why(runtime, file, monkeypatch, offers, grants):
    monkeypatch.setattr(sessions, "gpu_present", lambda: True)
    runtime(offers, grants)
    session = open_session(file, "auto", 1)
    assert session.provider == "cpu"
    assert "CUDA" in session.note


def test_without_a_gpu_the_cpu_is_no_fallback(runtime, file, monkeypatch):
    monkeypatch.setattr(sessions, "gpu_present", lambda: False)
    runtime([CPU], [CPU])
    session = open_session(file, "auto", 1)
    assert (session.provider, session.note) == ("cpu", "")


def test_the_file_may_depend_on_the_provider(runtime, tmp_path):
    runtime([CUDA, CPU], [CPU])
    asked = []
    open_session(lambda provider: asked.append(provider) or tmp_path, "auto", 1)
    assert asked == ["cuda", "cpu"]


@pytest.mark.parametrize("content", [b"junk", b""])
def test_a_corrupt_file_is_a_model_error_in_one_line(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be run") as caught:
        open_session(tmp_path / "model.onnx", "cpu", 1)
    assert "\n" not in str(caught.value)


def test_a_failing_run_is_a_model_error(file):
    with pytest.raises(ModelError, match="The model failed on cpu") as caught:
        open_session(file, "cpu", 1).run(np.zeros((1, 5, 3), dtype=np.float32))
    assert "--provider cpu" not in caught.value.remedy


def test_a_signal_while_onnxruntime_loads_is_no_broken_installation(monkeypatch, file):
    """Its C++ part turns every exception that comes meanwhile into an ImportError."""

    class Interrupted:
        def find_spec(self, name, *_):
            if name == "onnxruntime":
                raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(KeyboardInterrupt):
        open_session(file, "cpu", 1)


def test_without_onnxruntime_both_extras_are_named(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EdgeVoiceError, match=r"edgevoice\[cpu\].*edgevoice\[gpu\]") as caught:
        open_session(file, "cpu", 1)
    assert isinstance(caught.value, MissingExtraError)
