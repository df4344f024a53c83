"""ONNX files: one each, or a second one beside it with the weights, where they are more than one file can hold."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import onnx

from edgevoice.asr.bundle import WEIGHTS_BESIDE

LARGEST = 2_000_000_000
"""Bytes of weights in one file; a little less than the 2 GiB that a protobuf message may have."""


def data_file(file: Path) -> Path:
    """Where the weights of a large graph lie; Optimum calls it so, too."""
    return file.with_name(file.name + WEIGHTS_BESIDE)


def is_split(file: Path) -> bool:
    """Whether the weights of a graph lie beside it."""
    return data_file(file).is_file()


def save(proto: Any, file: Path) -> None:
    """Writes a graph whose weights are all in memory, in place of what is there."""
    data_file(file).unlink(missing_ok=True)
    if weight_bytes(proto) <= LARGEST:
        onnx.save(proto, str(file))
    else:
        onnx.save(proto, str(file), save_as_external_data=True, location=data_file(file).name)


def copy(file: Path, folder: Path) -> Path:
    """Copies a graph with what belongs to it; returns where it is then."""
    if is_split(file):
        shutil.copy(data_file(file), folder)
    return Path(shutil.copy(file, folder))


def remove(file: Path) -> None:
    """Removes a graph with what belongs to it, if it is there."""
    for each in (file, data_file(file)):
        each.unlink(missing_ok=True)


def size(file: Path) -> int:
    """Bytes of a graph with what belongs to it."""
    return sum(each.stat().st_size for each in (file, data_file(file)) if each.is_file())


def weight_bytes(proto: Any) -> int:
    """Bytes that the weights of a graph take."""
    tensors = proto.graph.initializer
    return sum(math.prod(t.dims) * onnx.helper.tensor_dtype_to_np_dtype(t.data_type).itemsize for t in tensors)
