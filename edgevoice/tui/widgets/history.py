"""Finished captions: a long, quiet column that is only ever appended to."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from edgevoice.tui.layout import Column, Shape, column
from edgevoice.tui.views import CaptionLine, clock
from edgevoice.tui.widgets.drawing import wrap

KEPT = 10_000
"""Captions kept on screen, about a day and a half of talk; the files keep them all."""
PRUNED = 1_000
"""How many of the oldest go at once when it is full, so that it happens rarely."""


class History(ScrollView, can_focus=True):
    """Captions with their times. Follows the newest until somebody scrolls back."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"history--text", "history--time", "history--channel", "history--hint"}
    BINDING_GROUP_TITLE = "Captions"

    shape: reactive[Shape] = reactive(Shape())
    hint: reactive[str] = reactive("")
    """Shown while there is nothing else."""

    class Behind(Message):
        """How many captions are below what is on show."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

    def __init__(self) -> None:
        super().__init__()
        self._captions: deque[CaptionLine] = deque()
        self._lines: list[tuple[CaptionLine, int, str]] = []
        """What is on each line: whose, which line of it (-1 for an empty one), and the text."""
        self._strips: dict[int, Strip] = {}
        self._column = Column()
        self._following = True
        self._unseen = 0

    @property
    def captions(self) -> tuple[CaptionLine, ...]:
        """All captions kept, oldest first."""
        return tuple(self._captions)

    @property
    def following(self) -> bool:
        """Whether the newest caption is on show."""
        return self._following

    def append(self, caption: CaptionLine) -> None:
        """Adds a caption below the others; nothing above it is drawn again."""
        self._captions.append(caption)
        if len(self._captions) > KEPT:
            self._prune()
        first = len(self._lines)
        self._lines.extend(self._wrapped(caption))
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
        if self._following:
            self.scroll_end(animate=False, immediate=True)
        if first < self.size.height:
            self.refresh()  # all lines move up until the pane is full; later, scrolling moves them
        if not self._following:
            self._unseen += 1
            self.post_message(self.Behind(self._unseen))

    def clear(self) -> None:
        """Empties the column."""
        self._captions.clear()
        self._relayout()
        self.follow()

    def follow(self) -> None:
        """Goes to the newest caption and stays there."""
        self.scroll_end(animate=False, immediate=True)
        self._set_following(following=True)

    def render_line(self, y: int) -> Strip:
        """The line at `y` of the part on show."""
        width = self.size.width
        # A short history stands on the live line, where the eye is, and not at the top.
        line = self.scroll_offset.y + y - max(0, self.size.height - len(self._lines))
        if not self._captions and y == self.size.height - 1 and self.hint:
            return self._strip("", "", self.hint, "history--hint").crop_extend(0, width, self.rich_style)
        if not 0 <= line < len(self._lines):
            return Strip.blank(width, self.rich_style)
        if line not in self._strips:
            self._strips[line] = self._draw(*self._lines[line])
        return self._strips[line].crop_extend(0, width, self.rich_style)

    def notify_style_update(self) -> None:
        """The colours changed."""
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self) -> None:
        """Breaks the lines anew if the width changed, and keeps the newest in sight."""
        if self._measured() != self._column:
            self._relayout()
        if self._following:
            self.scroll_end(animate=False, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follows again as soon as the end is in sight."""
        super().watch_scroll_y(old_value, new_value)
        self._set_following(following=self.is_vertical_scroll_end or self.max_scroll_y == 0)

    def watch_shape(self) -> None:
        """A second channel appeared, an hour is over, or the size was switched."""
        self._relayout()

    def _set_following(self, *, following: bool) -> None:
        if following == self._following and not (following and self._unseen):
            return
        self._following = following
        self._unseen = 0
        self.post_message(self.Behind(0 if following else -1))

    def _measured(self) -> Column:
        return column(self.scrollable_content_region.width, self.shape)

    def _relayout(self) -> None:
        if not self.is_mounted:
            return
        self._column = self._measured()
        self._lines = [line for caption in self._captions for line in self._wrapped(caption)]
        self._strips.clear()
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
        if self._following:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def _wrapped(self, caption: CaptionLine) -> list[tuple[CaptionLine, int, str]]:
        texts = [line.plain for line in wrap(Content(caption.text), self._column.text)]
        lines = [(caption, index, text) for index, text in enumerate(texts)]
        return [*lines, (caption, -1, "")] if self.shape.large else lines

    def _prune(self) -> None:
        gone = sum(len(self._wrapped(caption)) for caption in islice(self._captions, PRUNED))
        for _ in range(PRUNED):
            self._captions.popleft()
        del self._lines[:gone]
        self._strips.clear()
        if not self._following:
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, immediate=True)

    def _draw(self, caption: CaptionLine, index: int, text: str) -> Strip:
        if index != 0:
            return self._strip("", "", text, "history--text")
        channel = caption.channel if self.shape.labelled else ""
        return self._strip(clock(caption.start), channel, text, "history--text")

    def _strip(self, time: str, channel: str, text: str, name: str) -> Strip:
        base = self.rich_style
        margin = " " * self._column.margin
        segments = [
            Segment(margin + self._column.time_cell(time), base + self._look("history--time")),
            Segment(self._column.channel_cell(channel), base + self._look("history--channel")),
            Segment(text, base + self._look(name)),
        ]
        return Strip(segments)

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)
