"""How loud it is, and whether somebody speaks."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from edgevoice.tui.levels import FLOOR, LevelView
from edgevoice.tui.widgets.drawing import cell, line

SPEECH = "● speech "
SILENCE = "○ silence"
NAME = 8
TAIL = 20
"""Cells for the figure and the word behind the bar."""


def _share(dbfs: int) -> float:
    return (dbfs - FLOOR) / -FLOOR


class LevelMeter(Widget):
    """The meter of one channel: a bar in decibels of full scale with a mark at the latest peak.

    Args:
        channel: whose level it is.
        speech: whether it also says that somebody speaks.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "level--name",
        "level--speech",
        "level--silence",
        "level--hold",
        "level--track",
        "level--warning",
    }

    view: reactive[LevelView] = reactive(LevelView())
    label: reactive[str] = reactive("")
    """What the channel is called."""

    def __init__(self, channel: str, *, speech: bool = True) -> None:
        super().__init__()
        self.channel = channel
        self._tells_speech = speech
        self.label = channel

    def render(self) -> Content:
        """Name, bar, figure, word."""
        view = self.view
        voice = "level--speech" if view.speaking else "level--silence"
        name = Content.styled(cell(self.label, NAME), self._style("level--name"))
        word = (SPEECH if view.speaking else SILENCE) if self._tells_speech else ""
        return name + self._bar(voice) + self._figure() + Content.styled(word, self._style(voice))

    def _bar(self, voice: str) -> Content:
        width = max(4, self.size.width - NAME - TAIL)
        filled = line(_share(self.view.dbfs), width)
        hold = min(width - 1, round(_share(self.view.hold) * width))
        rest = "─" * (width - len(filled))
        content = Content.assemble((filled, self._style(voice)), (rest, self._style("level--track")))
        if hold < max(1, len(filled)):
            return content
        return content[:hold] + Content.styled("┃", self._style("level--hold")) + content[hold + 1 :]

    def _figure(self) -> Content:
        if self.view.clipping:
            return Content.styled("  too loud ", self._style("level--warning"))
        dbfs = str(max(self.view.dbfs, -99)) if self.view.dbfs > -120 else "--"
        return Content.styled(f"{dbfs:>5} dB   ", self._style("level--name"))

    def _style(self, name: str) -> Style:
        return self.get_visual_style(name, partial=True)
