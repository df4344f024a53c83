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
AHEAD_S = 0.1
"""By how much what was played is given before its time. What a sound card delivers may be that much older than what it
says, and an echo that seems to come before its sound cannot be removed. The microphone is late by as much."""
SLACK_S = 0.08
"""How far the two may drift apart, on the average, before one jumps; a jump costs the canceller some words."""
_AVERAGED = 250
"""Pieces."""
_SMOOTHED = 0.8
"""Power of 10 ms that stays in the mean of the next."""
_NOTHING = 0.03
"""Share of the power the microphone heard that counts as nothing: 15 dB below."""


class Played:
    """What the loudspeakers play, for whoever has to remove it. Threads may share it.

    Args:
        clock: seconds, comparable with the times of arrival.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._samples = np.zeros(0, dtype=np.float32)
        self._end = 0
        """Position behind the newest sample."""
        self._arrived = -np.inf
        self._cursor = 0
        self._apart = _Average()
        self._over = False

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
        """The `count` samples that were played before a time, and `AHEAD_S` more, following on those of the last call;
        silence where nothing is known."""
        arrived += AHEAD_S
        with self._changed:
            # until a moment of its own: whoever is stuck does not hold the other side up more and more
            left = arrived + PATIENCE_S - self._clock()
            self._changed.wait_for(lambda: self._over or self._arrived >= arrived, max(0.0, left))
            if not self._end:
                return np.zeros(count, dtype=np.float32)
            due = self._end - (self._arrived - arrived) * SAMPLE_RATE - count
            # pieces come in bursts: only on the average do the times say where the two belong
            apart = self._apart.add(due - self._cursor)
            if abs(apart) > SLACK_S * SAMPLE_RATE:
                self._cursor += round(apart)
                self._apart = _Average()
            start = self._cursor
            self._cursor += count
            return self._between(start, start + count)

    def _between(self, start: int, end: int) -> Samples:
        first = self._end - len(self._samples)
        wanted = np.zeros(end - start, dtype=np.float32)
        low, high = max(start, first), min(end, self._end)
        if low < high:
            wanted[low - start : high - start] = self._samples[low - first : high - first]
        return wanted


class _Average:
    """Of all values at first, of the newest later on."""

    def __init__(self) -> None:
        self._count, self._mean = 0, 0.0

    def add(self, value: float) -> float:
        """With one value more."""
        self._count = min(self._count + 1, _AVERAGED)
        self._mean += (value - self._mean) / self._count
        return self._mean


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
    """WebRTC's echo canceller for pieces of any length. Where next to nothing is left of what the microphone heard,
    nothing is: a detector of speech finds the words of an echo 40 dB below it too."""

    def __init__(self) -> None:
        from pywebrtc_audio import EchoCanceller

        self._canceller = EchoCanceller(sample_rate=SAMPLE_RATE)
        self._near = self._far = np.zeros(0, dtype=np.float32)
        self._before = self._after = 0.0

    def process(self, near: Samples, far: Samples) -> Samples:
        """The whole frames of 10 ms of what the microphone heard [n], without what was played [n]."""
        self._near, self._far = np.concatenate([self._near, near]), np.concatenate([self._far, far])
        whole = len(self._near) // FRAME * FRAME
        frames = zip(self._near[:whole].reshape(-1, FRAME), self._far[:whole].reshape(-1, FRAME), strict=True)
        cleaned = [self._frame(near_frame, far_frame) for near_frame, far_frame in frames]
        self._near, self._far = self._near[whole:], self._far[whole:]
        return np.concatenate(cleaned) if cleaned else np.zeros(0, dtype=np.float32)

    def _frame(self, near: Samples, far: Samples) -> Samples:
        cleaned = self._canceller.process(near, far)
        self._before = _SMOOTHED * self._before + (1 - _SMOOTHED) * float(np.square(near).mean())
        self._after = _SMOOTHED * self._after + (1 - _SMOOTHED) * float(np.square(cleaned).mean())
        return np.zeros_like(cleaned) if self._after < _NOTHING * self._before else np.asarray(cleaned, np.float32)
