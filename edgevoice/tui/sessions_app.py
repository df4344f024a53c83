"""Saved sessions in the terminal: a list of them and one of them, or one alone."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from edgevoice.config import ScreenSettings
from edgevoice.errors import EdgeVoiceError
from edgevoice.tui.browser import BrowserScreen, Library
from edgevoice.tui.searching import SearchingScreen
from edgevoice.tui.spoken import Transcript
from edgevoice.tui.stopping import StoppableApp
from edgevoice.tui.terminal import check_terminal, default_log_file, quiet_terminal
from edgevoice.tui.themes import THEMES, following, theme_called
from edgevoice.tui.transcript import TranscriptScreen


class SessionsApp(StoppableApp):
    """What was saved, to be read.

    Args:
        shown: a folder, or one session.
        looks: how it looks to begin with.
        handle_signals: whether signals end it, as they end a program.
    """

    CSS_PATH = "screen.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (40, "-narrow"), (70, "-normal")]  # noqa: RUF012 - Textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-short"), (10, "-high")]  # noqa: RUF012 - the same
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", tooltip="this sheet"),
        Binding("t", "theme", "Theme", show=False, tooltip="theme: dark, light, high contrast"),
        Binding("ctrl+z", "suspend_process", show=False, priority=True, tooltip="back to the shell; fg goes on here"),
        Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True, tooltip="quit, wherever you are"),
    ]

    def __init__(
        self, shown: Library | Transcript, *, looks: ScreenSettings | None = None, handle_signals: bool = False
    ) -> None:
        super().__init__()
        self._shown = shown
        self._handle_signals = handle_signals
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_called((looks or ScreenSettings()).theme).name

    def get_default_screen(self) -> Screen[None]:
        """The list, or the session that is alone."""
        return BrowserScreen(self._shown) if isinstance(self._shown, Library) else TranscriptScreen(self._shown)

    def on_mount(self) -> None:
        """Takes signals."""
        if self._handle_signals:
            self.catch_signals(self.exit)

    def action_help(self) -> None:
        """The sheet with the keys of what is on show."""
        if isinstance(self.screen, SearchingScreen):
            self.screen.show_help()

    def action_found(self, step: int) -> None:
        """What was found below, or with a negative number above, while it is typed."""
        if isinstance(self.screen, SearchingScreen):
            self.screen.action_found(step)

    def action_theme(self) -> None:
        """The next theme."""
        self.theme = following(self.theme)

    async def action_quit(self) -> None:
        """Leaves at once."""
        self.exit(0)


def run_sessions(shown: Library | Transcript, looks: ScreenSettings, log_file: Path | None = None) -> int:
    """Shows what was saved until somebody quits, and gives the exit code.

    Raises:
        UsageError: the terminal cannot show it.
        EdgeVoiceError: the screen broke; the log says how.
    """
    check_terminal()
    log = log_file or default_log_file()
    app = SessionsApp(shown, looks=looks, handle_signals=True)
    with quiet_terminal(log):
        code = app.run()
    if code is None:
        raise EdgeVoiceError("The screen stopped unexpectedly", f"The cause is in {log}; please report it")
    return code
