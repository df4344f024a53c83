"""From 16 kHz samples to the input of a graph, in numpy alone. Training and export import this very module, so the
features a model was trained on and the features it is served cannot differ.

`log_mel` is Kaldi's filter bank (25 ms Povey windows every 10 ms, no padding) with the settings of Transformers'
`SeamlessM4TFeatureExtractor`, which Wav2Vec2-BERT uses; a test compares the two.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.asr.extractor import extract

Array = npt.NDArray[np.float32]

WINDOW = 400
"""Samples under one mel frame (25 ms)."""
HOP = 160
"""Samples from one mel frame to the next (10 ms)."""
_FFT = 512
_PREEMPHASIS = np.float32(0.97)
_FLOOR = np.float32(1.192092955078125e-07)
_EPSILON = 1e-7
BLOCK = 320
"""Samples (20 ms) that a running normalisation of waveforms treats alike."""


def model_input(samples: Array, settings: FeatureSettings) -> Array:
    """The graph input for mono samples in -1..1: [1, samples], [1, frames, mel_bins * stride], or what an extractor
    makes of them.

    Raises:
        MissingExtractorError: it takes an extractor of Transformers, which is not installed.
    """
    if settings.kind == "extractor":
        return extract(samples, settings.extractor)
    if settings.kind == "waveform":
        return _waveform(samples, settings)[None, :]
    frames = log_mel(samples, settings.mel_bins)
    if settings.normalise == "running":
        frames = running_normalise(frames, settings)
    elif settings.normalise == "utterance":
        frames = utterance_normalise_bins(frames)
    return stack(frames, settings.stride)[None, :, :]


def _waveform(samples: Array, settings: FeatureSettings) -> Array:
    if settings.normalise == "running":
        return RunningLevel(settings)(samples)
    return utterance_normalise(samples) if settings.normalise == "utterance" else samples


def utterance_normalise(samples: Array) -> Array:
    """Zero mean and unit variance over the whole input, as `Wav2Vec2FeatureExtractor(do_normalize=True)`."""
    return np.asarray((samples - samples.mean()) / np.sqrt(samples.var() + _EPSILON), dtype=np.float32)


def utterance_normalise_bins(frames: Array) -> Array:
    """Zero mean and unit variance of each mel bin over the whole input, as `SeamlessM4TFeatureExtractor`."""
    variance = frames.var(axis=0, ddof=1)
    return np.asarray((frames - frames.mean(axis=0)) / np.sqrt(variance + _EPSILON), dtype=np.float32)


class RunningMean:
    """Subtracts from each frame the mean of all frames so far, where the training data's mean counts as
    `prior_frames` frames heard before, and divides by the training data's deviation.

    Causal: frame t depends on frames 0..t only, so it can be computed live; with the prior it needs no look-ahead and
    no warm-up. Microphones differ by a constant in the log domain, and this removes it.

    Args:
        settings: with `mean` and `std` of `mel_bins` values each.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self._std = np.asarray(settings.std)
        self._count = settings.prior_frames
        self._sum = np.asarray(settings.mean, dtype=np.float64) * self._count

    def __call__(self, frames: Array) -> Array:
        """The next frames, normalised: [frames, mel_bins]."""
        count = self._count + np.arange(1, len(frames) + 1, dtype=np.float64)
        sums = self._sum + np.cumsum(frames, axis=0, dtype=np.float64)
        self._count += len(frames)
        self._sum = sums[-1] if len(frames) else self._sum
        return np.asarray((frames - sums / count[:, None]) / self._std, dtype=np.float32)


class RunningLevel:
    """Subtracts from each sample the mean of all samples before its block of `BLOCK`, and divides by their deviation,
    where those of the training data count as `prior_frames` blocks heard before.

    What `utterance_normalise` does, as far as it can be done live: a block depends on those before it only, so that a
    sample can be heard as soon as it comes, and however the samples come. The prior keeps the first sound after silence
    from being blown up, and needs no warm-up.

    Args:
        settings: with one `mean` and one `std`, and `prior_frames` of at least 1.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        mean, deviation = settings.mean[0], settings.std[0]
        self._count = settings.prior_frames * BLOCK
        self._sums = np.array([mean, deviation**2 + mean**2], dtype=np.float64) * self._count
        """Of the samples and of their squares, over all whole blocks so far and what counts as heard before."""
        self._begun = np.zeros(2)
        """The same of the block that has begun."""
        self._place = 0
        """How many samples of it have come."""

    def __call__(self, samples: Array) -> Array:
        """The next samples, normalised."""
        whole, rest = divmod(self._place + len(samples), BLOCK)
        heard = np.zeros((whole + 1) * BLOCK, dtype=np.float64)
        heard[self._place : self._place + len(samples)] = samples
        blocks = heard.reshape(-1, BLOCK)
        sums = np.stack([blocks.sum(axis=1), np.square(blocks).sum(axis=1)])
        sums[:, 0] += self._begun
        before = self._sums[:, None] + np.concatenate([np.zeros((2, 1)), np.cumsum(sums[:, :-1], axis=1)], axis=1)
        mean, square = before / (self._count + BLOCK * np.arange(whole + 1))
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0) + _EPSILON)
        normalised = ((blocks - mean[:, None]) / deviation[:, None]).ravel()[self._place : self._place + len(samples)]
        self._sums, self._begun = before[:, -1], sums[:, -1]
        self._count, self._place = self._count + BLOCK * whole, rest
        return np.asarray(normalised, dtype=np.float32)


def running_normalise(frames: Array, settings: FeatureSettings) -> Array:
    """All frames of a recording as `RunningMean` gives them."""
    return RunningMean(settings)(frames)


def stack(frames: Array, stride: int) -> Array:
    """Joins every `stride` frames into one, dropping an incomplete last group: [frames // stride, bins * stride]."""
    count = len(frames) // stride
    return frames[: count * stride].reshape(count, -1)


def log_mel(samples: Array, bins: int = 80) -> Array:
    """Natural-log mel energies [frames, bins] of samples in -1..1; frame t covers samples 160 t .. 160 t + 399.

    They are those of the samples on 16 bits, which differ only where there is no sound: above 4 kHz a resampled
    telephone line has nothing, and the logarithm of next to nothing may be anything. The noise of 16 bits is what every
    recording has there, and what models are trained on.
    """
    if len(samples) < WINDOW:
        return np.zeros((0, bins), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.rint(samples * np.float32(32768.0)), WINDOW)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    emphasised = np.empty_like(frames)
    emphasised[:, 1:] = frames[:, 1:] - _PREEMPHASIS * frames[:, :-1]
    emphasised[:, 0] = frames[:, 0] * (1 - _PREEMPHASIS)
    spectrum = np.fft.rfft(emphasised * _povey_window(), n=_FFT, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(np.maximum(power @ _mel_filters(bins), _FLOOR)), dtype=np.float32)


@lru_cache(maxsize=1)
def _povey_window() -> Array:
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
    return np.asarray(hann**0.85, dtype=np.float32)


@lru_cache(maxsize=4)
def _mel_filters(bins: int) -> Array:
    """Triangles spaced and shaped on the Kaldi mel scale from 20 Hz to 8 kHz: [257, bins]."""

    def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return 1127.0 * np.log(1.0 + np.asarray(hertz, dtype=np.float64) / 700.0)

    edges = np.linspace(mel(20.0), mel(8000.0), bins + 2)
    points = mel(np.linspace(0, 8000.0, _FFT // 2 + 1))[:, None]
    rising = (points - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - points) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[-1] = 0.0  # Kaldi leaves out the Nyquist bin
    return np.asarray(filters, dtype=np.float32)
