"""Plays saved events in their own time: a run like any other, of which nobody has to speak again."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from edgevoice.errors import EdgeVoiceError
from edgevoice.events import Event, Failed
from edgevoice.saved_events import Unread

SENTENCES = 5
"""Damaged lines that are told one by one; those after them are counted."""
_REMEDY = "The line is left out"


class Replay:
    """A run that yields saved events when they are due, by their `at`.

    Args:
        events: as `edgevoice.saved_events.read_events` gives them.
        name: of the file, as it is shown.
        fast: without waiting.
        clock: seconds, monotonic.

    Raises:
        EdgeVoiceError: (from `run`) there is no event at all.
    """

    def __init__(
        self, events: Iterable[Event | Unread], name: str, *, fast: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._events, self._name, self._fast, self._clock = events, name, fast, clock
        self._changed = threading.Condition()
        self._stopped = False
        self._origin = math.nan
        self._paused_at: float | None = None

    def run(self) -> Iterator[Event]:
        """The events, and a `Failed` for what could not be read."""
        trouble = _Trouble(self._name)
        last: Event | None = None
        for item in self._events:
            if isinstance(item, Unread):
                trouble.add(item)
            else:
                if not self._wait_for(item.at):
                    return
                last = item
                yield item
            if last:  # what is said belongs to a channel that is known
                yield from trouble.news(last)
        if last is None:
            raise EdgeVoiceError(f"'{self._name}' holds no events", "Replay a file that --save or --json wrote")
        yield from trouble.rest(last)

    def stop(self) -> None:
        """Ends it soon, from any thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def pause(self) -> None:
        """Stops the clock."""
        with self._changed:
            if self._paused_at is None:
                self._paused_at = self._clock()

    def resume(self) -> None:
        """Lets it run on."""
        with self._changed:
            if self._paused_at is not None:
                self._origin += self._clock() - self._paused_at
                self._paused_at = None
                self._changed.notify_all()

    def _wait_for(self, at: float) -> bool:
        """Waits until an event is due; False if the run was stopped instead."""
        with self._changed:
            if math.isnan(self._origin):
                # a part of a session begins with its first event
                self._origin = self._clock() - (at if math.isfinite(at) else 0.0)
            while not self._stopped:
                if self._paused_at is not None:
                    self._changed.wait()
                    continue
                remaining = self._origin + at - self._clock()
                if self._fast or not math.isfinite(at) or remaining <= 0:
                    return True
                self._changed.wait(min(remaining, 3600.0))
            return False


class _Trouble:
    """Lines that could not be read, told in a sentence each; a name that is not known once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[Unread] = []
        self._names: set[str] = set()
        self._damaged = 0

    def add(self, unread: Unread) -> None:
        """Takes one in."""
        if unread.unknown:
            if unread.unknown in self._names:
                return
            self._names.add(unread.unknown)
        else:
            self._damaged += 1
        if unread.unknown or self._damaged <= SENTENCES:
            self._waiting.append(unread)

    def news(self, last: Event) -> Iterator[Event]:
        """What there is to say, at the place of the last event."""
        for unread in self._waiting:
            yield self._failed(f"Line {unread.line} of '{self._name}' {unread.why}", last)
        self._waiting = []

    def rest(self, last: Event) -> Iterator[Event]:
        """What was only counted."""
        more = self._damaged - SENTENCES
        if more > 0:
            yield self._failed(f"{more} more lines of '{self._name}' are damaged", last)

    @staticmethod
    def _failed(what: str, last: Event) -> Failed:
        return Failed(channel=last.channel, at=last.at, what=what, recoverable=True, remedy=_REMEDY)
