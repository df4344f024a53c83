"""Where subtitles break: words with times become phrases of one or two lines, as a reader takes them in.

Widths are cells of a terminal, which is what a viewer sees of them too: wide East Asian characters count two, combining
marks none. Text is only ever cut, never reordered, so that text from right to left stays as it was written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from edgevoice.events import CaptionFinished
from edgevoice.lines import LINE_CELLS, break_cost, cut
from edgevoice.text import plain

LINES = 2
LONGEST_S = 7.0
"""A phrase is split before it gets longer than this."""
APART_S = 1.5
"""Words further apart than this go into different phrases."""
SHORT_WORD = 5
"""A word of fewer cells looks lost on a line of its own."""

_PART = 6  # cells; what is written without spaces may break anywhere

# What makes a break a bad one; only their relations matter.
_EACH_PHRASE = 8.0
_PHRASE_BREAK, _LINE_BREAK = 12.0, 6.0  # times what it costs to break there
_LONELY = 10.0
_UNEVEN = 0.15
_TOP_HEAVY = 0.5


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is on screen at once, as long as it is said."""

    lines: tuple[str, ...]
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    channel: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A word, or a part of one that is written without spaces."""

    text: str
    start: float
    end: float
    last: bool = False
    """Whether a line of the caption ends with it."""
    glued: bool = False
    """Whether it goes on without a space."""
    left: int = 0
    """Where it would begin if all of the caption stood on one line, in cells."""
    right: int = 0
    break_cost: float = 0.0
    """How bad it is to break behind it."""

    @property
    def is_short(self) -> bool:
        """Whether it looks lost on a line of its own."""
        return self.right - self.left < SHORT_WORD


def phrases(caption: CaptionFinished, speaker: str = "") -> tuple[Phrase, ...]:
    """A caption as phrases of at most two lines.

    Args:
        caption: with word times, or without, when they share its time in proportion to their letters.
        speaker: whose words they are; stands at the beginning of each phrase.
    """
    prefix = f"{speaker}: " if speaker else ""
    pieces = _measured(_pieces(caption, LINE_CELLS - cell_len(prefix)))
    return tuple(
        Phrase((prefix + lines[0], *lines[1:]), pieces[begin].start, pieces[end - 1].end, caption.channel)
        for begin, end, lines in _divided(pieces, cell_len(prefix))
    )


def _pieces(caption: CaptionFinished, width: int) -> list[_Piece]:
    lines = [line.split() for line in caption.text.splitlines()]
    written = [(word, index == len(line) - 1) for line in lines for index, word in enumerate(line)]
    if len(written) != len(caption.words):
        written = [(word.word, False) for word in caption.words]
    pairs = zip(written, caption.words, strict=True)
    words = [
        _Piece(cleaned, word.start, word.end, last) for (text, last), word in pairs if (cleaned := plain(text).strip())
    ]
    words = words or list(_spread(plain(caption.text).split(), caption.start, caption.end))
    return [part for word in words for part in _short(word, width)]


def _spread(words: Sequence[str], start: float, end: float) -> Iterator[_Piece]:
    """Words without times share the time in proportion to their letters."""
    per_character = (end - start) / max(1, sum(map(len, words)))
    for word in words:
        yield _Piece(word, start, start + len(word) * per_character)
        start += len(word) * per_character


def _short(word: _Piece, width: int) -> Iterator[_Piece]:
    """A word wider than a line, as happens in languages written without spaces, in parts that fit."""
    parts = cut(word.text, _PART) if cell_len(word.text) > width else [word.text]
    for number, part in enumerate(_spread(parts, word.start, word.end), 1):
        yield replace(part, last=word.last and number == len(parts), glued=number > 1)


def _measured(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Pieces with their places, and how bad it is to break behind each of them."""
    measured: list[_Piece] = []
    for piece, after in itertools.zip_longest(pieces, pieces[1:]):
        left = measured[-1].right + (not piece.glued) if measured else 0
        cost = 0.0 if piece.last or after is None else break_cost(piece.text, after.text, after.start - piece.end)
        measured.append(replace(piece, left=left, right=left + cell_len(piece.text), break_cost=cost))
    return measured


def _divided(pieces: Sequence[_Piece], indent: int) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """The division into phrases that costs the least: first and last piece of each, and its lines."""
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    """For each number of pieces: the least cost of dividing them, where the last phrase begins, where its second line
    does."""
    for end in range(1, len(pieces) + 1):
        ways = (
            (best[begin][0] + cost + _phrase_cost(pieces, begin, end), begin, turn)
            for begin, cost, turn in _phrases_ending(pieces, end, indent)
        )
        best.append(min(ways))
    found = []
    end = len(pieces)
    while end:
        _, begin, turn = best[end]
        found.append((begin, end, _lines(pieces, begin, turn, end)))
        end = begin
    yield from reversed(found)


def _phrase_cost(pieces: Sequence[_Piece], begin: int, end: int) -> float:
    cost = _EACH_PHRASE
    if end < len(pieces):
        cost += _PHRASE_BREAK * pieces[end - 1].break_cost
    if end - begin == 1 < len(pieces) and pieces[begin].is_short:
        cost += _LONELY
    return cost


def _phrases_ending(pieces: Sequence[_Piece], end: int, indent: int) -> Iterator[tuple[int, float, int]]:
    """Where a phrase that ends there may begin, what its lines cost, and where the second one begins."""
    for begin in range(end - 1, -1, -1):
        if begin < end - 1:
            apart = pieces[begin + 1].start - pieces[begin].end > APART_S
            if apart or pieces[end - 1].end - pieces[begin].start > LONGEST_S:
                return
        turn = _turn(pieces, begin, end, indent)
        if turn is None:
            return
        yield begin, *turn


def _turn(pieces: Sequence[_Piece], begin: int, end: int, indent: int) -> tuple[float, int] | None:
    """What the lines of a phrase cost, and where the second one begins; None if it takes more than two."""
    left, right = pieces[begin].left - indent, pieces[end - 1].right
    if right - left <= LINE_CELLS:
        return 0.0, end
    ways = []
    for turn in range(end - 1, begin, -1):
        upper, lower = pieces[turn - 1].right - left, right - pieces[turn].left
        if lower > LINE_CELLS:
            break
        if upper <= LINE_CELLS:
            ways.append((_turn_cost(pieces, (begin, turn, end), lower - upper), turn))
    return min(ways, default=None)


def _turn_cost(pieces: Sequence[_Piece], places: tuple[int, int, int], longer: int) -> float:
    """What it costs to break a phrase before one of its pieces, when the lower line becomes so much longer."""
    begin, turn, end = places
    cost = _LINE_BREAK * pieces[turn - 1].break_cost
    cost += _UNEVEN * longer if longer >= 0 else -_TOP_HEAVY * longer
    for alone, piece in ((turn - begin == 1, pieces[begin]), (end - turn == 1, pieces[turn])):
        cost += _LONELY if alone and piece.is_short else 0
    return cost


def _lines(pieces: Sequence[_Piece], begin: int, turn: int, end: int) -> tuple[str, ...]:
    lines = (_joined(pieces[begin:turn]), _joined(pieces[turn:end]))
    return tuple(line for line in lines if line)


def _joined(pieces: Sequence[_Piece]) -> str:
    text = ""
    for piece in pieces:
        text += piece.text if piece.glued or not text else f" {piece.text}"
    return text
