"""The only importer of onnxruntime: opens sessions and proves which execution provider they really run on."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.asr import optimised
from edgevoice.errors import EdgeVoiceError, MissingExtraError, ModelError, ProviderError

Array = npt.NDArray[np.float32]
FileChoice = Path | Callable[[str], Path]
"""An ONNX file, or a function from the provider ("cpu", "cuda", "tensorrt") to the file that suits it."""

_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_GPU_REMEDY = (
    "Install the GPU build (pip uninstall onnxruntime, then pip install 'edgevoice[gpu]') and an NVIDIA driver, "
    "or use --provider cpu"
)


class MissingRuntimeError(MissingExtraError):
    """onnxruntime is not installed: it comes with one of two extras that must never meet."""

    def __init__(self) -> None:
        EdgeVoiceError.__init__(
            self,
            "onnxruntime is not installed, so no model can run",
            "Install it: pip install 'edgevoice[cpu]', or 'edgevoice[gpu]' for an NVIDIA GPU (never both)",
        )


class Session:
    """One graph, ready to run."""

    def __init__(self, session: Any, provider: str, note: str = "") -> None:
        self.provider = provider
        """ "cpu", "cuda" or "tensorrt", as the session itself reports it."""
        self.note = note
        """Why it is not the provider one might expect; empty when there is nothing to say."""
        self._session = session
        self._input = session.get_inputs()[0].name
        self._half = session.get_inputs()[0].type == "tensor(float16)"
        self.outputs = [output.name for output in session.get_outputs()]
        """Names of the graph's outputs."""

    def run(self, array: Array) -> dict[str, Array]:
        """The graph's outputs by name, float32.

        Raises:
            ModelError: the graph failed, for example because the GPU is gone or out of memory.
        """
        feed = {self._input: array.astype(np.float16) if self._half else array}
        try:
            values = self._session.run(self.outputs, feed)
        except Exception as error:  # onnxruntime's exceptions share no base class
            cpu = self.provider == "cpu"
            remedy = "Export it again, or choose another --model" if cpu else "Try again with --provider cpu"
            raise ModelError(f"The model failed on {self.provider}: {_first_line(error)}", remedy) from error
        return {name: np.asarray(value, dtype=np.float32) for name, value in zip(self.outputs, values, strict=True)}


def open_session(file: FileChoice, provider: str, threads: int, digests: Mapping[str, str] | None = None) -> Session:
    """A session on `provider`; "auto" takes CUDA where it loads and otherwise the CPU, with a note that says
    why if there is a GPU.

    Args:
        file: the graph.
        provider: "auto", "cpu", "cuda" or "tensorrt".
        threads: on the CPU.
        digests: file name -> sha256 of a bundle's files, which were verified: a large graph among them is loaded on the
            CPU as onnxruntime optimised it the first time (`edgevoice.asr.optimised`).

    Raises:
        ProviderError: `provider` was named and cannot be used; there is no silent fallback.
        ModelError: the file is no ONNX graph that this version of onnxruntime runs.
        MissingRuntimeError: onnxruntime is not installed.
    """
    runtime = _runtime()
    choose = file if callable(file) else lambda _: file
    if provider != "auto":
        return _open(runtime, choose(provider), provider, threads, digests or {})
    try:
        return _open(runtime, choose("cuda"), "cuda", threads, digests or {})
    except ProviderError as error:
        session = _open(runtime, choose("cpu"), "cpu", threads, digests or {})
        # on a machine without a GPU the CPU is no fallback, and nothing needs saying
        session.note = error.what if gpu_present() else ""
        return session


def gpu_present() -> bool:
    """Whether the NVIDIA driver has found a GPU here (Linux, and Windows' Linux)."""
    return any(Path(name).exists() for name in ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/dxg"))


def _runtime() -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise MissingRuntimeError from None
    except ImportError as error:
        if error.__cause__ and not isinstance(error.__cause__, Exception):
            raise error.__cause__ from None  # a signal came while it loaded
        raise EdgeVoiceError(
            f"onnxruntime cannot be loaded: {_first_line(error)}", "Install it again: pip install 'edgevoice[cpu]'"
        ) from None
    return onnxruntime


def available_providers() -> list[str]:
    """What the installed onnxruntime was built for; whether it loads here, only a session tells.

    Raises:
        MissingRuntimeError: onnxruntime is not installed.
    """
    built = _runtime().get_available_providers()
    return [name for name, its in _NAMES.items() if its in built]


def _open(runtime: Any, file: Path, provider: str, threads: int, digests: Mapping[str, str]) -> Session:
    if provider == "cpu":
        return _prove(_create_on_cpu(runtime, file, threads, digests), provider)
    if _NAMES[provider] not in runtime.get_available_providers():
        raise ProviderError(f"The installed onnxruntime {runtime.__version__} has no {_title(provider)}", _GPU_REMEDY)
    _preload(runtime)
    try:
        session = _create(runtime, file, provider, threads)
    except ModelError as error:
        # the same file on the CPU tells a broken provider from a broken file
        _create(runtime, file, "cpu", threads)
        reason = _missing_library() or error.what
        raise ProviderError(f"{_title(provider)} cannot be used: {reason}", _GPU_REMEDY) from None
    return _prove(session, provider)


def _prove(session: Any, provider: str) -> Session:
    if session.get_providers()[0] != _NAMES[provider]:
        reason = _missing_library() or "onnxruntime could not load it and gave no reason"
        raise ProviderError(f"{_title(provider)} cannot be used: {reason}", _GPU_REMEDY)
    return Session(session, provider)


def _create_on_cpu(runtime: Any, file: Path, threads: int, digests: Mapping[str, str]) -> Any:
    """A session on a graph, or on what was kept of it; a graph that is worth it is kept now."""
    place = optimised.place_for(file, digests, runtime.__version__) if digests else None
    if place is None:
        return _create(runtime, file, "cpu", threads)
    return _create_kept(runtime, place, threads) or _create_and_keep(runtime, file, place, threads)


def _create_kept(runtime: Any, place: Path, threads: int) -> Any:
    """A session on an optimised graph, None if there is none that is whole. It loads while its bytes are read."""
    if not optimised.is_there(place):
        return None
    options = _session_options(runtime, threads)
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with ThreadPoolExecutor(1) as reader:
        whole = reader.submit(optimised.is_whole, place)
        try:
            session = _create(runtime, place / optimised.GRAPH, "cpu", threads, options)
        except ModelError:
            return None
        return session if whole.result() else None


def _create_and_keep(runtime: Any, file: Path, place: Path, threads: int) -> Any:
    """A session on a graph, of which the optimised form is kept where the disk allows it."""
    session = None
    # onnxruntime's own failure to write is told from a broken graph by loading that once more
    with contextlib.suppress(OSError, ModelError), optimised.kept(place) as folder:
        options = _session_options(runtime, threads)
        options.optimized_model_filepath = str(folder / optimised.GRAPH)
        # weights beside the graph are mapped into memory, not read and copied: half the time
        prefix = "session.optimized_model_external_initializers"
        options.add_session_config_entry(f"{prefix}_file_name", optimised.WEIGHTS)
        options.add_session_config_entry(f"{prefix}_min_size_in_bytes", "1024")
        session = _create(runtime, file, "cpu", threads, options)
    return session or _create(runtime, file, "cpu", threads)


def _create(runtime: Any, file: Path, provider: str, threads: int, options: Any = None) -> Any:
    try:
        session = runtime.InferenceSession(
            str(file),
            sess_options=options or _session_options(runtime, threads),
            providers=_providers(provider),
            enable_fallback=0,
        )
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
        raise ModelError(
            f"{file} cannot be run: {_first_line(error)}", "Copy or export the model again, or choose another --model"
        ) from None
    session.disable_fallback()
    return session


def _session_options(runtime: Any, threads: int) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # microphone, detector and screen share the cores with the model: idle threads must not spin
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(provider: str) -> list[Any]:
    # HEURISTIC: the default benchmarks every convolution again for every new input length
    cuda = (_NAMES["cuda"], {"cudnn_conv_algo_search": "HEURISTIC"})
    cpu = _NAMES["cpu"]
    if provider == "tensorrt":
        return [(_NAMES["tensorrt"], _tensorrt_options()), cuda, cpu]
    return [cuda, cpu] if provider == "cuda" else [cpu]


def _tensorrt_options() -> Mapping[str, Any]:
    import platformdirs

    # building an engine takes minutes: keep it, outside the bundle
    folder = platformdirs.user_cache_path("edgevoice") / "tensorrt"
    return {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(folder)}


def _preload(runtime: Any) -> None:
    """Loads CUDA and cuDNN from their Python packages, where the system's loader does not look."""
    if hasattr(runtime, "preload_dlls"):
        # it prints what it does not find; standard output belongs to results
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            runtime.preload_dlls()


def _missing_library() -> str:
    """What the system's loader says about the CUDA provider, for example "libcublasLt.so.13 was not found"."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / "libonnxruntime_providers_cuda.so"))
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        missing = re.match(r"(\S+?): cannot open shared object file", str(error))
        return f"the library {Path(missing[1]).name} was not found" if missing else _first_line(error)
    return ""


def _title(provider: str) -> str:
    return {"cuda": "CUDA", "tensorrt": "TensorRT"}[provider]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
