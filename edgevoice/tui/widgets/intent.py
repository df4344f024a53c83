"""What the speaker wants: the newest intent large, the runners-up as bars, the earlier ones as a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from edgevoice.tui.views import Bar, IntentView, clock
from edgevoice.tui.widgets.drawing import bar, fit, percent, wrap

EARLY = "◆ early"
NONE = "no clear intent"
ROOMY = 14
"""Rows from which on the card has air around its text."""
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
        "intent--found",
        "intent--early",
        "intent--idle",
        "intent--label",
        "intent--early-mark",
        "intent--track",
        "intent--text",
        "intent--muted",
    }

    intents: reactive[Intents] = reactive(Intents())

    def _look(self, name: str) -> Style:
        # Whole and not partial: Textual 8.2 drops the background of partial styles.
        return self.get_visual_style(f"intent--{name}")

    def _said(self, text: str, name: str) -> Content:
        return Content.styled(text, self._look(name))


def _guess(rejected: IntentView) -> str:
    """Why nothing was announced, in a few words."""
    if rejected.reason == "none":
        return f"none of the known ones, {percent(rejected.score)}"
    return f"best guess {rejected.label} {percent(rejected.score)}, {rejected.reason}"


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
        if current is None:
            return self._card([Content("no intent heard yet")], "idle", width)
        if current.reason:
            return self._card([Content(NONE), *wrap(Content(_guess(current)), width - 2)[:3]], "idle", width)
        score = percent(current.score)
        label = wrap(Content(current.label), width - 3 - len(score))[:2]
        first = label[0].pad_right(max(1, width - 2 - label[0].cell_length - len(score))) + score
        when = f"{clock(current.at)}  {EARLY}" if current.early else clock(current.at)
        name = "early" if current.early else "found"
        return self._card(
            [first.stylize("bold"), *(row.stylize("bold") for row in label[1:]), Content(when)], name, width
        )

    def _card(self, rows: list[Content], name: str, width: int) -> list[Content]:
        """Rows on coloured ground, with air around them where there is room."""
        look = self._look(name)
        air = [Content("")] if self.size.height >= ROOMY else []
        padded = [Content(" ") + row for row in (*air, *rows, *air)]
        return [*(row.pad_right(max(0, width - row.cell_length)).stylize_before(look) for row in padded), Content("")]

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
        return cells + self._bar(runner.score, width - name)

    def _bar(self, score: float, width: int) -> Content:
        room = max(1, width - PERCENT)
        number = self._said(f"{percent(score):>{PERCENT}}", "muted")
        return self._said(bar(score, room), "track") + number

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
            return title + self._said(f"{NONE} ", "text") + self._said(f"({current.label}?)", "muted")
        early = self._said(f"  {EARLY}", "early-mark") if current.early else Content("")
        score = self._said(f"  {percent(current.score)}", "text")
        others = "".join(f"  {runner.label} {percent(runner.score)}" for runner in current.runners_up[:2])
        room = self.size.width - title.cell_length - score.cell_length - early.cell_length
        label = fit(current.label, room).stylize(self._look("label"))
        return title + label + score + early + self._said(others, "muted")
