"""What a model's vocabulary can write: which letters, in which case, put together from which pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edgevoice.text import normalise

Case = Literal["lower", "upper", "mixed"]


class Spelling:
    """How words are written with the tokens of a vocabulary.

    Args:
        vocabulary: tokens by id, as in a manifest.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._pieces = {piece for piece in vocabulary if piece.strip()}
        self._letters = set("".join(self._pieces)) - {" "}
        self._longest = max(map(len, self._pieces), default=0)
        self._free = " " in vocabulary
        small = any(letter != letter.upper() for letter in self._letters)
        large = any(letter != letter.lower() for letter in self._letters)
        self.case: Case = "mixed" if small and large else "upper" if large else "lower"
        """English models of the hub know capitals only."""

    def fit(self, text: str) -> str:
        """Text as the model would write it: normalised, in the model's case; as it is where the model knows both."""
        if self.case == "mixed":
            return " ".join(text.split())
        return normalise(text).upper() if self.case == "upper" else normalise(text)

    def missing(self, text: str) -> str:
        """The letters of a text that the model does not know, in their order, each once."""
        return "".join(dict.fromkeys(letter for letter in text if letter not in self._letters and letter != " "))

    def writes(self, word: str) -> bool:
        """Whether a word can be put together from the pieces."""
        text = f" {word}"
        # a piece with its space begins a word, and so does any other behind a space that is a token of its own
        reached = {0, 1} if self._free else {0}
        for end in range(1, len(text) + 1):
            starts = range(max(0, end - self._longest), end)
            if any(start in reached and text[start:end] in self._pieces for start in starts):
                reached.add(end)
        return len(text) in reached
