"""Providers are proved, not assumed; files and libraries that are missing are named."""

import sys

import numpy as np
import pytest

from edgevoice.asr import session as sessions
from edgevoice.asr.binding import Binding
from edgevoice.asr.session import DeviceLostError, NoNumbersError, SessionOptions, open_session
from edgevoice.errors import EdgeVoiceError, MissingExtraError, ModelError, ProviderError
from tests.pretended_gpu import CPU, CUDA, TENSORRT, Run, Runtime
from tests.tiny import tiny_bundle


@pytest.fixture
def file(tmp_path):
    return tiny_bundle(tmp_path).path / "model.onnx"


@pytest.fixture
def runtime(monkeypatch):
    def install(offers: list[str], grants: object, **options: object) -> Runtime:
        fake = Runtime(offers, grants, **options)
        monkeypatch.setattr(sessions, "_runtime", lambda: fake)
        monkeypatch.setattr(sessions, "_missing_library", lambda _: "the library libcublasLt.so.13 was not found")
        return fake

    return install


def test_a_session_runs_and_names_its_outputs(file):
    session = open_session(file, "cpu", SessionOptions(threads=1))
    outputs = session.run(np.zeros((1, 5, 160), dtype=np.float32))
    assert (session.provider, session.note) == ("cpu", "")
    assert {name: value.shape for name, value in outputs.items()} == {"ctc": (1, 5, 6), "intent": (1, 4)}


def test_telemetry_is_off():
    import os

    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_cuda_is_used_with_the_options_that_matter(runtime, file):
    fake = runtime([CUDA, CPU], [CUDA, CPU])
    session = open_session(file, "auto", SessionOptions(threads=3))
    (names, providers, options, fallback), *others = fake.asked
    assert not others
    assert (session.provider, session.note, names, fallback) == ("cuda", "", [CUDA, CPU], 0)
    assert providers[0][1]["cudnn_conv_algo_search"] == "HEURISTIC"
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_cuda_refuses_a_runtime_without_it(runtime, file):
    runtime([CPU], [CPU])
    with pytest.raises(ProviderError, match=r"has no CUDA. Install .*edgevoice\[gpu\].*--provider cpu"):
        open_session(file, "cuda", SessionOptions(threads=1))


@pytest.mark.parametrize("grants", [[CPU], RuntimeError("CUDA failure 35\nmore")])
def test_cuda_refuses_to_fall_back_and_names_the_library(runtime, file, grants):
    runtime([CUDA, CPU], grants)
    with pytest.raises(ProviderError, match=r"CUDA cannot be used: the library libcublasLt.so.13 was not found"):
        open_session(file, "cuda", SessionOptions(threads=1))


@pytest.mark.parametrize(("offers", "grants"), [([CPU], [CPU]), ([CUDA, CPU], [CPU]), ([CUDA], RuntimeError("x"))])
def test_auto_falls_back_and_says_why(runtime, file, monkeypatch, offers, grants):
    monkeypatch.setattr(sessions, "gpu_present", lambda: True)
    runtime(offers, grants)
    session = open_session(file, "auto", SessionOptions(threads=1))
    assert session.provider == "cpu"
    assert "CUDA" in session.note


def test_without_a_gpu_the_cpu_is_no_fallback(runtime, file, monkeypatch):
    monkeypatch.setattr(sessions, "gpu_present", lambda: False)
    runtime([CPU], [CPU])
    session = open_session(file, "auto", SessionOptions(threads=1))
    assert (session.provider, session.note) == ("cpu", "")


def test_the_file_may_depend_on_the_provider(runtime, file):
    runtime([CUDA, CPU], [CPU])
    asked = []

    def choose(provider):
        asked.append(provider)
        return [file]

    open_session(choose, "auto")
    assert asked == ["cuda", "cpu"]


WINDOWS = [np.full((1, 5, 160), 0.1, dtype=np.float32), np.full((1, 9, 160), 0.2, dtype=np.float32)]


def inputs(frames):
    return np.random.default_rng(frames).normal(0, 0.1, (1, frames, 160)).astype(np.float32)


@pytest.mark.parametrize("cuda_graph", [True, False])
def test_windows_keep_their_buffers_on_the_gpu(runtime, file, cuda_graph):
    """Each length has buffers of its own, and a CUDA graph of its own where it is wanted; other lengths have neither.
    What comes out is the same, and is not written over by the next call."""
    fake = runtime([CUDA, CPU], [CUDA, CPU])
    session = open_session(file, "cuda", SessionOptions(cuda_graph=cuda_graph, windows=lambda: WINDOWS))
    assert fake.asked[-1][1][0][1]["enable_cuda_graph"] == str(int(cuda_graph))
    assert session.graphs == (2 if cuda_graph else 0)
    plain = open_session(file, "cpu")
    for window in WINDOWS:
        session.run(window)  # recorded
    fake.replayed.clear()
    arrays = [inputs(frames) for frames in (5, 9, 7, 9, 5)]
    found, expected = [session.run(array) for array in arrays], [plain.run(array) for array in arrays]
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert fake.replayed == (["0", "1", "-1", "1", "0"] if cuda_graph else ["-1"] * 5)


def test_a_graph_that_cannot_be_recorded_runs_without(runtime, file):
    runtime([CUDA, CPU], [CUDA, CPU], recordable=False)
    session = open_session(file, "cuda", SessionOptions(windows=lambda: WINDOWS))
    assert (session.provider, session.graphs, session.note) == ("cuda", 0, "")
    assert set(session.run(inputs(5))) == {"ctc", "intent"}


def test_a_graph_that_cannot_be_recorded_is_found_out_at_the_start(runtime, file):
    """One of the windows is recorded while the session is opened."""
    fake = runtime([CUDA, CPU], [CUDA, CPU], recordings=0)
    session = open_session(file, "cuda", SessionOptions(windows=lambda: WINDOWS))
    assert (session.provider, session.graphs, session.note) == ("cuda", 0, "")
    fake.runs.clear()
    session.run(inputs(9))
    assert [each.how for each in fake.runs] == ["bound"]


def test_a_gpu_that_is_lost_while_it_records_is_lost(runtime, file):
    fake = runtime([CUDA, CPU], [CUDA, CPU], recordings=1)
    session = open_session(file, "cuda", SessionOptions(windows=lambda: WINDOWS))
    fake.grants = RuntimeError("CUDA failure 46: all devices are busy")
    with pytest.raises(DeviceLostError):
        session.run(inputs(5))


def test_a_variant_that_gives_no_numbers_leaves_cuda_to_the_next(runtime, tmp_path):
    fp32, fp16 = tmp_path / "model.onnx", tmp_path / "model.fp16.onnx"
    tiny_bundle(tmp_path, precisions=("fp32", "fp16"))
    runtime([CUDA, CPU], [CUDA, CPU], no_numbers="model.fp16")
    session = open_session(lambda _: [fp16, fp32], "cuda", SessionOptions(windows=lambda: WINDOWS))
    assert (session.provider, session.file) == ("cuda", fp32)
    assert "model.fp16.onnx puts out values that are no numbers" in session.note
    with pytest.raises(NoNumbersError):
        open_session(fp16, "auto", SessionOptions(windows=lambda: WINDOWS))


def test_tensorrt_gets_one_profile_for_all_lengths(runtime, file, tmp_path, monkeypatch):
    """Otherwise it would build its engine anew for every length it has not seen. The folder of the engines is made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache" / "deep"))
    fake = runtime([TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU])
    extremes = [inputs(frames) for frames in (2, 9, 100)]
    session = open_session(file, "tensorrt", SessionOptions(windows=lambda: WINDOWS, extremes=lambda: extremes))
    assert (session.provider, session.graphs) == ("tensorrt", 0)
    names, providers, *_ = fake.asked[-1]
    assert names == [TENSORRT, CUDA, CPU]
    assert providers[0][1] == {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(tmp_path / "cache" / "deep" / "edgevoice" / "tensorrt"),
        "trt_profile_min_shapes": "frames:1x2x160",
        "trt_profile_opt_shapes": "frames:1x9x160",
        "trt_profile_max_shapes": "frames:1x100x160",
    }
    assert (tmp_path / "cache" / "deep" / "edgevoice" / "tensorrt").is_dir()
    assert fake.runs[:2] == [Run("copied", (1, 100, 160)), Run("copied", (1, 2, 160))]


def test_tensorrt_that_takes_the_graph_in_parts_learns_the_lengths_at_the_start(runtime, file):
    """It refuses a profile that does not name what goes from part to part, and widens its own by what it runs."""
    fake = runtime([TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU], partitioned=True)
    extremes = [inputs(frames) for frames in (2, 9, 100)]
    session = open_session(file, "tensorrt", SessionOptions(extremes=lambda: extremes))
    assert session.provider == "tensorrt"
    assert "trt_profile_min_shapes" not in fake.asked[-1][1][0][1]
    assert [each.shape[1] for each in fake.runs] == [100, 2]


def test_tensorrt_without_a_cache_builds_its_engines_again(runtime, file, tmp_path, monkeypatch):
    (tmp_path / "no-folder").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-folder"))
    fake = runtime([TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU])
    assert open_session(file, "tensorrt").provider == "tensorrt"
    assert fake.asked[-1][1][0] == (TENSORRT, {})


@pytest.mark.parametrize(("provider", "said"), [("tensorrt", "libnvinfer.so.10"), ("cuda", "libcublasLt.so.13")])
def test_the_library_that_is_missing_is_named(monkeypatch, file, provider, said):
    fake = Runtime([TENSORRT, CUDA, CPU], [CPU])
    monkeypatch.setattr(sessions, "_runtime", lambda: fake)

    def load(name, **_):
        missing = {"tensorrt": "libnvinfer.so.10", "cuda": "libcublasLt.so.13"}
        for part, library in missing.items():
            if name.endswith(f"libonnxruntime_providers_{part}.so"):
                raise OSError(f"{library}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(sessions.ctypes, "CDLL", load)
    remedy = "Install TensorRT.*--provider cuda" if provider == "tensorrt" else "Install the GPU build.*--provider cpu"
    with pytest.raises(ProviderError, match=rf"cannot be used: the library {said} was not found\. {remedy}"):
        open_session(file, provider)


def test_a_gpu_without_room_for_the_windows_is_no_cuda(runtime, file):
    """It fails while it is opened, not in the middle of a call."""
    runtime([CUDA, CPU], [CUDA, CPU], fails_after=1)
    with pytest.raises(ProviderError, match="CUDA cannot be used"):
        open_session(file, "cuda", SessionOptions(windows=lambda: WINDOWS))


def test_a_gpu_that_is_lost_is_told_from_a_broken_model(runtime, file):
    runtime([CUDA, CPU], [CUDA, CPU], fails_after=0)
    session = open_session(file, "cuda")
    with pytest.raises(DeviceLostError, match=r"failed on cuda: CUDA failure 700.*--provider cpu") as caught:
        session.run(inputs(5))
    assert "\n" not in str(caught.value)


def test_buffers_that_give_something_else_are_noticed(file):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file))
    array = inputs(5)
    outputs = dict(zip(("ctc", "intent"), session.run(["ctc", "intent"], {"frames": array}), strict=True))
    Binding(onnxruntime, session, array, outputs, "cpu")
    with pytest.raises(ArithmeticError):
        Binding(onnxruntime, session, array, {name: value + 1 for name, value in outputs.items()}, "cpu")


@pytest.mark.parametrize("content", [b"junk", b""])
def test_a_corrupt_file_is_a_model_error_in_one_line(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be run") as caught:
        open_session(tmp_path / "model.onnx", "cpu", SessionOptions(threads=1))
    assert "\n" not in str(caught.value)


def test_a_failing_run_is_a_model_error(file):
    with pytest.raises(ModelError, match="The model failed on cpu") as caught:
        open_session(file, "cpu", SessionOptions(threads=1)).run(np.zeros((1, 5, 3), dtype=np.float32))
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
        open_session(file, "cpu", SessionOptions(threads=1))


def test_without_onnxruntime_both_extras_are_named(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EdgeVoiceError, match=r"edgevoice\[cpu\].*edgevoice\[gpu\]") as caught:
        open_session(file, "cpu", SessionOptions(threads=1))
    assert isinstance(caught.value, MissingExtraError)
