"""Runs a pipeline for `live` and `demo`: on the screen, or as JSON lines."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from edgevoice.commands.keeping import files_said, marks
from edgevoice.commands.options import open_model, open_pipeline
from edgevoice.commands.output import full_disk_explained, has_screen, say
from edgevoice.config import Settings
from edgevoice.errors import EdgeVoiceError
from edgevoice.events import Event, Failed, InputSilent, PaceChanged, Recovered, SourceChanged
from edgevoice.sinks.delivery import Sink, delivered
from edgevoice.sinks.jsonl import JsonLines
from edgevoice.text import sentence

if TYPE_CHECKING:
    from edgevoice.audio.inputs import Input
    from edgevoice.audio.pacing import PausableSource
    from edgevoice.audio.source import Source


@runtime_checkable
class HearsAudio(Protocol):
    """A sink that wants the audio besides the events."""

    def recorded(self, source: Source) -> Source:
        """The same source, heard by the sink too."""
        ...


class Run(Protocol):
    """What is written as events: a pipeline, several, or what is replayed."""

    def run(self) -> Iterator[Event]:
        """The events, to the end of the stream."""
        ...

    def stop(self) -> None:
        """Ends the stream soon, from any thread."""
        ...


class LiveRun(Run, Protocol):
    """What is needed of `edgevoice.pipeline.Pipeline` and `edgevoice.streams.Streams`."""

    def set_threshold(self, label: str, value: float) -> None:
        """Announces an intent from this score on, from any thread."""
        ...


def show(
    sources: Sequence[Source],
    settings: Settings,
    *,
    as_json: bool,
    waits: bool = False,
    sinks: Sequence[Sink] = (),
    inputs: Sequence[Input] = (),
) -> int:
    """Captions sources on the screen, or as JSON lines if asked or if there is no screen; gives the exit code.

    Args:
        sources: streams that run at once, each with a channel of its own.
        settings: of all of them.
        as_json: events on stdout in any case.
        waits: whether the sources are recordings that wait for us.
        sinks: who else gets the events.
        inputs: the devices behind the sources, which can be changed on the screen.
    """
    if as_json or not has_screen():
        with files_said(sinks):
            return write_events(_Delivered(_run(_heard(sources, sinks), settings, waits=waits), sinks))
    from edgevoice.audio.pacing import PausableSource
    from edgevoice.tui.app import run_app
    from edgevoice.tui.terminal import check_terminal

    check_terminal()  # before the model, which takes a while to load
    pausable = [PausableSource(source, live=source.channel != "file") for source in sources]
    run = _PausableRun(pausable, _Delivered(_run(_heard(pausable, sinks), settings, waits=waits), sinks))
    with files_said(sinks):
        return run_app(run, inputs=inputs, settings=settings, keeps=lambda: marks(sinks))


def _heard(sources: Sequence[Source], sinks: Sequence[Sink]) -> list[Source]:
    """The sources as the pipelines hear them: sinks that listen stand closest to these, so that a position in a
    recording is one in the events."""
    heard = list(sources)
    for sink in sinks:
        if isinstance(sink, HearsAudio):
            heard = [sink.recorded(source) for source in heard]
    return heard


def _run(sources: Sequence[Source], settings: Settings, *, waits: bool) -> LiveRun:
    model = open_model(settings)
    pipelines = [open_pipeline(source, model, settings, waits=waits) for source in sources]
    if len(pipelines) == 1:
        return pipelines[0]
    from edgevoice.streams import Streams

    return Streams(pipelines)


class _Delivered:
    """A run whose events have been with all sinks."""

    def __init__(self, run: LiveRun, sinks: Sequence[Sink]) -> None:
        self._run, self._sinks = run, sinks
        self.stop, self.set_threshold = run.stop, run.set_threshold

    def run(self) -> Iterator[Event]:
        """The events, and what the sinks say."""
        return delivered(self._run.run(), self._sinks)


class _PausableRun:
    """A run with the pause button of its sources."""

    def __init__(self, sources: Sequence[PausableSource], run: LiveRun) -> None:
        self._sources = sources
        self.run = run.run
        self.stop, self.set_threshold = run.stop, run.set_threshold

    def pause(self) -> None:
        """Pauses all of them."""
        for source in self._sources:
            source.pause()

    def resume(self) -> None:
        """Lets all of them go on."""
        for source in self._sources:
            source.resume()


def write_events(run: Run) -> int:
    """Writes each event as a line of JSON on stdout and gives the exit code.

    A signal or a reader that leaves ends the stream; what was said until then is finished first.
    """
    writer = JsonLines(sys.stdout.buffer)
    failed, pace = False, _PaceNotes()
    with stopped_by_signals(run) as caught:
        for event in run.run():
            with full_disk_explained():
                writer.write(event)
            if isinstance(event, Failed):
                say(str(EdgeVoiceError(event.what, event.remedy)))
                failed = failed or not event.recoverable
            if isinstance(event, Recovered):
                say(str(EdgeVoiceError(event.now)))
            if isinstance(event, InputSilent):
                say(f"{sentence(event.what)} {sentence(event.remedy)}".strip())
            if isinstance(event, SourceChanged):
                say(str(EdgeVoiceError(event.what, event.remedy)) if event.waiting else f"Listening to {event.source}.")
            if isinstance(event, PaceChanged):
                pace.write(event)
    return 128 + caught[0] if caught else int(failed)


class _PaceNotes:
    """One line on stderr for each stream that cannot keep up, and one when it can again; none for a short stall."""

    def __init__(self) -> None:
        self._behind: dict[str, bool] = {}
        """Channel -> whether it was said."""

    def write(self, event: PaceChanged) -> None:
        """Says what is to be said of this event, if anything."""
        if event.keeping_up:
            if self._behind.pop(event.channel, False):
                say(f"The machine keeps up again: captions every {event.hop:.1f} s.")
            return
        said = self._behind.get(event.channel)
        if said is False:  # it lasts
            late = f"behind {event.behind:.1f} s, captions every {event.hop:.1f} s"
            say(f"The machine cannot keep up: {late}; no word is lost.")
        self._behind[event.channel] = said is not None


@contextmanager
def stopped_by_signals(run: Run) -> Iterator[list[int]]:
    """Within it SIGINT, SIGTERM and SIGHUP end the run; a second one ends the process. Gives the signals that came."""
    caught: list[int] = []

    def stop(number: int, _frame: object) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise SystemExit(128 + number)
        # not here: the handler may have interrupted the source while it holds the lock that stop() needs
        threading.Thread(target=run.stop, daemon=True).start()

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup and shells in the background ask for that
            signal.signal(number, stop)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
