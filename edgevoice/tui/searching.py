"""What the screens of saved sessions have in common: a search, a line for notes, a sheet with the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from edgevoice.tui.keys import explained
from edgevoice.tui.terminal import TOO_SMALL
from edgevoice.tui.views import MESSAGE_LENGTH, short
from edgevoice.tui.widgets.help import HelpScreen, Rows
from edgevoice.tui.widgets.search import SearchBar, Wanted


def search_key(tooltip: str) -> Binding:
    """The slash, handed out before other keys, for the next one belongs to what is looked for."""
    return Binding("slash", "search", "Search", key_display="/", priority=True, tooltip=tooltip)


SEARCHED = Binding("enter", "searched", show=False, priority=True, tooltip="in what is looked for: it is typed")


class SearchingScreen(Screen[None]):
    """A screen with a list, in which something can be looked for."""

    BINDINGS: ClassVar[list[BindingType]] = []
    PLACES: ClassVar[Sequence[type[DOMNode]]] = ()
    """What has keys of its own besides the screen itself."""
    MARKS: ClassVar[Rows] = ()

    def __init__(self) -> None:
        super().__init__()
        self._told = ""

    def framed(self, name: str, body: Sequence[Widget], search: SearchBar) -> ComposeResult:
        """Title, what the screen is about, what there is to say, the search, the keys.

        Args:
            name: of what is on show.
            body: the list, and what belongs above it.
            search: the line in which one types.
        """
        yield Static(TOO_SMALL, id="too-small", markup=False)
        with Vertical(id="main"):
            with Horizontal(classes="saved-title"):
                yield Static(Content(f"edgevoice  {name}"), id="saved-name", markup=False)
                yield Static("", id="saved-state", markup=False)
            yield from body
            yield Static("", id="said", markup=False)
            yield search
            yield Footer(show_command_palette=False)

    @property
    def body(self) -> Widget:
        """What the keys are about, unless something is typed."""
        raise NotImplementedError

    @property
    def facts(self) -> Rows:
        """What the sheet says about what is on show."""
        raise NotImplementedError

    def look_for(self, wanted: str | None) -> None:
        """Looks for something; with None, for nothing any more."""
        raise NotImplementedError

    def action_found(self, step: int) -> None:
        """Goes on to what was found below, or with a negative number above."""
        raise NotImplementedError

    def action_leave(self) -> None:
        """Back to where one came from; or out."""
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.app.exit(0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In what is looked for, a slash is a letter, and Enter ends it."""
        typing = isinstance(self.focused, Wanted)
        if (action == "search" and typing) or (action == "searched" and not typing):
            return False
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Asks what to look for."""
        self.query_one(SearchBar).open()

    def action_searched(self) -> None:
        """It is typed; keys mean again what they mean."""
        self.set_focus(self.body)

    def stop_searching(self) -> bool:
        """Leaves the search; gives whether there was one."""
        search = self.query_one(SearchBar)
        if not search.display:
            return False
        search.close()
        self.set_focus(self.body)
        self.look_for(None)
        return True

    def on_search_bar_changed(self, message: SearchBar.Changed) -> None:
        """Looks for something else."""
        if self.query_one(SearchBar).display:
            self.look_for(message.wanted)

    def show_help(self) -> None:
        """The sheet with the keys."""
        keys = explained(type(self), *self.PLACES, type(self.app))
        self.app.push_screen(HelpScreen(keys, self.facts, marks=self.MARKS, about="What is on show"))

    def tell(self, text: str) -> None:
        """Says something in the line for it."""
        if text != self._told:
            self._told = text
            self.query_one("#said", Static).update(Content(short(text, MESSAGE_LENGTH)))
