"""onnxruntime that says it runs on CUDA and runs on the CPU: what surrounds a GPU can be tested without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Runtime:
    """The real onnxruntime but for its devices.

    Args:
        offers: providers that it lists.
        grants: those that a session on CUDA really gets, or the exception that opening one raises.
        recordable: whether a session may be asked for CUDA graphs.
        fails_after: calls until the GPU is lost; None for never.
    """

    __version__ = "1.99.0"

    def __init__(
        self, offers: list[str], grants: Any, *, recordable: bool = True, fails_after: int | None = None
    ) -> None:
        self.offers, self.grants, self.recordable, self.left = offers, grants, recordable, fails_after
        self.asked: list[tuple[list[str], list[Any], Any, int]] = []
        self.replayed: list[str] = []
        """The number of the CUDA graph of every run on CUDA."""

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
        real = onnxruntime.InferenceSession(file, sess_options, providers=[CPU])
        return _Session(self, real, self.grants) if on_cuda else real


class _Session:
    def __init__(self, runtime: Runtime, real: Any, providers: list[str]) -> None:
        self._runtime, self._real, self._providers = runtime, real, providers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        """As it was told."""
        return self._providers

    def run(self, outputs: list[str], feed: dict[str, np.ndarray], options: Any = None) -> Any:
        """Unless the GPU is lost."""
        self._count(options)
        return self._real.run(outputs, feed, options)

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        """Unless the GPU is lost."""
        self._count(options)
        self._real.run_with_iobinding(binding, options)

    def _count(self, options: Any) -> None:
        self._runtime.replayed.append(options.get_run_config_entry("gpu_graph_id") if options else "")
        if self._runtime.left is not None:
            self._runtime.left -= 1
            if self._runtime.left < 0:
                raise RuntimeError("CUDA failure 700: an illegal memory access was encountered\nmore")
