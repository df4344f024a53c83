"""The devices to choose from, as the screen sees them, and the thread that listens to the one under the cursor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgevoice.errors import EdgeVoiceError
from edgevoice.tui.levels import LevelTracker, LevelView
from edgevoice.tui.views import LABEL_LENGTH, finite, short

SETTLED_S = 0.25
"""The cursor rests so long on a device before it is opened: whoever goes down a list does not open them all."""


class Offer(Protocol):
    """A device that a stream could take its sound from."""

    @property
    def handle(self) -> str:
        """Names it to its `Input`."""
        ...

    @property
    def name(self) -> str:
        """As its user calls it."""
        ...

    @property
    def is_default(self) -> bool:
        """Whether it is the system's."""
        ...

    @property
    def in_use(self) -> bool:
        """Whether the stream listens to it."""
        ...


class Listening(Protocol):
    """Somebody who looks how loud a device is."""

    def levels(self) -> Iterator[tuple[float, float]]:
        """Decibels of full scale and peak, ten times a second, until `close`."""
        ...

    def close(self) -> None:
        """Ends `levels`, from any thread."""
        ...


class Input(Protocol):
    """The device behind one stream. What it does may take its time, so that the screen asks from a thread."""

    channel: str

    def offers(self) -> Sequence[Offer]:
        """The devices it could take its sound from, as they are plugged in now."""
        ...

    def choose(self, handle: str) -> None:
        """Goes on with another device."""
        ...

    def listen(self, handle: str) -> Listening:
        """Looks how loud a device is."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device on the sheet."""

    place: tuple[int, str]
    """Number of its input, and its handle there."""
    name: str
    is_default: bool
    in_use: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """What one input can be changed to, or why that is not known."""

    channel: str
    rows: tuple[DeviceRow, ...] = ()
    error: str = ""


def offered(inputs: Sequence[Input]) -> list[Offered]:
    """What each input can be changed to; takes its time."""
    found = []
    for number, each in enumerate(inputs):
        try:
            rows = tuple(
                DeviceRow((number, offer.handle), short(offer.name, LABEL_LENGTH), offer.is_default, offer.in_use)
                for offer in each.offers()
            )
            found.append(Offered(each.channel, rows, "" if rows else "There is none."))
        except EdgeVoiceError as error:
            found.append(Offered(each.channel, error=str(error)))
    return found


@dataclass(frozen=True, slots=True)
class Heard:
    """How loud the device under the cursor is, or why that is not known."""

    place: tuple[int, str]
    level: LevelView
    error: str = ""


class Probe:
    """Listens to one device at a time, in a thread.

    Args:
        inputs: whose devices they are.
        tell: takes what was heard, from that thread.
        spawn: starts a thread.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        tell: Callable[[Heard], object],
        spawn: Callable[[Callable[[], None], str], object],
    ) -> None:
        self._inputs, self._tell, self._spawn = inputs, tell, spawn
        self._left = threading.Event()

    def listen(self, place: tuple[int, str]) -> None:
        """Listens to this device from now on, and to no other."""
        self.leave()
        left = self._left = threading.Event()
        self._spawn(lambda: self._run(place, left), "edgevoice-level")

    def leave(self) -> None:
        """Listens to nothing."""
        self._left.set()

    def _run(self, place: tuple[int, str], left: threading.Event) -> None:
        if left.wait(SETTLED_S):
            return
        number, handle = place
        tracker = LevelTracker("")
        try:
            listening = self._inputs[number].listen(handle)
            try:
                for count, (dbfs, peak) in enumerate(listening.levels()):
                    if left.is_set():
                        return
                    tracker.measure(count / 10, finite(dbfs, -120.0), peak)
                    self._tell(Heard(place, tracker.view))
            finally:
                listening.close()
        except EdgeVoiceError as error:
            if not left.is_set():
                self._tell(Heard(place, LevelView(), str(error)))
