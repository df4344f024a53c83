"""The screen: one more consumer of events, to be watched all day."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Footer, Static

from edgevoice.config import Settings
from edgevoice.errors import EdgeVoiceError
from edgevoice.text import plain
from edgevoice.tui import letters
from edgevoice.tui.adjusting import AdjustingApp
from edgevoice.tui.devices import Input
from edgevoice.tui.intents_place import IntentsApp
from edgevoice.tui.keys import APP_KEYS, explained
from edgevoice.tui.layout import Shape
from edgevoice.tui.messages import EventArrived, RunFinished
from edgevoice.tui.state import Part
from edgevoice.tui.stopping import StoppableApp
from edgevoice.tui.terminal import TOO_SMALL, check_terminal, default_log_file, quiet_terminal, terminal_gone
from edgevoice.tui.themes import THEMES, following, theme_called
from edgevoice.tui.views import RULES, HeaderView, Phase, StatusView, short, speaker
from edgevoice.tui.widgets.banner import Banner
from edgevoice.tui.widgets.devices import DeviceScreen
from edgevoice.tui.widgets.help import HelpScreen
from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.intent import IntentLine, IntentPane
from edgevoice.tui.widgets.level import LevelMeter
from edgevoice.tui.widgets.live import CaptionsPane, LivePane, LiveRule
from edgevoice.tui.widgets.search import SearchBar, Wanted
from edgevoice.tui.widgets.status import HeaderLine, StatusBar
from edgevoice.tui.worker import DecidingRun, EventRun, RunThread, broken

DRAIN_S = 2.0
"""How long a run may take to deliver its last events when it was asked to stop."""


class CaptionApp(AdjustingApp, IntentsApp, StoppableApp):
    """Live captions, intents and the state of the run, fed by one thread that iterates `run`."""

    CSS_PATH = "screen.tcss"
    ENABLE_COMMAND_PALETTE = True
    # Textual declares these two without ClassVar, and mypy wants the same here.
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-tiny"),
        (40, "-narrow"),
        (70, "-normal"),
        (110, "-broad"),
        (160, "-vast"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-short"),
        (10, "-high"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [*APP_KEYS]

    def __init__(
        self,
        run: EventRun,
        *,
        title: str = "edgevoice",
        inputs: Sequence[Input] = (),
        settings: Settings | None = None,
        keeps: Callable[[], str] = str,
        exit_on_end: bool = False,
        handle_signals: bool = False,
    ) -> None:
        super().__init__(run, settings or Settings())
        self.title = plain(title)
        self._inputs = inputs
        self._thread = RunThread(run, self)
        self._keeps = keeps
        self._exit_on_end = exit_on_end
        self._handle_signals = handle_signals
        self._mounted, self._room = False, Size(0, 0)
        self._leaving: int | None = None
        self._run_finished = asyncio.Event()
        self._drain_task: asyncio.Task[None] | None = None  # kept, or it might be collected before it is done
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_called(self._looks.theme).name

    def compose(self) -> ComposeResult:
        """Header, captions beside intents, meters, status, keys."""
        yield Static(TOO_SMALL, id="too-small", markup=False)
        with Vertical(id="main"):
            yield HeaderLine(short(self.title, 24))
            yield Banner()
            with Horizontal(id="body"):
                with CaptionsPane():
                    yield History()
                    with LivePane():
                        yield LiveRule()
                yield IntentPane()
            yield IntentLine()
            yield SearchBar()
            yield Vertical(id="levels")
            yield StatusBar()
            yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Draws the empty screen, then starts the run."""
        self._main, self._mounted = self.screen, True
        self._main.query_one(History).focus()
        self._redraw(~Part.CHANNELS)
        if self._handle_signals:
            self.catch_signals(self._leave)
        self._thread.start()

    # -- what the thread says

    async def on_event_arrived(self, message: EventArrived) -> None:
        """Shows one event."""
        change = self.state.apply(message.event)
        if Part.CHANNELS in change.parts:
            await self._open_channels()
        if change.finished is not None:
            self._main.query_one(History).append(change.finished, late=change.late)
            self._show_search()
        if change.revised is not None:
            self._main.query_one(History).revise(change.revised)
            self._show_search()
        self._redraw(change.parts)
        if self._exit_on_end and self._leaving is None and self.state.phase is Phase.ENDED:
            self._leave(None)

    def on_run_finished(self, message: RunFinished) -> None:
        """Shows that nothing more will come, and why."""
        parts = self.state.run_over()
        if message.error is not None:
            parts |= self.state.report(broken(message.error))
        self._run_finished.set()
        self._redraw(parts)
        if self._exit_on_end and self._leaving is None:
            self._leave(None)

    # -- what the keys do

    def action_pause(self) -> None:
        """Pauses the run, or lets it go on."""
        phase = self.state.phase
        if phase is Phase.PAUSED:
            self._run_source.resume()
        elif phase in (Phase.LISTENING, Phase.STARTING):
            self._run_source.pause()
        else:
            return
        self._redraw(self.state.pause(paused=phase is not Phase.PAUSED))

    def action_clear(self) -> None:
        """Empties the screen."""
        super().action_clear()
        self._redraw(Part.INTENT | Part.LIVE)

    def action_restore(self) -> None:
        """Brings back what was cleared."""
        super().action_restore()
        self._redraw(Part.INTENT | Part.LIVE)

    def action_theme(self) -> None:
        """The next theme."""
        self.theme = following(self.theme)

    def action_large(self) -> None:
        """Captions alone in larger letters, then in the next size that fits, then everything again."""
        self._large = (self._large + 1) % (max(1, len(self._sizes())) + 1)
        self._reshape()

    def action_devices(self) -> None:
        """The sheet with the devices that can be listened to."""
        if not self._inputs:
            self.tell("This run listens to no microphone")
        elif self.state.over:
            self.tell("Nothing is listened to any more")
        else:
            self.push_screen(DeviceScreen(self._inputs))

    def action_help(self) -> None:
        """The sheet with keys and marks."""
        if not isinstance(self.screen, HelpScreen):
            keys = explained(CaptionApp, History, IntentPane, Wanted)
            self.push_screen(HelpScreen(keys, self.state.facts))

    def action_dismiss(self) -> None:
        """Leaves the search; or else what was picked; or else hides the message on show."""
        if self.stop_reading():
            return
        left = self.leave_intents()
        if self.state.intents.unpick():
            self._redraw(Part.INTENT)
        elif not left:
            self._redraw(self.state.dismiss())

    def action_rejected(self) -> None:
        """Rejected intents among the others, or not."""
        if not self.intents_on_show:
            self.action_intents()
            self.state.intents.show_rejected(shown=self.intents_on_show)
        else:
            self.state.intents.show_rejected(shown=not self.state.intents.with_rejected)
        self._redraw(Part.INTENT)

    def action_minimum(self, direction: int) -> None:
        """Moves the minimum score of the intent on show up or down, for what is decided from now on."""
        if not isinstance(self._run_source, DecidingRun):
            self.tell("What is replayed was decided already")
            return
        if self.state.over:
            self.tell("Nothing is decided any more")
            return
        moved = self.state.intents.move_minimum(direction)
        if moved is None:
            self.tell("Nothing with a minimum is on show")
            return
        self._run_source.set_threshold(*moved)
        self._redraw(Part.INTENT)

    async def action_quit(self) -> None:
        """Ends the run and leaves."""
        self._leave(None)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002
        """Every key that has a name as an entry of the command palette, and nothing besides."""
        for key in APP_KEYS:
            if key.description:
                yield SystemCommand(key.description, key.tooltip, self._command(key.action))

    def on_intent_pane_picked(self, message: IntentPane.Picked) -> None:
        """Shows another intent."""
        self.state.intents.pick(message.step)
        self._redraw(Part.INTENT)

    def on_resize(self, event: Resize) -> None:
        """Other sizes of letters may fit now."""
        self._room = event.size
        if self._mounted:
            self._reshape()

    def _command(self, action: str) -> Callable[[], Coroutine[object, object, None]]:
        async def run() -> None:
            await self.run_action(action)

        return run

    # -- drawing

    def _redraw(self, parts: Part) -> None:
        """Hands the new values out; a widget redraws only if its own is another one."""
        state, find = self.state, self._main.query_one
        if Part.LIVE in parts:
            for view in state.lives.values():
                find(LivePane).show(view)
            find(History).hint = state.hint
        if Part.LEVEL in parts:
            for meter in self._main.query(LevelMeter):
                meter.view = state.level(meter.channel)
        if Part.INTENT in parts:
            find(IntentPane).intents = find(IntentLine).intents = state.intents.view(speakers=state.labelled)
        if Part.BANNER in parts:
            find(Banner).problem = state.problem
            find(Banner).more = max(0, len(state.problems) - 1)
        if Part.STATUS in parts:
            self._show_status(state.status)
            find(History).hint = state.hint
        if Part.HEADER in parts:
            self._show_header(state.header)

    def _show_status(self, status: StatusView) -> None:
        self._main.query_one(StatusBar).view = replace(status, keeps="" if self.state.over else self._keeps())
        self._main.query_one(LiveRule).label = RULES.get(status.phase, "now")

    def _show_header(self, header: HeaderView) -> None:
        self._main.query_one(HeaderLine).view = header
        self._reshape()

    def _sizes(self) -> tuple[int, ...]:
        """The scales of large letters that fit: all of the screen is theirs but its last two rows and its edges."""
        return letters.scales(self._room.width - 6, self._room.height - 2)

    def _reshape(self) -> None:
        sizes = self._sizes()
        scale = sizes[min(self._large, len(sizes)) - 1] if self._large and sizes else 0
        self._main.set_class(bool(self._large), "-large")
        self._main.set_class(bool(scale), "-letters")
        if scale:
            self.leave_intents()
        state = self.state
        hours = state.header.seconds >= 3600
        shape = Shape(state.labelled, bool(self._large), hours, self._looks.line_length, scale)
        self._main.query_one(History).shape = shape
        self._main.query_one(LivePane).shape = shape

    async def _open_channels(self) -> None:
        known = {meter.channel for meter in self._main.query(LevelMeter)}
        for channel in self.state.channels:
            if channel not in known:
                await self._main.query_one("#levels").mount(LevelMeter(channel))
                await self._main.query_one(LivePane).open(channel)
        for meter in self._main.query(LevelMeter):
            meter.label = speaker(meter.channel) if self.state.labelled else meter.channel
        self._redraw(Part.INTENT)
        self._reshape()

    # -- leaving

    def _leave(self, code: int | None) -> None:
        """Ends the run, lets it deliver what it still has, and exits; asked a second time, exits at once."""
        if self._leaving is not None:
            self.exit(self._exit_code(code))
            return
        self._leaving = code or 0
        self._redraw(self.state.stop())
        self._thread.stop()
        self._drain_task = asyncio.create_task(self._drain(code))

    async def _drain(self, code: int | None) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._run_finished.wait(), DRAIN_S)
        self.exit(self._exit_code(code))

    def _exit_code(self, code: int | None) -> int:
        """What a signal asks for; otherwise whether the run failed."""
        return code if code is not None else self._leaving or int(self.state.failed)

    def panic(self, *renderables: RenderableType) -> None:
        """Ends the app after an unexpected error, or as after SIGHUP if it is the terminal that is gone."""
        if self._handle_signals and terminal_gone():
            self._leave(128 + signal.SIGHUP)
        else:
            super().panic(*renderables)


def run_app(
    run: EventRun,
    *,
    title: str = "edgevoice",
    inputs: Sequence[Input] = (),
    settings: Settings | None = None,
    keeps: Callable[[], str] = str,
    exit_on_end: bool = False,
    log_file: Path | None = None,
) -> int:
    """Shows a run in the terminal until somebody quits, and returns the exit code of the process.

    `keeps` says what is saved or recorded at the moment, if anything.
    0 after a normal end, 1 if the run failed for good, 129, 130 or 143 after SIGHUP, SIGINT or SIGTERM.

    Raises:
        UsageError: the terminal cannot show the screen.
        EdgeVoiceError: the screen itself broke; the log says how.
    """
    check_terminal()
    log = log_file or default_log_file()
    app = CaptionApp(
        run, title=title, inputs=inputs, settings=settings, keeps=keeps, exit_on_end=exit_on_end, handle_signals=True
    )
    with quiet_terminal(log):
        code = app.run()
    if code is None:
        run.stop()
        raise EdgeVoiceError("The screen stopped unexpectedly", f"The cause is in {log}; please report it")
    return code
