"""onnxruntime that says it runs on CUDA and runs on the CPU: what surrounds a GPU can be tested without one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnxruntime

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"


@dataclass(frozen=True)
class Run:
    """One run on CUDA."""

    how: Literal["copied", "bound", "recorded", "replayed"]
    """With buffers of its own, with bound ones, or these and a CUDA graph."""
    shape: tuple[int, ...]
    """Of the input; empty for bound buffers, which do not tell."""


class Runtime:
    """The real onnxruntime but for its devices.

    Args:
        offers: providers that it lists.
        grants: those that a session on CUDA really gets, or the exception that opening one raises.
        recordable: whether a session may be asked for CUDA graphs.
        fails_after: calls until the GPU is lost; None for never.
        recordings: CUDA graphs that can be recorded before one fails; None for all.
        partitioned: whether TensorRT cannot take the graph as a whole, and so no profile of its input alone.
        no_numbers: part of the path of graphs that put out NaN.
    """

    __version__ = "1.99.0"

    def __init__(
        self,
        offers: list[str],
        grants: Any,
        *,
        recordable: bool = True,
        fails_after: int | None = None,
        recordings: int | None = None,
        partitioned: bool = False,
        no_numbers: str = "",
    ) -> None:
        self.offers, self.grants, self.recordable, self.left = offers, grants, recordable, fails_after
        self.recordings, self.partitioned, self.no_numbers = recordings, partitioned, no_numbers
        self.lost = ""
        """Part of the path of graphs whose sessions are lost from now on."""
        self.asked: list[tuple[list[str], list[Any], Any, int]] = []
        self.replayed: list[str] = []
        """The number of the CUDA graph of every run on CUDA."""
        self.runs: list[Run] = []
        """Every run on CUDA that did not fail."""

    def __getattr__(self, name: str) -> Any:
        return getattr(onnxruntime, name)

    def get_available_providers(self) -> list[str]:
        """What it was told to list."""
        return self.offers

    def preload_dlls(self) -> None:
        """There are none."""

    @property
    def OrtValue(self) -> Any:  # noqa: N802 - onnxruntime's name
        """Values whose device is the CPU, whatever is asked for."""
        real = onnxruntime.OrtValue

        class Value:
            ortvalue_from_numpy = staticmethod(lambda array, *_: real.ortvalue_from_numpy(array, "cpu", 0))
            ortvalue_from_shape_and_type = staticmethod(
                lambda shape, kind, *_: real.ortvalue_from_shape_and_type(shape, kind, "cpu", 0)
            )

        return Value

    def InferenceSession(self, file: str, sess_options: Any, providers: list[Any], enable_fallback: int) -> Any:  # noqa: N802
        """A session on the CPU that may call itself one on CUDA."""
        names = [each if isinstance(each, str) else each[0] for each in providers]
        self.asked.append((names, providers, sess_options, enable_fallback))
        on_cuda = CUDA in names
        if on_cuda and isinstance(self.grants, Exception):
            raise self.grants
        options = dict(each for each in providers if not isinstance(each, str))
        if on_cuda and options[CUDA]["enable_cuda_graph"] == "1" and not self.recordable:
            raise RuntimeError("This session cannot use the graph capture feature as requested by the user")
        if self.partitioned and "trt_profile_min_shapes" in options.get(TENSORRT, {}):
            raise RuntimeError("User needs to provide all the dynamic shape inputs with associated profiles")
        real = onnxruntime.InferenceSession(file, sess_options, providers=[CPU])
        return _Session(self, file, real, self.grants) if on_cuda else real


class _IOBinding:
    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def bind_output(self, name: str, *_: Any) -> None:
        """On the CPU."""
        self._real.bind_output(name, "cpu")


class _Session:
    def __init__(self, runtime: Runtime, file: str, real: Any, providers: list[str]) -> None:
        self._runtime, self._file, self._real, self._providers = runtime, file, real, providers
        self._recorded: set[tuple[int, str]] = set()
        """(thread, number) of its CUDA graphs: onnxruntime keeps them per thread."""
        self._broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        """As it was told."""
        return self._providers

    def io_binding(self) -> Any:
        """One whose outputs lie on the CPU, wherever they are asked for."""
        return _IOBinding(self._real.io_binding())

    def run(self, outputs: list[str], feed: dict[str, np.ndarray], options: Any = None) -> Any:
        """Unless the GPU is lost."""
        self._count(options)
        values = self._real.run(outputs, feed, options)
        self._runtime.runs.append(Run("copied", next(iter(feed.values())).shape))
        if self._runtime.no_numbers and self._runtime.no_numbers in self._file:
            return [np.full_like(value, np.nan) if value.dtype.kind == "f" else value for value in values]
        return values

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        """Unless the GPU is lost."""
        graph = self._count(options)
        how = self._recording(graph) if graph not in ("", "-1") else "bound"
        self._real.run_with_iobinding(binding, options)
        self._runtime.runs.append(Run(how, ()))

    def _count(self, options: Any) -> str:
        graph = options.get_run_config_entry("gpu_graph_id") if options else ""
        self._runtime.replayed.append(graph)
        if self._runtime.left is not None:
            self._runtime.left -= 1
            if self._runtime.left < 0:
                raise RuntimeError("CUDA failure 700: an illegal memory access was encountered\nmore")
        if self._broken or (self._runtime.lost and self._runtime.lost in self._file):
            raise RuntimeError("CUDA failure 2: out of memory")
        return graph

    def _recording(self, graph: str) -> Literal["recorded", "replayed"]:
        place = (threading.get_ident(), graph)
        if place in self._recorded:
            return "replayed"
        if self._runtime.recordings is not None:
            self._runtime.recordings -= 1
            if self._runtime.recordings < 0:
                self._broken = True  # whatever follows on that stream fails too
                raise RuntimeError("CUDA failure 900: operation not permitted when stream is capturing")
        self._recorded.add(place)
        return "recorded"
