"""Runs that follow a script, for the tests; as a program, the screen in a terminal with one of them."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevoice.errors import AudioError
from edgevoice.events import (
    CaptionFinished,
    CaptionRevised,
    CaptionUpdated,
    Event,
    Failed,
    IntentDetected,
    LabelScore,
    LevelMeasured,
    SpeechEnded,
    SpeechStarted,
    StreamEnded,
    StreamStarted,
    Word,
    to_json,
)
from edgevoice.sinks.delivery import delivered

CHANNEL = "mic"


def started(**fields: object) -> StreamStarted:
    given = {"source": "USB Headset", "model": "edgevoice-small", "provider": "cpu", "channel": CHANNEL, **fields}
    return StreamStarted(at=0.0, sample_rate=48000, **given)  # type: ignore[arg-type]


def ended(channel: str = CHANNEL, lost: float = 0.0) -> StreamEnded:
    return StreamEnded(channel=channel, at=9.0, duration=9.0, segments=1, words=2, intents=0, lost=lost)


def level(at: float, dbfs: float = -20.0, peak: float = 0.3, channel: str = CHANNEL) -> LevelMeasured:
    return LevelMeasured(channel=channel, at=at, dbfs=dbfs, peak=peak, speech=0.9)


def speech(segment: int, at: float = 1.0, channel: str = CHANNEL) -> SpeechStarted:
    return SpeechStarted(channel=channel, at=at, segment=segment, start=at)


def silence(segment: int, at: float = 2.0, channel: str = CHANNEL) -> SpeechEnded:
    return SpeechEnded(channel=channel, at=at, segment=segment, start=at - 1, end=at)


def update(segment: int, stable: str, tentative: str = "", at: float = 1.5, latency: float = 0.1) -> CaptionUpdated:
    return CaptionUpdated(channel=CHANNEL, at=at, segment=segment, stable=stable, tentative=tentative, latency=latency)


def final(segment: int, text: str, start: float = 1.0, channel: str = CHANNEL) -> CaptionFinished:
    return CaptionFinished(
        channel=channel, at=start + 1, segment=segment, start=start, end=start + 1, text=text, words=(), latency=0.5
    )


def spoken(text: str, start: float, *, confidence: float = 0.9, pace: float = 0.4) -> tuple[Word, ...]:
    """The words of a text, one behind the other."""
    return tuple(
        Word(word=word, start=start + n * pace, end=start + (n + 1) * pace, confidence=confidence)
        for n, word in enumerate(text.split())
    )


def revised(
    segment: int, text: str, start: float = 1.0, channel: str = CHANNEL, words: tuple[Word, ...] = ()
) -> CaptionRevised:
    """The second reading of what `final` says."""
    return CaptionRevised(
        channel=channel,
        at=start + 1,
        segment=segment,
        start=start,
        end=start + 1,
        text=text,
        words=words,
        confidence=0.8,
        reader="moonshine-tiny",
        latency=0.3,
    )


@dataclass(frozen=True)
class ScriptedOffer:
    handle: str
    name: str
    is_default: bool = False
    in_use: bool = False


class ScriptedInput:
    """Devices that can be chosen, each as loud as it is told; one of -999 dB cannot be opened."""

    def __init__(self, channel: str, **dbfs: float) -> None:
        self.channel = channel
        self.loud = dbfs
        self.chosen: list[str] = []
        self.in_use = next(iter(dbfs), "")
        self.open: set[str] = set()
        self.broken = ""

    def offers(self) -> list[ScriptedOffer]:
        if self.broken:
            raise AudioError(self.broken, "Start it again")
        return [
            ScriptedOffer(name, name.replace("_", " "), number == 0, name == self.in_use)
            for number, name in enumerate(self.loud)
        ]

    def choose(self, handle: str) -> None:
        self.chosen.append(handle)
        self.in_use = handle

    def listen(self, handle: str) -> ScriptedListening:
        return ScriptedListening(self, handle)


class ScriptedListening:
    def __init__(self, owner: ScriptedInput, handle: str) -> None:
        self._owner, self._handle, self._closed = owner, handle, threading.Event()

    def levels(self) -> Iterator[tuple[float, float]]:
        dbfs = self._owner.loud[self._handle]
        if dbfs == -999:
            raise AudioError(f"The microphone '{self._handle}' cannot be opened", "Close other programs that use it")
        self._owner.open.add(self._handle)
        while not self._closed.wait(0.01):
            yield dbfs, 0.1

    def close(self) -> None:
        self._closed.set()
        self._owner.open.discard(self._handle)


def detected(label: str = "card_issues", *, early: bool = False, segment: int = 0) -> IntentDetected:
    runners = (LabelScore(label="balance", score=0.07), LabelScore(label="abroad", score=0.02))
    return IntentDetected(
        channel=CHANNEL, at=65.0, segment=segment, label=label, score=0.91, runners_up=runners, early=early, words=""
    )


def failed(*, recoverable: bool) -> Failed:
    return Failed(channel=CHANNEL, at=1, what="The microphone is gone", recoverable=recoverable, remedy="Plug it in")


class ScriptedRun:
    """Delivers events, then waits for `stop`, and delivers the last ones after it."""

    def __init__(self, events: Iterable[Event] = (), *, last: Iterable[Event] = (), ends: bool = False) -> None:
        self._events = events
        self._last = last
        self._stopped = threading.Event()
        if ends:
            self._stopped.set()
        self.calls: list[str] = []

    def run(self) -> Iterator[Event]:
        yield from self._events
        self._stopped.wait()
        yield from self._last

    def stop(self) -> None:
        self.calls.append("stop")
        self._stopped.set()

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def set_threshold(self, label: str, value: float) -> None:
        self.calls.append(f"{label} {value:.2f}")


class NoisyRun(ScriptedRun):
    """Prints to file descriptor 2 behind Python's back, as PortAudio does."""

    def run(self) -> Iterator[Event]:
        ctypes.CDLL(None).write(2, b"ALSA lib: noise\n", 16)
        yield from super().run()


class Observed:
    """A run whose events a sink has seen."""

    def __init__(self, run: ScriptedRun, see: Callable[[Event], object]) -> None:
        self._run, self._see = run, see
        self.stop, self.pause, self.resume = run.stop, run.pause, run.resume
        self.set_threshold = run.set_threshold

    def run(self) -> Iterator[Event]:
        return delivered(self._run.run(), [self])

    def write(self, event: Event) -> Iterable[Event]:
        self._see(event)
        return ()

    def close(self) -> Iterable[Event]:
        return ()


def main() -> int:
    from edgevoice.tui.app import run_app
    from edgevoice.tui.widgets.status import StatusBar

    if "crash" in sys.argv:
        StatusBar.render = None  # type: ignore[assignment,method-assign]
    saved, log = Path(sys.argv[1]), Path(sys.argv[2])
    events = [started(), speech(0), update(0, "hello", "there")]
    run = NoisyRun(events, last=[final(0, "hello there everybody"), ended()], ends="ends" in sys.argv)
    with saved.open("w", encoding="utf-8") as file:
        run_ = Observed(run, lambda event: print(to_json(event), file=file, flush=True))
        return run_app(run_, log_file=log, exit_on_end="ends" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
