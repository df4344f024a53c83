"""What somebody does with the captions who reads: follow, pick, search, copy."""

from __future__ import annotations

from textual.app import App
from textual.screen import Screen

from edgevoice.tui.state import ScreenState
from edgevoice.tui.views import written
from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.live import LivePane, LiveRule
from edgevoice.tui.widgets.search import SearchBar, Wanted
from edgevoice.tui.widgets.status import StatusBar


class ReadingApp(App[int]):
    """The part of the screen that is about captions that were said already."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ScreenState()
        self._main: Screen[object]
        self._cleared = False
        self._followed = True  # before there was a search

    def stop_reading(self) -> bool:
        """Leaves the search, or else lets go of what was picked; gives whether there was either."""
        history, search = self._main.query_one(History), self._main.query_one(SearchBar)
        if search.display:
            search.close()
            history.find(None)
            self._main.set_focus(history)
            if self._followed:
                history.follow()
            return True
        if history.unpick():
            history.follow()
            return True
        return False

    def action_follow(self) -> None:
        """Back to the newest caption."""
        self._main.query_one(History).follow()

    def action_toggle_follow(self) -> None:
        """Stays where it is, or goes back to the newest caption."""
        history = self._main.query_one(History)
        if history.following:
            history.hold()
        else:
            history.follow()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In what is looked for, a slash is a letter, and Enter is ours only there; sheets have keys of their own."""
        typing = isinstance(self.focused, Wanted)
        if (action == "search" and (typing or len(self.screen_stack) > 1)) or (action == "searched" and not typing):
            return False
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Asks what to look for in the captions."""
        search = self._main.query_one(SearchBar)
        if not search.display:
            self._followed = self._main.query_one(History).following
        search.open()

    def action_searched(self) -> None:
        """It is typed; keys mean again what they mean."""
        self._main.set_focus(self._main.query_one(History))

    def action_found(self, step: int) -> None:
        """Goes to a later match, or with a negative number to an earlier one."""
        if self._main.query_one(SearchBar).display:
            self._main.query_one(History).find_next(step)
            self._show_search()

    def action_copy(self) -> None:
        """The caption that was picked or found, or the newest, to the clipboard."""
        chosen = self._main.query_one(History).chosen
        self._copy(written(chosen.text) if chosen else "")

    def action_copy_all(self) -> None:
        """All captions with their times to the clipboard."""
        captions = self._main.query_one(History).captions
        self._copy("\n".join(caption.as_line(labelled=self.state.labelled) for caption in captions))

    def on_history_behind(self, message: History.Behind) -> None:
        """Marks that newer captions are out of sight."""
        rule = self._main.query_one(LiveRule)
        rule.behind = message.count
        self._main.query_one(LivePane).resize_lines()

    def on_history_picked(self, message: History.Picked) -> None:
        """Says how sure the picked caption is."""
        self._main.query_one(LiveRule).picked = message.caption.sureness if message.caption else ""

    def on_search_bar_changed(self, message: SearchBar.Changed) -> None:
        """Looks for something else."""
        if self._main.query_one(SearchBar).display:
            self._main.query_one(History).find(message.wanted)
            self._show_search()

    def action_clear(self) -> None:
        """Empties the screen; files keep everything, and there is a way back."""
        self._main.query_one(History).clear()
        self.state.intents.clear()
        self._cleared = True
        self._show_search()
        self.tell("Cleared; u brings it back")

    def action_restore(self) -> None:
        """Brings back what was cleared."""
        if not self._cleared:
            self.tell("Nothing was cleared")
            return
        self._cleared = False
        self._main.query_one(History).restore()
        self._show_search()
        self.state.intents.restore()

    def _show_search(self) -> None:
        search = self._main.query_one(History).search
        self._main.query_one(SearchBar).count = search.count if search else ""

    def _copy(self, text: str) -> None:
        if text:
            self.copy_to_clipboard(text)
        self.tell(f"Copied {len(text)} characters" if text else "There is nothing to copy yet")

    def tell(self, note: str) -> None:
        """Says what a key did, or why it did nothing, where it covers no caption."""
        self._main.query_one(StatusBar).tell(note)
