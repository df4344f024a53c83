"""A saved session on the screen: its lines, a search, and the recording from any of them."""

from __future__ import annotations

import asyncio
import bisect
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from edgevoice.errors import EdgeVoiceError
from edgevoice.text import clock, plain
from edgevoice.tui.terminal import TOO_SMALL, check_terminal, default_log_file, quiet_terminal
from edgevoice.tui.themes import DARK, THEMES, following
from edgevoice.tui.views import MESSAGE_LENGTH, finite, short

TIME = 9
"""Cells for the time, the gap after it included."""
LOOK_EVERY_S = 0.2
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptLine:
    """What was said at a time, or a note about it."""

    start: float
    """Seconds."""
    speaker: str
    text: str
    is_note: bool = False


class RecordingPlayer(Protocol):
    """What plays the recording."""

    @property
    def position(self) -> float | None:
        """Seconds; None for silence."""
        ...

    @property
    def problem(self) -> str:
        """Why nothing is heard; empty if nothing is wrong."""
        ...

    def play(self, at: float) -> None:
        """Plays from there.

        Raises:
            EdgeVoiceError: that cannot be.
        """
        ...

    def stop(self) -> None:
        """Falls silent."""
        ...


class Lines(OptionList):
    """The transcript, a cursor on one of its lines."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Play")]


class TranscriptApp(App[int]):
    """The lines of a session."""

    CSS_PATH = "screen.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (40, "-normal")]  # noqa: RUF012 - Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (10, "-high")]  # noqa: RUF012 - the same
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play_or_stop", "Stop"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "next", "Next"),
        Binding("N,shift+n", "previous", "Previous", key_display="N"),
        Binding("t", "theme", "Theme"),
        Binding("escape", "leave_search", "Back", show=False),
        Binding("q", "leave", "Quit"),
        Binding("ctrl+q,ctrl+c", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        lines: Sequence[TranscriptLine],
        name: str,
        player: RecordingPlayer,
        *,
        handle_signals: bool = False,
    ) -> None:
        super().__init__()
        self.title = short(name)
        self._lines = lines
        self._player = player
        self._handle_signals = handle_signals
        self._texts = [plain(f"{line.speaker} {line.text}").casefold() for line in lines]
        self._starts = [finite(line.start) for line in lines]
        self._wanted = ""
        self._marked: int | None = None
        """The line in which what is looked for stands out."""
        self._told = ""
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        """Title, lines, what there is to say, the search, the keys."""
        yield Static(TOO_SMALL, id="too-small", markup=False)
        with Vertical(id="main"):
            yield Static(Content(f"edgevoice  {self.title}"), id="transcript-title", markup=False)
            yield Lines(*(Option(self._prompt(index)) for index in range(len(self._lines))), id="lines")
            yield Static("", id="said", markup=False)
            yield Input(placeholder="search", id="search")
            yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Waits at the first line."""
        self.query_one("#search").display = False
        lines = self._list
        lines.focus()
        lines.highlighted = 0 if self._lines else None
        self._tell(f"{sum(not line.is_note for line in self._lines)} lines" if self._lines else "Nothing was said.")
        self.set_interval(LOOK_EVERY_S, self._follow)
        if self._handle_signals:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, self.exit, 128 + number)

    # -- what the keys do

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Enter, or a click, on a line."""
        self._play(message.option_index)

    def action_play_or_stop(self) -> None:
        """Stops, or plays from the line with the cursor."""
        if self._player.position is None:
            self._list.action_select()
        else:
            self._player.stop()
            self._tell("Stopped.")

    def action_search(self) -> None:
        """Asks for what to look for."""
        search = self.query_one(Input)
        search.display = True
        search.value = ""
        search.focus()

    def action_next(self) -> None:
        """The next line with it, round and round."""
        self._go(1)

    def action_previous(self) -> None:
        """The one before."""
        self._go(-1)

    def action_theme(self) -> None:
        """The next theme."""
        self.theme = following(self.theme)

    def action_leave_search(self) -> None:
        """Out of the search, or out of playing."""
        if self.query_one(Input).display:
            self._close_search()
        else:
            self._player.stop()
            self._find("")

    def action_leave(self) -> None:
        """Quits."""
        self._player.stop()
        self.exit(0)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Goes to the first line with it from the cursor on, while it is typed."""
        self._find(message.value)

    def on_input_submitted(self) -> None:
        """Back to the lines."""
        self._close_search()

    # -- drawing

    @property
    def _list(self) -> Lines:
        return self.query_one(Lines)

    def _prompt(self, index: int, *, marked: bool = False) -> Content:
        line = self._lines[index]
        text = Content(" ".join(plain(line.text).split()))
        if line.is_note:
            text = text.stylize("$muted italic")
        if marked:
            text = text.highlight_regex(re.compile(re.escape(self._wanted), re.IGNORECASE), style="reverse")
        name = f"{line.speaker}: " if line.speaker and not line.is_note else ""
        return Content.assemble((f"{clock(finite(line.start)):<{TIME}}", "$muted"), (plain(name), "$primary"), text)

    def _close_search(self) -> None:
        self.query_one(Input).display = False
        self._list.focus()

    def _matches(self) -> list[int]:
        return [index for index, text in enumerate(self._texts) if self._wanted in text] if self._wanted else []

    def _find(self, wanted: str) -> None:
        self._wanted = plain(wanted).strip().casefold()
        self._mark(None)
        if matches := self._matches():
            here = self._list.highlighted or 0
            self._show_match(next((index for index in matches if index >= here), matches[0]), matches)
        elif self._wanted:
            self._tell(f"'{short(wanted, 40)}' is nowhere in it.")
        else:
            self._tell("")

    def _go(self, step: int) -> None:
        matches = self._matches()
        if not matches:
            self._tell("Nothing to look for: / asks for it." if not self._wanted else "There is no other.")
            return
        here = self._list.highlighted or 0
        following_ = [index for index in matches if (index - here) * step > 0]
        ends = (matches[0], matches[-1])
        if step > 0:
            self._show_match(following_[0] if following_ else ends[0], matches)
        else:
            self._show_match(following_[-1] if following_ else ends[1], matches)

    def _show_match(self, index: int, matches: list[int]) -> None:
        self._mark(index)
        self._list.highlighted = index
        self._tell(f"{matches.index(index) + 1} of {len(matches)} lines with '{short(self._wanted, 40)}'")

    def _mark(self, index: int | None) -> None:
        before, self._marked = self._marked, index
        for each in (before, index):
            if each is not None:
                self._list.replace_option_prompt_at_index(each, self._prompt(each, marked=each == index))

    def _play(self, index: int) -> None:
        try:
            self._player.play(max(0.0, finite(self._lines[index].start)))
        except EdgeVoiceError as error:
            self._tell(str(error))

    def _follow(self) -> None:
        """Moves along with what is heard; a last time while the screen is being taken down."""
        if not self.query("#said"):
            return
        position = self._player.position
        if position is None:
            if self._player.problem:
                self._tell(self._player.problem)
            return
        self._tell(f"▶ {clock(position)}")
        heard = bisect.bisect_right(self._starts, position + LOOK_EVERY_S) - 1
        while heard > 0 and self._lines[heard].is_note:
            heard -= 1
        if heard >= 0 and not self.query_one(Input).display:
            self._list.highlighted = heard

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.query_one("#said", Static).update(Content(short(text, MESSAGE_LENGTH)))


def run_transcript(
    lines: Sequence[TranscriptLine], name: str, player: RecordingPlayer, log_file: Path | None = None
) -> int:
    """Shows a session until somebody quits, and gives the exit code.

    Raises:
        UsageError: the terminal cannot show it.
        EdgeVoiceError: the screen broke; the log says how.
    """
    check_terminal()
    log = log_file or default_log_file()
    app = TranscriptApp(lines, name, player, handle_signals=True)
    with quiet_terminal(log):
        code = app.run()
    player.stop()
    if code is None:
        raise EdgeVoiceError("The screen stopped unexpectedly", f"The cause is in {log}; please report it")
    return code
