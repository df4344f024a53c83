"""A graph's input as the audio comes: piece by piece the same numbers as `edgevoice.asr.features` gives for the whole.

Each kind of input has a stream of its own. `feed` takes samples, `ready` says how many of the model's frames are
complete, `look` gives the input for so many of them, and `drop` leaves them behind.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import FeatureSettings, Graph
from edgevoice.asr.features import HOP, WINDOW, RunningLevel, RunningMean, log_mel, stack

Array = npt.NDArray[np.float32]


class FeatureStream(Protocol):
    """The input of a model that hears in chunks."""

    def feed(self, samples: Array) -> None:
        """Takes the next samples (16 kHz, mono, -1..1)."""
        ...

    @property
    def ready(self) -> int:
        """How many of the model's frames are complete."""
        ...

    def look(self, frames: int) -> Array:
        """The graph's input for the next frames, of which so many must be ready: [1, ...]."""
        ...

    def drop(self, frames: int) -> None:
        """Goes on to the frames behind these."""
        ...


def feature_stream(graph: Graph) -> FeatureStream:
    """A stream that begins with silence before it and nothing known."""
    if graph.features.kind == "log_mel":
        return MelStream(graph.features)
    # the minimum is two frames
    return WaveStream(graph.features, graph.frame_samples, graph.minimum_samples - graph.frame_samples)


class MelStream:
    """Log-mel frames, normalised by what was heard so far and stacked."""

    def __init__(self, settings: FeatureSettings) -> None:
        self._settings = settings
        self._samples = np.zeros(0, dtype=np.float32)
        self._frames = np.zeros((0, settings.mel_bins), dtype=np.float32)
        self._mean = RunningMean(settings) if settings.normalise == "running" else None

    def feed(self, samples: Array) -> None:
        """Takes the next samples."""
        heard = np.concatenate([self._samples, samples])
        count = max(0, (len(heard) - WINDOW) // HOP + 1)
        self._samples = heard[count * HOP :]
        if count:
            frames = log_mel(heard[: (count - 1) * HOP + WINDOW], self._settings.mel_bins)
            self._frames = np.concatenate([self._frames, self._mean(frames) if self._mean else frames])

    @property
    def ready(self) -> int:
        """How many of the model's frames are complete."""
        return len(self._frames) // self._settings.stride

    def look(self, frames: int) -> Array:
        """Stacked frames: [1, frames, mel_bins * stride]."""
        return stack(self._frames[: frames * self._settings.stride], self._settings.stride)[None]

    def drop(self, frames: int) -> None:
        """Goes on to the frames behind these."""
        self._frames = self._frames[frames * self._settings.stride :]


class WaveStream:
    """Samples as they are, or normalised by those before. A frame of the model hears a little more than its own, which
    comes again with the next.

    Args:
        settings: normalised "none" or "running"; over the whole recording it cannot be done as it comes.
        step: samples from one frame of the model to the next.
        reach: samples that one frame hears.
    """

    def __init__(self, settings: FeatureSettings, step: int, reach: int) -> None:
        self._step, self._reach = step, reach
        self._level = RunningLevel(settings) if settings.normalise == "running" else None
        self._samples = np.zeros(0, dtype=np.float32)

    def feed(self, samples: Array) -> None:
        """Takes the next samples."""
        self._samples = np.concatenate([self._samples, self._level(samples) if self._level else samples])

    @property
    def ready(self) -> int:
        """How many of the model's frames are complete."""
        return max(0, (len(self._samples) - self._reach) // self._step + 1)

    def look(self, frames: int) -> Array:
        """Samples: [1, (frames - 1) * step + reach]."""
        return self._samples[None, : (frames - 1) * self._step + self._reach]

    def drop(self, frames: int) -> None:
        """Goes on to the frames behind these."""
        self._samples = self._samples[frames * self._step :]
