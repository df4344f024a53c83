"""Recordings with somebody speaking, and the model that understands them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.paths import bundled_model, sample_call
from tests.tiny import Samples, silence, speak, tiny_bundle

_LONGEST_S = 15.0
_PAUSE_PEAK = 0.01


@dataclass(frozen=True)
class Talk:
    """A recording and the bundle to caption it with."""

    recording: Path
    """16 kHz mono 16-bit WAV. It begins and ends with digital silence."""
    model: Path
    spare: float
    """The share of letters that may differ when the recording is moved by less than a frame."""
    doubt: float
    """An intent with a score below this may be another one then."""

    @property
    def samples(self) -> np.ndarray:
        """[samples], 16-bit."""
        return soundfile.read(self.recording, dtype="int16")[0]


def tiny_talk(folder: Path) -> Talk:
    """Tones as words, for the tiny model. No two intents are ever equally likely, or chance would decide."""
    parts = [silence(0.3), speak("one one one"), silence(0.9), speak("two two four two"), silence(0.7)]
    parts += [speak("three"), silence(0.3)]
    model = tiny_bundle(folder / "tiny").path
    return Talk(_write(folder / "tones.wav", np.concatenate(parts)), model, spare=0, doubt=0)


def bundled_talk(folder: Path) -> Talk:
    """The beginning of the sample call, for the model it comes with."""
    samples, rate = soundfile.read(sample_call(), dtype="float32")
    assert rate == SAMPLE_RATE
    recording = _write(folder / "call.wav", _to_a_pause(samples[: round(_LONGEST_S * rate)]))
    # the model is not trained on natural voices yet, and unsure of their words; those of tones are compared exactly
    return Talk(recording, bundled_model(), spare=0.3, doubt=0.99)


def _to_a_pause(samples: Samples) -> Samples:
    """Up to the last half second of near silence: what half a sentence wants would be a matter of chance."""
    half = SAMPLE_RATE // 2
    ends = range(len(samples), half, -SAMPLE_RATE // 50)
    return next(samples[:end] for end in ends if np.abs(samples[end - half : end]).max() < _PAUSE_PEAK)


def _write(file: Path, samples: Samples) -> Path:
    """With a second of digital silence before it, and after it more than it takes to end the last segment."""
    still = np.zeros(SAMPLE_RATE, dtype=np.float32)
    soundfile.write(file, np.concatenate([still, samples, still]), SAMPLE_RATE, subtype="PCM_16")
    return file
