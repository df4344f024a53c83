"""What an ONNX file refers to besides itself, read from its bytes: no other package, and no weight is looked at.

An ONNX file is a protobuf message. Tensors may name other files that hold their data, and a node may carry, or name, a
program compiled for a GPU; versions of onnxruntime have followed both to wherever they led. So a bundle's graphs are
read here before onnxruntime sees them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPILED = "EPContext"
"""The operator that stands for a program compiled for one accelerator; to load it is to trust whoever compiled it."""

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_TEXT = "text"
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {4: _TEXT, 5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {1: _TEXT, 2: _TEXT},
}
"""Message -> number of each field that can lead to a file name -> what the field holds; as in onnx.proto."""


@dataclass(frozen=True)
class References:
    """What a graph leads to."""

    files: frozenset[str]
    """Where its tensors keep their data outside of it, as the file spells it."""
    compiled: bool
    """Whether a node carries or names a compiled program."""


def references(file: Path) -> References:
    """What an ONNX file refers to, wherever in it: main graph, branches, functions, sparse tensors.

    Raises:
        ValueError: it is no ONNX file.
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        try:
            view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file cannot be mapped
            raise ValueError("it is empty") from None
        with view:
            return _References(view).found()


class _References:
    """One walk through a file. Nested messages are kept on a list, so that no depth of nesting exhausts the stack."""

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view
        self._files: set[str] = set()
        self._operators: set[bytes] = set()
        self._graphs = 0

    def found(self) -> References:
        waiting = [("model", 0, len(self._view))]
        while waiting:
            kind, start, end = waiting.pop()
            texts: dict[int, bytes] = {}
            for number, begin, stop in self._fields(start, end):
                child = _CHILDREN[kind].get(number)
                if child == _TEXT:
                    texts[number] = self._view[begin:stop]
                elif child:
                    waiting.append((child, begin, stop))
            self._note(kind, texts)
        if not self._graphs:
            raise ValueError("it holds no graph")
        return References(frozenset(self._files), COMPILED.encode() in self._operators)

    def _note(self, kind: str, texts: dict[int, bytes]) -> None:
        if kind == "graph":
            self._graphs += 1
        elif kind == "node":
            self._operators.add(texts.get(4, b""))
        elif kind == "entry" and texts.get(1) == b"location":
            self._files.add(texts.get(2, b"").decode("utf-8", "replace"))

    def _fields(self, position: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Number, start and end of each field of the message between two positions that holds bytes."""
        while position < end:
            tag, position = self._varint(position, end)
            if tag >= 1 << 32:  # protobuf cuts it, and reads another number than is written
                raise ValueError(f"it has a tag of more than 32 bits before byte {position}")
            number, wire = tag >> 3, tag & 7
            if wire == _BYTES:
                length, position = self._varint(position, end)
            elif wire == _VARINT:
                _, position = self._varint(position, end)
                length = 0
            else:
                length = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire, -1)
            if number == 0 or length < 0 or length > end - position:
                raise ValueError(f"it breaks off or is something else at byte {position}")
            if wire == _BYTES:
                yield number, position, position + length
            position += length

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if position >= end:
                break
            byte = self._view[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
        raise ValueError(f"it breaks off or is something else at byte {position}")
