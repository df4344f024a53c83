"""Buffers that stay on the device, for inputs of a length that comes again and again, and CUDA graphs on top of them.

Left to itself, onnxruntime allocates and copies at every call, and launches every kernel of a graph one by one; at the
size of a live window that takes longer than the arithmetic. A window's buffers are therefore bound once, and where the
provider allows it the launches are recorded once and replayed as one
(https://onnxruntime.ai/docs/performance/tune-performance/iobinding.html, and "Using CUDA Graphs" of the CUDA provider).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

NO_GRAPH = -1
"""The number of a run that is neither recorded nor replayed."""

Array = npt.NDArray[Any]


class RecordingError(Exception):
    """The launches could not be recorded, or do something else when they are replayed."""


def run_options(runtime: Any, graph: int) -> Any:
    """Options of a run that belongs to the CUDA graph of that number."""
    options = runtime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options


def run_bound(session: Any, inputs: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The outputs of a session by name, as values that stay on the device.

    Args:
        session: an `InferenceSession`.
        inputs: arrays, or outputs of an earlier run.
        device: "cuda" or "cpu".
    """
    bound = session.io_binding()
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            bound.bind_cpu_input(name, np.ascontiguousarray(value))
        else:
            bound.bind_ortvalue_input(name, value)
    names = [output.name for output in session.get_outputs()]
    for name in names:
        bound.bind_output(name, device)
    session.run_with_iobinding(bound)
    return dict(zip(names, bound.get_outputs(), strict=True))


class Binding:
    """A session's buffers for one shape of its input, for one thread at a time.

    Args:
        runtime: onnxruntime.
        session: an `InferenceSession` with one input.
        array: an input of that shape and type.
        outputs: what the session gives for it, by name.
        device: "cuda" or "cpu".
        graph: number of the CUDA graph, another for every shape; `NO_GRAPH` for none.

    Raises:
        Exception: of onnxruntime, where the device has no room.
        ArithmeticError: what comes out of the buffers is not what the session gives.
    """

    def __init__(
        self,
        runtime: Any,
        session: Any,
        array: Array,
        outputs: Mapping[str, Array],
        device: str,
        graph: int = NO_GRAPH,
    ) -> None:
        self._session, self._plain = session, run_options(runtime, NO_GRAPH)
        self._graph = None if graph == NO_GRAPH else run_options(runtime, graph)
        self._here = threading.local()
        self._input = runtime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device, 0)
        self._outputs = [
            runtime.OrtValue.ortvalue_from_shape_and_type(value.shape, value.dtype, device, 0)
            for value in outputs.values()
        ]
        self._bound = session.io_binding()
        self._bound.bind_ortvalue_input(session.get_inputs()[0].name, self._input)
        for name, value in zip(outputs, self._outputs, strict=True):
            self._bound.bind_ortvalue_output(name, value)
        _require_same(list(outputs.values()), self._launch(self._plain))

    def run(self, array: Array) -> list[Array]:
        """The outputs for an input of the shape that was bound, in the order they were bound.

        Raises:
            RecordingError: the launches are to be recorded and cannot be. The session must not be used again.
        """
        self._input.update_inplace(np.ascontiguousarray(array))
        if not self._graph:
            return self._launch(self._plain)
        # A CUDA graph belongs to the thread that recorded it: onnxruntime keeps it in a context of that thread and
        # would record anew, unasked, in any other. The screen loads the model in one thread and runs it in another, so
        # each thread records a shape when it first meets it; kernels were chosen and memory was had before.
        return self._launch(self._graph) if hasattr(self._here, "recorded") else self._record(self._graph)

    def _record(self, graph: Any) -> list[Array]:
        expected = self._launch(self._plain)  # what fails here is the device, and not the recording
        try:
            self._launch(graph)
            found = self._launch(graph)
            _require_same(expected, found)
        except Exception as error:  # onnxruntime's exceptions share no base class
            raise RecordingError(str(error)) from error
        self._here.recorded = True
        return found

    def _launch(self, options: Any) -> list[Array]:
        self._session.run_with_iobinding(self._bound, options)
        return [value.numpy() for value in self._outputs]


def _require_same(expected: Sequence[Array], found: Sequence[Array]) -> None:
    for one, other in zip(expected, found, strict=True):
        scale = float(np.abs(one).max(initial=1.0))
        if not np.allclose(one, other, rtol=0, atol=1e-2 * scale):
            raise ArithmeticError("bound buffers do not give what the session gives")
