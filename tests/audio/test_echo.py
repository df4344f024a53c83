"""What the loudspeakers play is taken out of the microphone, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from edgevoice.audio.echo import AHEAD_S, PATIENCE_S, SLACK_S, Canceller, EchoFreeSource, HeardSource, Played
from edgevoice.audio.source import Block
from edgevoice.config import SAMPLE_RATE
from edgevoice.paths import sample_call
from export.parity import CLIPS
from training.manifest import read_manifest


def loudness(samples: np.ndarray) -> float:
    """Decibels of full scale."""
    return float(10 * np.log10(np.mean(np.square(samples)) + 1e-12))


@pytest.fixture(scope="module")
def far() -> np.ndarray:
    samples, _ = soundfile.read(sample_call(), dtype="float32")
    return samples[: 12 * SAMPLE_RATE]


def echo_of(far: np.ndarray, delay_s: float) -> np.ndarray:
    """In a room of some size, later, and half as loud."""
    rng = np.random.default_rng(0)
    room = np.concatenate([[0.5], rng.normal(0, 0.05, 1500) * np.exp(-np.arange(1500) / 400)])
    late = np.concatenate([np.zeros(round(delay_s * SAMPLE_RATE)), np.convolve(far, room)])
    return late[: len(far)].astype(np.float32)


@pytest.mark.parametrize("delay_s", [0.03, 0.3])
@pytest.mark.parametrize("piece", [320, 777])
def test_an_echo_is_removed_however_late_it_comes(far: np.ndarray, delay_s: float, piece: int) -> None:
    near, canceller = echo_of(far, delay_s), Canceller()
    cleaned = np.concatenate(
        [canceller.process(near[at : at + piece], far[at : at + piece]) for at in range(0, len(far), piece)]
    )
    assert len(far) - len(cleaned) < 160
    half = len(cleaned) // 2
    assert loudness(cleaned[half:]) < loudness(near[half : len(cleaned)]) - 20


def test_who_speaks_alone_is_heard(far: np.ndarray) -> None:
    clip = max(read_manifest(CLIPS), key=lambda clip: clip.duration_s)
    near, _ = soundfile.read(clip.path, dtype="float32")
    cleaned = Canceller().process(near, np.zeros(len(near), np.float32))
    assert abs(loudness(cleaned) - loudness(near)) < 1


class Line:
    """A source with these samples, the first of which arrived at a time."""

    name = "line"

    def __init__(self, samples: np.ndarray, channel: str, began: float) -> None:
        self.channel, self.sample_rate = channel, SAMPLE_RATE
        self._samples, self._began = samples, began

    def blocks(self) -> Iterator[Block]:
        for at in range(0, len(self._samples), 320):
            piece = self._samples[at : at + 320]
            yield Block(piece, arrived=self._began + (at + len(piece)) / SAMPLE_RATE)

    def close(self) -> None: ...


def test_two_streams_that_began_at_different_times(far: np.ndarray) -> None:
    """Times of arrival bring them together."""
    near = echo_of(far, 0.1)[8000:]
    played = Played()
    you = EchoFreeSource(Line(near, "mic", 50.5), played)
    them = HeardSource(Line(far, "call", 50.0), played).blocks()
    cleaned, heard = [], 0.0
    for block in you.blocks():
        cleaned.append(block.samples)
        while heard < block.arrived + 0.3 and (other := next(them, None)):  # in real time, the one hears with the other
            heard = other.arrived
    result = np.concatenate(cleaned)
    half = len(result) // 2
    assert loudness(result[half:]) < loudness(near[half:]) - 20


def test_what_was_played_is_found_by_its_time() -> None:
    """Up to a jitter of some milliseconds, in which it simply goes on."""
    played, samples = Played(), np.arange(1, 16_001, dtype=np.float32)
    played.add(samples, 10.0)
    np.testing.assert_array_equal(played.until(9.5 - AHEAD_S, 160), samples[7840:8000])
    np.testing.assert_array_equal(played.until(9.51 + 0.03 - AHEAD_S, 160), samples[8000:8160])
    np.testing.assert_array_equal(played.until(9.52 - 0.03 - AHEAD_S, 160), samples[8160:8320])
    for later in range(10):  # a difference that lasts is made up for
        piece = played.until(9.7 + later / 100 - AHEAD_S, 160)
    assert piece[-1] == pytest.approx((9.79 - 9.0) * SAMPLE_RATE, abs=SLACK_S * SAMPLE_RATE)
    played.end()
    assert (played.until(30.0, 160) == 0).all()


def test_a_side_that_is_stuck_costs_the_other_a_constant_delay() -> None:
    played, began = Played(), time.monotonic()
    for number in range(10):
        played.until(began + number / 100, 160)
    assert time.monotonic() - began < 0.09 + AHEAD_S + PATIENCE_S + 0.3
