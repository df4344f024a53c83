"""Sources around other sources: one plays a file as if it were live, one can be paused."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterator

from edgevoice.audio.source import Block, Source


class Around:
    """What sources around another one have of it."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._source.name

    @property
    def channel(self) -> str:
        """See `Source.channel`."""
        return self._source.channel

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return self._source.sample_rate


class PacedSource(Around):
    """Another source in real time: each block comes when a microphone would have delivered it.

    Due times follow from the count of samples, so that they never drift; a reader who is late gets the overdue
    blocks at once, with `arrived` telling when they were due.

    Args:
        source: what to play.
        clock: seconds, monotonic.
        sleep: waits that many seconds; the default ends early when the source is closed or paused.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__(source)
        self._clock = clock
        self._changed = threading.Condition()
        self._sleep = sleep
        self._closed = False
        self._origin = 0.0
        self._paused_at: float | None = None

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return self._paused_at is not None

    def pause(self) -> None:
        """Stops the clock: what was due in a second will be due a second after `resume`."""
        with self._changed:
            if self._paused_at is None:
                self._paused_at = self._clock()
                self._changed.notify_all()

    def resume(self) -> None:
        """Lets the clock run on."""
        with self._changed:
            if self._paused_at is not None:
                self._origin += self._clock() - self._paused_at
                self._paused_at = None
                self._changed.notify_all()

    def blocks(self) -> Iterator[Block]:
        """The blocks of the inner source, each when it is due."""
        rate = self._source.sample_rate
        with self._changed:
            self._origin = self._clock()
            if self._paused_at is not None:
                self._paused_at = self._origin
        played = 0
        for block in self._source.blocks():
            played += len(block.samples)
            if not self._wait_for(played / rate):
                return
            yield dataclasses.replace(block, arrived=self._origin + played / rate)

    def close(self) -> None:
        """Ends `blocks` at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._source.close()

    def _wait_for(self, position: float) -> bool:
        """Waits until `position` seconds were played; False if the source was closed instead."""
        with self._changed:
            while not self._closed:
                if self._paused_at is not None:
                    self._changed.wait()
                    continue
                remaining = self._origin + position - self._clock()
                if remaining <= 0:
                    return True
                self._rest(remaining)
            return False

    def _rest(self, seconds: float) -> None:
        """Sleeps without the lock."""
        if self._sleep is None:
            self._changed.wait(seconds)
            return
        self._changed.release()
        try:
            self._sleep(seconds)
        finally:
            self._changed.acquire()


class PausableSource(Around):
    """Another source with a pause button that any thread may press.

    Args:
        source: what to read. To pause a paced file, put the `PacedSource` inside: its clock then stands still too.
        live: True for a microphone or a pipe, which goes on meanwhile: what arrives in the pause is read and thrown
            away, on purpose, so it does not count as lost; an empty block marks the place. What arrived before is let
            through, however late it is read. False for a file, which waits.
        clock: seconds, comparable with `Block.arrived`.
    """

    def __init__(self, source: Source, *, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(source)
        self._live = live
        self._clock = clock
        self._running = threading.Event()
        self._running.set()
        self._closed = False
        self._pressing = threading.Lock()
        self._pauses: list[tuple[float, float]] = []
        """When each pause began and ended; infinity for one that lasts."""

    @property
    def paused(self) -> bool:
        """Whether no audio is let through."""
        return not self._running.is_set()

    def pause(self) -> None:
        """Lets no more audio through."""
        with self._pressing:
            if self._closed or self.paused:
                return  # a reader must not wait for a `resume` that never comes
            if isinstance(self._source, PacedSource) and not self._live:
                self._source.pause()
            self._pauses.append((self._clock(), math.inf))
            self._running.clear()

    def resume(self) -> None:
        """Lets audio through again."""
        with self._pressing:
            if not self.paused:
                return
            if isinstance(self._source, PacedSource) and not self._live:
                self._source.resume()
            self._pauses[-1] = self._pauses[-1][0], self._clock()
            self._running.set()

    def blocks(self) -> Iterator[Block]:
        """The blocks of the inner source, except for those of a pause."""
        marked = False
        for block in self._source.blocks():
            if not self._live:
                self._running.wait()
                if self._closed:
                    return
            elif self._in_pause(block.arrived or self._clock()):
                if not marked:
                    yield dataclasses.replace(block, samples=block.samples[:0], lost=0.0, pause=True)
                marked = True
                continue
            marked = False
            yield block

    def close(self) -> None:
        """Ends `blocks`, also while paused; what a live source still has of the pause stays unheard."""
        with self._pressing:
            self._closed = True
            self._source.close()
            if not self._live:
                self._running.set()

    def _in_pause(self, arrived: float) -> bool:
        with self._pressing:
            self._pauses = [pause for pause in self._pauses if pause[1] >= arrived]  # blocks come in order
            return any(begin <= arrived for begin, _ in self._pauses)
