"""From a checkpoint to an ONNX graph in fp32, by Optimum or as a step (`export.step`), and its manifest entry."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from optimum.exporters.onnx import onnx_export_from_model
from optimum.exporters.onnx.convert import export as optimum_export

from edgevoice.asr.bundle import Graph
from edgevoice.asr.features import HOP, WINDOW
from export import onnx_files, step
from export.onnx_configs import CTC_OUTPUT, INTENT_OUTPUT, OPSET, joint_config
from training.loading import Checkpoint
from training.models import frame_samples
from training.warm_start import ALIASES, TRANSPOSED, named_weights

_OPTIMUM_TASKS = {"ctc": "automatic-speech-recognition", "intent": "audio-classification"}


def to_onnx(checkpoint: Checkpoint, file: Path) -> None:
    """Writes the fp32 graph of a checkpoint; every weight inside the one file, or in a second one beside it."""
    _fold_weight_norm(checkpoint.model)
    if checkpoint.chunking:
        step.write(checkpoint, file)
        return
    with tempfile.TemporaryDirectory(dir=file.parent) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about every shape it fixes; parity decides, not it
        exported = Path(folder) / "model.onnx"
        if checkpoint.task == "joint":
            optimum_export(checkpoint.model, joint_config(checkpoint.model), exported, opset=OPSET)
        else:
            _export_one_head(checkpoint, Path(folder))
        proto = onnx.load(str(exported))
        name_weights(checkpoint.model, proto)
        onnx_files.save(proto, file)


def _fold_weight_norm(model: Any) -> None:
    """Makes one weight of magnitude and direction, which only training needs apart, in place: the tracer would put the
    computation of it into the graph, where no quantiser sees a weight."""
    for module in model.modules():
        if torch.nn.utils.parametrize.is_parametrized(module, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(module, "weight")


def name_weights(model: Any, proto: Any) -> None:
    """Gives the matrices of a graph, which the exporter transposes and numbers, their parameters' names back.

    Nothing is computed otherwise; but whoever looks into the graph can read it, and the bundle holds all that is needed
    to train it further (`training.warm_start`).
    """
    names = {
        _content(parameter.detach().numpy().T): name + TRANSPOSED
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2
    }
    numbered = [tensor for tensor in proto.graph.initializer if tensor.name.startswith("onnx::")]
    found = {tensor.name: names.get(_content(onnx.numpy_helper.to_array(tensor)), tensor.name) for tensor in numbered}
    for tensor in numbered:
        tensor.name = found[tensor.name]
    for node in proto.graph.node:
        node.input[:] = [found.get(name, name) for name in node.input]


def note_aliases(model: Any, file: Path, front: Path | None = None) -> None:
    """Writes into a finished graph which of its tensors, or of its front's, stands for which parameters that have no
    tensor of their own: those equal to another one. A model that was never trained has many, such as biases of nothing
    but zeros."""
    proto = onnx.load(str(file))
    held = {**(named_weights(onnx.load(str(front))) if front else {}), **named_weights(proto)}
    by_content = {_content(array): name for name, array in held.items()}
    wanted = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    lost = {name: array for name, array in wanted.items() if name not in held or held[name].shape != array.shape}
    aliases = {name: by_content[_content(array)] for name, array in lost.items() if _content(array) in by_content}
    if aliases:
        proto.metadata_props.add(key=ALIASES, value=json.dumps(aliases))
        onnx_files.save(proto, file)


def _content(array: npt.NDArray[Any]) -> bytes:
    """The same for equal arrays of one shape and type, and for no others."""
    whole = np.ascontiguousarray(array)
    return hashlib.sha256(f"{whole.dtype} {whole.shape} ".encode() + whole.tobytes()).digest()


def graph(checkpoint: Checkpoint, file: Path, front: Path | None = None) -> Graph:
    """The manifest entry of a graph that `to_onnx` wrote to `file`, without its `front` if it was cut off."""
    model = onnx.load(str(file), load_external_data=False)
    first = onnx.load(str(front), load_external_data=False) if front else model
    produced = [output.name for output in model.graph.output]
    outputs = {"ctc": CTC_OUTPUT, "intent": INTENT_OUTPUT}
    if checkpoint.task != "joint":
        outputs = {checkpoint.task: produced[0]}
    timed = "ctc" in outputs or checkpoint.chunking is not None or front is not None
    return Graph(
        architecture=checkpoint.encoder_config.model_type,
        features=checkpoint.features,
        input=first.graph.input[0].name,
        outputs=outputs,
        frame_samples=frame_samples(checkpoint.encoder_config, checkpoint.features) if timed else 0,
        minimum_samples=minimum_samples(checkpoint),
        variants={"fp32": file.name},
        front={"fp32": front.name} if front else {},
        chunks=checkpoint.chunking.chunks.sizes if checkpoint.chunking else (),
        config=_plain_config(checkpoint.model.config),
    )


def minimum_samples(checkpoint: Checkpoint, frames: int = 2) -> int:
    """The shortest input that gives so many frames of the convolutions."""
    features, config = checkpoint.features, checkpoint.encoder_config
    if features.kind == "log_mel":
        return WINDOW + HOP * (frames * features.stride - 1)
    layers = zip(getattr(config, "conv_kernel", ()), getattr(config, "conv_stride", ()), strict=True)
    length = frames
    for kernel, stride in reversed(list(layers)):
        length = (length - 1) * stride + kernel
    # an extractor's frames overlap as ours do; where it fills its input up, any audio will do
    return length if features.kind == "waveform" else WINDOW + HOP * (length - 1)


def _plain_config(config: Any) -> dict[str, Any]:
    """The configuration as JSON, without where it came from."""
    return {key: value for key, value in json.loads(config.to_json_string()).items() if key != "_name_or_path"}


def _export_one_head(checkpoint: Checkpoint, folder: Path) -> None:
    onnx_export_from_model(
        checkpoint.model,
        output=folder,
        task=_OPTIMUM_TASKS[checkpoint.task],
        opset=OPSET,
        # SEW pads an odd number of frames, and the tracer keeps only what it has seen
        audio_sequence_length=minimum_samples(checkpoint, frames=51),
        # Whisper's whole input; M-CTC-T's attention over as much would take minutes
        nb_max_frames=2 * getattr(checkpoint.encoder_config, "max_source_positions", 150),
        do_validation=False,  # one random input that can only warn: parity.py does it on real clips and fails
    )
