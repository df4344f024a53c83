"""How wide captions are and where they stand: pure arithmetic shared by finished and live captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import set_cell_size

from edgevoice.lines import CELLS, LINE_CELLS, Ruler
from edgevoice.tui.letters import ROWS, ruler

TIME = 7
"""Cells for the time, the gap after it included."""
TIME_WITH_HOURS = 10
CHANNEL = 7
"""Cells for the name of the channel, the gap after it included."""
CENTRED_FROM = 24
"""Free cells from which on the column moves towards the middle."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides how captions are set, besides the width."""

    labelled: bool = False
    """With the names of the channels."""
    large: bool = False
    hours: bool = False
    """With times of an hour and more."""
    cells: int = LINE_CELLS
    """In a line of text at most."""
    scale: int = 0
    """Of large letters; 0 for those of the terminal."""

    @property
    def pitch(self) -> int:
        """Rows that a line of text takes."""
        return ROWS * self.scale or 1

    @property
    def ruler(self) -> Ruler:
        """How wide words are."""
        return ruler(self.scale) if self.scale else CELLS


@dataclass(frozen=True, slots=True)
class Column:
    """The column of captions within its pane, in cells."""

    margin: int = 0
    time: int = TIME
    channel: int = 0
    text: int = LINE_CELLS

    @property
    def indent(self) -> int:
        """Where text begins."""
        return self.margin + self.time + self.channel

    def time_cell(self, time: str) -> str:
        """A time, cut and padded."""
        return f"{time:<{self.time}}"[: self.time]

    def channel_cell(self, channel: str) -> str:
        """The name of a channel, cut and padded."""
        return set_cell_size(set_cell_size(channel, self.channel - 1), self.channel) if self.channel else ""


def column(width: int, shape: Shape) -> Column:
    """The column for a pane of `width` cells. Large letters take all the room there is."""
    time = 0 if width < 30 or shape.scale else TIME_WITH_HOURS if shape.hours else TIME
    channel = CHANNEL if shape.labelled else 0
    room = max(8, width - time - channel)
    if shape.scale:
        return Column(0, time, channel, room)
    text = min(room, shape.cells)
    free = room - text
    return Column(free // 2 if shape.large else max(0, (free - CENTRED_FROM) // 2), time, channel, text)


def live_rows(height: int, channels: int, shape: Shape) -> int:
    """Rows of live text that each channel has in a pane of `height` rows, whatever is said.

    They are fixed, so that nothing above moves while little is said. Large letters may take all rows, for few words fit
    in them.

    Args:
        height: of the pane.
        channels: all of them; with large letters only those on which somebody speaks.
        shape: of the captions.
    """
    if shape.scale:
        return height // max(1, channels) // shape.pitch * shape.pitch
    # a line or two are the habit of broadcasters; one speaker alone gets more, so that a long sentence is seen whole
    return max(1, min(5, height // 4) if channels <= 1 else min(3, height // 3 // channels))


def grown_rows(height: int, needs: Sequence[int], said: int, shape: Shape) -> list[int]:
    """Rows of live text for each channel, where more is said than the rows above hold.

    They grow into rows that the history leaves empty, and else to half of the pane, so that no word is hidden under an
    empty row.

    Args:
        height: of the pane.
        needs: lines of what is being said on each channel.
        said: rows that the history takes, the rule included.
        shape: of the captions, in letters of the terminal.
    """
    rows = [live_rows(height, len(needs), shape)] * len(needs)
    spare = max(height - said, height // 2) - sum(rows)
    while spare > 0 and (short := [place for place, need in enumerate(needs) if rows[place] < need]):
        rows[min(short, key=rows.__getitem__)] += 1
        spare -= 1
    return rows
