"""Whether the two channels of a recording are two people, each on a line of their own, or one sound in stereo.

What tells them apart is when it is loud on each side, not the samples: of a voice in a room every microphone hears the
same words, louder or softer, sooner or later, mirrored or with other noise, while two ends of a telephone take turns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edgevoice.audio.decode import Frames
from edgevoice.audio.formats import Recording
from edgevoice.errors import AudioError

HEARD_S = 600.0
"""How much of a recording is listened to, from its start."""
ALIKE = 0.6
"""Channels whose levels correlate more than this say the same. Voices in stereo have 0.8 and more, two people who talk
at once 0.3 and less, and those who take turns less than nothing."""
_STEP_S = 0.02
_FLOOR_DB = -90.0
_SOUNDS_DB = 35.0
"""A side sounds where it is at most so much softer than where it is loud."""
_SILENT_DB = -60.0
"""Nobody is heard on a side that never gets louder."""
_STEADY_DB = 10.0
"""Nor on one that is never so much softer: hum and noise have no pauses."""


def two_sides(recording: Recording) -> bool:
    """Whether it has two channels, with somebody else on each."""
    if recording.channels != 2:
        return False
    levels = np.array(list(_levels(recording)), dtype=np.float32).reshape(-1, 2)
    return _differ(levels)


def _levels(recording: Recording) -> Iterator[npt.NDArray[np.float32]]:
    """Decibels of both channels, for every 20 ms; what comes before the place where a recording is damaged."""
    size = max(1, round(recording.sample_rate * _STEP_S))
    left, rest = int(recording.sample_rate * HEARD_S), np.zeros((0, 2), np.float32)
    try:
        for frames in recording.frames():
            rest = np.concatenate([rest, frames[:left]])
            count = len(rest) // size
            yield from _decibels(rest[: count * size].reshape(count, size, 2))
            rest, left = rest[count * size :], left - len(frames)
            if left <= 0:
                return
    except AudioError:  # it is said when the recording is transcribed
        return


def _decibels(steps: Frames) -> npt.NDArray[np.float32]:
    """[steps, samples, 2] -> [steps, 2]."""
    power = np.square(np.clip(np.nan_to_num(steps), -1, 1)).mean(axis=1)
    return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-12)), _FLOOR_DB), dtype=np.float32)


def _differ(levels: npt.NDArray[np.float32]) -> bool:
    if len(levels) < 2:
        return False
    loud, soft = np.percentile(levels, 98, axis=0), np.percentile(levels, 5, axis=0)
    if (loud < _SILENT_DB).any() or (loud - soft < _STEADY_DB).any():
        return False
    sounding = levels[(levels > loud - _SOUNDS_DB).any(axis=1)]
    # how much softer than loud makes no difference in a pause, which is as deep as the noise of the line lets it be
    sounding = np.maximum(sounding, loud - _SOUNDS_DB)
    spread = sounding.std(axis=0)
    if len(sounding) < 2 or (spread == 0).any():
        return False
    return float(np.corrcoef(sounding.T)[0, 1]) < ALIKE
