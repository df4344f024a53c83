"""What somebody does who changes settings: the sheet, and what of it takes effect while captions go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgevoice.config import Settings
from edgevoice.tui.reading import ReadingApp
from edgevoice.tui.settings import SettingsBook, of_command
from edgevoice.tui.state import Part
from edgevoice.tui.themes import theme_called
from edgevoice.tui.widgets.settings import SettingsScreen
from edgevoice.tui.worker import DecidingRun, EventRun

LOOKS = frozenset({"screen.theme", "screen.large", "screen.line_length"})
THRESHOLD = "intent.threshold"


class AdjustingApp(ReadingApp):
    """The part of the screen that is about settings."""

    def __init__(self, run: EventRun, settings: Settings) -> None:
        super().__init__()
        self._run_source = run
        self._settings = settings
        self._of_command = of_command(settings)
        self._looks = settings.screen
        self._large = int(self._looks.large)  # which of the sizes of letters that fit; 0 for those of the terminal

    def action_settings(self) -> None:
        """The sheet of settings."""
        if not isinstance(self.screen, SettingsScreen):
            at_once = LOOKS | ({THRESHOLD} if isinstance(self._run_source, DecidingRun) else set())
            book = SettingsBook(self._settings, self._of_command, frozenset(at_once), self._take_effect)
            self.push_screen(SettingsScreen(book))

    def _take_effect(self, name: str, value: Any) -> bool:
        """Lets a setting hold from now on, and gives whether it does."""
        if name == THRESHOLD:
            return self._raise_minimums(value)
        key = name.rpartition(".")[2]
        self._looks = replace(self._looks, **{key: value})
        if key == "theme":
            self.theme = theme_called(value).name
        if key == "large":
            self._large = int(value)
        self._reshape()
        return True

    def _raise_minimums(self, least: float) -> bool:
        """The labels' own scores are known only as far as the threshold of the start did not raise them."""
        raised = self.state.intents.raise_minimums(least)
        if isinstance(self._run_source, DecidingRun):
            for label, score in raised:
                self._run_source.set_threshold(label, score)
        self._redraw(Part.INTENT)
        return bool(raised) and least >= self._settings.intent.threshold

    def _reshape(self) -> None:
        raise NotImplementedError

    def _redraw(self, parts: Part) -> None:
        raise NotImplementedError
