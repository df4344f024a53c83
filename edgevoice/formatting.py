"""Light formatting of captions: capitals where a sentence begins, a line of its own after a pause, and the English "I".

Nothing is guessed: no word and no number is written differently, and no mark stands where nobody said one. Each word is
formatted by what came before it alone, so that text that was promised as stable stays as it is when more follows, and
each stays one word, so that formatted words and words with times can be counted off against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgevoice.events import Word
from edgevoice.text import primary_language


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How captions are written."""

    pause_s: float
    """After a pause of this length, in seconds, a sentence begins."""
    english: bool = False
    """Whether a lone "i", also in "i'm" and the like, is a capital."""
    capitals: bool = False
    """Whether the words come in capitals throughout, as some models write them."""


def is_english(language: str) -> bool:
    """Whether a language as in a manifest, "en" or "en-GB" for example, is English."""
    return primary_language(language) in ("en", "eng", "english")


def formatted(words: Sequence[Word], style: Style | None, before_s: float | None = None) -> str:
    """The words as text. That of more words begins with that of fewer.

    Args:
        words: in time order.
        style: None for the words as they are.
        before_s: where the word before them ended, in seconds on their clock; None if there is none.
    """
    return "".join(_parts(words, style, before_s))


def spaced(words: Sequence[Word], pause_s: float | None) -> str:
    """The words as text, as they are written.

    Args:
        words: in time order.
        pause_s: after a pause of this length, in seconds, a line begins; None for one line.
    """
    gaps = [0.0, *(word.start - before.end for before, word in pairwise(words))]
    breaks = ["\n" if pause_s is not None and gap >= pause_s else " " for gap in gaps]
    return "".join(f"{between}{word.word}" for between, word in zip(breaks, words, strict=False)).strip()


def _parts(words: Sequence[Word], style: Style | None, before_s: float | None) -> Iterator[str]:
    for index, word in enumerate(words):
        begins = before_s is None or (style is not None and word.start - before_s >= style.pause_s)
        before_s = word.end
        if index:
            yield "\n" if style and begins else " "
        yield _written(word.word, style, begins=begins) if style else word.word


def _written(word: str, style: Style, *, begins: bool) -> str:
    word = word.lower() if style.capitals else word
    if begins or (style.english and (word == "i" or word.startswith("i'"))):
        for index, letter in enumerate(word):
            if letter.isalnum():
                # title case: the first of a letter that is two in capitals, such as the German sharp s
                return word[:index] + letter.title() + word[index + 1 :]
    return word
