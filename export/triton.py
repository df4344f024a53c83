"""Writes a bundle's graphs as a model repository of NVIDIA's Triton Inference Server, for its ONNX Runtime backend.

Desks reach it with `edgevoice live --remote`. A repository is data: a folder for each graph with its `config.pbtxt` and
its graph, and it appears whole or not at all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgevoice.asr.bundle import Bundle, Graph
from edgevoice.asr.features import model_input
from edgevoice.asr.graph_file import references
from edgevoice.asr.opening import live_lengths
from edgevoice.asr.remote import served_name
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import UsageError
from export import disk, front, onnx_files
from export.served import remembering_nothing

PRECISIONS = ("fp16", "fp32", "int8")
"""The variant to serve is the first of these that the bundle has: such servers have GPUs, where int8 has no kernels."""
LARGEST_BATCH = 16
"""Requests computed at once. Desks send windows of a few equal lengths, and equal lengths go together."""
QUEUE_MICROSECONDS = 2000
"""How long a request may wait for others; nobody notices it beside a hop of 160 ms or more."""

_TYPES = {
    onnx.TensorProto.FLOAT: "TYPE_FP32",
    onnx.TensorProto.FLOAT16: "TYPE_FP16",
    onnx.TensorProto.DOUBLE: "TYPE_FP64",
}


def write_repository(bundle: Bundle, folder: Path) -> list[str]:
    """Writes the repository into `folder` (made if missing); gives the models' names.

    Raises:
        UsageError: there is something in `folder` already, or the bundle is a reader and nothing else.
    """
    if not bundle.manifest.graphs:
        raise UsageError(f"{bundle.path} is a reader, which is not served", "Name a bundle for captions or intents")
    check_folder(folder)
    check_apart(folder, bundle.path)
    remedy = "Free some, or choose a --triton on another disk"
    graphs = bundle.manifest.graphs.values()
    served = [file for graph in graphs for file in bundle.whole(graph, _served_precision(graph))]
    needs = [disk.Need(folder.parent, sum(map(onnx_files.size, served)), remedy)]
    with disk.room(needs), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".triton-") as scratch:
        whole = Path(scratch) / "repository"
        names = [_write_model(bundle, graph, whole) for graph in graphs]
        whole.replace(folder)
    return names


def check_folder(folder: Path) -> None:
    """Makes the folder that a repository goes into; raises UsageError where one cannot, or must not, be written."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".triton-"):
            pass
        _check_empty(folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}", "Choose another --triton") from None


def check_apart(folder: Path, bundle: Path) -> None:
    """Raises UsageError where the repository and the bundle would lie in each other: neither may hold anything else."""
    if folder.resolve().is_relative_to(bundle.resolve()):
        raise UsageError(f"{folder} lies in the bundle", "Choose another --triton")
    if bundle.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"The bundle {bundle} lies in {folder}", "Choose another --triton")


def _check_empty(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is no folder", "Choose another --triton")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "Choose another --triton, or empty it first")


def _write_model(bundle: Bundle, graph: Graph, repository: Path) -> str:
    name = served_name(bundle.manifest, graph)
    *apart, file = bundle.whole(graph, _served_precision(graph))
    version = repository / name / "1"
    version.mkdir(parents=True)
    if graph.chunks:  # and what is remembered would go to and fro with every request
        proto = remembering_nothing(onnx.load(str(file)), graph.chunks[len(graph.chunks) // 2])
        onnx_files.save(proto, version / "model.onnx")
    elif apart:  # a server knows nothing of a segment, so that nothing can be kept for its next window
        onnx_files.save(front.join(apart[0], file), version / "model.onnx")
    else:
        shutil.copyfile(file, version / "model.onnx")
        for data in references(file).files:  # of a graph with its weights beside it; the bundle vouches for them
            shutil.copyfile(file.parent / data, version / data)
    proto = onnx.load(str(version / "model.onnx"), load_external_data=False)
    # what desks send that have not set another hop
    lengths = live_lengths(bundle.manifest, AsrSettings().hop_s, graph.minimum_samples)
    (repository / name / "config.pbtxt").write_text(_text(_config(name, proto, graph, lengths)), encoding="utf-8")
    return name


def _served_precision(graph: Graph) -> str:
    return next(precision for precision in PRECISIONS if precision in graph.variants)


def _config(name: str, proto: Any, graph: Graph, lengths: Sequence[int]) -> dict[str, Any]:
    """The model's configuration; names, types and dimensions are those of the graph."""
    inputs = [tensor for tensor in proto.graph.input if tensor.name == graph.input]
    tensors = [*inputs, *proto.graph.output]
    batched = all(_dims(tensor)[0] == -1 for tensor in tensors)
    config: dict[str, Any] = {
        "name": name,
        "backend": "onnxruntime",
        "max_batch_size": LARGEST_BATCH if batched else 0,
        "input": [_tensor(tensor, batched=batched) for tensor in inputs],
        "output": [_tensor(tensor, batched=batched) for tensor in proto.graph.output],
    }
    if batched:
        config["dynamic_batching"] = {"max_queue_delay_microseconds": QUEUE_MICROSECONDS}
    # Otherwise the first desk would wait for allocations and kernel choices, once for each length.
    config["model_warmup"] = [_warm_up(inputs[0], graph, length, batched=batched) for length in lengths]
    # The default benchmarks every convolution again for every new length.
    config["parameters"] = {"key": "cudnn_conv_algo_search", "value": {"string_value": "1"}}  # HEURISTIC
    return config


def _tensor(tensor: Any, *, batched: bool) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "data_type": _Name(_TYPES[tensor.type.tensor_type.elem_type]),
        "dims": _dims(tensor)[batched:],
    }


def _warm_up(tensor: Any, graph: Graph, length: int, *, batched: bool) -> dict[str, Any]:
    shape = model_input(np.zeros(length, np.float32), graph.features).shape
    data = {
        "data_type": _Name(_TYPES[tensor.type.tensor_type.elem_type]),
        "dims": list(shape[batched:]),
        "random_data": True,
    }
    return {
        "name": f"{length / SAMPLE_RATE:g} s",
        "batch_size": 1,
        "inputs": {"key": tensor.name, "value": data},
    }


def _dims(tensor: Any) -> list[int]:
    """-1 for what may vary."""
    return [each.dim_value if each.HasField("dim_value") else -1 for each in tensor.type.tensor_type.shape.dim]


class _Name(str):
    """A value of an enumeration, which is written without quotation marks."""

    __slots__ = ()


def _text(message: dict[str, Any], indent: str = "") -> str:
    """A message in protobuf's text format: a list of messages is a repeated field, a list of numbers a short form."""
    lines = []
    for key, value in message.items():
        each = value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]
        for item in each:
            if isinstance(item, dict):
                lines += [f"{indent}{key} {{", _text(item, indent + "  ").rstrip("\n"), f"{indent}}}"]
            else:
                lines.append(f"{indent}{key}: {item if isinstance(item, _Name) else json.dumps(item)}")
    return "\n".join(lines) + "\n"
