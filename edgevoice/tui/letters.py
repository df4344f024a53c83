"""Large letters out of block characters, for captions that are read across a room.

Pixels are half a cell high, so that they are square. A word with a character that has no large form, such as those of
other scripts, is written as it is, on the line on which the others stand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len

from edgevoice.lines import Ruler

ROWS = 5
"""Rows of a line of text at scale 1."""
SCALES = (1, 2, 3, 4)
LETTER = 6
"""Pixels that a letter takes on average, the gap behind it included."""
LETTERS = 12
"""Letters that a line must hold, or too many words would be broken."""
LINES = 2
"""Lines that must be seen at once."""

Glyph = tuple[str, ...]
"""Rows of pixels from top to bottom, "#" where there is ink."""

_HEIGHT = 10  # pixels: one more row for accents, seven for letters, two below
_BASE = 7  # the row of pixels that stands on the base line
_GAP = 1
_SPACE = 4  # besides the gap behind the letter before it
_LEAN = 2  # pixels up for one to the right, from the base line on
_DOTS = 3  # pixels from one dot to the next below what may still change: at this size a slant alone is easily missed
_OVERHANG = _BASE // _LEAN
_ABOVE = {
    "\u0300": ("#..", ".#."),
    "\u0301": ("..#", ".#."),
    "\u0302": (".#.", "#.#"),
    "\u0303": (".#.#", "#.#."),
    "\u0304": ("...", "###"),
    "\u0306": ("#.#", ".#."),
    "\u0307": ("..", "##"),
    "\u0308": ("...", "#.#"),
    "\u030a": ("##", "##"),
    "\u030b": (".#.#", "#.#."),
    "\u030c": ("#.#", ".#."),
}
_BELOW = {"\u0323": ("..", "##"), "\u0326": (".#", "#."), "\u0327": (".#", "#."), "\u0328": ("#.", ".#")}
_KEPT = (0, 1, 3, 5, 6)
"""The rows of a capital that remain under an accent."""
_ALIKE = {"‑": "-", "‐": "-", "−": "–", "‚": ",", "„": '"', "´": "'"}
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_CLUSTER = re.compile("[^\u0300-\u036f]?[\u0300-\u036f]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line that looks the same."""

    text: str
    look: str
    """A name for how it looks, handed back with what is drawn of it."""
    leaning: bool = False
    """At a slant and on dots: may still change."""
    underlined: bool = False
    """On a line: was put right."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of the drawing, in pixels."""

    start: int
    width: int
    run: Run
    """What it belongs to."""
    glyph: Glyph | None = None
    text: str = ""
    """Written in place of a glyph."""


def scales(width: int, height: int) -> tuple[int, ...]:
    """The scales at which so many cells and rows hold enough letters and lines."""
    return tuple(each for each in SCALES if width >= LETTERS * LETTER * each and height >= LINES * ROWS * each)


@cache
def ruler(scale: int) -> Ruler:
    """How wide words are at a scale."""

    def measure(word: str) -> int:
        glyphs = _glyphs(word)
        pixels = _plain_width(word, scale) if glyphs is None else sum(len(glyph[0]) + _GAP for glyph in glyphs)
        # what leans reaches over its end; words of both kinds take the same room, so that none moves when it is sure
        return (pixels + _OVERHANG) * scale

    return Ruler(measure, (_SPACE - _OVERHANG) * scale)


def drawn(runs: Sequence[Run], scale: int) -> list[list[tuple[str, str]]]:
    """A line of text as rows of cells of equal width, each in parts with the look of their runs."""
    places = list(_places(runs, scale))
    width = places[-1].start + places[-1].width + _OVERHANG if places else 0
    ink = [[False] * width for _ in range(_HEIGHT)]
    for place in places:
        for row, pixels in enumerate(place.glyph or ()):
            lean = max(0, _BASE - row) // _LEAN if place.run.leaning else 0
            for column, pixel in enumerate(pixels, place.start + lean):
                ink[row][column] |= pixel == "#"
        for column in range(place.start, place.start + place.width):
            ink[-1][column] |= place.run.underlined or (place.run.leaning and column % _DOTS == 0)
    return [_row(places, ink, row, scale) for row in range(ROWS * scale)]


def _row(places: Sequence[_Place], ink: Sequence[Sequence[bool]], row: int, scale: int) -> list[tuple[str, str]]:
    upper, lower = ink[2 * row // scale], ink[(2 * row + 1) // scale]
    halves = [_HALVES[pair] * scale for pair in zip(upper, lower, strict=True)]
    written = row == (2 * _BASE + 1) * scale // 4
    parts = []
    for index, place in enumerate(places):
        end = len(halves) if index == len(places) - 1 else place.start + place.width
        cells = "".join(halves[place.start : end])
        if place.text and written:
            cells = place.text + " " * (len(cells) - cell_len(place.text))
        parts.append((cells, place.run.look))
    return [("".join(cells for cells, _ in group), look) for look, group in groupby(parts, key=lambda part: part[1])]


def _places(runs: Sequence[Run], scale: int) -> Iterator[_Place]:
    """Where each letter goes. A word that cannot be drawn is written, also where runs meet within it."""
    text = "".join(run.text for run in runs)
    plain = {at for word in re.finditer(r"\S+", text) if _glyphs(word[0]) is None for at in range(*word.span())}
    column = at = 0
    for run in runs:
        for piece in re.finditer(r"\S+|\s", run.text):
            places = _word_places(piece[0], column, run, scale, drawable=at + piece.start() not in plain)
            yield from places
            column = places[-1].start + places[-1].width
        at += len(run.text)


def _word_places(piece: str, column: int, run: Run, scale: int, *, drawable: bool) -> list[_Place]:
    if piece.isspace():
        return [_Place(column, _SPACE, run)]
    glyphs = _glyphs(piece) if drawable else None
    if glyphs is None:
        return [_Place(column, _plain_width(piece, scale), run, text=piece)]
    places = []
    for glyph in glyphs:
        places.append(_Place(column, len(glyph[0]) + _GAP, run, glyph))
        column += places[-1].width
    return places


def _plain_width(word: str, scale: int) -> int:
    return -(-cell_len(word) // scale) + _GAP


@lru_cache(maxsize=4096)
def _glyphs(word: str) -> tuple[Glyph, ...] | None:
    """The letters of a word; nothing if one of them has no large form."""
    found = [_glyph(cluster) for cluster in _CLUSTER.findall(word) if cluster]
    return None if None in found else tuple(glyph for glyph in found if glyph is not None)


@cache
def _font() -> dict[str, Glyph]:
    """Character -> its nine rows."""
    file = Path(__file__).with_name("letters.txt")
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("# ")]
    font: dict[str, Glyph] = {}
    for block in "\n".join(lines).strip().split("\n\n"):
        names, *rows = (line.split() for line in block.splitlines())
        for name, *glyph in zip(names, *rows, strict=True):
            font[name] = _padded(tuple(glyph), 9)
    return font


@lru_cache(maxsize=1024)
def _glyph(cluster: str) -> Glyph | None:
    """A letter with its accents, in ten rows; nothing if it cannot be drawn."""
    cluster = unicodedata.normalize("NFC", cluster)
    known = _font().get(_ALIKE.get(cluster, cluster))
    if known:
        return ("." * len(known[0]), *known)
    base, *marks = list(unicodedata.normalize("NFD", cluster))
    above = [_ABOVE[mark] for mark in marks if mark in _ABOVE]
    below = [_BELOW[mark] for mark in marks if mark in _BELOW]
    letter = _font().get("ı" if base == "i" and above else base)
    if letter is None or len(above) + len(below) != len(marks) or len(above) > 1 or len(below) > 1:
        return None
    return _composed(letter, above[0] if above else None, below[0] if below else None)


def _composed(letter: Glyph, above: Glyph | None, below: Glyph | None) -> Glyph:
    width = max(len(rows[0]) for rows in (letter, above, below) if rows)
    top, body, tail = ["." * len(letter[0])], list(letter[:7]), list(letter[7:])
    if above:
        if "#" in body[0] + body[1]:  # a capital gives way
            body = [*body[:2], *(body[row] for row in _KEPT)]
        top, body[:2] = [above[0]], [above[1], "." * len(letter[0])]
    if below:
        tail = list(below)
    return tuple(row.center(width, ".") for row in (*top, *body, *tail))


def _padded(glyph: Glyph, rows: int) -> Glyph:
    return glyph + ("." * len(glyph[0]),) * (rows - len(glyph))
