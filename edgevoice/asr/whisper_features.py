"""Whisper's log-mel spectrogram in numpy, as `WhisperFeatureExtractor` of Transformers computes it; a test compares the
two. Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022), whisper/audio.py.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

WINDOW = 400
"""Samples under one mel frame (25 ms)."""
HOP = 160
"""Samples from one mel frame to the next (10 ms)."""
_FLOOR = 1e-10
_RANGE = 8.0


def whisper_log_mel(samples: Array, bins: int, length: int) -> Array:
    """Log-mel energies [bins, length / 160] of samples in -1..1, filled up with silence to `length` samples.

    The largest value of the whole clip decides what counts as nothing: eight powers of ten below it.
    """
    padded = np.zeros(length, dtype=np.float64)
    padded[: len(samples)] = samples[:length]
    centred = np.pad(padded, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(centred, WINDOW)[::HOP][: length // HOP]
    # what is silent all through has no spectrum to compute
    heard = min(len(frames), -(-(len(samples) + WINDOW) // HOP))
    power = np.zeros((len(frames), WINDOW // 2 + 1))
    power[:heard] = np.abs(np.fft.rfft(frames[:heard] * _hann(), axis=1)) ** 2
    logs = np.log10(np.maximum(power @ _slaney_filters(bins), _FLOOR))
    return np.asarray((np.maximum(logs, logs.max() - _RANGE) + 4.0) / 4.0, dtype=np.float32).T


@lru_cache(maxsize=1)
def _hann() -> npt.NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW))


@lru_cache(maxsize=4)
def _slaney_filters(bins: int) -> npt.NDArray[np.float64]:
    """Triangles of equal area on Slaney's mel scale, linear below 1 kHz, from 0 to 8 kHz: [201, bins]."""
    edges = _slaney_hertz(np.linspace(0, _slaney_mel(8000.0), bins + 2))
    points = np.linspace(0, 8000.0, WINDOW // 2 + 1)[:, None]
    rising = (points - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - points) / np.diff(edges)[1:]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (edges[2:] - edges[:-2]))


def _slaney_mel(hertz: float) -> float:
    return float(hertz * 3 / 200 if hertz < 1000 else 15 + np.log(hertz / 1000) * 27 / np.log(6.4))


def _slaney_hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) * (mels - 15) / 27))
