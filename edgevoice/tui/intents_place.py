"""Where the intents are: beside the captions, or where that is too narrow, in the place of what was said."""

from __future__ import annotations

from textual.app import App
from textual.screen import Screen

from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.intent import IntentPane
from edgevoice.tui.widgets.status import StatusBar


class IntentsApp(App[int]):
    """The part of the screen that leads to the intents and back."""

    _main: Screen[object]

    @property
    def intents_on_show(self) -> bool:
        """Whether the earlier ones can be seen."""
        return self._main.query_one(IntentPane).display

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Sheets have a Tab of their own."""
        return False if action == "intents" and len(self.screen_stack) > 1 else super().check_action(action, parameters)

    def on_intent_pane_hidden(self) -> None:
        """The captions have the keys where the intents went away with them."""
        if not self.intents_on_show and self._main.focused in (None, self._main.query_one(IntentPane)):
            self._main.set_focus(self._main.query_one(History))

    def action_intents(self) -> None:
        """To the intents, or back to the captions."""
        if not (self._main.has_class("-narrow") or self._main.has_class("-large")):
            self._main.focus_next()
        elif self._main.has_class("-letters"):
            self._main.query_one(StatusBar).tell("l shows the intents again")
        else:
            self._put(intents=not self._main.has_class("-intents"))

    def leave_intents(self) -> bool:
        """Back to the captions, where the intents are in their place; gives whether they were."""
        in_place = self._main.has_class("-intents")
        if in_place:
            self._put(intents=False)
        return in_place

    def _put(self, *, intents: bool) -> None:
        self._main.set_class(intents, "-intents")
        self.stylesheet.update(self._main)  # now: what is hidden takes no focus, and the next key may be on its way
        self._main.set_focus(self._main.query_one(IntentPane if intents else History))
