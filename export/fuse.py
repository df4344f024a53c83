"""One node for each attention layer, where ONNX Runtime's optimiser finds the pattern: fewer launches on a GPU.

The optimiser knows no speech encoder, but those of the Wav2Vec2 family that were exported with eager attention have the
attention of CLIP. Where it finds nothing the graph stays as it was.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from export import onnx_files
from export.quiet import quiet
from training.warm_start import FUSED, TRANSPOSED

FUSABLE = ("data2vec-audio", "hubert", "unispeech", "unispeech-sat", "wav2vec2")
"""Encoders whose attention is a plain one. WavLM has gated positions, SEW-D disentangled ones, Conformer and
Wav2Vec2-BERT relative ones."""


def fuse(file: Path, model: Any, encoder_config: Any) -> int:
    """Fuses the attention of the graph in `file`; returns how many nodes for attention it has then, 0 where the pattern
    was not found and the file is as it was.

    Args:
        file: a graph in fp32.
        model: the PyTorch model it was exported from, whose names the fused weights are given.
        encoder_config: the Transformers configuration of its encoder.
    """
    if encoder_config.model_type not in FUSABLE:
        return 0
    from onnxruntime.transformers import optimizer

    with quiet():
        optimised = optimizer.optimize_model(
            str(file),
            model_type="clip",
            num_heads=encoder_config.num_attention_heads,
            hidden_size=encoder_config.hidden_size,
            opt_level=1,
        )
        proto = optimised.model
        count = node_counts(proto)["Attention"]
        if count != encoder_config.num_hidden_layers:
            return 0
        _name_fused(proto, model)
        onnx_files.save(proto, file)
    return count


def node_counts(proto: onnx.ModelProto) -> Counter[str]:
    """How many nodes of each type a graph has."""
    return Counter(node.op_type for node in proto.graph.node)


def _name_fused(proto: onnx.ModelProto, model: Any) -> None:
    """Gives weights that were made of a layer's query, key and value the layer's name, so that a bundle can be trained
    further."""
    queries: dict[bytes, list[str]] = {}
    for name, parameter in model.named_parameters():  # in the order of the layers, and equal ones take turns
        if name.endswith("q_proj.weight"):
            content = parameter.detach().numpy().T.tobytes()
            queries.setdefault(content, []).append(name.removesuffix("q_proj.weight") + FUSED)
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    found: dict[str, str] = {}
    for node in proto.graph.node:
        if node.op_type == "Attention":
            weight = onnx.numpy_helper.to_array(tensors[node.input[1]])
            name = queries[np.ascontiguousarray(weight[:, : weight.shape[1] // 3]).tobytes()].pop(0)
            found |= {node.input[1]: f"{name}.weight{TRANSPOSED}", node.input[2]: f"{name}.bias"}
    for old, new in found.items():
        tensors[old].name = new
    for node in proto.graph.node:
        node.input[:] = [found.get(name, name) for name in node.input]
