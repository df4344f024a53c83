"""The list of saved sessions: of hundreds, those in sight are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from edgevoice.tui.sessions import Entry, Line, heading, height, lines_of

MARGIN = 1
"""Empty cells at both edges."""


class SessionHeading(Widget):
    """The names of the columns."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"sessions--muted"}

    def render_line(self, y: int) -> Strip:
        """The only one."""
        style = self.get_component_rich_style("sessions--muted", partial=True)
        # as wide as the list is beside its scroll bar
        texts = "".join(text for text, _ in heading(self.size.width - 2 * MARGIN - 1)) if y == 0 else ""
        return Strip([Segment(" " * MARGIN + texts, self.rich_style + style)]).adjust_cell_length(self.size.width)


class SessionList(ScrollView, can_focus=True):
    """Sessions, a cursor on one of them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "sessions--name",
        "sessions--text",
        "sessions--muted",
        "sessions--problem",
        "sessions--match",
        "sessions--cursor",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", tooltip="open the session; where something is looked for, at its line"),
        Binding("up", "step(-1)", show=False, tooltip="the session above, which is newer"),
        Binding("down", "step(1)", show=False, tooltip="the session below, which is older"),
        Binding("pageup", "page(-1)", show=False, tooltip="a screen up"),
        Binding("pagedown", "page(1)", show=False, tooltip="a screen down"),
        Binding("home", "edge(0)", show=False, tooltip="the newest session"),
        Binding("end", "edge(-1)", show=False, tooltip="the oldest session"),
    ]

    class Moved(Message):
        """The cursor is on another session, or on none."""

        def __init__(self, entry: Entry | None) -> None:
            super().__init__()
            self.entry = entry

    class Opened(Message):
        """This session is wanted."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[Entry] = ()
        self._wanted = ""
        self._cursor = 0
        self._pitch = 1

    @property
    def current(self) -> Entry | None:
        """The session under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def show(self, rows: Sequence[Entry], wanted: str) -> None:
        """Shows these sessions, the cursor on the one that it was on, or where that was.

        Args:
            rows: the sessions.
            wanted: what is looked for in them, if anything.
        """
        before = self.current
        self._rows, self._wanted = rows, wanted
        place = next((place for place, entry in enumerate(rows) if entry is before), self._cursor)
        self._cursor = max(0, min(place, len(rows) - 1))
        self._measure()
        if self.current is not before:
            self.post_message(self.Moved(self.current))

    def action_step(self, step: int) -> None:
        """Down, or with a negative number up."""
        self._go(self._cursor + step)

    def action_page(self, pages: int) -> None:
        """As many as are in sight."""
        self._go(self._cursor + pages * max(1, self.size.height // self._pitch - 1))

    def action_edge(self, place: int) -> None:
        """The first, or with -1 the last."""
        self._go(place % len(self._rows) if self._rows else 0)

    def action_open(self) -> None:
        """Asks for the session under the cursor."""
        if self.current:
            self.post_message(self.Opened(self.current))

    def on_click(self, event: Click) -> None:
        """Opens the session that was clicked on."""
        offset = event.get_content_offset(self)
        place = (self.scroll_offset.y + offset.y) // self._pitch if offset else -1
        if 0 <= place < len(self._rows):
            self._go(place)
            self.action_open()

    def on_resize(self) -> None:
        """There may be columns now, or none any more."""
        self._measure()

    def render_line(self, y: int) -> Strip:
        """The line at `y` of the part on show."""
        place, part = divmod(self.scroll_offset.y + y, self._pitch)
        if place >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        base = self.rich_style
        if place == self._cursor:
            base += self.get_component_rich_style("sessions--cursor")
        lines = lines_of(self._rows[place], self._wanted, self._room)
        return self._drawn(lines[part] if part < len(lines) else [], base)

    @property
    def _room(self) -> int:
        return max(1, self.scrollable_content_region.width - 2 * MARGIN)

    def _drawn(self, line: Line, base: Style) -> Strip:
        segments = [Segment(text, base + self._look(look)) for text, look in line]
        strip = Strip([Segment(" " * MARGIN, base), *segments])
        return strip.adjust_cell_length(self.size.width, base)

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"sessions--{name}", partial=True)

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self._rows) - 1))
        if place == self._cursor:
            return
        self._cursor = place
        self._bring_into_sight()
        self.refresh()
        self.post_message(self.Moved(self.current))

    def _measure(self) -> None:
        if not self.is_mounted:
            return
        self._pitch = height(self._room, found=bool(self._wanted.strip()))
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) * self._pitch)
        self._bring_into_sight()
        self.refresh()

    def _bring_into_sight(self) -> None:
        row = Region(0, self._cursor * self._pitch, 1, self._pitch)
        self.scroll_to_region(row, animate=False, immediate=True, force=True, x_axis=False)
