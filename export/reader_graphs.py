"""The two graphs of a reader: the encoder, and one decoder made of two, with and without what it wrote before."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.transformers.onnx_model import OnnxModel
from optimum.exporters.onnx import onnx_export_from_model
from optimum.onnx import merge_decoders, remove_duplicate_weights_from_tied_info

from edgevoice.asr.bundle import Precision
from export import onnx_files
from export.onnx_configs import OPSET
from export.precision import halve, quantise
from export.quiet import quiet
from export.reader_runs import Feeds

_TASK = "automatic-speech-recognition-with-past"
_QUANTISED = ("MatMul", "Gather")
"""The matrix of tokens too: in fp32 it would be two thirds of a small reader. Whisper tiny.en reads as well with it."""
_LEAST = np.float32(-30_000.0)
"""What hides a place from attention in fp16; with what is added to it, it stays in its range."""


@dataclass(frozen=True)
class Graphs:
    """Where the graphs lie that a reader's files are made of, each in fp32."""

    encoder: Path
    first: Path
    """The decoder's first step."""
    later: Path
    """Its later steps, which are told what is kept of those before."""

    @property
    def all(self) -> tuple[Path, Path, Path]:
        """The three, in their order."""
        return self.encoder, self.first, self.later


def export(model: Any, folder: Path) -> Graphs:
    """Writes the graphs of a model of Transformers into `folder`, by Optimum."""
    frames = getattr(model.config, "max_source_positions", 0)
    shapes = {"nb_max_frames": 2 * frames} if frames else {}
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")  # the tracer warns about every shape it fixes; parity decides, not it
        onnx_export_from_model(
            model, output=folder, task=_TASK, opset=OPSET, do_validation=False, no_post_process=True, **shapes
        )
    return Graphs(folder / "encoder_model.onnx", folder / "decoder_model.onnx", folder / "decoder_with_past_model.onnx")


def write(graphs: Graphs, model: Any, encoder: Path, decoder: Path) -> None:
    """Writes both files in fp32. A matrix of tokens that serves both ends of the decoder is kept once."""
    onnx_files.save(onnx.load(str(graphs.encoder)), encoder)
    with _beside(graphs) as tied:
        for source, target in zip((graphs.first, graphs.later), tied, strict=True):
            _tie(source, model, target)
        _merge(*tied, decoder)


def reduce(
    precision: Precision, graphs: Graphs, model: Any, feeds: Sequence[Sequence[Feeds]], encoder: Path, decoder: Path
) -> int:
    """Writes both files in fp16 or int8; the decoder's halves before they are merged, since neither tool looks into
    branches. Returns how many nodes stay in fp32, because fp16 cannot hold their values.

    Args:
        precision: which.
        graphs: as `export` wrote them.
        model: what they were made of.
        feeds: what the encoder, the decoder's first and its later steps are tried on, for fp16.
        encoder: where the encoder goes.
        decoder: where the decoder goes.

    Raises:
        ModelError: values grow beyond fp16 even so.
    """
    with _beside(graphs) as parts:
        kept = 0
        for number, (source, target) in enumerate(zip(graphs.all, (encoder, *parts), strict=True)):
            if precision == "int8":
                quantise(source, target, _QUANTISED)
            else:
                kept += _halve(source, model, target, feeds[number])
        _merge(*parts, decoder)
    return kept


def _halve(source: Path, model: Any, target: Path, feeds: Sequence[Feeds]) -> int:
    mild = target.with_suffix(".mild.onnx")
    _tie(source, model, mild)
    _soften(mild)
    kept = halve(mild, target, feeds)
    onnx_files.remove(mild)
    _sort(target)
    return kept


@contextmanager
def _beside(graphs: Graphs) -> Iterator[tuple[Path, Path]]:
    """Where two decoders may lie for a while."""
    with tempfile.TemporaryDirectory(dir=graphs.encoder.parent) as folder:
        yield Path(folder) / "first.onnx", Path(folder) / "later.onnx"


def _tie(source: Path, model: Any, target: Path) -> None:
    """Copies a decoder; of a matrix that the model has once, the copy has one, too."""
    proto = onnx.load(str(source))
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    tied = [each for each in names.values() if len(each) > 1]
    with quiet():
        remove_duplicate_weights_from_tied_info(proto, model, tied, save_path=_large(target))
    onnx_files.save(onnx.load(str(target)), target)


def _soften(file: Path) -> None:
    """Has the masks of a graph hide with what fp16 can hold: the least that fp32 can is more than is needed."""
    proto = onnx.load(str(file))
    constants = [each.t for node in proto.graph.node if node.op_type == "Constant" for each in node.attribute]
    for tensor in [*proto.graph.initializer, *constants]:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = onnx.numpy_helper.to_array(tensor)
            if array.size and array.min() < _LEAST:
                tensor.CopyFrom(onnx.numpy_helper.from_array(array.clip(_LEAST, None), tensor.name))
    onnx_files.save(proto, file)


def _sort(file: Path) -> None:
    """Puts each node behind those whose results it takes: onnxruntime does without, and Optimum does not."""
    model = OnnxModel(onnx.load(str(file)))
    model.topological_sort(is_deterministic=True)
    onnx_files.save(model.model, file)


def _merge(first: Path, later: Path, target: Path) -> None:
    with quiet():
        # later steps give back no keys of the encoder: those of the first step hold
        merge_decoders(first, later, save_path=_large(target), strict=False)
    proto = onnx.load(str(target))
    onnx_files.save(proto, target)


def _large(file: Path) -> str:
    """Has Optimum keep weights beside a graph that it writes there: it fails where there are too many for one file. It
    does so wherever such a file is there already."""
    onnx_files.data_file(file).touch()
    return str(file)
