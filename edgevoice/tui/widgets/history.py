"""Finished captions: a long, quiet column that is only ever added to. What is put right is put right in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from edgevoice.speakers import speaker
from edgevoice.text import clock
from edgevoice.tui.layout import Column, Shape, column
from edgevoice.tui.letters import Run, drawn
from edgevoice.tui.rows import CaptionRows, Revised, Row, Setting
from edgevoice.tui.search import Search
from edgevoice.tui.views import CaptionLine

KEPT = 10_000
"""Captions kept on screen, about a day and a half of talk; the files keep them all."""
PRUNED = 1_000
"""How many of the oldest go at once when it is full, so that it happens rarely."""
MARKED_S = 1.0
"""How long other words of a second reading are marked."""
PICKED_MARK = "▸"
CHANGED = "-changed"
"""Ends the names of looks of words that were put right."""


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
        "history--text-changed",
        "history--picked-changed",
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
        self._lines = CaptionRows()
        self._strips: dict[int, list[Strip]] = {}
        self._column = Column()
        self._following = True
        self._unseen = 0
        self._picked: CaptionLine | None = None
        self._search: Search | None = None
        self._cleared: list[CaptionLine] = []
        self._marked: dict[int, tuple[CaptionLine, tuple[tuple[int, int], ...]]] = {}
        """Captions that were put right a moment ago, by their identity, and where their words are others."""
        self._is_revising = False

    @property
    def captions(self) -> tuple[CaptionLine, ...]:
        """All captions kept, in the order of their beginnings."""
        return tuple(self._lines.captions)

    @property
    def rows(self) -> int:
        """Rows that all captions take."""
        return len(self._lines.rows) * self.shape.pitch

    @property
    def texts(self) -> list[str]:
        """What the rows say, from the first one on."""
        return [row.text for row in self._lines.rows]

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
        newest = self._lines.captions[-1] if self._lines.captions else None
        return self._picked or (found.caption if found else newest)

    def append(self, caption: CaptionLine, *, late: bool = False) -> None:
        """Adds a caption below those that began before it; nothing above it is drawn again. One that is late may belong
        above what its own channel said later."""
        added = self._lines.add(caption, late=late)
        if len(self._lines.captions) > KEPT:
            added = replace(added, first=added.first - self._prune())
        if self._search:
            self._search.add(caption, added.below)
        self._forget_strips(added.first)
        self._measure()
        if not self._following:
            # what is being read stays where it is
            if added.below and added.first * self.shape.pitch < self.scroll_offset.y:
                down = added.rows * self.shape.pitch
                self.scroll_to(y=self.scroll_offset.y + down, animate=False, immediate=True)
            self._unseen += 1
            self.post_message(self.Behind(self._unseen))
        if added.below or added.first * self.shape.pitch < self.size.height:
            self.refresh()  # all lines move up until the pane is full; later, scrolling moves them

    def revise(self, caption: CaptionLine) -> None:
        """Puts a caption right in its place, or takes it away if it has no text; what is not here is left alone."""
        kept, top = self._kept_in_place, self._top
        revised = self._lines.revise(caption)
        if revised is None:
            _revise(self._cleared, caption)
            return
        self._mark(revised)
        if revised.grown:
            self._forget_strips(revised.first)
            self._keep_in_place(top + (revised.grown * self.shape.pitch if kept > revised.first else 0))
        else:
            self._redraw_rows(revised.first, revised.rows)
        self._find_again(revised)
        if revised.before is self._picked:
            self._pick(revised.after)
        if revised.after is None and len(revised.below) < self._unseen:
            self._unseen -= 1
            self.post_message(self.Behind(self._unseen or -1))

    def clear(self) -> None:
        """Empties the column; `restore` fills it again."""
        self._cleared += self._lines.captions
        del self._cleared[:-KEPT]
        self._hold_captions(())

    def restore(self) -> None:
        """Puts all that was cleared before what was said since."""
        before, self._cleared = self._cleared, []
        self._hold_captions([*before, *self._lines.captions][-KEPT:])

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
        self._search = Search(wanted, self._lines.captions) if wanted is not None else None
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
        if self._lines.captions:
            self.hold()
            self._pick(self._lines.captions[0])
            self.scroll_home(animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        """Follows, also where one was picked."""
        self.follow()

    def on_click(self, event: Click) -> None:
        """Picks the caption that was clicked on."""
        offset = event.get_content_offset(self)
        row = self._row_at(offset.y)[0] if offset else -1
        if 0 <= row < len(self._lines.rows):
            self.hold()
            self._pick(self._lines.rows[row].caption)

    def render_line(self, y: int) -> Strip:
        """The line at `y` of the part on show."""
        width = self.size.width
        if not self._lines.captions and y == self.size.height - 1 and self.hint:
            return Strip(self._line("", "", [(self.hint, "hint")])).crop_extend(0, width, self.rich_style)
        row, part = self._row_at(y)
        # a line of large letters is shown whole or not at all
        if not 0 <= row < len(self._lines.rows) or y - part < 0:
            return Strip.blank(width, self.rich_style)
        if row not in self._strips:
            self._strips[row] = list(self._draw(self._lines.rows[row]))
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
        if self._is_revising:
            return
        self._set_following(following=self._picked is None and (self.is_vertical_scroll_end or self.max_scroll_y == 0))

    def watch_shape(self) -> None:
        """A second channel appeared, an hour is over, or the size was switched."""
        self._relayout()

    def _hold_captions(self, captions: Sequence[CaptionLine]) -> None:
        """Other captions than before."""
        self._lines.hold(captions)
        self._pick(None)
        self._relayout()
        self.follow()
        if self._search:
            self.find(self._search.wanted)

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

    def _find_again(self, revised: Revised) -> None:
        """In a caption that was put right. Goes nowhere, also where what was looked at is no longer said."""
        if self._search:
            before = self._search.current
            self._search.revise(revised.before, revised.after, revised.below)
            if before is not self._search.current:
                self._redraw()

    def _redraw(self) -> None:
        self._strips.clear()
        self.refresh()

    def _bring_into_sight(self, caption: CaptionLine, start: int) -> None:
        """Scrolls as little as it takes to see that place of a caption, and a line around it."""
        rows = (
            n
            for n, row in enumerate(self._lines.rows)
            if row.caption is caption and row.index >= 0 and row.start <= start
        )
        place = max(rows, default=0) * self.shape.pitch
        lowest = place + 2 * self.shape.pitch - self.size.height
        highest = max(0, place - self.shape.pitch)
        to = min(max(self.scroll_offset.y, lowest), highest) if lowest < highest else highest
        if to != self.scroll_offset.y:
            self.scroll_to(y=to, animate=False, immediate=True)

    def _row_at(self, y: int) -> tuple[int, int]:
        """Which row is on a line of the part on show, and which line of that row this is."""
        return divmod(self._top + y, self.shape.pitch)

    @property
    def _top(self) -> int:
        """Which line of all there are is the first on show; negative where lines above them are empty."""
        # a short history stands on the live line, where the eye is, and not at the top
        free = self.size.height - self.rows
        # the newest stays on the last line also between a change of the height and the scrolling that follows it
        return -free if self._following else self.scroll_offset.y - max(0, free)

    @property
    def _kept_in_place(self) -> int:
        """The row that stays where it is when something above it is put right: what is picked or found, if that is on
        show, or else the first on show."""
        found = self._search.current if self._search else None
        looked_at = self._picked or (found.caption if found else None)
        first = self._lines.first_of(looked_at) if looked_at else -1
        is_on_show = 0 <= first * self.shape.pitch - self._top < self.size.height
        return first if first >= 0 and is_on_show else max(0, -(-self._top // self.shape.pitch))

    def _keep_in_place(self, top: int) -> None:
        """The rows are others: scrolls to where that line is the first on show, and follows if it did before."""
        self._is_revising = True
        self._measure()
        if not self._following:
            to = top + max(0, self.size.height - self.rows)
            self.scroll_to(y=min(max(0, to), self.max_scroll_y), animate=False, immediate=True)
        self._is_revising = False
        self.refresh()

    def _mark(self, revised: Revised) -> None:
        """Marks words that are others for a moment."""
        self._marked.pop(id(revised.before), None)
        if revised.after and revised.places:
            self._marked[id(revised.after)] = revised.after, revised.places
            self.set_timer(MARKED_S, partial(self._unmark, revised.after))

    def _unmark(self, caption: CaptionLine) -> None:
        if self._marked.pop(id(caption), None) and (first := self._lines.first_of(caption)) >= 0:
            self._redraw_rows(first, len(self._lines.rows_from(first)))

    def _redraw_rows(self, first: int, rows: int) -> None:
        self._forget_strips(first, first + rows)
        lines = Region(0, first * self.shape.pitch - self._top, self.size.width, rows * self.shape.pitch)
        if on_show := lines.intersection(self.size.region):
            self.refresh(on_show)

    def _forget_strips(self, first: int, behind: int | None = None) -> None:
        """Of the rows from the first one on, or up to another one."""
        behind = len(self._lines.rows) + 1 if behind is None else behind
        for row in [row for row in self._strips if first <= row < behind]:
            del self._strips[row]

    def _measured(self) -> Column:
        return column(self.scrollable_content_region.width, self.shape)

    def _measure(self) -> None:
        """Makes known how long it is."""
        self.virtual_size = Size(self.scrollable_content_region.width, self.rows)
        if self._following:
            self.scroll_end(animate=False, immediate=True)

    def _relayout(self) -> None:
        if not self.is_mounted:
            return
        self._column = self._measured()
        spaced = self.shape.large and not self.shape.scale
        self._lines.set_in(Setting(self._column.text, self.shape.ruler, spaced))
        self._strips.clear()
        self._measure()
        self.refresh()

    def _prune(self) -> int:
        """Forgets the oldest captions; gives how many rows they took."""
        gone, rows = self._lines.forget(PRUNED)
        self._strips.clear()
        if self._search:
            self._search.forget(gone)
        if not self._following:
            up = rows * self.shape.pitch
            self.scroll_to(y=max(0, self.scroll_offset.y - up), animate=False, immediate=True)
        return rows

    def _draw(self, row: Row) -> Iterator[Strip]:
        parts = list(self._parts(row))
        picked = row.caption is self._picked
        time = f"{clock(row.caption.start)}{' ' + PICKED_MARK if picked else ''}" if row.index == 0 else ""
        channel = speaker(row.caption.channel) if self.shape.labelled and row.index == 0 else ""
        if not self.shape.scale:
            yield Strip(self._line(time, channel, parts))
            return
        runs = [Run(text, look, underlined=look.endswith(CHANGED)) for text, look in parts]
        lines = drawn(runs, self.shape.scale)
        for number, line in enumerate(lines):
            yield Strip(self._line("", channel if number == len(lines) // 2 else "", line))

    def _parts(self, row: Row) -> Iterator[tuple[str, str]]:
        """The text of a row, with what was found in it and what was put right apart."""
        usual = "picked" if row.caption is self._picked else "text"
        found = self._search.spans(row.caption) if self._search else ()
        _, changed = self._marked.get(id(row.caption), (None, ()))
        looks = [(start, end, "looked-at" if looked_at else "match") for start, end, looked_at in found]
        looks += [(start, end, f"{usual}{CHANGED}") for start, end in changed]
        length = len(row.text)
        edges = {max(0, min(length, place - row.start)) for look in looks for place in look[:2]}
        for first, behind in pairwise(sorted({0, length, *edges})):
            at = row.start + first
            look = next((look for start, end, look in looks if start <= at < end), usual)
            yield row.text[first:behind], look

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


def _revise(captions: list[CaptionLine], revised: CaptionLine) -> None:
    """Puts the newest caption of that channel and segment right, or takes it away, if it is there."""
    place = next((n for n in range(len(captions) - 1, -1, -1) if captions[n].is_of(revised)), -1)
    if place >= 0:
        captions[place : place + 1] = [revised] if revised.text else []
