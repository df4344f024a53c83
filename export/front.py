"""A model cut in two: the convolutions that hear raw audio, and the encoder behind them (`edgevoice.asr.front`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from edgevoice.asr.front import Array, hear
from edgevoice.asr.session import open_session
from export import onnx_files

if TYPE_CHECKING:
    from training.loading import Checkpoint  # PyTorch, which a bundle of one's own can be served without

FEATURES = "conv_features"
"""The front's output and the encoder's input: [batch, frames, width]."""
_SCOPE = "/feature_extractor/"
"""In the names of the nodes that Transformers' convolutions become."""
_FRAME_BY_FRAME = ("data2vec-audio",)
"""Encoders whose convolutions are normalised frame by frame, though their configuration does not say so."""


def can_have(checkpoint: Checkpoint) -> bool:
    """Whether the features of a stretch of audio depend on nothing that comes later, so that they can be computed once
    for all windows: samples that are normalised by those before them, if at all, and convolutions that are normalised
    frame by frame. What hears in chunks computes everything once."""
    config, features = checkpoint.encoder_config, checkpoint.features
    local = config.model_type in _FRAME_BY_FRAME or getattr(config, "feat_extract_norm", "") == "layer"
    raw = features.kind == "waveform" and features.normalise != "utterance"
    return local and raw and not checkpoint.chunking and not getattr(config, "add_adapter", False)


def split(file: Path, front: Path) -> bool:
    """Cuts the graph in `file`, as it was exported, behind its convolutions: they go to `front`, the rest stays. False,
    with the file as it was, where there is no such place."""
    proto = onnx.load(str(file))
    cut = _cut(proto.graph)
    if cut is None:
        return False
    before = _part(proto, {}, [cut])
    behind = _part(proto, {cut}, [output.name for output in proto.graph.output])
    heard = {each.name for each in proto.graph.input}
    if heard & {name for node in behind.graph.node for name in node.input}:
        return False
    width = _width(proto, cut)
    for part in (before, behind):
        _rename(part.graph, {cut: FEATURES})
    features = onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, ["batch_size", "frames", width])
    before.graph.input.extend(proto.graph.input)
    before.graph.output.append(features)
    behind.graph.input.append(features)
    behind.graph.output.extend(proto.graph.output)
    onnx_files.save(before, front)
    onnx_files.save(behind, file)
    return True


def run(file: Path, arrays: Iterable[Array]) -> list[Array]:
    """What a front makes of recordings."""
    session = open_session(file, "cpu")
    return [hear(session, array) for array in arrays]


def join(front: Path, encoder: Path) -> Any:
    """One graph that does what the two do one after the other."""
    first, proto = onnx.load(str(front)), onnx.load(str(encoder))
    # conversions to other precisions give the same names to what they put into both
    own = {name for node in first.graph.node for name in (*node.input, *node.output) if name}
    _rename(first.graph, {name: f"front/{name}" for name in own - {FEATURES, *(i.name for i in first.graph.input)}})
    for node in first.graph.node:
        node.name = f"front/{node.name}"
    nodes, tensors = [*first.graph.node, *proto.graph.node], [*first.graph.initializer, *proto.graph.initializer]
    for name, whole in (("node", nodes), ("initializer", tensors), ("input", list(first.graph.input))):
        part = getattr(proto.graph, name)
        del part[:]
        part.extend(whole)
    del proto.graph.value_info[:]
    known = {each.domain for each in proto.opset_import}
    proto.opset_import.extend(each for each in first.opset_import if each.domain not in known)
    return proto


def _cut(graph: Any) -> str | None:
    """The tensor [batch, frames, width] through which all that was heard leaves the convolutions."""
    heard = {each.name for each in graph.input}
    leaving: dict[str, list[Any]] = {}
    inside: set[str] = set()
    for node in graph.node:  # they are in the order in which they are computed
        if not heard.intersection(node.input):
            continue
        heard.update(node.output)
        if _SCOPE in node.name:
            inside.update(node.output)
        else:
            for name in inside.intersection(node.input):
                leaving.setdefault(name, []).append(node)
    users = [node for nodes in leaving.values() for node in nodes]
    if len(leaving) != 1 or len(users) != 1 or users[0].op_type != "Transpose":
        return None
    return str(users[0].output[0]) if list(users[0].attribute[0].ints) == [0, 2, 1] else None


def _part(proto: Any, known: Iterable[str], outputs: Iterable[str]) -> Any:
    """The nodes and weights that some tensors take, from those that are known; inputs and outputs are left to say."""
    needed, nodes = set(outputs), []
    for node in reversed(proto.graph.node):
        if needed.intersection(node.output) and not set(known).intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    part = onnx.ModelProto()
    part.CopyFrom(onnx.ModelProto(ir_version=proto.ir_version, producer_name=proto.producer_name))
    part.opset_import.extend(proto.opset_import)
    part.graph.name = proto.graph.name
    part.graph.node.extend(reversed(nodes))
    part.graph.initializer.extend(each for each in proto.graph.initializer if each.name in needed)
    return part


def _width(proto: Any, cut: str) -> int:
    """The values of a frame: as many as the last convolution before the cut has filters."""
    part = _part(proto, {}, [cut])
    (last,) = [node for node in part.graph.node if node.op_type == "Conv"][-1:]
    return int(next(each.dims[0] for each in part.graph.initializer if each.name == last.input[1]))


def _rename(graph: Any, names: dict[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
