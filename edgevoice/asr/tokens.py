"""The tokens of a reader as bytes, and the byte pair encoding that makes tokens of text.

The table is a file as tiktoken writes it: a line for each token with its bytes in base64 and its id. Where a vocabulary
was learnt by byte pair encoding, ids are in the order of its merges, so that the table is all that encoding takes
(Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", 2016; openai/tiktoken).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgevoice.errors import ModelError

LARGEST = 32_000_000
"""Bytes of a file; what is larger is no table of tokens."""


class TokenTable:
    """Ids and the bytes that they write.

    Args:
        bytes_of: id -> bytes; what is not in it, special tokens, writes nothing.
    """

    def __init__(self, bytes_of: Mapping[int, bytes]) -> None:
        self._bytes_of = dict(bytes_of)
        self._id_of = {written: number for number, written in self._bytes_of.items()}

    @classmethod
    def load(cls, file: Path) -> TokenTable:
        """The table in a file.

        Raises:
            ModelError: it is none.
        """
        try:
            pairs = (line.split() for line in _bounded(file).splitlines() if line)
            return cls({int(number): base64.b64decode(written, validate=True) for written, number in pairs})
        except (OSError, ValueError, binascii.Error) as error:
            raise ModelError(f"{file} is no table of tokens: {error}", "Export the reader again") from None

    def texts(self, ids: Sequence[int]) -> list[str]:
        """What each token writes. A character of several tokens is written by its last; bytes that are no text write
        the replacement character."""
        texts, waiting = [], b""
        for place, number in enumerate(ids):
            waiting += self._bytes_of.get(number, b"")
            try:
                text, waiting = waiting.decode(), b""
            except UnicodeDecodeError as error:
                goes_on = error.end == len(waiting) and error.reason == "unexpected end of data"
                text = ""
                if not goes_on or place == len(ids) - 1:
                    text, waiting = waiting.decode(errors="replace"), b""
            texts.append(text)
        return texts

    def ids(self, text: str) -> list[int]:
        """Text as tokens; bytes that have none are left out."""
        words = re.findall(r" ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+", text)
        return [self._id_of[part] for word in words for part in self._merged(word.encode()) if part in self._id_of]

    def _merged(self, word: bytes) -> list[bytes]:
        parts = [word[index : index + 1] for index in range(len(word))]
        while len(parts) > 1:
            pairs = [(self._id_of.get(parts[at] + parts[at + 1]), at) for at in range(len(parts) - 1)]
            known = [(rank, at) for rank, at in pairs if rank is not None]
            if not known:
                break
            _, at = min(known)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return parts


def _bounded(file: Path) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1_000_000} MB")
    return data
