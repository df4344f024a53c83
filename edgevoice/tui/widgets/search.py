"""The line in which one types what to look for in the captions."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static

from edgevoice.tui.widgets.typed import PlainInput

KEYS = "Enter, then n or N; Esc leaves"


class Wanted(PlainInput):
    """What is looked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.found(-1)", "Older", show=False, tooltip="the match before"),
        Binding("down", "app.found(1)", "Newer", show=False, tooltip="the match behind"),
    ]


class SearchBar(Horizontal):
    """Shown while there is a search."""

    count: reactive[str] = reactive("")

    def __init__(self, keys: str = KEYS) -> None:
        super().__init__()
        self._keys = keys

    class Changed(Message):
        """Something else is looked for."""

        def __init__(self, wanted: str) -> None:
            super().__init__()
            self.wanted = wanted

    def compose(self) -> ComposeResult:
        """A slash, the words, how often they were found, and the keys."""
        yield Static("/", id="search-mark", markup=False)
        yield Wanted(id="search-wanted", compact=True)
        yield Static("", id="search-count", markup=False)
        yield Static(self._keys, id="search-keys", markup=False)

    def suggest(self, wanted: str) -> None:
        """What was looked for elsewhere is there when this opens."""
        with self.prevent(Input.Changed):
            self.query_one(Wanted).value = wanted

    def open(self) -> None:
        """Asks what to look for; what was typed last is still there, to be typed over."""
        self.display = True
        wanted = self.query_one(Wanted)
        self.screen.set_focus(wanted)  # at once, and not as focus() does it: the next key may be on its way
        wanted.action_select_all()
        if wanted.value:
            self.post_message(self.Changed(wanted.value))

    def close(self) -> None:
        """The search is over."""
        self.display = False

    def watch_count(self, count: str) -> None:
        """How often it was found."""
        self.query_one("#search-count", Static).update(count)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Looks while it is typed."""
        message.stop()
        self.post_message(self.Changed(message.value))
