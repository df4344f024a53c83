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

    def ready_within(self, samples: int) -> int:
        """How many of them are complete in so many samples from the beginning of the stream."""
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
    """Log-mel frames, normalised by what was heard so far and stacked. They are made when they are looked at: many at a
    time cost a third of what they cost one by one."""

    def __init__(self, settings: FeatureSettings) -> None:
        self._settings = settings
        self._pieces: list[Array] = []
        self._heard = 0
        self._rest = np.zeros(0, dtype=np.float32)
        self._frames = np.zeros((0, settings.mel_bins), dtype=np.float32)
        self._mean = RunningMean(settings) if settings.normalise == "running" else None
        self._dropped = 0

    def feed(self, samples: Array) -> None:
        """Takes the next samples."""
        self._pieces.append(samples)
        self._heard += len(samples)

    @property
    def ready(self) -> int:
        """How many of the model's frames are complete."""
        return self.ready_within(self._heard)

    def ready_within(self, samples: int) -> int:
        """How many of them are complete in so many samples from the beginning of the stream."""
        mel_frames = max(0, (min(samples, self._heard) - WINDOW) // HOP + 1)
        return max(0, mel_frames // self._settings.stride - self._dropped)

    def look(self, frames: int) -> Array:
        """Stacked frames: [1, frames, mel_bins * stride]."""
        self._make_frames()
        return stack(self._frames[: frames * self._settings.stride], self._settings.stride)[None]

    def drop(self, frames: int) -> None:
        """Goes on to the frames behind these."""
        self._make_frames()
        self._frames = self._frames[frames * self._settings.stride :]
        self._dropped += frames

    def _make_frames(self) -> None:
        """Of all samples that are not in frames yet."""
        heard = np.concatenate([self._rest, *self._pieces])
        self._pieces.clear()
        count = max(0, (len(heard) - WINDOW) // HOP + 1)
        self._rest = heard[count * HOP :]
        if count:
            frames = log_mel(heard[: (count - 1) * HOP + WINDOW], self._settings.mel_bins)
            self._frames = np.concatenate([self._frames, self._mean(frames) if self._mean else frames])


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
        self._dropped = 0

    def feed(self, samples: Array) -> None:
        """Takes the next samples."""
        self._samples = np.concatenate([self._samples, self._level(samples) if self._level else samples])

    @property
    def ready(self) -> int:
        """How many of the model's frames are complete."""
        return self._frames_in(len(self._samples))

    def ready_within(self, samples: int) -> int:
        """How many of them are complete in so many samples from the beginning of the stream."""
        return min(self._frames_in(samples - self._dropped * self._step), self.ready)

    def look(self, frames: int) -> Array:
        """Samples: [1, (frames - 1) * step + reach]."""
        return self._samples[None, : (frames - 1) * self._step + self._reach]

    def drop(self, frames: int) -> None:
        """Goes on to the frames behind these."""
        self._samples = self._samples[frames * self._step :]
        self._dropped += frames

    def _frames_in(self, samples: int) -> int:
        return max(0, (samples - self._reach) // self._step + 1)
