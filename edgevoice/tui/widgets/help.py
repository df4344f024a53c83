"""The keys, the marks, and the facts of this run."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edgevoice.lines import broken

NAME, MEANING = 20, 46
"""Cells for what is explained, and for what is said of it."""
MARKS = (
    ("solid text", "does not change while a sentence is spoken; when it ends it may be put right once"),
    ("italic text…", "may still change; large letters also stand on dots"),
    ("underlined words", "were put right a moment ago"),
    ("▸", "picked: y copies it"),
    ("you, them", "the microphone, and what the loudspeaker plays"),
    ("◆ early", "recognised before the speaker finished"),
    ("┃ in an intent's bar", "the score it takes; + and - move it"),
    ("✗", "heard, but not announced; i shows these"),
    ("● speech  ○ silence", "whether a voice is heard"),
    ("┃ in the meter", "the loudest of the last moments"),
    ("saving, ● rec", "captions, or the sound too, go into files"),
    ("latency 120/240 ms", "half, and 95 of 100, updates take this or less"),
    ("behind 1.2 s", "the machine is busy: words come later, and none is lost"),
    ("fast speech", "more than 200 words a minute are hard to read"),
    ("! lost 1.5 s", "audio never heard: the captions have a gap"),
)


Rows = tuple[tuple[str, str], ...]


class HelpScreen(ModalScreen[None]):
    """A sheet over the captions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,space", "dismiss_help", "Close", show=False, tooltip="close this"),
    ]

    def __init__(self, keys: Rows, facts: Rows, *, marks: Rows = MARKS, about: str = "This run") -> None:
        super().__init__()
        self._lists = (("Keys", keys), ("Marks", marks), (about, facts))

    def compose(self) -> ComposeResult:
        """Three short lists."""
        with VerticalScroll(id="help"):
            for title, rows in self._lists:
                yield Static(title, markup=False, classes="help-title")
                yield Static(_table(rows), markup=False, classes="help-rows")
            yield Static("Esc closes this", markup=False, classes="help-hint")

    def action_dismiss_help(self) -> None:
        """Back to the captions."""
        self.dismiss()


def _table(rows: Rows) -> Content:
    lines = []
    for name, meaning in rows:
        first, *others = [line.text for line in broken(meaning, MEANING)] or [""]
        lines.append(Content.assemble((f"{name:<{NAME}}", "bold"), " ", first))
        lines += [Content(" " * (NAME + 1) + other) for other in others]
    return Content("\n").join(lines)
