"""What is being said right now: solid words that stay, and words in italics that may still change."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from edgevoice.tui.layout import Column, Shape, column, live_rows
from edgevoice.tui.views import LiveView, clock
from edgevoice.tui.widgets.drawing import wrap

RULE_FROM = 8
"""Rows of the pane below which the rule gives its row to text."""
OPEN_MARK = "…"
"""Ends a line that is not finished, so that nobody depends on colour or italics to know."""


class LiveLine(Widget):
    """The unfinished caption of one channel, in a fixed number of rows."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"live--stable", "live--tentative", "live--time", "live--channel"}

    view: reactive[LiveView] = reactive(LiveView(""))
    shape: reactive[Shape] = reactive(Shape())

    def __init__(self, channel: str) -> None:
        super().__init__()
        self.channel = channel
        self._top = 0
        self._top_of = (-1, 0)

    def render(self) -> Content:
        """The last rows of the caption, behind its time."""
        view = self.view
        if view.segment < 0:
            return Content("")
        place = column(self.size.width, self.shape)
        lines = wrap(self._words(view), place.text)
        shown = lines[self._scrolled((view.segment, place.text), len(lines)) :][: self.size.height]
        head = self._head(place)
        rest = Content(" " * place.indent)
        return Content("\n").join([(rest if index else head) + line for index, line in enumerate(shown)])

    def _words(self, view: LiveView) -> Content:
        gap = " " if view.stable and view.tentative else ""
        return Content.assemble(
            (view.stable, self.get_visual_style("live--stable", partial=True)),
            (gap + view.tentative + OPEN_MARK, self.get_visual_style("live--tentative", partial=True)),
        )

    def _head(self, place: Column) -> Content:
        time = place.time_cell(clock(self.view.start))
        channel = place.channel_cell(self.view.channel) if self.shape.labelled else ""
        return Content.assemble(
            " " * place.margin,
            (time, self.get_visual_style("live--time", partial=True)),
            (channel, self.get_visual_style("live--channel", partial=True)),
        )

    def _scrolled(self, text: tuple[int, int], lines: int) -> int:
        """The first line on show of a text, given as its segment and width.

        It only grows while these are the same, or words would jump whenever a guess gets shorter.
        """
        if text != self._top_of:
            self._top, self._top_of = 0, text
        self._top = min(max(self._top, lines - self.size.height), max(0, lines - 1))
        return self._top


class LiveRule(Widget):
    """The line between what was said and what is being said; says so when newer captions are out of sight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rule--line", "rule--label", "rule--behind"}

    shape: reactive[Shape] = reactive(Shape())
    label: reactive[str] = reactive("now")
    behind: reactive[int] = reactive(0)
    """Captions below what is on show; -1 when scrolled back with none new."""

    def render(self) -> Content:
        """A rule with a word in it."""
        if self.behind:
            count = f"{self.behind} newer" if self.behind > 0 else "scrolled back"
            label, name = f"↓ {count}, End to follow", "rule--behind"
        else:
            label, name = self.label, "rule--label"
        place = column(self.size.width, self.shape)
        room = min(self.size.width - place.margin, place.indent - place.margin + place.text)
        line = "─" * max(0, room - len(label) - 1)
        return Content.assemble(
            " " * place.margin,
            (f"{label} ", self.get_visual_style(name, partial=True)),
            (line, self.get_visual_style("rule--line", partial=True)),
        )


class LivePane(Vertical):
    """A live line for each channel, below the rule."""

    shape: reactive[Shape] = reactive(Shape())

    def show(self, view: LiveView) -> None:
        """Shows what is being said on a channel."""
        for line in self.query(LiveLine):
            if line.channel == view.channel:
                line.view = view
                return

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

    def resize_lines(self) -> None:
        """Gives each channel its fixed number of rows."""
        pane = self.parent
        if not isinstance(pane, Widget) or not pane.size.height:
            return
        lines = self.query(LiveLine)
        rows = live_rows(pane.size.height, len(lines))
        for line in lines:
            line.styles.height = rows
        for rule in self.query(LiveRule):
            rule.display = pane.size.height >= RULE_FROM or bool(rule.behind)


class CaptionsPane(Vertical):
    """The history above the live lines."""

    def on_resize(self) -> None:
        """Shares the rows out anew."""
        self.query_one(LivePane).resize_lines()
