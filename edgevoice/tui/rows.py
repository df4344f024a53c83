"""Finished captions and the rows they take, newest last: added, put right, forgotten. No Textual in here."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from edgevoice.lines import CELLS, LINE_CELLS, Line, Ruler, broken
from edgevoice.tui.revision import changed, reset
from edgevoice.tui.views import CaptionLine

INTERLEAVED = 20
"""How far up a caption may go that began before what another channel said; such are never many."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of text on the screen."""

    caption: CaptionLine
    index: int
    """Which line of the caption; -1 for the empty one behind it."""
    text: str = ""
    start: int = 0
    """Where it begins in the caption's text."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What decides where lines are broken."""

    width: int = LINE_CELLS
    """Of a line, as the ruler measures it."""
    ruler: Ruler = CELLS
    spaced: bool = False
    """With an empty row behind each caption."""


@dataclass(frozen=True, slots=True)
class Added:
    """Where a caption went."""

    first: int
    """Its first row."""
    rows: int
    below: tuple[CaptionLine, ...]
    """Captions below it."""


@dataclass(frozen=True, slots=True)
class Revised:
    """A caption was put right."""

    before: CaptionLine
    after: CaptionLine | None
    """None if nothing was said."""
    first: int
    """Its first row."""
    rows: int
    grown: int
    """How many rows it takes more than before."""
    places: tuple[tuple[int, int], ...]
    """Where other words are in its text: first character, and the one behind the last."""
    below: tuple[CaptionLine, ...]
    """Captions below it."""


class CaptionRows:
    """The captions and their rows."""

    def __init__(self) -> None:
        self.captions: deque[CaptionLine] = deque()
        self.rows: list[Row] = []
        self._setting = Setting()

    def set_in(self, setting: Setting) -> None:
        """Breaks all lines anew, if they can come out otherwise."""
        if setting != self._setting:
            self._setting = setting
            self.hold(self.captions)

    def hold(self, captions: Iterable[CaptionLine]) -> None:
        """Other captions than before."""
        self.captions = deque(captions)
        self.rows = [row for caption in self.captions for row in self._wrapped(caption)]

    def add(self, caption: CaptionLine, *, late: bool = False) -> Added:
        """Adds one below those that began before it.

        Args:
            caption: what was said.
            late: it may belong above what the same channel said later.
        """
        later = self._later(caption, late=late)
        self.captions.insert(len(self.captions) - len(later), caption)
        first = self.first_of(later[-1]) if later else len(self.rows)
        rows = self._wrapped(caption)
        self.rows[first:first] = rows
        return Added(first, len(rows), tuple(later))

    def revise(self, revised: CaptionLine) -> Revised | None:
        """Puts the newest caption of that channel and segment right, or takes it away if nothing was said; none is
        touched besides. Gives nothing where there is no such caption."""
        below: list[CaptionLine] = []
        for caption in reversed(self.captions):
            if caption.is_of(revised):
                return self._replace(caption, revised, tuple(below))
            below.append(caption)
        return None

    def forget(self, count: int) -> tuple[list[CaptionLine], int]:
        """Lets the oldest captions go; gives them, and how many rows they took."""
        gone = [self.captions.popleft() for _ in range(count)]
        rows = self.first_of(self.captions[0]) if self.captions else len(self.rows)
        del self.rows[:rows]
        return gone, rows

    def first_of(self, caption: CaptionLine) -> int:
        """The first row of a caption, or -1 if it is not here. Those at the end are found soonest."""
        first = -1
        for number in range(len(self.rows) - 1, -1, -1):
            if self.rows[number].caption is caption:
                first = number
            elif first >= 0:
                break
        return first

    def rows_from(self, first: int) -> list[Row]:
        """The rows of the caption whose first row that is."""
        caption, behind = self.rows[first].caption, first
        while behind < len(self.rows) and self.rows[behind].caption is caption:
            behind += 1
        return self.rows[first:behind]

    def _replace(self, before: CaptionLine, revised: CaptionLine, below: tuple[CaptionLine, ...]) -> Revised:
        first = self.first_of(before)
        old = self.rows_from(first)
        place = len(self.captions) - len(below) - 1
        if not revised.text:
            del self.captions[place]
            del self.rows[first : first + len(old)]
            return Revised(before, None, first, 0, -len(old), (), below)
        self.captions[place] = revised
        lines = [Line(row.text, row.start) for row in old if row.index >= 0]
        setting = self._setting
        rows = self._rows_of(
            revised, reset(lines, before.text, revised.text, setting.width, revised.pauses, setting.ruler)
        )
        self.rows[first : first + len(old)] = rows
        places = changed(before.text, revised.text)
        return Revised(before, revised, first, len(rows), len(rows) - len(old), places, below)

    def _later(self, caption: CaptionLine, *, late: bool) -> list[CaptionLine]:
        """Captions that began after this one, but were finished before it, the newest first."""
        later: list[CaptionLine] = []
        for other in islice(reversed(self.captions), INTERLEAVED):
            # the clock of a channel that was opened anew begins anew: its own order is that of its events
            own = other.channel == caption.channel and not (late and other.segment > caption.segment)
            if other.start <= caption.start or own:
                break
            later.append(other)
        return later

    def _wrapped(self, caption: CaptionLine) -> list[Row]:
        setting = self._setting
        return self._rows_of(caption, broken(caption.text, setting.width, caption.pauses, setting.ruler))

    def _rows_of(self, caption: CaptionLine, lines: Sequence[Line]) -> list[Row]:
        rows = [Row(caption, index, line.text, line.start) for index, line in enumerate(lines)]
        return [*rows, Row(caption, -1)] if self._setting.spaced else rows
