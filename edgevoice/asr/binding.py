"""Buffers that stay on the device, for inputs of a length that comes again and again, and CUDA graphs on top of them.

Left to itself, onnxruntime allocates and copies at every call, and launches every kernel of a graph one by one; at the
size of a live window that takes longer than the arithmetic. A window's buffers are therefore bound once, and where the
provider allows it the launches are recorded once and replayed as one
(https://onnxruntime.ai/docs/performance/tune-performance/iobinding.html, and "Using CUDA Graphs" of the CUDA provider).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

NO_GRAPH = -1
"""The number of a run that is neither recorded nor replayed."""
_RUNS = 3
"""Runs until a graph is recorded (two, for kernels to be chosen and memory to be had) and replayed."""

Array = npt.NDArray[Any]


def run_options(runtime: Any, graph: int) -> Any:
    """Options of a run that belongs to the CUDA graph of that number."""
    options = runtime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options


class Binding:
    """A session's buffers for one shape of its input.

    Args:
        runtime: onnxruntime.
        session: an `InferenceSession` with one input.
        array: an input of that shape and type.
        outputs: what the session gives for it, by name.
        device: "cuda" or "cpu".
        graph: number of the CUDA graph, another for every shape; `NO_GRAPH` for none.

    Raises:
        Exception: of onnxruntime, where the device has no room or the graph cannot be recorded.
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
        self._session, self._options = session, run_options(runtime, graph)
        self._input = runtime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), device, 0)
        self._outputs = [
            runtime.OrtValue.ortvalue_from_shape_and_type(value.shape, value.dtype, device, 0)
            for value in outputs.values()
        ]
        self._bound = session.io_binding()
        self._bound.bind_ortvalue_input(session.get_inputs()[0].name, self._input)
        for name, value in zip(outputs, self._outputs, strict=True):
            self._bound.bind_ortvalue_output(name, value)
        for _ in range(_RUNS):
            found = self.run(array)
        for expected, value in zip(outputs.values(), found, strict=True):
            scale = float(np.abs(expected).max(initial=1.0))
            if not np.allclose(expected, value, rtol=0, atol=1e-2 * scale):
                raise ArithmeticError("bound buffers do not give what the session gives")

    def run(self, array: Array) -> list[Array]:
        """The outputs for an input of the shape that was bound, in the order they were bound."""
        self._input.update_inplace(np.ascontiguousarray(array))
        self._session.run_with_iobinding(self._bound, self._options)
        return [value.numpy() for value in self._outputs]
