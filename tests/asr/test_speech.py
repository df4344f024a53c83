"""Whether somebody speaks: real speech, and what only sounds like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevoice.asr.revision import LIKELY_SPEECH, SPEECH
from edgevoice.asr.speech import SpeechDetector
from training.decoded import load_audio

CLIPS = Path(__file__).parents[2] / "export" / "clips"
RATE = 16_000
TIME = np.arange(3 * RATE) / RATE


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return SpeechDetector()


def chord() -> np.ndarray:
    return sum(0.05 * np.sin(2 * np.pi * pitch * TIME) for pitch in (220, 277, 330, 440))


def clicks() -> np.ndarray:
    rng = np.random.default_rng(2)
    found = np.zeros(len(TIME))
    for at in rng.integers(0, len(TIME) - 400, 25):
        found[at : at + 400] += rng.normal(0, 0.2, 400) * np.exp(-np.arange(400) / 60)
    return found


NOISES = {
    "silence": np.zeros(len(TIME)),
    "nothing": np.zeros(0),
    "noise": np.random.default_rng(1).normal(0, 0.05, len(TIME)),
    "a dialling tone": 0.1 * np.sin(2 * np.pi * 350 * TIME) + 0.1 * np.sin(2 * np.pi * 440 * TIME),
    "a chord": chord(),
    "typing": clicks(),
}


@pytest.mark.parametrize("samples", NOISES.values(), ids=NOISES)
def test_nobody_speaks(detector: SpeechDetector, samples: np.ndarray) -> None:
    assert detector.speech(samples.astype(np.float32)) < SPEECH


def test_somebody_speaks(detector: SpeechDetector) -> None:
    files = sorted(CLIPS.glob("*.ogg"))
    assert len(files) > 5
    for file in files:
        samples = load_audio(file)
        if len(samples) < RATE:  # a digit on the telephone may be no more than a click
            continue
        assert detector.speech(samples) > LIKELY_SPEECH, file.name


def test_a_frame_s_probability_depends_on_what_was_heard_and_not_on_how_much(detector: SpeechDetector) -> None:
    samples = load_audio(min(CLIPS.glob("*.ogg")))
    whole = detector.probabilities(samples[: 512 * 20])
    assert len(whole) == 20
    np.testing.assert_allclose(detector.probabilities(samples[: 512 * 10]), whole[:10], atol=1e-5)
