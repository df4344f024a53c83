"""The keys, the marks, and the facts of this run."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = (
    ("space", "pause, and go on"),
    ("↑ ↓ PgUp PgDn Home", "read back; the live line stays"),
    ("End", "follow the newest again"),
    ("c", "clear captions and intents from the screen"),
    ("t", "theme: dark, light, high contrast"),
    ("l", "large: captions alone, wide spaced, in bold"),
    ("Esc", "hide a message"),
    ("q, Ctrl+Q, Ctrl+C", "quit; what was said last is still finished"),
)
MARKS = (
    ("solid text", "will not change any more"),
    ("italic text…", "may still change"),
    ("◆ early", "recognised before the speaker finished"),
    ("● speech  ○ silence", "whether a voice is heard"),
    ("┃ in the meter", "the loudest of the last moments"),
    ("latency 120/240 ms", "half, and 95 of 100, updates take this or less"),
    ("behind 1.2 s", "the machine is busy: words come later, and none is lost"),
    ("! lost 1.5 s", "audio never heard: the captions have a gap"),
)


class HelpScreen(ModalScreen[None]):
    """A sheet over the captions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,space", "dismiss_help", "Close", show=False),
    ]

    def __init__(self, facts: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self._facts = facts

    def compose(self) -> ComposeResult:
        """Three short lists."""
        with VerticalScroll(id="help"):
            for title, rows in (("Keys", KEYS), ("Marks", MARKS), ("This run", self._facts)):
                yield Static(title, markup=False, classes="help-title")
                yield Static(_table(rows), markup=False, classes="help-rows")
            yield Static("Esc closes this", markup=False, classes="help-hint")

    def action_dismiss_help(self) -> None:
        """Back to the captions."""
        self.dismiss()


def _table(rows: tuple[tuple[str, str], ...]) -> Content:
    lines = [Content.assemble((f"{name:<20}", "bold"), " ", meaning) for name, meaning in rows]
    return Content("\n").join(lines)
