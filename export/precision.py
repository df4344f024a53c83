"""Smaller and faster copies of an fp32 graph: fp16 for a GPU, int8 for the CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx

from edgevoice.asr.session import Array, nothing
from edgevoice.asr.steps import NEXT
from edgevoice.errors import ModelError
from export import onnx_files
from export.quiet import quiet

LARGEST_HALF = 60_000.0
"""The largest magnitude that is left to fp16, which ends at 65504."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
Tried = Array | Mapping[str, Any]
"""What a graph is tried on: its first input, or more than its inputs by name."""


def halve(source: Path, target: Path, inputs: Sequence[Tried] = (), beside: Mapping[str, Any] = NOTHING) -> int:
    """Writes an fp16 copy for a GPU. Inputs and outputs stay float32, so that whoever runs it need not care.

    Args:
        source: the graph.
        target: where the copy goes.
        inputs: what it is tried on, each the one input or all of them by name; of one that hears in chunks each is
            heard twice, the second time with what is remembered of the first.
        beside: further inputs by name, such as the frames of a chunk.

    Nodes whose operands or results grow beyond fp16 on one of the `inputs` stay in fp32; returns how many. What happens
    inside of a fused node cannot be seen; GPUs add up in fp32 there.

    Raises:
        ModelError: values grow beyond fp16 even so.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        found = peaks(source, inputs, beside) if inputs else {}
        over = {name for name, peak in found.items() if not peak <= LARGEST_HALF}
        if not over:
            model = str(source) if onnx_files.is_split(source) else onnx.load(str(source))
            onnx_files.save(convert_float_to_float16(model, keep_io_types=True), target)
            return 0
        proto = onnx.load(str(source))
        kept = [each for each in proto.graph.node if over & {*each.input, *each.output}]
        for number, node in enumerate(kept):
            node.name = node.name or f"kept_{number}"
        _declare(proto, found)  # the converter puts casts only around what it knows to be a float
        names = [node.name for node in kept]
        half = convert_float_to_float16(proto, keep_io_types=True, node_block_list=names, disable_shape_infer=True)
        _join_kept(half)
        onnx_files.save(half, target)
        beyond = [name for name, peak in peaks(target, inputs, beside, half=True).items() if not peak <= LARGEST_HALF]
    if beyond:
        raise ModelError(f"values grow beyond what fp16 can hold ({len(beyond)} results, '{beyond[0]}' among them)")
    return len(kept)


def peaks(
    file: Path, inputs: Sequence[Tried], beside: Mapping[str, Any] = NOTHING, *, half: bool = False
) -> dict[str, float]:
    """The largest magnitude of each float tensor of a graph, or of each in fp16, whatever the input.

    On the CPU nodes in fp16 are computed in fp32, so that what overflows on a GPU does not here. The maxima are taken
    in the graph itself: all tensors of a large model together would not fit into memory.

    Raises:
        ModelError: the graph does not run.
    """
    wanted = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    proto = onnx.load(
        str(file), load_external_data=False
    )  # beside it the copies find the weights of a large graph, too
    constants = [(t.name, t) for t in proto.graph.initializer]
    constants += [(n.output[0], a.t) for n in proto.graph.node if n.op_type == "Constant" for a in n.attribute]
    found = {
        name: float(np.abs(onnx.numpy_helper.to_array(tensor, str(file.parent))).max(initial=0.0))
        for name, tensor in constants
        if tensor.data_type == wanted
    }
    outputs = list(proto.graph.output)
    computed = [name for n in proto.graph.node if n.op_type != "Constant" for name in n.output if name]
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".onnx") as scratch:
        shown = {output.name for output in outputs}
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in computed if name not in shown)
        onnx.save(proto, scratch.name)
        kind = "tensor(float16)" if half else "tensor(float)"
        tensors = [each.name for each in _session(scratch.name).get_outputs() if each.type == kind]
        del proto.graph.output[:]
        proto.graph.output.extend(outputs)
        for number, name in enumerate(tensors):
            absolute, peak = f"scan_absolute_{number}", f"scan_peak_{number}"
            proto.graph.node.append(onnx.helper.make_node("Abs", [name], [absolute], name=absolute))
            proto.graph.node.append(onnx.helper.make_node("ReduceMax", [absolute], [peak], name=peak, keepdims=0))
            proto.graph.output.append(onnx.ValueInfoProto(name=peak))
        onnx.save(proto, scratch.name)
        del proto, constants, computed
        session = _session(scratch.name)
        for array in inputs:
            for values in _peaks_of_steps(session, array, beside, len(tensors)):
                for name, value in zip(tensors, values, strict=True):
                    found[name] = float(np.fmax(found.get(name, 0.0), value)) if np.isfinite(value) else np.inf
    return found


def _peaks_of_steps(session: Any, array: Tried, beside: Mapping[str, Any], count: int) -> Iterator[Sequence[Any]]:
    """The maxima of a run; and of a second one, with what is remembered of the first, where something is."""
    if isinstance(array, Mapping):
        feeds = {each.name: array[each.name] for each in session.get_inputs()}
        yield session.run([f"scan_peak_{n}" for n in range(count)], feeds)
        return
    first, *others = session.get_inputs()
    state = [each for each in others if each.name not in beside]
    feeds = {first.name: array, **beside, **{each.name: nothing(each) for each in state}}
    names = [*(f"scan_peak_{n}" for n in range(count)), *(NEXT + each.name for each in state)]
    for _ in range(2 if state else 1):
        found = session.run(names, feeds)
        feeds |= {each.name: value for each, value in zip(state, found[count:], strict=True)}
        yield found[:count]


def _session(file: str) -> Any:
    """As the graph stands, nothing fused or folded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise ModelError(f"onnxruntime does not run it: {str(error).splitlines()[0]}") from error


def _declare(proto: Any, floats: Collection[str]) -> None:
    """Tells the types of tensors; shape inference does not get past the nodes that only onnxruntime knows."""
    del proto.graph.value_info[:]
    known = {each.name for each in (*proto.graph.initializer, *proto.graph.input, *proto.graph.output)}
    proto.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in floats if name not in known
    )


def _join_kept(proto: Any) -> None:
    """Takes the way through fp16 out from between nodes that were kept in fp32; the converter puts it there."""
    nodes = proto.graph.node
    narrowed = {n.output[0]: n for n in nodes if n.op_type == "Cast" and n.name.endswith("_cast_to_fp16_node")}
    for node in nodes:
        if node.op_type == "Cast" and node.input[0] in narrowed and node.attribute[0].i == onnx.TensorProto.FLOAT:
            node.input[0] = narrowed[node.input[0]].input[0]
    used = {name for node in nodes for name in node.input} | {output.name for output in proto.graph.output}
    for name, node in narrowed.items():
        if name not in used:
            nodes.remove(node)


def quantise(source: Path, target: Path, operators: Sequence[str] = ("MatMul",)) -> None:
    """Writes an int8 copy for the CPU: signed, per channel, of MatMul only unless told otherwise. Convolutions stay in
    float, where integer kernels gain nothing.

    Weights take seven bits of the eight: CPUs without VNNI add two products in 16 bits, and full ones overflow there
    without a word (ONNX Runtime's page on quantisation calls it saturation). A bundle has to be right on all of them.

    Args:
        source: a graph whose attention is not fused: the quantiser would leave what is inside in float.
        target: where the copy goes.
        operators: those whose weights are quantised.
    """
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic

    large = onnx_files.is_split(source)
    with tempfile.TemporaryDirectory() as folder, quiet():
        prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / "quantised.onnx"
        quant_pre_process(
            str(source),
            str(prepared),
            skip_symbolic_shape=True,
            save_as_external_data=large,
            all_tensors_to_one_file=True,
        )
        quantize_dynamic(
            str(prepared),
            str(quantised),
            op_types_to_quantize=list(operators),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            use_external_data_format=large,
            extra_options={"DefaultTensorType": 1},
        )
        onnx_files.save(onnx.load(str(quantised)), target)
