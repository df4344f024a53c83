"""The first and the last line: where the audio comes from, what listens to it, and how well that goes."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.reactive import reactive
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget

from edgevoice.text import clock
from edgevoice.tui.views import HeaderView, Phase, StatusView
from edgevoice.tui.widgets.drawing import fit

PHASES: dict[Phase, tuple[str, str]] = {
    Phase.STARTING: ("◌ starting", "idle"),
    Phase.LISTENING: ("● listening", "good"),
    Phase.PAUSED: ("‖ paused", "warning"),
    Phase.STOPPING: ("◌ stopping", "idle"),
    Phase.ENDED: ("■ ended - press q", "idle"),
    Phase.FAILED: ("✕ failed - press q", "bad"),
}
GAP = "  "
NOTE_S = 3.0
"""How long a note is on show."""


class HeaderLine(Widget):
    """The program, the source of the audio, and how much of it was heard."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--title", "header--source", "header--clock"}

    view: reactive[HeaderView] = reactive(HeaderView())

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def render(self) -> Content:
        """Title and source to the left, the clock to the right."""
        title = Content.styled(self._title, self.get_visual_style("header--title", partial=True))
        time = Content.styled(clock(self.view.seconds), self.get_visual_style("header--clock", partial=True))
        room = self.size.width - title.cell_length - time.cell_length - 2 * len(GAP)
        source = fit(self.view.source, room).stylize(self.get_visual_style("header--source", partial=True))
        return title + GAP + source.pad_right(max(0, room - source.cell_length)) + GAP + time


class StatusBar(Widget):
    """State, model, provider, latency, pace, action, lost audio; what matters least goes first where room is short."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "status--good",
        "status--warning",
        "status--bad",
        "status--idle",
        "status--name",
        "status--value",
        "status--note",
    }

    view: reactive[StatusView] = reactive(StatusView())
    note: reactive[str] = reactive("")
    """What a key did, or why it did nothing; for a while in the place of the facts."""

    def __init__(self) -> None:
        super().__init__()
        self._until: Timer | None = None

    def tell(self, note: str) -> None:
        """Shows a note, in the place of the one before."""
        if self._until:
            self._until.stop()
        self.note = note
        self._until = self.set_timer(NOTE_S, self._forget)

    def render(self) -> Content:
        """As many facts as fit, in a fixed order."""
        word, name = PHASES[self.view.phase]
        phase = Content.styled(word, self._look(name))
        if self.note:
            return self._noted(phase)
        facts = [(0, phase), *self._facts(self.view.model)]
        if self.view.reader:
            more = [(0, phase), *self._facts(f"{self.view.model} + {self.view.reader}")]
            facts = more if self._width(more) <= self.size.width else facts
        while len(facts) > 1 and self._width(facts) > self.size.width:
            facts.remove(max(facts, key=lambda fact: fact[0]))
        return Content(GAP).join([fact for _, fact in facts])

    def _forget(self) -> None:
        self.note = ""

    def _noted(self, phase: Content) -> Content:
        """The note behind the phase if there is room for both, for nothing else is what was just asked for."""
        room = self.size.width - phase.cell_length - len(GAP)
        note = Content.styled(self.note, self._look("note"))
        return (
            phase + GAP + note
            if note.cell_length <= room
            else fit(self.note, self.size.width).stylize(self._look("note"))
        )

    def _facts(self, model: str) -> list[tuple[int, Content]]:
        """Facts in their order on screen, each with its rank: the highest goes first."""
        view = self.view
        facts: list[tuple[int, Content]] = []
        if view.keeps:
            facts.append((1, Content.styled(view.keeps, self._look("idle"))))
        if model:
            facts.append((5, self._fact("", model)))
        if view.provider:
            facts.append((2, self._fact("on", view.provider + (" (fallback)" if view.note else ""))))
        if view.p50 is not None and view.p95 is not None:
            facts.append((3, self._fact("latency", f"{view.p50 * 1000:.0f}/{view.p95 * 1000:.0f} ms")))
        if view.pace:
            facts.append((1, Content.styled(f" {view.pace} ", self._look("warning"))))
        if view.action:
            facts.append((3, self._fact("action", view.action)))
        if view.speed:
            facts.append((2, Content.styled(f" {view.speed} ", self._look("warning"))))
        lost = f"{view.lost:.1f} s"
        if view.lost > 0:
            facts.append((1, Content.styled(f" ! lost {lost} ", self._look("bad"))))
        else:
            facts.append((4, self._fact("lost", lost)))
        return facts

    def _fact(self, name: str, value: str) -> Content:
        return Content.assemble((f"{name} " if name else "", self._look("name")), (value, self._look("value")))

    def _look(self, name: str) -> Style:
        # Whole and not partial: Textual 8.2 drops the background of partial styles.
        return self.get_visual_style(f"status--{name}")

    @staticmethod
    def _width(facts: list[tuple[int, Content]]) -> int:
        return sum(fact.cell_length for _, fact in facts) + len(GAP) * (len(facts) - 1)
