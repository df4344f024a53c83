"""Writes an ONNX graph node by node, where an exporter's would be too slow: it puts nodes for shapes, transposes and
constants around everything, and in a step of a few frames every node counts.

Weights keep the names of the parameters that they are. Where one tensor holds several of them, side by side or
multiplied by something, the graph's metadata says so, so that it can be trained further (`training.warm_start`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper

from export.onnx_configs import OPSET
from training.warm_start import HELD, TRANSPOSED, Held

_OF_THE_RUNTIME = ("FusedMatMul", "Gelu", "QuickGelu")
"""Operators that onnxruntime has beyond ONNX."""
_RUNTIME = "com.microsoft"
_FILE_VERSION = 9
"""Of ONNX's files: that of the opset, so that no onnxruntime which knows that refuses it."""


class Writer:
    """A graph that is being written.

    Args:
        model: whose parameters it will hold.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: dict[str, npt.NDArray[Any]] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._held: dict[str, Held] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node, with the names of its inputs; returns the name of what comes out."""
        return self.several(1, operator, *inputs, **attributes)[0]

    def several(self, count: int, operator: str, *inputs: str, **attributes: Any) -> list[str]:
        """Adds a node from which so many things come out."""
        name = f"{operator}_{len(self._nodes)}"
        outputs = [name] if count == 1 else [f"{name}_{number}" for number in range(count)]
        domain = _RUNTIME if operator in _OF_THE_RUNTIME else None
        self._nodes.append(helper.make_node(operator, inputs, outputs, name, domain=domain, **attributes))
        return outputs

    def constant(self, value: npt.ArrayLike) -> str:
        """The name of a constant; whole numbers become int64, others float32."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"constant_{len(self._constants)}"
            self._tensors[self._constants[key]] = array
        return self._constants[key]

    def parameter(self, parameter: torch.Tensor, *, shape: Sequence[int] = ()) -> str:
        """The name of a tensor that is a parameter, in another shape if one is given."""
        name, array = self._names[id(parameter)], parameter.detach().numpy()
        if not shape:
            return self._tensor(name, array)
        tensor = self._tensor(f"{name} as {'x'.join(map(str, shape))}", array.reshape(shape))
        self._held[name] = Held(tensor, shape=array.shape)
        return tensor

    def transposed(self, parameter: torch.Tensor) -> str:
        """The name of a tensor that is the transpose of a matrix."""
        return self._tensor(self._names[id(parameter)] + TRANSPOSED, parameter.detach().numpy().T)

    def linear(self, inputs: str, *layers: torch.nn.Linear | torch.nn.Conv1d, factor: float = 1.0) -> str:
        """Rows [rows, inputs] through layers that all hear the same: what they give, side by side.

        Args:
            inputs: the rows.
            layers: linear ones, or convolutions over one frame, which are the same.
            factor: what the results are multiplied by; a power of two, which changes no digit of a weight.
        """
        weight = self._joined([layer.weight for layer in layers], factor)
        biases = [layer.bias for layer in layers if layer.bias is not None]
        return self("Gemm", inputs, weight, self._joined(biases, factor)) if biases else self("MatMul", inputs, weight)

    def _joined(self, parameters: Sequence[torch.Tensor], factor: float) -> str:
        names = [self._names[id(parameter)] for parameter in parameters]
        arrays = [parameter.detach().numpy() for parameter in parameters]
        flat = [array.reshape(array.shape[:2]) if array.ndim > 1 else array for array in arrays]
        if len(names) == 1 and factor == 1 and arrays[0].ndim < 3:
            return self.transposed(parameters[0]) if arrays[0].ndim == 2 else self._tensor(names[0], arrays[0])
        whole = np.concatenate(flat) * np.float32(factor)
        tensor = self._tensor(("" if factor == 1 else f"{factor:g} * ") + " + ".join(names), whole.T)
        begin = 0
        for name, array in zip(names, arrays, strict=True):
            end = begin + len(array)
            self._held[name] = Held(tensor, array.shape, (begin, end), factor, transposed=True)
            begin = end
        return tensor

    def _tensor(self, name: str, array: npt.NDArray[Any]) -> str:
        self._tensors[name] = np.ascontiguousarray(array)
        return name

    def takes(self, name: str, kind: type[np.generic], shape: Sequence[int | str]) -> str:
        """Adds an input; axes that may have any length have names."""
        self._inputs.append(_described(name, kind, shape))
        return name

    def gives(self, name: str, value: str, kind: type[np.generic], shape: Sequence[int | str]) -> str:
        """Makes a value an output; its name is that of the output from then on."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == value else each for each in names]
        self._outputs.append(_described(name, kind, shape))
        return name

    def written(self, last: str) -> onnx.ModelProto:
        """The whole. Outputs whose names begin with `last` come behind the others."""
        outputs = sorted(self._outputs, key=lambda each: each.name.startswith(last))
        tensors = [numpy_helper.from_array(array, name) for name, array in self._tensors.items()]
        graph = helper.make_graph(self._nodes, "step", self._inputs, outputs, tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_RUNTIME, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_FILE_VERSION, producer_name="edgevoice")
        helper.set_model_props(model, {HELD: json.dumps({name: held.as_json() for name, held in self._held.items()})})
        return model


def _described(name: str, kind: type[np.generic], shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
