"""Finished captions: a long, quiet column that is only ever added to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from edgevoice.lines import broken
from edgevoice.speakers import speaker
from edgevoice.text import clock
from edgevoice.tui.layout import Column, Shape, column
from edgevoice.tui.letters import Run, drawn
from edgevoice.tui.search import Search
from edgevoice.tui.views import CaptionLine

KEPT = 10_000
"""Captions kept on screen, about a day and a half of talk; the files keep them all."""
PRUNED = 1_000
"""How many of the oldest go at once when it is full, so that it happens rarely."""
INTERLEAVED = 20
"""How far up a caption may go that began before what another channel said; such are never many."""
PICKED_MARK = "▸"


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of text on the screen."""

    caption: CaptionLine
    index: int
    """Which line of the caption; -1 for the empty one behind it."""
    text: str = ""
    start: int = 0
    """Where it begins in the caption's text."""


class History(ScrollView, can_focus=True):
    """Captions with their times. Follows the newest until somebody reads back."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "history--text",
        "history--time",
        "history--channel",
        "history--hint",
        "history--match",
        "history--looked-at",
        "history--picked",
    }
    BINDING_GROUP_TITLE = "Captions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "up", "pick(-1)", "Pick", show=False, tooltip="pick a caption, to read or copy it; the live line stays"
        ),
        Binding("down", "pick(1)", "Pick", show=False, tooltip="the next one; beyond the newest, follow again"),
        Binding("pageup", "page_up", "Back", show=False, tooltip="read back"),
        Binding("pagedown", "page_down", "On", show=False, tooltip="read on"),
        Binding("home", "pick_first", "Begin", show=False, tooltip="pick the oldest caption"),
    ]

    shape: reactive[Shape] = reactive(Shape())
    hint: reactive[str] = reactive("")
    """Shown while there is nothing else."""

    class Behind(Message):
        """How many captions came since the newest was last on show; -1 if it is out of sight and none came."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

    class Picked(Message):
        """Another caption was picked, or none."""

        def __init__(self, caption: CaptionLine | None) -> None:
            super().__init__()
            self.caption = caption

    def __init__(self) -> None:
        super().__init__()
        self._captions: deque[CaptionLine] = deque()
        self._rows: list[_Row] = []
        self._strips: dict[int, list[Strip]] = {}
        self._column = Column()
        self._following = True
        self._unseen = 0
        self._picked: CaptionLine | None = None
        self._search: Search | None = None
        self._cleared: list[CaptionLine] = []

    @property
    def captions(self) -> tuple[CaptionLine, ...]:
        """All captions kept, in the order of their beginnings."""
        return tuple(self._captions)

    @property
    def rows(self) -> int:
        """Rows that all captions take."""
        return len(self._rows) * self.shape.pitch

    @property
    def following(self) -> bool:
        """Whether the newest caption stays on show."""
        return self._following

    @property
    def picked(self) -> CaptionLine | None:
        """The one that was picked."""
        return self._picked

    @property
    def search(self) -> Search | None:
        """What is looked for, if anything."""
        return self._search

    @property
    def chosen(self) -> CaptionLine | None:
        """The one to copy: picked, or else found, or else the newest."""
        found = self._search.current if self._search else None
        newest = self._captions[-1] if self._captions else None
        return self._picked or (found.caption if found else newest)

    def append(self, caption: CaptionLine) -> None:
        """Adds a caption below those that began before it; nothing above it is drawn again."""
        later = self._later(caption)
        self._captions.insert(len(self._captions) - len(later), caption)
        if len(self._captions) > KEPT:
            self._prune()
        first = len(self._rows) - sum(len(self._wrapped(other)) for other in later)
        rows = self._wrapped(caption)
        self._rows[first:first] = rows
        if self._search:
            self._search.add(caption)
        for row in [row for row in self._strips if row >= first]:
            del self._strips[row]
        self._measure()
        if not self._following:
            if later and first * self.shape.pitch < self.scroll_offset.y:  # what is being read stays where it is
                self.scroll_to(y=self.scroll_offset.y + len(rows) * self.shape.pitch, animate=False, immediate=True)
            self._unseen += 1
            self.post_message(self.Behind(self._unseen))
        if later or first * self.shape.pitch < self.size.height:
            self.refresh()  # all lines move up until the pane is full; later, scrolling moves them

    def clear(self) -> None:
        """Empties the column; `restore` fills it again."""
        self._cleared += self._captions
        del self._cleared[:-KEPT]
        self._hold_captions(())

    def restore(self) -> None:
        """Puts all that was cleared before what was said since."""
        before, self._cleared = self._cleared, []
        self._hold_captions([*before, *self._captions][-KEPT:])

    def follow(self) -> None:
        """Goes to the newest caption and stays there."""
        self._pick(None)
        self.scroll_end(animate=False, immediate=True)
        self._set_following(following=True)

    def hold(self) -> None:
        """Stays where it is, whatever comes."""
        self._set_following(following=False)

    def unpick(self) -> bool:
        """Picks none; gives whether one was picked."""
        picked = self._picked is not None
        self._pick(None)
        return picked

    def find(self, wanted: str | None) -> None:
        """Marks all places of a text and goes to the newest; with none, ends the search."""
        self._search = Search(wanted, self._captions) if wanted is not None else None
        self._look_at_match()

    def find_next(self, step: int) -> None:
        """Goes to a later place, or with a negative number to an earlier one."""
        if self._search:
            self._search.move(step)
            self._look_at_match()

    def action_pick(self, step: int) -> None:
        """Picks the next caption down, or with a negative number up."""
        captions = self.captions
        place = next((n for n, caption in enumerate(captions) if caption is self._picked), len(captions))
        place = max(0, place + step)
        if place >= len(captions):
            self.follow()
        else:
            self.hold()
            self._pick(captions[place])
            self._bring_into_sight(captions[place], 0)

    def action_pick_first(self) -> None:
        """Picks the oldest caption."""
        if self._captions:
            self.hold()
            self._pick(self._captions[0])
            self.scroll_home(animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        """Follows, also where one was picked."""
        self.follow()

    def on_click(self, event: Click) -> None:
        """Picks the caption that was clicked on."""
        offset = event.get_content_offset(self)
        row = self._row_at(offset.y)[0] if offset else -1
        if 0 <= row < len(self._rows):
            self.hold()
            self._pick(self._rows[row].caption)

    def render_line(self, y: int) -> Strip:
        """The line at `y` of the part on show."""
        width = self.size.width
        if not self._captions and y == self.size.height - 1 and self.hint:
            return Strip(self._line("", "", [(self.hint, "hint")])).crop_extend(0, width, self.rich_style)
        row, part = self._row_at(y)
        # a line of large letters is shown whole or not at all
        if not 0 <= row < len(self._rows) or y - part < 0:
            return Strip.blank(width, self.rich_style)
        if row not in self._strips:
            self._strips[row] = list(self._draw(self._rows[row]))
        return self._strips[row][part].crop_extend(0, width, self.rich_style)

    def notify_style_update(self) -> None:
        """The colours changed."""
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self) -> None:
        """Breaks the lines anew if the width changed, and keeps in sight what was: the newest, or what is picked."""
        if self._measured() != self._column:
            self._relayout()
        if self._following:
            self.scroll_end(animate=False, immediate=True)
        elif self._picked:
            self._bring_into_sight(self._picked, 0)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follows again as soon as the end is in sight."""
        super().watch_scroll_y(old_value, new_value)
        self._set_following(following=self._picked is None and (self.is_vertical_scroll_end or self.max_scroll_y == 0))

    def watch_shape(self) -> None:
        """A second channel appeared, an hour is over, or the size was switched."""
        self._relayout()

    def _hold_captions(self, captions: Sequence[CaptionLine]) -> None:
        """Other captions than before."""
        self._captions = deque(captions)
        self._pick(None)
        self._relayout()
        self.follow()
        if self._search:
            self.find(self._search.wanted)

    def _later(self, caption: CaptionLine) -> list[CaptionLine]:
        """Captions of other channels that began after this one, but were finished before it."""
        later: list[CaptionLine] = []
        for other in islice(reversed(self._captions), INTERLEAVED):
            # the clock of a channel that was opened anew begins anew: its own order is that of its events
            if other.start <= caption.start or other.channel == caption.channel:
                break
            later.append(other)
        return later

    def _set_following(self, *, following: bool) -> None:
        if following == self._following and not (following and self._unseen):
            return
        self._following = following
        self._unseen = 0
        self.post_message(self.Behind(0 if following else -1))

    def _pick(self, caption: CaptionLine | None) -> None:
        if caption is not self._picked:
            self._picked = caption
            self._redraw()
            self.post_message(self.Picked(caption))

    def _look_at_match(self) -> None:
        match = self._search.current if self._search else None
        if match:
            self.hold()
            self._bring_into_sight(match.caption, match.start)
        self._redraw()

    def _redraw(self) -> None:
        self._strips.clear()
        self.refresh()

    def _bring_into_sight(self, caption: CaptionLine, start: int) -> None:
        """Scrolls as little as it takes to see that place of a caption, and a line around it."""
        rows = (
            n for n, row in enumerate(self._rows) if row.caption is caption and row.index >= 0 and row.start <= start
        )
        place = max(rows, default=0) * self.shape.pitch
        lowest = place + 2 * self.shape.pitch - self.size.height
        highest = max(0, place - self.shape.pitch)
        to = min(max(self.scroll_offset.y, lowest), highest) if lowest < highest else highest
        if to != self.scroll_offset.y:
            self.scroll_to(y=to, animate=False, immediate=True)

    def _row_at(self, y: int) -> tuple[int, int]:
        """Which row is on a line of the part on show, and which line of that row this is."""
        # a short history stands on the live line, where the eye is, and not at the top
        free = self.size.height - self.rows
        # the newest stays on the last line also between a change of the height and the scrolling that follows it
        first = -free if self._following else self.scroll_offset.y - max(0, free)
        return divmod(first + y, self.shape.pitch)

    def _measured(self) -> Column:
        return column(self.scrollable_content_region.width, self.shape)

    def _measure(self) -> None:
        """Makes known how long it is."""
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) * self.shape.pitch)
        if self._following:
            self.scroll_end(animate=False, immediate=True)

    def _relayout(self) -> None:
        if not self.is_mounted:
            return
        self._column = self._measured()
        self._rows = [row for caption in self._captions for row in self._wrapped(caption)]
        self._strips.clear()
        self._measure()
        self.refresh()

    def _wrapped(self, caption: CaptionLine) -> list[_Row]:
        lines = broken(caption.text, self._column.text, caption.pauses, self.shape.ruler)
        rows = [_Row(caption, index, line.text, line.start) for index, line in enumerate(lines)]
        return [*rows, _Row(caption, -1)] if self.shape.large and not self.shape.scale else rows

    def _prune(self) -> None:
        gone = [self._captions.popleft() for _ in range(PRUNED)]
        rows = sum(len(self._wrapped(caption)) for caption in gone)
        del self._rows[:rows]
        self._strips.clear()
        if self._search:
            self._search.forget(gone)
        if not self._following:
            up = rows * self.shape.pitch
            self.scroll_to(y=max(0, self.scroll_offset.y - up), animate=False, immediate=True)

    def _draw(self, row: _Row) -> Iterator[Strip]:
        parts = list(self._parts(row))
        picked = row.caption is self._picked
        time = f"{clock(row.caption.start)}{' ' + PICKED_MARK if picked else ''}" if row.index == 0 else ""
        channel = speaker(row.caption.channel) if self.shape.labelled and row.index == 0 else ""
        if not self.shape.scale:
            yield Strip(self._line(time, channel, parts))
            return
        lines = drawn([Run(text, look) for text, look in parts], self.shape.scale)
        for number, line in enumerate(lines):
            yield Strip(self._line("", channel if number == len(lines) // 2 else "", line))

    def _parts(self, row: _Row) -> Iterator[tuple[str, str]]:
        """The text of a row, with what was found in it apart."""
        usual = "picked" if row.caption is self._picked else "text"
        at = 0
        for start, end, looked_at in self._search.spans(row.caption) if self._search else ():
            first, behind = (max(at, min(len(row.text), place - row.start)) for place in (start, end))
            if first < behind:
                yield row.text[at:first], usual
                yield row.text[first:behind], "looked-at" if looked_at else "match"
                at = behind
        yield row.text[at:], usual

    def _line(self, time: str, channel: str, parts: list[tuple[str, str]]) -> list[Segment]:
        base = self.rich_style
        margin = " " * self._column.margin
        return [
            Segment(margin + self._column.time_cell(time), base + self._look("time")),
            Segment(self._column.channel_cell(channel), base + self._look("channel")),
            *(Segment(text, base + self._look(look)) for text, look in parts),
        ]

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"history--{name}", partial=True)
