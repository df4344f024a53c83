"""What the speaker wants: the newest intent large, the runners-up as bars, the earlier ones as a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from edgevoice.tui.state import Bar, IntentView, clock
from edgevoice.tui.widgets.drawing import bar, fit, percent, wrap

EARLY = "◆ early"
NONE = "no clear intent"
PERCENT = 6
"""Cells for a percentage, the gap before it included."""


@dataclass(frozen=True, slots=True)
class Intents:
    """What the pane shows."""

    current: IntentView | None = None
    earlier: tuple[IntentView, ...] = ()
    """Newest first; the current one is not among them."""


class _Drawn(Widget):
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "intent--title",
        "intent--label",
        "intent--none",
        "intent--bar",
        "intent--track",
        "intent--early",
        "intent--text",
        "intent--muted",
    }

    intents: reactive[Intents] = reactive(Intents())

    def _look(self, name: str) -> Style:
        return self.get_visual_style(f"intent--{name}", partial=True)

    def _said(self, text: str, name: str) -> Content:
        return Content.styled(text, self._look(name))


class IntentPane(_Drawn):
    """The tall form, beside the captions."""

    def render(self) -> Content:
        """As many lines as fit, the newest intent first."""
        width, height = self.size
        lines = [*self._current(width), *self._runners_up(width)]
        lines += self._earlier(width, height - len(lines))
        return Content("\n").join(lines[:height])

    def _current(self, width: int) -> list[Content]:
        current = self.intents.current
        title = self._said("INTENT", "title")
        if current is None:
            return [title, self._said("none heard yet", "muted"), Content("")]
        if current.reason:
            guess = f"best guess {current.label} {percent(current.score)}, {current.reason}"
            return [title, self._said(NONE, "none"), *wrap(self._said(guess, "muted"), width)[:3], Content("")]
        label = wrap(self._said(current.label, "label"), width)[:2]
        return [self._title(title, current, width), *label, self._bar(current.score, width, "bar"), Content("")]

    def _title(self, title: Content, current: IntentView, width: int) -> Content:
        if not current.early:
            return title
        return title.pad_right(max(1, width - len(title) - len(EARLY))) + self._said(EARLY, "early")

    def _runners_up(self, width: int) -> list[Content]:
        current = self.intents.current
        if current is None or not current.runners_up:
            return []
        rows = [self._runner_up(runner, width) for runner in current.runners_up[:3]]
        return [self._said("also possible", "muted"), *rows, Content("")]

    def _runner_up(self, runner: Bar, width: int) -> Content:
        name = max(8, width * 11 // 20)
        label = fit(runner.label, name - 1)
        cells = Content.assemble(label, " " * (name - label.cell_length)).stylize(self._look("text"))
        return cells + self._bar(runner.score, width - name, "muted")

    def _bar(self, score: float, width: int, name: str) -> Content:
        room = max(1, width - PERCENT)
        number = self._said(f"{percent(score):>{PERCENT}}", "text" if name == "bar" else "muted")
        return Content.styled(bar(score, room), self._look(name) + self._look("track")) + number

    def _earlier(self, width: int, room: int) -> list[Content]:
        if room < 2 or not self.intents.earlier:
            return []
        rows = [self._row(intent, width) for intent in self.intents.earlier[: room - 1]]
        return [self._said("earlier", "muted"), *rows]

    def _row(self, intent: IntentView, width: int) -> Content:
        time = f"{clock(intent.at):<7}"
        label = fit(intent.label, width - len(time) - PERCENT)
        gap = " " * max(0, width - len(time) - label.cell_length - PERCENT)
        return Content.assemble(
            (time, self._look("muted")), label.stylize(self._look("text")), gap, (f"{percent(intent.score):>6}", "")
        )


class IntentLine(_Drawn):
    """The flat form, for narrow terminals."""

    def render(self) -> Content:
        """One line: what, how sure, whether early, and the next best."""
        current = self.intents.current
        title = self._said("intent ", "muted")
        if current is None:
            return title + self._said("none heard yet", "muted")
        if current.reason:
            return title + self._said(f"{NONE} ", "none") + self._said(f"({current.label}?)", "muted")
        early = self._said(f"  {EARLY}", "early") if current.early else Content("")
        score = self._said(f"  {percent(current.score)}", "text")
        others = "".join(f"  {runner.label} {percent(runner.score)}" for runner in current.runners_up[:2])
        room = self.size.width - title.cell_length - score.cell_length - early.cell_length
        label = fit(current.label, room).stylize(self._look("label"))
        return title + label + score + early + self._said(others, "muted")
