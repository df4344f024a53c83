"""Two people on two channels, or one sound in stereo."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import soundfile

from edgevoice.audio import sides
from edgevoice.audio.decode import Frames
from edgevoice.errors import AudioError
from edgevoice.paths import sample_call

RATE = 16_000
SPEECH = soundfile.read(sample_call(), frames=24 * RATE, dtype="float32")[0]
TIME = np.arange(len(SPEECH)) / RATE
FIRST = (TIME // 3) % 2 == 0
OTHER = np.roll(SPEECH, len(SPEECH) // 2)


class Stereo:
    """A recording in memory that counts what is read, and breaks off where it is told."""

    sample_rate, channels, duration = RATE, 2, 24.0

    def __init__(self, left: np.ndarray, right: np.ndarray, breaks_at: float = np.inf) -> None:
        self._frames = np.stack([left, right], axis=1).astype(np.float32)
        self._breaks_at = breaks_at
        self.read = 0

    def frames(self):
        for start in itertools.count(0, RATE // 10):
            piece: Frames = self._frames[start : start + RATE // 10]
            if start >= self._breaks_at * RATE:
                raise AudioError("broken off")
            if not len(piece):
                return
            self.read += len(piece)
            yield piece


def noise(dbfs: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 10 ** (dbfs / 20), len(SPEECH))


def room(samples: np.ndarray, seed: int) -> np.ndarray:
    """With echoes of its own."""
    random = np.random.default_rng(seed)
    echoes = (random.normal(0, 0.2) * np.roll(samples, late) for late in random.integers(50, 3000, 20))
    return 0.5 * samples + sum(echoes)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (SPEECH * FIRST, SPEECH * ~FIRST),
        (SPEECH * FIRST + noise(-50, 1), SPEECH * ~FIRST + noise(-55, 2)),
        (SPEECH * FIRST + 0.1 * SPEECH * ~FIRST, SPEECH * ~FIRST + 0.03 * SPEECH * FIRST),
        (SPEECH, OTHER),
        (SPEECH, 0.05 * OTHER),
        (SPEECH * (TIME < 20), SPEECH * (TIME >= 20)),
    ],
    ids=["turns", "turns on noisy lines", "turns that leak", "at once", "one far softer", "one says little"],
)
def test_two_people(left: np.ndarray, right: np.ndarray) -> None:
    assert sides.two_sides(Stereo(left, right))
    assert sides.two_sides(Stereo(right, left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (SPEECH, SPEECH),
        (SPEECH, 0.2 * SPEECH),
        (SPEECH, -SPEECH),
        (SPEECH, np.roll(SPEECH, 64)),
        (SPEECH + noise(-50, 1), 0.5 * SPEECH + noise(-45, 2)),
        (room(SPEECH, 1), np.roll(room(SPEECH, 2), 300)),
        (SPEECH, 0 * SPEECH),
        (SPEECH, noise(-50, 1)),
        (SPEECH + noise(-70, 1), 0.01 * SPEECH + noise(-65, 2)),
        (SPEECH * 0, SPEECH * 0),
        (SPEECH[:1], SPEECH[:1]),
        (np.full(RATE, np.nan), np.full(RATE, np.inf)),
    ],
    ids="same softer mirrored later noisy room left hiss leak silent short poisoned".split(),
)
@pytest.mark.filterwarnings("error")
def test_one_sound_in_stereo(left: np.ndarray, right: np.ndarray) -> None:
    assert not sides.two_sides(Stereo(left, right))
    assert not sides.two_sides(Stereo(right, left))


def test_no_more_is_listened_to_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of long calls is not read twice."""
    monkeypatch.setattr(sides, "HEARD_S", 12.0)
    call = Stereo(SPEECH * FIRST, SPEECH * ~FIRST)
    assert sides.two_sides(call)
    assert call.read <= 12.1 * RATE


def test_a_damaged_recording_is_judged_by_what_can_be_read() -> None:
    assert sides.two_sides(Stereo(SPEECH * FIRST, SPEECH * ~FIRST, breaks_at=12))
    assert not sides.two_sides(Stereo(SPEECH, SPEECH, breaks_at=0))
