"""The file that says which bytes each token of a reader stands for, as tiktoken writes it: base64, a space, the id.

Bytes and not text: a character may be spread over several tokens.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgevoice.errors import ModelError

NAME = "reader.tiktoken"
SPACE = "▁"
"""What SentencePiece writes for a space."""

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_MARK = re.compile(r"<\|.*\|>")
"""Tokens that are no text, though some tokenizers do not call them special: `<|0.00|>` for a time."""


def write(tokens: Mapping[int, bytes], file: Path) -> None:
    """Writes the table of token id -> bytes; tokens without bytes, which write nothing, are left out."""
    lines = [f"{base64.b64encode(tokens[number]).decode()} {number}\n" for number in sorted(tokens) if tokens[number]]
    file.write_text("".join(lines), encoding="ascii")


def of(tokenizer: Any) -> dict[int, bytes]:
    """The bytes of each token that writes some, by id.

    Args:
        tokenizer: a fast one of Transformers, of bytes (Whisper) or of pieces with bytes to fall back to (Moonshine).

    Raises:
        ModelError: it is of another kind.
    """
    steps = set(_steps(json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder") or {}))
    if "ByteLevel" in steps:
        spell = _of_letters
    elif steps & {"ByteFallback", "Metaspace", "Replace"}:
        spell = _of_piece
    else:
        said = " and ".join(sorted(steps)) or "nothing"
        raise ModelError(f"The tokenizer decodes by {said}, which no reader does", "Use the one of the checkpoint")
    added = tokenizer.added_tokens_decoder
    silent = {number for number, token in added.items() if token.special or _MARK.fullmatch(token.content)}
    silent |= set(tokenizer.all_special_ids)
    # what was added later is text as it stands
    return {
        number: token.encode() if number in added else spell(token)
        for token, number in tokenizer.get_vocab().items()
        if number not in silent
    }


def _steps(decoder: Mapping[str, Any]) -> Iterator[str]:
    yield decoder.get("type", "")
    for each in decoder.get("decoders", ()):
        yield from _steps(each)


def _of_piece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()


def _of_letters(token: str) -> bytes:
    return bytes(_LETTERS[letter] for letter in token)


def _letters() -> dict[str, int]:
    """What each letter of a vocabulary of bytes stands for: the byte that looks so, or one that cannot be seen."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(0x100) if byte not in seen]
    return {**{chr(byte): byte for byte in seen}, **{chr(0x100 + n): byte for n, byte in enumerate(hidden)}}


_LETTERS = _letters()
