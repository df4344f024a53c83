"""What is being said right now: solid words that stay, and words in italics that may still change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from edgevoice.lines import Line, filled
from edgevoice.speakers import speaker
from edgevoice.text import clock
from edgevoice.tui.layout import Column, Shape, column, grown_rows, live_rows
from edgevoice.tui.letters import Run, drawn
from edgevoice.tui.views import LiveView
from edgevoice.tui.widgets.history import History

RULE_FROM = 8
"""Rows of the pane below which the rule gives its row to text."""
OPEN_MARK = "…"
"""Ends a line that is not finished, so that nobody depends on colour or italics to know."""


class LiveLine(Widget):
    """The unfinished caption of one channel: a few rows, more while it is long, or with large letters as many as it
    takes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"live--stable", "live--tentative", "live--time", "live--channel"}

    view: reactive[LiveView] = reactive(LiveView(""))
    shape: reactive[Shape] = reactive(Shape())
    rows: reactive[int] = reactive(1)
    """Rows that it has, or with large letters may take."""

    def __init__(self, channel: str) -> None:
        super().__init__()
        self.channel = channel
        self._top = 0
        self._top_of = (-1, 0, 0)
        self._most = 0
        self._most_of = (-1, 0)

    def needs(self, width: int) -> int:
        """Lines of what is being said; only ever more of a segment, or the history would follow every guess."""
        place = column(width, self.shape)
        text = self.view.segment, place.text
        if text != self._most_of:
            self._most, self._most_of = 0, text
        self._most = max(self._most, len(self._lines(place))) if self.view.segment >= 0 else 0
        return self._most

    def render(self) -> Content:
        """The last rows of the caption, behind its time."""
        view = self.view
        if view.segment < 0:
            return Content("")
        place = column(self.size.width, self.shape)
        lines = self._lines(place)
        first = self._scrolled((view.segment, place.text, self._room), len(lines))
        shown = lines[first:][: self._room]
        rows = [row for line in shown for row in self._drawn(line)]
        head, rest = self._head(place), Content(" " * place.indent)
        named = self.shape.pitch // 2
        return Content("\n").join([(head if number == named else rest) + row for number, row in enumerate(rows)])

    def watch_view(self) -> None:
        """Takes the rows it needs."""
        self._resize()

    def watch_shape(self) -> None:
        """Takes the rows it needs."""
        self._resize()

    def watch_rows(self) -> None:
        """Takes the rows it may."""
        self._resize()

    def on_resize(self) -> None:
        """Breaks the lines anew, which with large letters may take other rows."""
        self._resize()

    def _resize(self) -> None:
        if not self.shape.scale:
            self.styles.height = self.rows
            return
        lines = len(self._lines(column(self.size.width, self.shape))) if self.view.segment >= 0 else 0
        # large letters leave no row empty: the history moves up as this grows, until it becomes a part of it
        self.styles.height = min(lines, self._room) * self.shape.pitch

    @property
    def _room(self) -> int:
        """Lines of text that may be shown."""
        return max(1, self.rows // self.shape.pitch)

    def _lines(self, place: Column) -> list[Line]:
        stable, tentative = self._texts()
        return filled(stable + tentative, place.text, self.shape.ruler)

    def _texts(self) -> tuple[str, str]:
        view = self.view
        gap = " " if view.stable and view.tentative else ""
        return view.stable, gap + view.tentative + OPEN_MARK

    def _drawn(self, line: Line) -> Iterator[Content]:
        """A line of text as rows of the screen."""
        sure = max(0, min(len(line.text), len(self._texts()[0]) - line.start))
        parts = [(line.text[:sure], "live--stable"), (line.text[sure:], "live--tentative")]
        rows = [parts]
        if self.shape.scale:
            runs = [Run(text, look, leaning=look == "live--tentative") for text, look in parts]
            rows = drawn(runs, self.shape.scale)
        for row in rows:
            yield Content.assemble(*((text, self.get_visual_style(look, partial=True)) for text, look in row))

    def _head(self, place: Column) -> Content:
        time = place.time_cell(clock(self.view.start))
        channel = place.channel_cell(speaker(self.view.channel)) if self.shape.labelled else ""
        return Content.assemble(
            " " * place.margin,
            (time, self.get_visual_style("live--time", partial=True)),
            (channel, self.get_visual_style("live--channel", partial=True)),
        )

    def _scrolled(self, text: tuple[int, int, int], lines: int) -> int:
        """The first line on show of a text, given as its segment, its width and the lines there are for it.

        It only grows while these are the same, or words would jump whenever a guess gets shorter.
        """
        if text != self._top_of:
            self._top, self._top_of = 0, text
        self._top = min(max(self._top, lines - self._room), max(0, lines - 1))
        return self._top


class LiveRule(Widget):
    """The line between what was said and what is being said; says so when newer captions are out of sight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rule--line", "rule--label", "rule--behind", "rule--picked"}

    shape: reactive[Shape] = reactive(Shape())
    label: reactive[str] = reactive("now")
    behind: reactive[int] = reactive(0)
    """Captions below what is on show; -1 when none is new, but new ones will not be followed."""
    picked: reactive[str] = reactive("")
    """What there is to know of the caption that was picked."""

    def render(self) -> Content:
        """A rule with a word in it, and what is known of the picked caption at its end."""
        place = column(self.size.width, self.shape)
        room = min(self.size.width - place.margin, place.indent - place.margin + place.text)
        end = f" {self.picked}" if self.picked else ""
        label = self._label(room - len(end) - 2)
        line = "─" * max(0, room - len(label) - 1 - len(end))
        return Content.assemble(
            " " * place.margin,
            (f"{label} ", self.get_visual_style("rule--behind" if self.behind else "rule--label", partial=True)),
            (line, self.get_visual_style("rule--line", partial=True)),
            (end, self.get_visual_style("rule--picked", partial=True)),
        )

    def _label(self, room: int) -> str:
        if not self.behind:
            return self.label
        count = f"↓ {self.behind} newer" if self.behind > 0 else "↓ not following"
        advice = f"{count}, End to follow"
        return advice if len(advice) <= room or not self.picked else count


class LivePane(Vertical):
    """A live line for each channel, below the rule."""

    shape: reactive[Shape] = reactive(Shape())

    def show(self, view: LiveView) -> None:
        """Shows what is being said on a channel."""
        for line in self.query(LiveLine):
            if line.channel == view.channel:
                line.view = view
                break
        self.resize_lines()

    async def open(self, channel: str) -> None:
        """Makes room for one more channel."""
        line = LiveLine(channel)
        line.shape = self.shape
        await self.mount(line)
        self.resize_lines()

    def watch_shape(self, shape: Shape) -> None:
        """Passes the shape on."""
        for rule in self.query(LiveRule):
            rule.shape = shape
        for line in self.query(LiveLine):
            line.shape = shape
        self.resize_lines()

    def resize_lines(self) -> None:
        """Tells each channel how many rows it has."""
        pane = self.parent
        if not isinstance(pane, Widget) or not pane.size.height:
            return
        roomy = pane.size.height >= RULE_FROM and not self.shape.scale
        for rule in self.query(LiveRule):
            rule.display = roomy or bool(rule.behind)
        lines = list(self.query(LiveLine))
        for line, rows in zip(lines, self._shares(lines, pane), strict=True):
            line.rows = rows

    def _shares(self, lines: Sequence[LiveLine], pane: Widget) -> list[int]:
        """Rows of each channel."""
        height = pane.size.height
        if self.shape.scale:
            sharing = sum(line.view.segment >= 0 for line in lines)
            return [live_rows(height, sharing, self.shape)] * len(lines)
        ruled = any(rule.display for rule in self.query(LiveRule))
        said = sum(max(1, history.rows) for history in pane.query(History) if history.display)
        return grown_rows(height, [line.needs(self.size.width) for line in lines], said + ruled, self.shape)


class CaptionsPane(Vertical):
    """The history above the live lines."""

    def on_resize(self) -> None:
        """Shares the rows out anew."""
        self.query_one(LivePane).resize_lines()
