"""Where a caption is broken into lines: where phrases end, as in subtitles, by the width in cells of a terminal.

Pure, and shared by whoever shows captions in lines. Punctuation and pauses count in every language; the words that open
a phrase, and those that belong to the next word, are English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, split_graphemes

LINE_CELLS = 42
"""The longest line of a subtitle by the habits of broadcasters (37 to 42)."""
PAUSE_S = 0.3
"""A silence between two words that ends a phrase."""

_WORD = re.compile(r"(?:\S|[\u00a0\u202f])+")  # spaces that must not break are part of the word
_ENDS = tuple(".?!…。！？؟।")
_HALTS = tuple(",;:)]–—、，；：،")
_MARKS = _ENDS + _HALTS
_CONJUNCTIONS = frozenset(
    "and but or nor so because although though while when where whereas if unless until since that which who whose"
    " whether than then".split()
)
_PREPOSITIONS = frozenset(
    "to of in on at by for from with about into onto over under through between against during without within after"
    " before behind across along around near per via as like".split()
)
_LEANING = frozenset(
    "a an the my your his her its our their this these those some any no each every i you he she it we they i'm you're"
    " he's she's it's we're they're i've you've we've i'll you'll we'll i'd you'd am is are was were be been have has"
    " had do does did don't doesn't didn't will would can could can't should may might must shall not very please"
    " what's there's let's".split()
)


@dataclass(frozen=True, slots=True)
class Ruler:
    """How wide words are."""

    measure: Callable[[str], int]
    """Of a word."""
    gap: int
    """Between words."""


CELLS = Ruler(cell_len, 1)
"""In cells of a terminal."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text."""

    text: str
    start: int
    """Where it begins in the text, in characters."""


def broken(text: str, width: int, pauses: Sequence[float] = (), ruler: Ruler = CELLS) -> list[Line]:
    """The text in lines of at most `width`: as few as possible, and of these the ones that end with phrases.

    A line break in the text stays one. A word that is longer than a line is broken between the characters that a reader
    sees; one such character may be wider than a very short line.

    Args:
        text: plain.
        width: at least 1, as the ruler measures it.
        pauses: the silence after each word of the text, in seconds, where that is known.
        ruler: cells, if not given.
    """
    made: list[Line] = []
    spoken = 0
    for words in _paragraphs(text):
        costs = _costs([word[0] for word in words], pauses[spoken : spoken + len(words)])
        spoken += len(words)
        parts = [part for number, word in enumerate(words) for part in _parts(word, number, width, ruler)]
        penalties = [costs[a.word] if a.word != b.word else _WITHIN for a, b in pairwise(parts)]
        made += _lines(text, parts, _fewest(_sizes(parts, ruler), penalties, width))
    return made


def filled(text: str, width: int, ruler: Ruler = CELLS) -> list[Line]:
    """The text in lines of at most `width`, each as full as it can be: what is appended to it moves no word that was
    there. Otherwise as `broken`."""
    made: list[Line] = []
    for words in _paragraphs(text):
        parts = [part for number, word in enumerate(words) for part in _parts(word, number, width, ruler)]
        ends, taken = [], 0
        for number, (size, gap) in enumerate(_sizes(parts, ruler)):
            if number and taken + size > width:
                ends.append(number)
                taken = 0
            taken += size + gap
        made += _lines(text, parts, [*ends, len(parts)])
    return made


def breaks(words: Sequence[str], width: int, pauses: Sequence[float] = ()) -> list[int]:
    """Words in lines of at most `width` cells, as `broken` does it: for each line the number of the word behind it.

    Args:
        words: one that is wider than a line has a line of its own.
        width: at least 1.
        pauses: the silence after each word, in seconds, where that is known.
    """
    return _fewest([(cell_len(word), 1) for word in words], _costs(words, pauses), width)


def pieces(word: str, width: int, ruler: Ruler = CELLS) -> list[str]:
    """A word in pieces of at most `width`, if possible behind a mark, as in languages without spaces."""
    if ruler.measure(word) <= width:
        return [word]
    made, start, last = [], 0, 0
    for first, end, _ in split_graphemes(word)[0]:
        if first > start and ruler.measure(word[start:end]) > width:
            cut = _cut(word, start, last, first)
            made.append(word[start:cut])
            start = cut
        last = first
    return [*made, word[start:]]


def _cut(word: str, start: int, last: int, end: int) -> int:
    """Where a piece that may reach `end` is cut: behind a mark in its second half, and not before one.

    Args:
        word: the whole of it.
        start: where the piece begins.
        last: where its last character begins.
        end: where it ends at the latest.
    """
    for place in range(end, (start + end) // 2, -1):
        if word[place - 1] in _MARKS and word[place] not in _MARKS:
            return place
    return last if word[end] in _MARKS and last > start else end


@dataclass(frozen=True, slots=True)
class _Part:
    """A word, or a piece of one that is too long."""

    text: str
    start: int
    """In the text."""
    word: int
    """Number of its word."""


def _paragraphs(text: str) -> Iterator[list[re.Match[str]]]:
    """The words of each part of a text between its line breaks, with their places in it."""
    end = 0
    for paragraph in text.split("\n"):
        start, end = end, end + len(paragraph) + 1
        words = list(_WORD.finditer(text, start, end - 1))
        if words:
            yield words


def _parts(word: re.Match[str], number: int, width: int, ruler: Ruler) -> Iterator[_Part]:
    start = word.start()
    for piece in pieces(word[0], width, ruler):
        yield _Part(piece, start, number)
        start += len(piece)


def _sizes(parts: Sequence[_Part], ruler: Ruler) -> list[tuple[int, int]]:
    """How wide each part is, and the gap behind it if another one follows on its line."""
    following = [part.word for part in parts[1:]]
    gaps = [ruler.gap if part.word != word else 0 for part, word in zip(parts, [*following, -1], strict=True)]
    return [(ruler.measure(part.text), gap) for part, gap in zip(parts, gaps, strict=True)]


def _lines(text: str, parts: Sequence[_Part], ends: Sequence[int]) -> Iterator[Line]:
    for first, behind in pairwise([0, *ends]):
        start, last = parts[first].start, parts[behind - 1]
        yield Line(text[start : last.start + len(last.text)], start)


_WITHIN = 4.0
"""What it costs to break a word; how bad the other breaks are, is said by `_cost`."""
_RAGGED = 0.5
"""What the share of a line that stays empty costs, squared."""


def _costs(words: Sequence[str], pauses: Sequence[float]) -> list[float]:
    """Of a break behind each word but the last."""
    silences = [*pauses, *[0.0] * len(words)]
    return [_cost(before, after, silence) for (before, after), silence in zip(pairwise(words), silences, strict=False)]


def _cost(before: str, after: str, silence: float) -> float:
    """How bad it is to begin a line between two words: 0 behind a sentence, 1 anywhere, 2 within a phrase."""
    if before.endswith(_ENDS):
        return 0.0
    if before.endswith(_HALTS) or silence >= PAUSE_S:
        return 0.2
    before, after = (word.strip("'\"“”‘’(").lower() for word in (before, after))
    cost = 0.35 if after in _CONJUNCTIONS else 0.5 if after in _PREPOSITIONS else 1.0
    return cost + (1.0 if before in _LEANING or before in _CONJUNCTIONS or before in _PREPOSITIONS else 0.0)


def _fewest(sizes: Sequence[tuple[int, int]], costs: Sequence[float], width: int) -> list[int]:
    """The ends of the lines: as few lines as possible, and of these the cheapest.

    Args:
        sizes: of each word, with the gap behind it.
        costs: of a break behind each word but the last.
        width: of a line.
    """
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # for the first words: lines, their cost, where the last begins
    for end in range(1, len(sizes) + 1):
        candidates, taken = [], -sizes[end - 1][1]
        for start in range(end - 1, -1, -1):
            taken += sum(sizes[start])
            if taken > width and start < end - 1:
                break
            lines, cost, _ = best[start]
            ragged = _RAGGED * (max(0, width - taken) / width) ** 2
            candidates.append((lines + 1, cost + ragged + (costs[start - 1] if start else 0.0), start))
        best.append(min(candidates))
    ends, end = [], len(sizes)
    while end:
        ends.append(end)
        end = best[end][2]
    return ends[::-1]
