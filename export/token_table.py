"""The file that says which bytes each token of a reader stands for, as tiktoken writes it: base64, a space, the id.

Bytes and not text: a character may be spread over several tokens.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

NAME = "reader.tiktoken"


def write(tokens: Mapping[int, bytes], file: Path) -> None:
    """Writes the table of token id -> bytes; tokens without bytes, which write nothing, are left out."""
    lines = [f"{base64.b64encode(tokens[number]).decode()} {number}\n" for number in sorted(tokens) if tokens[number]]
    file.write_text("".join(lines), encoding="ascii")


def read(file: Path) -> dict[int, bytes]:
    """The table of token id -> bytes."""
    pairs = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return {int(number): base64.b64decode(text) for text, number in pairs}
