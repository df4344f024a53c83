"""Takes out of the microphone what the loudspeakers play, so that the other side of a call is not captioned twice.

The echo canceller is WebRTC's AEC3 (package pywebrtc-audio), which finds out by itself how late the echo comes. Both
sides run in threads of their own, so what the loudspeakers play is kept for as long as the microphone may need it, and
the two are brought together by the time at which they arrived.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from edgevoice.audio.pacing import Around
from edgevoice.audio.resample import Resampler
from edgevoice.audio.source import Block, Samples, Source
from edgevoice.config import SAMPLE_RATE

FRAME = SAMPLE_RATE // 100
"""Samples that the canceller takes at a time."""
KEPT_S = 5.0
"""How much of what the loudspeakers played is kept."""
PATIENCE_S = 0.3
"""How long the microphone waits for the other side, which may be busy captioning."""
SLACK_S = 0.06
"""How far the two may drift apart before one jumps; a jump costs the canceller some words."""


class Played:
    """What the loudspeakers play, for whoever has to remove it. Threads may share it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._samples = np.zeros(0, dtype=np.float32)
        self._end = 0
        """Position behind the newest sample."""
        self._arrived = -np.inf
        self._cursor: int | None = None
        self._over = False
        self._patient = True

    def add(self, samples: Samples, arrived: float) -> None:
        """Takes what was played until `arrived` (16 kHz)."""
        with self._changed:
            self._samples = np.concatenate([self._samples, samples])[-round(KEPT_S * SAMPLE_RATE) :]
            self._end += len(samples)
            self._arrived = arrived
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more is played; nobody has to wait for it."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def until(self, arrived: float, count: int) -> Samples:
        """The `count` samples that were played before a time, following on those of the last call; silence where
        nothing is known."""
        with self._changed:
            # once: whoever is stuck must not hold the other side up with every block
            self._patient = self._changed.wait_for(
                lambda: self._over or self._arrived >= arrived, PATIENCE_S if self._patient else 0
            )
            due = self._end - round((self._arrived - arrived) * SAMPLE_RATE) if self._end else 0
            start = due - count
            if self._cursor is not None and abs(self._cursor - start) <= SLACK_S * SAMPLE_RATE:
                start = self._cursor
            self._cursor = start + count
            return self._between(start, start + count)

    def _between(self, start: int, end: int) -> Samples:
        first = self._end - len(self._samples)
        wanted = np.zeros(end - start, dtype=np.float32)
        low, high = max(start, first), min(end, self._end)
        if low < high:
            wanted[low - start : high - start] = self._samples[low - first : high - first]
        return wanted


class HeardSource(Around):
    """What the loudspeakers play, written down in `played` as it goes by."""

    def __init__(self, source: Source, played: Played, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(source)
        self._played, self._clock = played, clock

    def blocks(self) -> Iterator[Block]:
        """The blocks of the inner source."""
        resampler = Resampler(self._source.sample_rate)
        try:
            for block in self._source.blocks():
                self._played.add(resampler.process(block.samples), block.arrived or self._clock())
                yield block
        finally:
            self._played.end()

    def close(self) -> None:
        """Ends `blocks` soon."""
        self._source.close()


class EchoFreeSource(Around):
    """A microphone without what the loudspeakers play, at 16 kHz."""

    def __init__(self, source: Source, played: Played, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(source)
        self._played, self._clock = played, clock

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return SAMPLE_RATE

    def blocks(self) -> Iterator[Block]:
        """The blocks of the inner source, cleaned, up to 10 ms later."""
        resampler, canceller = Resampler(self._source.sample_rate), Canceller()
        for block in self._source.blocks():
            arrived = block.arrived or self._clock()
            near = resampler.process(block.samples)
            samples = canceller.process(near, self._played.until(arrived, len(near)))
            yield dataclasses.replace(block, samples=samples)

    def close(self) -> None:
        """Ends `blocks` soon."""
        self._source.close()


class Canceller:
    """WebRTC's echo canceller for pieces of any length."""

    def __init__(self) -> None:
        from pywebrtc_audio import EchoCanceller

        self._canceller = EchoCanceller(sample_rate=SAMPLE_RATE)
        self._near = self._far = np.zeros(0, dtype=np.float32)

    def process(self, near: Samples, far: Samples) -> Samples:
        """The whole frames of 10 ms of what the microphone heard [n], without what was played [n]."""
        self._near, self._far = np.concatenate([self._near, near]), np.concatenate([self._far, far])
        whole = len(self._near) // FRAME * FRAME
        frames = zip(self._near[:whole].reshape(-1, FRAME), self._far[:whole].reshape(-1, FRAME), strict=True)
        cleaned = [self._canceller.process(near_frame, far_frame) for near_frame, far_frame in frames]
        self._near, self._far = self._near[whole:], self._far[whole:]
        return np.concatenate(cleaned) if cleaned else np.zeros(0, dtype=np.float32)
