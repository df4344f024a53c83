"""Real time without waiting: a clock that leaps over the waits and runs through the work.

Audio block k of 20 ms arrives at (k + 1) * 0.02 s. While the engine works, the clock goes as fast as that of the
machine; when the engine asks for a block that has not arrived yet, the clock leaps to its arrival; a block that arrived
long ago comes at once. So what an event's time says is the same as with a microphone: when its audio arrived, plus what
it waited for work on earlier audio, plus the work itself; an engine that is slower than real time falls ever further
behind and its latencies say so. Only the waits are left out, and with them whatever an idle machine does: `paced` keeps
them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from edgevoice.audio.source import Block
from edgevoice.config import SAMPLE_RATE

BLOCK = SAMPLE_RATE // 50
"""Samples."""


class LeapingClock:
    """Seconds since it was made, waits left out.

    Args:
        paced: whether to wait in earnest.
        clock: of the machine, seconds.
    """

    def __init__(self, *, paced: bool = False, clock: Callable[[], float] = time.perf_counter) -> None:
        self._paced, self._clock = paced, clock
        self._ahead = -clock()

    def __call__(self) -> float:
        """Now."""
        return self._clock() + self._ahead

    def wait_until(self, moment: float) -> None:
        """Goes on at that moment, or at once if it is past."""
        left = moment - self()
        if left <= 0:
            return
        if self._paced:
            time.sleep(left)
        else:
            self._ahead += left


class ArrivingSource:
    """Audio that arrives in real time on a clock; a `Source`.

    Args:
        samples: mono float32 at 16 kHz.
        clock: on which it arrives.
        name: what to show a person.
    """

    channel = "mic"
    sample_rate = SAMPLE_RATE

    def __init__(self, samples: npt.NDArray[np.float32], clock: LeapingClock, name: str = "audio") -> None:
        self.name = name
        self.heard = 0.0
        """Seconds that were handed out, which is also when the last of them arrived."""
        self._samples, self._clock = samples, clock
        self._closed = False

    def blocks(self) -> Iterator[Block]:
        """Blocks of 20 ms."""
        for start in range(0, len(self._samples), BLOCK):
            block = self._samples[start : start + BLOCK]
            arrival = (start + len(block)) / SAMPLE_RATE
            self._clock.wait_until(arrival)
            if self._closed:
                return
            self.heard = arrival
            yield Block(block, arrived=arrival)

    def close(self) -> None:
        """Ends `blocks`."""
        self._closed = True
