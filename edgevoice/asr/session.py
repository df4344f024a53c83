"""The only importer of onnxruntime: opens sessions and proves which execution provider they really run on."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.asr import optimised
from edgevoice.asr.batching import Axes
from edgevoice.asr.binding import NO_GRAPH, Binding, RecordingError, run_bound, run_options
from edgevoice.asr.steps import NEXT
from edgevoice.errors import EdgeVoiceError, MissingExtraError, ModelError, ProviderError
from edgevoice.paths import cache_folder

Array = npt.NDArray[np.float32]
FileChoice = Path | Callable[[str], Sequence[Path]]
"""An ONNX file, or a function from the provider ("cpu", "cuda", "tensorrt") to the files that suit it, best first."""

ConvolutionSearch = Literal["heuristic", "exhaustive", "default"]
"""How CUDA finds the kernel of a convolution: by a rule of thumb, by trying all of them for every new length of input,
or none but the first."""

_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_GPU_REMEDY = (
    "Install the GPU build (pip uninstall onnxruntime, then pip install 'edgevoice[gpu]') and an NVIDIA driver, "
    "or use --provider cpu"
)
_ENDS = ("min", "opt", "max")
_TENSORRT_REMEDY = "Install TensorRT where the system's loader finds it, beside the GPU build, or use --provider cuda"


class MissingRuntimeError(MissingExtraError):
    """onnxruntime is not installed: it comes with one of two extras that must never meet."""

    def __init__(self) -> None:
        EdgeVoiceError.__init__(
            self,
            "onnxruntime is not installed, so no model can run",
            "Install it: pip install 'edgevoice[cpu]', or 'edgevoice[gpu]' for an NVIDIA GPU (never both)",
        )


class DeviceLostError(ModelError):
    """A graph that had run on the GPU failed there."""


class NoNumbersError(ModelError):
    """A graph puts out NaN or infinity on a GPU, as some do in half precision."""


@dataclass(frozen=True)
class SessionOptions:
    """How a graph is run."""

    threads: int = 2
    """On the CPU."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """File name -> sha256 of a bundle's files, which were verified: a large graph among them is loaded on the CPU as
    onnxruntime optimised it the first time (`edgevoice.asr.optimised`)."""
    search: ConvolutionSearch = "heuristic"
    cuda_graph: bool = True
    """Record the launches of each window on CUDA, and replay them as one, where the graph allows it."""
    windows: Callable[[], Sequence[Array]] = tuple
    """Gives inputs of the lengths that come again and again: on a GPU their buffers stay there."""
    extremes: Callable[[], Sequence[Array]] = tuple
    """Gives the shortest input, a usual one and the longest: TensorRT builds its engine for what lies between."""
    beside: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """What a graph that hears in chunks takes beside its windows, by name. It remembers, and the shapes of what it
    hears are many: no buffers are kept for it and nothing is recorded."""


class KeptValue(Protocol):
    """An output that stayed where the graph runs, and can be an input of the next run there."""

    def numpy(self) -> npt.NDArray[Any]:
        """It in this process; on the CPU in the same memory."""
        ...


Value = KeptValue | npt.NDArray[Any]
"""What an input can be."""


class Session:
    """One graph, ready to run."""

    def __init__(self, session: Any, provider: str, file: Path) -> None:
        self.provider = provider
        """ "cpu", "cuda" or "tensorrt", as the session itself reports it."""
        self.file = file
        """The graph."""
        self.note = ""
        """Why it is not the provider, or the file, one might expect; empty when there is nothing to say."""
        self.graphs = 0
        """How many window lengths are replayed as one CUDA graph."""
        self._session = session
        first, *others = session.get_inputs()
        self._input, self._half = first.name, first.type == "tensor(float16)"
        self.nothing = {each.name: nothing(each) for each in others if _stream_axis(each) is not None}
        """What a graph that hears in chunks remembers before it has heard anything, by input, for one stream."""
        self.inputs = {each.name: each for each in session.get_inputs()}
        """Descriptions of its inputs, by name."""
        self._bindings: dict[tuple[int, ...], Binding] = {}
        self._skipped: Any = None
        self._unrecorded: Any = None
        self._instead: Session | None = None
        """What runs since a recording failed."""
        self.outputs = [output.name for output in session.get_outputs()]
        """Names of the graph's outputs."""
        self.axes = _axes(session.get_inputs(), self.outputs)
        """Where the graph holds one stream behind the other; None if it takes one at a time."""

    def try_out(self, windows: Sequence[Array], beside: Mapping[str, npt.NDArray[Any]]) -> None:
        """Runs a graph that hears in chunks.

        Args:
            windows: an input of each shape that is usual.
            beside: its other inputs, but for what it remembers.

        Raises:
            NoNumbersError: what comes out are no numbers.
        """
        for window in windows:
            self._require_numbers(self.step({self._input: window, **beside}).values())

    def _require_numbers(self, values: Iterable[npt.NDArray[Any]]) -> None:
        if not all(are_numbers(value) for value in values):
            raise NoNumbersError(
                f"{self.file.name} puts out values that are no numbers on {_title(self.provider)}",
                "Choose another precision, or use --provider cpu",
            )

    def keep(self, runtime: Any, windows: Sequence[Array], *, unrecorded: Callable[[], Session] | None = None) -> None:
        """Keeps the buffers for inputs of these shapes on the GPU.

        Args:
            runtime: onnxruntime.
            windows: an input of each shape.
            unrecorded: opens the graph again without CUDA graphs. With it the launches of each window are recorded.

        Raises:
            NoNumbersError: what comes out are no numbers.
            RecordingError: the launches cannot be recorded.
        """
        self._skipped, self._unrecorded = run_options(runtime, NO_GRAPH), unrecorded
        for number, window in enumerate(windows):
            array = self._typed(window)
            values = self._session.run(self.outputs, {self._input: array}, self._skipped)
            self._require_numbers(values)
            outputs = dict(zip(self.outputs, values, strict=True))
            graph = number if unrecorded else NO_GRAPH
            with contextlib.suppress(ArithmeticError):  # buffers that cannot be trusted are not kept
                self._bindings[array.shape] = Binding(runtime, self._session, array, outputs, "cuda", graph)
        if unrecorded and windows:
            self.graphs = len(self._bindings)
            self._replay(self._typed(windows[-1]))  # what cannot be recorded is found out now

    def run(self, array: Array) -> dict[str, Array]:
        """The graph's outputs by name, float32.

        Raises:
            DeviceLostError: it failed on a GPU, which may be gone or out of memory.
            ModelError: it failed on the CPU.
        """
        if self._instead:
            return self._instead.run(array)
        typed = self._typed(array)
        try:
            values = self._values(typed)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise self._failure(error) from error
        return {name: np.asarray(value, dtype=np.float32) for name, value in zip(self.outputs, values, strict=True)}

    def step(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The outputs by name of a graph that hears in chunks.

        Args:
            inputs: by name; what is not named is zero.

        Raises:
            DeviceLostError: it failed on a GPU, which may be gone or out of memory.
            ModelError: it failed on the CPU.
        """
        try:
            values = self._session.run(self.outputs, {**self.nothing, **inputs})
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise self._failure(error) from error
        return dict(zip(self.outputs, values, strict=True))

    def empty(self, name: str, batch: int) -> npt.NDArray[Any]:
        """An input of nothing for so many streams: its first axis is theirs, the others without a number are empty."""
        described = self.inputs[name]
        _, *sizes = described.shape
        kind = np.float16 if described.type == "tensor(float16)" else np.float32
        return np.zeros([batch, *(size if isinstance(size, int) else 0 for size in sizes)], dtype=kind)

    def run_kept(self, inputs: Mapping[str, Value]) -> dict[str, KeptValue]:
        """The graph's outputs by name, which stay where it runs: what a decoder remembers is not copied to and fro.

        Args:
            inputs: by name, all of them; floats may be of either precision.

        Raises:
            DeviceLostError: it failed on a GPU, which may be gone or out of memory.
            ModelError: it failed on the CPU.
        """
        device = "cpu" if self.provider == "cpu" else "cuda"
        try:
            return run_bound(self._session, {name: self._fit(name, each) for name, each in inputs.items()}, device)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise self._failure(error) from error

    def _fit(self, name: str, value: Value) -> Value:
        half = self.inputs[name].type == "tensor(float16)"
        return value.astype(np.float16) if half and isinstance(value, np.ndarray) else value

    def _failure(self, error: Exception) -> ModelError:
        what = f"The model failed on {self.provider}: {_first_line(error)}"
        if self.provider == "cpu":
            return ModelError(what, "Export it again, or choose another --model")
        return DeviceLostError(what, "Try again with --provider cpu")

    def _values(self, array: npt.NDArray[Any]) -> Sequence[Array]:
        with contextlib.suppress(RecordingError):
            return self._replay(array)
        # a stream in which a recording failed may fail for ever: only a new session is sure to be whole. Out of the
        # handler of the exception, which holds on to the old one and its memory
        self._session, self._bindings, self.graphs = None, {}, 0
        self._instead = self._unrecorded()
        return list(self._instead.run(array).values())

    def _replay(self, array: npt.NDArray[Any]) -> Sequence[Array]:
        """Runs in the buffers for inputs of this shape, if they were kept."""
        binding = self._bindings.get(array.shape)
        if binding:
            return binding.run(array)
        values: Sequence[Array] = self._session.run(self.outputs, {self._input: array}, self._skipped)
        return values

    def _typed(self, array: Array) -> npt.NDArray[Any]:
        return array.astype(np.float16) if self._half else array


def _axes(inputs: Sequence[Any], outputs: Sequence[str]) -> Axes | None:
    found = {each.name: axis for each in inputs if (axis := _stream_axis(each)) is not None}
    if found.get(inputs[0].name) != 0:
        return None
    return Axes(found, {name: found.get(name.removeprefix(NEXT), 0) for name in outputs})


def _stream_axis(described: Any) -> int | None:
    """The first axis whose length is not fixed."""
    return next((axis for axis, size in enumerate(described.shape) if not isinstance(size, int)), None)


def nothing(described: Any) -> npt.NDArray[Any]:
    """What an input of a graph is before anything was heard, for one stream: its batch is the axis without a number."""
    kind = np.int64 if described.type == "tensor(int64)" else np.float32
    return np.zeros([size if isinstance(size, int) else 1 for size in described.shape], dtype=kind)


def open_session(file: FileChoice, provider: str, options: SessionOptions = SessionOptions()) -> Session:
    """A session on `provider`; "auto" takes CUDA where it loads and otherwise the CPU, with a note that says
    why if there is a GPU.

    Args:
        file: the graph, or graphs that are tried in turn on a GPU until one puts out numbers.
        provider: "auto", "cpu", "cuda" or "tensorrt".
        options: how it is run.

    Raises:
        ProviderError: `provider` was named and cannot be used; there is no silent fallback.
        NoNumbersError: none of the graphs puts out numbers on the GPU.
        ModelError: the file is no ONNX graph that this version of onnxruntime runs.
        MissingRuntimeError: onnxruntime is not installed.
    """
    runtime = _runtime()
    choose = file if callable(file) else lambda _: [file]
    if provider != "auto":
        return _open_first(runtime, choose(provider), provider, options)
    try:
        return _open_first(runtime, choose("cuda"), "cuda", options)
    except ProviderError as error:
        session = _open_first(runtime, choose("cpu"), "cpu", options)
        # on a machine without a GPU the CPU is no fallback, and nothing needs saying
        session.note = error.what if gpu_present() else ""
        return session


def are_numbers(logits: npt.NDArray[Any]) -> bool:
    """Whether scores can be made of them: NaN wins every maximum, and -inf is a fair way to say never."""
    return bool(np.isfinite(logits.max(initial=0.0)))


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


def _open_first(runtime: Any, files: Sequence[Path], provider: str, options: SessionOptions) -> Session:
    """The first of the files that puts out numbers, with a note that says what was wrong with those before."""
    file, *others = files
    try:
        return _open(runtime, file, provider, options)
    except NoNumbersError as error:
        if not others:
            raise
        session = _open_first(runtime, others, provider, options)
        session.note = f"{error.what}, so {session.file.name} runs"
        return session


def _open(runtime: Any, file: Path, provider: str, options: SessionOptions) -> Session:
    if provider == "cpu":
        return _prove(_create_on_cpu(runtime, file, options), provider, file)
    if _NAMES[provider] not in runtime.get_available_providers():
        raise ProviderError(f"The installed onnxruntime {runtime.__version__} has no {_title(provider)}", _GPU_REMEDY)
    _preload(runtime)
    if options.beside and provider == "tensorrt":
        raise ProviderError("A model that hears in chunks does not run on TensorRT", "Use --provider cuda")
    if provider == "tensorrt" or (options.cuda_graph and not options.beside):
        with contextlib.suppress(Exception):  # not every graph can be had as a whole; in parts it says what is wrong
            return _open_on_gpu(runtime, file, provider, options, whole=True)
    try:
        return _open_on_gpu(runtime, file, provider, options, whole=False)
    except (ProviderError, NoNumbersError):
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime's exceptions share no base class
        # the same file on the CPU tells a broken provider from a broken file
        _create(runtime, file, "cpu", options)
        reason = _missing_library(provider) or (error.what if isinstance(error, ModelError) else _first_line(error))
        raise ProviderError(f"{_title(provider)} cannot be used: {reason}", _remedy(provider)) from None


def _open_on_gpu(runtime: Any, file: Path, provider: str, options: SessionOptions, *, whole: bool) -> Session:
    """A session whose windows have run.

    Args:
        runtime: onnxruntime.
        file: the graph.
        provider: "cuda" or "tensorrt".
        options: how it is run.
        whole: with what only a graph can have that the provider takes as a whole: CUDA graphs, and for TensorRT a
            profile of its input (it wants one for the inputs of every part).
    """
    extremes = options.extremes() if provider == "tensorrt" else ()
    recorded = whole and provider == "cuda"
    profile = _profile(runtime, file, options, extremes) if whole and extremes else {}
    session = _prove(_create(runtime, file, provider, options, recorded=recorded, profile=profile), provider, file)
    for array in (*extremes[-1:], *extremes[:1]):
        # an engine without a profile is built for the lengths it has seen, anew for each beyond: now, not in mid-speech
        with contextlib.suppress(DeviceLostError):  # a minute may be more than a small GPU has room for
            session.run(array)

    def unrecorded() -> Session:
        return _open_on_gpu(runtime, file, provider, options, whole=False)

    if options.beside:
        session.try_out(options.windows(), options.beside)
    else:
        session.keep(runtime, options.windows(), unrecorded=unrecorded if recorded else None)
    return session


def _prove(session: Any, provider: str, file: Path) -> Session:
    if session.get_providers()[0] != _NAMES[provider]:
        reason = _missing_library(provider) or "onnxruntime could not load it and gave no reason"
        raise ProviderError(f"{_title(provider)} cannot be used: {reason}", _remedy(provider))
    return Session(session, provider, file)


def _create_on_cpu(runtime: Any, file: Path, options: SessionOptions) -> Any:
    """A session on a graph, or on what was kept of it; a graph that is worth it is kept now."""
    place = optimised.place_for(file, options.digests, runtime.__version__) if options.digests else None
    if place is None:
        return _create(runtime, file, "cpu", options)
    return _create_kept(runtime, place, options) or _create_and_keep(runtime, file, place, options)


def _create_kept(runtime: Any, place: Path, options: SessionOptions) -> Any:
    """A session on an optimised graph, None if there is none that is whole. It loads while its bytes are read."""
    if not optimised.is_there(place):
        return None
    native = _session_options(runtime, options.threads)
    native.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with ThreadPoolExecutor(1) as reader:
        whole = reader.submit(optimised.is_whole, place)
        try:
            session = _create(runtime, place / optimised.GRAPH, "cpu", options, native)
        except ModelError:
            return None
        return session if whole.result() else None


def _create_and_keep(runtime: Any, file: Path, place: Path, options: SessionOptions) -> Any:
    """A session on a graph, of which the optimised form is kept where the disk allows it."""
    session = None
    # onnxruntime's own failure to write is told from a broken graph by loading that once more
    with contextlib.suppress(OSError, ModelError), optimised.kept(place) as folder:
        native = _session_options(runtime, options.threads)
        native.optimized_model_filepath = str(folder / optimised.GRAPH)
        # weights beside the graph are mapped into memory, not read and copied: half the time
        prefix = "session.optimized_model_external_initializers"
        native.add_session_config_entry(f"{prefix}_file_name", optimised.WEIGHTS)
        native.add_session_config_entry(f"{prefix}_min_size_in_bytes", "1024")
        session = _create(runtime, file, "cpu", options, native)
    return session or _create(runtime, file, "cpu", options)


def _create(
    runtime: Any,
    file: Path,
    provider: str,
    options: SessionOptions,
    native: Any = None,
    *,
    recorded: bool = False,
    profile: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    try:
        session = runtime.InferenceSession(
            str(file),
            sess_options=native or _session_options(runtime, options.threads),
            providers=_providers(provider, options.search, recorded=recorded, profile=profile),
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


def _providers(provider: str, search: ConvolutionSearch, *, recorded: bool, profile: Mapping[str, str]) -> list[Any]:
    # onnxruntime's own choice, exhaustive, tries every kernel again for every new length of input
    options = {"cudnn_conv_algo_search": search.upper(), "enable_cuda_graph": str(int(recorded))}
    cuda = (_NAMES["cuda"], options)
    cpu = _NAMES["cpu"]
    if provider == "tensorrt":
        return [(_NAMES["tensorrt"], {**_engine_cache(), **profile}), cuda, cpu]
    return [cuda, cpu] if provider == "cuda" else [cpu]


def _engine_cache() -> Mapping[str, Any]:
    """Building an engine takes minutes: it is kept, outside the bundle, where the disk allows it."""
    folder = cache_folder() / "tensorrt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}
    return {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(folder)}


def _profile(runtime: Any, file: Path, options: SessionOptions, extremes: Sequence[Array]) -> Mapping[str, str]:
    """The range of shapes that TensorRT builds its engine for, as "input:1x400"."""
    native = _session_options(runtime, options.threads)
    native.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    name = _create(runtime, file, "cpu", options, native).get_inputs()[0].name
    sizes = ("x".join(map(str, array.shape)) for array in extremes)
    return {f"trt_profile_{end}_shapes": f"{name}:{size}" for end, size in zip(_ENDS, sizes, strict=True)}


def _preload(runtime: Any) -> None:
    """Loads CUDA and cuDNN from their Python packages, where the system's loader does not look."""
    if hasattr(runtime, "preload_dlls"):
        # it prints what it does not find; standard output belongs to results
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            runtime.preload_dlls()


def _missing_library(provider: str) -> str:
    """What the system's loader says about a provider, for example "libcublasLt.so.13 was not found"."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        for each in dict.fromkeys((provider, "cuda")):
            ctypes.CDLL(str(folder / f"libonnxruntime_providers_{each}.so"))
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        missing = re.match(r"(\S+?): cannot open shared object file", str(error))
        return f"the library {Path(missing[1]).name} was not found" if missing else _first_line(error)
    return ""


def _remedy(provider: str) -> str:
    return _TENSORRT_REMEDY if provider == "tensorrt" else _GPU_REMEDY


def _title(provider: str) -> str:
    return {"cuda": "CUDA", "tensorrt": "TensorRT"}[provider]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
