"""A graph that hears in chunks, for a server: without its memory. Nothing here needs PyTorch."""

from __future__ import annotations

import numpy as np
import onnx

from edgevoice.asr.steps import NEXT, SIZE


def remembering_nothing(proto: onnx.ModelProto, chunk: int) -> onnx.ModelProto:
    """The same model for whoever has no streams, such as a server: it takes audio alone, and decodes it as if nothing
    had been heard before.

    Args:
        proto: a step's graph; it is changed.
        chunk: frames of a chunk.
    """
    make, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    sound, *others = proto.graph.input
    constants = [tensor(np.array([0]), "first")]
    nodes = [make("Shape", [sound.name], ["sizes"]), make("Gather", ["sizes", "first"], ["streams"])]
    for each in others:
        if each.name == SIZE:
            constants.append(tensor(np.array(chunk), SIZE))
            continue
        # the axis of the streams is the one whose length is not fixed
        sizes = np.array([dim.dim_value for dim in each.type.tensor_type.shape.dim], dtype=np.int64)
        axis = int(np.argmin(sizes))
        before, behind, shape = (f"{each.name}/{name}" for name in ("before", "behind", "shape"))
        constants += [tensor(sizes[:axis], before), tensor(sizes[axis + 1 :], behind)]
        zero = onnx.helper.make_tensor("zero", each.type.tensor_type.elem_type, [1], [0])
        nodes += [
            make("Concat", [before, "streams", behind], [shape], axis=0),
            make("ConstantOfShape", [shape], [each.name], value=zero),
        ]
    proto.graph.initializer.extend(constants)
    rest = [*nodes, *proto.graph.node]
    outputs = [each for each in proto.graph.output if not each.name.startswith(NEXT)]
    for name, whole in (("node", rest), ("input", [sound]), ("output", outputs)):
        part = getattr(proto.graph, name)
        kept = list(whole)
        del part[:]
        part.extend(kept)
    return proto
