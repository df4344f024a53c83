"""A network with 8-bit weights as the same network in floats, for processors that multiply bytes slowly.

Kokoro is published with weights of 8 bits, whose inputs are made bytes at every layer. Without the instructions for
that (VNNI) it takes 2.5 to 3.4 times as long as it speaks; in floats about as long. What the layers compute is the
same, but for the rounding of their inputs, which the floats leave out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edgevoice.errors import ModelError

_MULTIPLIED = ("MatMulInteger", "ConvInteger")


def in_floats(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network without quantised layers; what it is made from stays as it is.

    Raises:
        ModelError: a layer is quantised in a way that is not known here.
    """
    graph = _Graph(model.graph)
    taken: set[str] = set()
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type in _MULTIPLIED:
            made, last = _multiplied(node, graph)
            nodes.append(made)
            taken.add(last.name)
        elif node.op_type == "DynamicQuantizeLSTM":
            nodes.append(_lstm(node, graph))
        elif node.name not in taken:
            nodes.append(node)
    nodes = _needed(nodes, [output.name for output in model.graph.output])
    read = {name for node in nodes for name in node.input}
    kept = [tensor for name, tensor in graph.tensors.items() if name in read]
    floats = helper.make_graph(nodes, model.graph.name, model.graph.input, model.graph.output, kept)
    return helper.make_model(floats, opset_imports=model.opset_import, ir_version=model.ir_version)


class _Graph:
    """Who makes and who reads each value, and the values that are constant."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def array(self, name: str) -> npt.NDArray[Any]:
        """A constant.

        Raises:
            ModelError: it is none.
        """
        if name not in self.tensors:
            raise ModelError(f"'{name}' is no constant of the network", "Take the network of the package that is named")
        return np.asarray(numpy_helper.to_array(self.tensors[name]))

    def reader(self, node: onnx.NodeProto, *kinds: str) -> onnx.NodeProto:
        """The only node that reads what this one gives.

        Raises:
            ModelError: it is none of these kinds.
        """
        found = self._readers.get(node.output[0], [])
        if len(found) != 1 or found[0].op_type not in kinds:
            raise ModelError(
                f"The layer '{node.name}' is quantised in a way that is not known",
                "Take the network of the package that is named",
            )
        return found[0]

    def constant(self, name: str, array: npt.NDArray[np.float32]) -> str:
        """Keeps an array as a constant of this name; gives the name."""
        self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(array, dtype=np.float32), name)
        return name


def _multiplied(node: onnx.NodeProto, graph: _Graph) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """The layer in floats, and the node of the old graph that gives the same value."""
    quantised = graph.makers[node.input[0]]
    after = graph.reader(node, "Cast", "Add")
    bias = []
    if after.op_type == "Add":
        bias = [_bias(after, node, graph)]
        after = graph.reader(after, "Cast")
    scaled = graph.reader(after, "Mul")
    scales = graph.makers[next(name for name in scaled.input if name != after.output[0])]
    scale = next(name for name in scales.input if name in graph.tensors)
    zero = graph.array(node.input[3]).astype(np.float32)
    weight = (graph.array(node.input[1]).astype(np.float32) - zero) * graph.array(scale)
    # by the name of what it is made from: layers share weights
    inputs = [quantised.input[0], graph.constant(f"{node.input[1]}.float", weight), *bias]
    made = helper.make_node(node.op_type.removesuffix("Integer"), inputs, scaled.output, node.name)
    made.attribute.extend(node.attribute)
    return made, scaled


def _bias(added: onnx.NodeProto, node: onnx.NodeProto, graph: _Graph) -> str:
    """What is added to a convolution, before it was divided by the scale and rounded, shaped and cast."""
    name = next(name for name in added.input if name != node.output[0])
    while name in graph.makers:
        name = graph.makers[name].input[0]
    return graph.constant(f"{added.output[0]}.bias", graph.array(name).reshape(-1))


def _lstm(node: onnx.NodeProto, graph: _Graph) -> onnx.NodeProto:
    """Its weights lie the other way round, with one scale for each direction."""
    inputs = list(node.input[:8])
    for place, (scale, zero) in {1: (8, 9), 2: (10, 11)}.items():
        quantised = graph.array(node.input[place]).astype(np.float32)
        scale_of, zero_of = (graph.array(node.input[at]).astype(np.float32)[:, None, None] for at in (scale, zero))
        weight = ((quantised - zero_of) * scale_of).transpose(0, 2, 1)
        inputs[place] = graph.constant(f"{node.input[place]}.float", weight)
    while not inputs[-1]:
        inputs.pop()
    made = helper.make_node("LSTM", inputs, node.output, node.name)
    made.attribute.extend(attribute for attribute in node.attribute if attribute.name != "input_forget")
    return made


def _needed(nodes: Iterable[onnx.NodeProto], outputs: Iterable[str]) -> list[onnx.NodeProto]:
    """Those that the outputs depend on, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
