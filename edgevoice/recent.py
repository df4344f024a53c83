"""What the pipeline remembers of the newest audio: the last seconds of samples, and how loud they were."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

SILENCE_DBFS = -120.0


class Ring:
    """The newest samples of a stream, and its clock.

    Args:
        keep: samples to keep at least.
    """

    def __init__(self, keep: int) -> None:
        self.end = 0
        """Samples heard."""
        self._keep = keep
        self._pieces: deque[Array] = deque()
        self._length = 0

    def add(self, samples: Array) -> None:
        """Adds the next samples and forgets the oldest."""
        self._pieces.append(samples)
        self._length += len(samples)
        self.end += len(samples)
        while self._length - len(self._pieces[0]) >= self._keep:
            self._length -= len(self._pieces.popleft())

    def since(self, start: int) -> tuple[int, Array]:
        """The audio from sample `start` of the stream, or from the oldest sample kept, with the sample it begins at."""
        first = max(start, self.end - self._length)
        audio = np.concatenate([np.zeros(0, dtype=np.float32), *self._pieces])
        return first, audio[len(audio) - (self.end - first) :]


class Level:
    """Loudness of a stream, measured every so many samples."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._frames: list[Array] = []
        self._length = 0
        self._speech = 0.0

    def add(self, frame: Array, speech: float) -> tuple[float, float, float] | None:
        """Takes a frame and its probability of speech; gives, when a measurement is due, dBFS, peak (0 to 1) and the
        largest probability of speech since the last one.
        """
        self._frames.append(frame)
        self._length += len(frame)
        self._speech = max(self._speech, speech)
        if self._length < self._every:
            return None
        measured = np.concatenate(self._frames), self._speech
        self._frames, self._length, self._speech = [], 0, 0.0
        return dbfs(measured[0]), float(np.abs(measured[0]).max()), measured[1]


def dbfs(samples: Array) -> float:
    """Root mean square of samples in -1..1, in decibels of full scale; -120 for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS
