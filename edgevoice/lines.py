"""Where a caption is broken into lines: where phrases end, as in subtitles, by the width in cells of a terminal.

Pure, and shared by whoever shows captions in lines. Punctuation and pauses count in every language; the words that open
a phrase, and those that belong to the next word, are English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from rich.cells import cell_len, split_graphemes

LINE_CELLS = 42
"""The longest line of a subtitle by the habits of broadcasters (37 to 42)."""
PAUSE_S = 0.3
"""A silence between two words that ends a phrase."""
LONG_PAUSE_S = 0.6
"""One that ends a sentence."""

_WORD = re.compile(r"(?:\S|[\u00a0\u202f])+")  # spaces that must not break are part of the word
_ENDS = tuple(".?!…。！？؟।")
_HALTS = tuple(",;:)]」』–—、，；：،")
_CLOSING = "\"'”’»)]」』"
_MARKS = _ENDS + _HALTS
_SHORTENED = re.compile(r"(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e)\.", re.IGNORECASE)
_INITIAL = re.compile(r"(?!I\.)[A-Z]\.")
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
    for parts in _paragraphs(text, width, ruler):
        costs = [_cost(before, after, pauses) for before, after in pairwise(parts)]
        made += _lines(text, parts, _fewest(_sizes(text, parts, ruler), costs, width))
    return made


def broken_near(
    text: str, wanted: Sequence[tuple[int, int]], width: int, pauses: Sequence[float] = (), ruler: Ruler = CELLS
) -> list[Line]:
    """The text in lines that begin where they are wanted, as nearly as they fit, and that are as many as are wanted.
    They are more only where the text needs more, and fewer only where it has fewer words. Otherwise as `broken`.

    Args:
        text: plain; a few hundred words at most, for it takes its time.
        wanted: for each line but the first, the places in the text between which it may begin, both included.
        width: at least 1, as the ruler measures it.
        pauses: the silence after each word of the text, in seconds, where that is known.
        ruler: cells, if not given.
    """
    parts = list(_parts(text, width, ruler))
    if not parts:
        return []
    count = max(len(filled(text, width, ruler)), min(len(wanted) + 1, parts[-1].word + 1))
    is_as_many = count == len(wanted) + 1

    def cost(line: int, first: int) -> float:
        """Of beginning that line with that part."""
        places = wanted[line - 1 : line] if is_as_many else wanted
        place = parts[first].start
        away = min((max(earliest - place, place - latest, 0) for earliest, latest in places), default=0)
        moved = _MOVED + (_AWAY * away if is_as_many else 0.0) if away else 0.0
        return moved + _PHRASED * _cost(parts[first - 1], parts[first], pauses)

    return list(_lines(text, parts, _so_many(_sizes(text, parts, ruler), _ends(text, parts), cost, width, count)))


def words(text: str) -> list[tuple[int, int]]:
    """Where the words of a text are: the first character of each, and the one behind its last."""
    return [word.span() for word in _WORD.finditer(text)]


def filled(text: str, width: int, ruler: Ruler = CELLS) -> list[Line]:
    """The text in lines of at most `width`, each as full as it can be: what is appended to it moves no word that was
    there. Otherwise as `broken`."""
    made: list[Line] = []
    for parts in _paragraphs(text, width, ruler):
        ends, taken = [], 0
        for number, (size, gap) in enumerate(_sizes(text, parts, ruler)):
            if number and taken + size > width:
                ends.append(number)
                taken = 0
            taken += size + gap
        made += _lines(text, parts, [*ends, len(parts)])
    return made


def break_cost(before: str, after: str, silence: float) -> float:
    """How bad it is to begin a line between two words: 0 behind a sentence, 1 anywhere, 2 within a phrase."""
    bare = before.rstrip(_CLOSING)
    if _leads_on(before, after):
        return 2.0
    if bare.endswith(_ENDS) or silence >= LONG_PAUSE_S:
        return 0.0
    if bare.endswith(_HALTS) or before.endswith(_HALTS) or silence >= PAUSE_S:
        return 0.2
    before, after = (word.strip("'\"“”‘’(").lower() for word in (before, after))
    cost = 0.35 if after in _CONJUNCTIONS else 0.5 if after in _PREPOSITIONS else 1.0
    return cost + (1.0 if before in _LEANING or before in _CONJUNCTIONS or before in _PREPOSITIONS else 0.0)


def _leads_on(before: str, after: str) -> bool:
    """Whether a word ends with a point that ends no sentence: "Dr. Smith", "J. Smith"."""
    word = before.lstrip("'\"“”‘’(")
    return bool(_SHORTENED.fullmatch(word) or (_INITIAL.fullmatch(word) and after[:1].isupper()))


def cut(word: str, width: int, ruler: Ruler = CELLS) -> list[str]:
    """A word in pieces of at most `width`, if possible behind a mark, as in languages without spaces."""
    if ruler.measure(word) <= width:
        return [word]
    made, start, last = [], 0, 0
    for first, end, _ in split_graphemes(word)[0]:
        if first > start and ruler.measure(word[start:end]) > width:
            place = _place(word, start, last, first)
            made.append(word[start:place])
            start = place
        last = first
    return [*made, word[start:]]


def _place(word: str, start: int, last: int, end: int) -> int:
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

    @property
    def end(self) -> int:
        """Behind it in the text."""
        return self.start + len(self.text)


def _paragraphs(text: str, width: int, ruler: Ruler) -> Iterator[list[_Part]]:
    """What each line of a text consists of, if it is not empty."""
    parts = _parts(text, width, ruler)
    for _, paragraph in groupby(parts, key=lambda part: text.count("\n", 0, part.start)):
        yield list(paragraph)


def _parts(text: str, width: int, ruler: Ruler) -> Iterator[_Part]:
    for number, word in enumerate(_WORD.finditer(text)):
        start = word.start()
        for piece in cut(word[0], width, ruler):
            yield _Part(piece, start, number)
            start += len(piece)


def _sizes(text: str, parts: Sequence[_Part], ruler: Ruler) -> list[tuple[int, int]]:
    """How wide each part is, and the gap behind it if another one follows on its line."""
    gaps = [ruler.gap * cell_len(text[part.end : after.start]) for part, after in pairwise(parts)]
    return [(ruler.measure(part.text), gap) for part, gap in zip(parts, [*gaps, 0], strict=True)]


def _lines(text: str, parts: Sequence[_Part], ends: Sequence[int]) -> Iterator[Line]:
    for first, behind in pairwise([0, *ends]):
        start = parts[first].start
        yield Line(text[start : parts[behind - 1].end], start)


_WITHIN = 4.0
"""What it costs to break a word."""
_RAGGED = 0.5
"""What the share of a line that stays empty costs, squared."""


def _cost(before: _Part, after: _Part, pauses: Sequence[float]) -> float:
    if before.word == after.word:
        return _WITHIN
    return break_cost(before.text, after.text, pauses[before.word] if before.word < len(pauses) else 0.0)


def _fewest(sizes: Sequence[tuple[int, int]], costs: Sequence[float], width: int) -> list[int]:
    """The ends of the lines: as few lines as possible, and of these the cheapest.

    Args:
        sizes: of each part, with the gap behind it.
        costs: of a break behind each part but the last.
        width: of a line.
    """
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # for the first parts: lines, their cost, where the last begins
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


_MOVED = 2.0
"""What it costs to begin a line elsewhere than it was wanted; more than can be won by that."""
_AWAY = 0.05
"""What each character costs by which it is elsewhere."""
_PHRASED = 0.5
"""What the place of a break counts besides."""


def _ends(text: str, parts: Sequence[_Part]) -> set[int]:
    """How many parts there are before each line break of the text."""
    return {number for number, (a, b) in enumerate(pairwise(parts), 1) if "\n" in text[a.end : b.start]}


def _so_many(
    sizes: Sequence[tuple[int, int]],
    forced: Container[int],
    cost: Callable[[int, int], float],
    width: int,
    count: int,
) -> list[int]:
    """The ends of so many lines, the cheapest there are.

    Args:
        sizes: of each part, with the gap behind it.
        forced: numbers of parts behind which a line ends in any case.
        cost: of beginning a line, counted from 0, with a part.
        width: of a line.
        count: of lines; so many must be possible.
    """
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]  # for each count of lines: the parts they may hold
    for line in range(count):
        ends: dict[int, tuple[float, int]] = {}
        for start, (so_far, _) in best[line].items():
            before = so_far + (cost(line, start) if line else 0.0)
            for end, taken in _reach(sizes, forced, start, width):
                if len(sizes) - end < count - line - 1:  # the lines below need a part each
                    break
                candidate = before + _RAGGED * (max(0, width - taken) / width) ** 2, start
                ends[end] = min(ends.get(end, candidate), candidate)
        best.append(ends)
    made, end = [], len(sizes)
    for ends in reversed(best[1:]):
        made.append(end)
        end = ends[end][1]
    return made[::-1]


def _reach(
    sizes: Sequence[tuple[int, int]], forced: Container[int], start: int, width: int
) -> Iterator[tuple[int, int]]:
    """Where a line that begins with a part may end, and how wide it is then."""
    taken = 0
    for end in range(start + 1, len(sizes) + 1):
        size, gap = sizes[end - 1]
        taken += size
        if taken > width and end > start + 1:
            return
        yield end, taken
        if end in forced:
            return
        taken += gap
