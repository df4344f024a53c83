"""Cheap random damage for speech: speed, noise, rooms, telephone lines, loudness and tone.

Every function takes and returns float32 mono audio at 16 kHz, shape (samples,), and draws only from its generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from edgevoice.config import SAMPLE_RATE

Audio = NDArray[np.float32]

TELEPHONE_LOW_HZ = 300.0
TELEPHONE_HIGH_HZ = 3400.0
PEAK_LIMIT = 0.98
_MU = 255.0
_EPSILON = 1e-12


def speed(samples: Audio, factor: float) -> Audio:
    """Play `factor` times as fast: tempo, pitch and formants all rise with it, the length falls to n / factor."""
    if factor == 1.0 or samples.size == 0:
        return samples
    return _float32(soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE, quality="MQ"))


def gain(samples: Audio, decibels: float) -> Audio:
    """Change the level by `decibels`."""
    return _float32(samples * np.float32(10.0 ** (decibels / 20.0)))


def add_noise(samples: Audio, noise: Audio, snr_db: float) -> Audio:
    """Add `noise`, repeated or cut to length, so that speech lies `snr_db` above it in mean power."""
    fitted = np.resize(noise, samples.shape)
    noise_power = _power(fitted)
    if noise_power < _EPSILON:
        return samples
    scale = np.sqrt(_power(samples) / (noise_power * 10.0 ** (snr_db / 10.0)))
    return _float32(samples + fitted * np.float32(scale))


def coloured_noise(n: int, exponent: float, rng: np.random.Generator) -> Audio:
    """Give `n` samples of unit-power noise whose power falls as 1 / frequency ** exponent (1 pink, 2 brown)."""
    if n == 0:
        return np.zeros(0, dtype=np.float32)
    size = _fast_length(n)
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    frequencies = np.maximum(np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE), 20.0)  # a floor, or brown noise is all rumble
    shaped = np.fft.irfft(spectrum * (frequencies ** (-exponent / 2.0)).astype(np.float32), size)[:n]
    return _float32(shaped / np.sqrt(_power(shaped) + _EPSILON))


def synthetic_impulse_response(
    rng: np.random.Generator, rt60: float = 0.3, direct_to_reverberant_db: float = 6.0
) -> Audio:
    """Make up a room: the direct path at sample 0, then a tail that falls by 60 dB in `rt60` seconds."""
    length = max(2, int(rt60 * SAMPLE_RATE))
    time = np.arange(length) / SAMPLE_RATE
    tail = rng.standard_normal(length) * 10.0 ** (-3.0 * time / rt60)
    tail[: int(rng.uniform(0.001, 0.006) * SAMPLE_RATE)] = 0.0  # the first wall is some way off
    tail[1:] = 0.6 * tail[1:] + 0.4 * tail[:-1]  # walls swallow treble first
    tail *= np.sqrt(10.0 ** (-direct_to_reverberant_db / 10.0) / (np.sum(tail**2) + _EPSILON))
    tail[0] = 1.0
    return _float32(tail)


def room(samples: Audio, impulse_response: Audio) -> Audio:
    """Convolve with a room; the direct path stays in place, and length and mean power stay the same."""
    if samples.size == 0 or impulse_response.size == 0:
        return samples
    size = _fast_length(samples.size + impulse_response.size)
    product = np.fft.rfft(samples, size) * np.fft.rfft(impulse_response, size)
    start = int(np.argmax(np.abs(impulse_response)))
    wet = np.fft.irfft(product, size)[start : start + samples.size]
    return _float32(wet * np.sqrt(_power(samples) / (_power(wet) + _EPSILON)))


def telephone(samples: Audio, *, mu_law: bool = False) -> Audio:
    """Keep 300 to 3400 Hz as a telephone line at 8 kHz does, with its 8-bit mu-law coding if asked; same length."""
    if samples.size == 0:
        return samples
    size = _fast_length(samples.size + 512)  # the rest is room for the filter to ring in, instead of wrapping round
    spectrum = np.fft.rfft(samples, size) * _telephone_mask(size)
    if mu_law:  # the coder works at 8 kHz: half the spectrum gives the signal at half the rate
        narrow = np.fft.irfft(spectrum[: size // 4 + 1], size // 2) * 0.5
        spectrum = np.zeros_like(spectrum)
        spectrum[: size // 4 + 1] = np.fft.rfft(_mu_law_round_trip(narrow)) * 2.0
        spectrum[size // 4] = 0.0
    return _float32(np.fft.irfft(spectrum, size)[: samples.size])


def equalise(samples: Audio, rng: np.random.Generator, depth_db: float = 6.0) -> Audio:
    """Colour the sound like another microphone: a random tilt and ripple over log-frequency of up to `depth_db`."""
    if samples.size == 0:
        return samples
    size = _fast_length(samples.size)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE), 60.0) / 1000.0)  # -4 to 3 around 1 kHz
    tilt = rng.uniform(-1.0, 1.0) * octaves / 4.0
    ripple = rng.uniform(0.0, 0.5) * np.cos(2.0 * np.pi * (octaves / rng.uniform(2.0, 5.0) + rng.uniform()))
    curve = 10.0 ** (depth_db * (tilt + ripple) / 20.0)
    coloured = np.fft.irfft(np.fft.rfft(samples, size) * curve.astype(np.float32), size)[: samples.size]
    return _float32(coloured * np.sqrt(_power(samples) / (_power(coloured) + _EPSILON)))


def limit(samples: Audio, peak: float = PEAK_LIMIT) -> Audio:
    """Turn the whole clip down if its peak is over `peak`, so that nothing clips."""
    highest = float(np.max(np.abs(samples), initial=0.0))
    return samples if highest <= peak else _float32(samples * np.float32(peak / highest))


@dataclass(frozen=True)
class Augmentation:
    """How often and how strongly to damage a clip; probabilities are 0 to 1, ranges are (low, high)."""

    speed_probability: float = 0.5
    speed_range: tuple[float, float] = (0.9, 1.1)
    equalise_probability: float = 0.3
    equalise_db: float = 6.0
    room_probability: float = 0.3
    rt60_range: tuple[float, float] = (0.12, 0.6)
    direct_to_reverberant_range: tuple[float, float] = (-2.0, 14.0)
    noise_probability: float = 0.5
    snr_range: tuple[float, float] = (5.0, 30.0)
    recorded_noise_probability: float = 0.7
    noise_exponent_range: tuple[float, float] = (0.0, 2.0)
    telephone_probability: float = 0.3
    mu_law_probability: float = 0.5
    gain_range: tuple[float, float] = (-12.0, 6.0)

    def apply(
        self,
        samples: Audio,
        rng: np.random.Generator,
        noises: Sequence[Audio] = (),
        impulse_responses: Sequence[Audio] = (),
    ) -> Audio:
        """Damage one clip at random; only a change of speed changes its length."""
        return self.apply_named(samples, rng, noises, impulse_responses)[0]

    def apply_named(
        self,
        samples: Audio,
        rng: np.random.Generator,
        noises: Sequence[Audio] = (),
        impulse_responses: Sequence[Audio] = (),
    ) -> tuple[Audio, tuple[str, ...]]:
        """Damage one clip at random and also name what was done to it, such as ("room", "telephone")."""
        done: list[str] = []
        if rng.random() < self.speed_probability:
            samples = speed(samples, rng.uniform(*self.speed_range))
            done.append("speed")
        if rng.random() < self.room_probability:
            samples = room(samples, self._impulse_response(rng, impulse_responses))
            done.append("room")
        if rng.random() < self.noise_probability:
            samples = add_noise(samples, self._noise(samples.size, rng, noises), rng.uniform(*self.snr_range))
            done.append("noise")
        if rng.random() < self.equalise_probability:
            samples = equalise(samples, rng, self.equalise_db)
            done.append("equalise")
        if rng.random() < self.telephone_probability:
            samples = telephone(samples, mu_law=rng.random() < self.mu_law_probability)
            done.append("telephone")
        return limit(gain(samples, rng.uniform(*self.gain_range))), tuple(done)

    def _impulse_response(self, rng: np.random.Generator, recorded: Sequence[Audio]) -> Audio:
        if recorded:
            return recorded[int(rng.integers(len(recorded)))]
        ratio = rng.uniform(*self.direct_to_reverberant_range)
        return synthetic_impulse_response(rng, rng.uniform(*self.rt60_range), ratio)

    def _noise(self, n: int, rng: np.random.Generator, recorded: Sequence[Audio]) -> Audio:
        if not recorded or rng.random() >= self.recorded_noise_probability:
            return coloured_noise(n, rng.uniform(*self.noise_exponent_range), rng)
        noise = recorded[int(rng.integers(len(recorded)))]
        start = int(rng.integers(max(1, noise.size - n + 1)))
        return noise[start : start + n]


def _float32(samples: NDArray[np.floating]) -> Audio:
    return np.ascontiguousarray(samples, dtype=np.float32)


def _power(samples: NDArray[np.floating]) -> float:
    # not np.dot: its rounding depends on the number of threads, and equal seeds must give equal samples
    return float(np.sum(np.square(samples), dtype=np.float64)) / max(1, samples.size)


def _fast_length(n: int) -> int:
    """Round up to a length that the FFT does quickly and that four divides."""
    step = 1 << max(2, n.bit_length() - 4)
    return -(-n // step) * step


def _telephone_mask(size: int) -> NDArray[np.float32]:
    frequencies = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    rise = np.clip((frequencies - (TELEPHONE_LOW_HZ - 100.0)) / 100.0, 0.0, 1.0)
    fall = np.clip((TELEPHONE_HIGH_HZ + 300.0 - frequencies) / 300.0, 0.0, 1.0)
    mask: NDArray[np.float32] = (np.sin(0.5 * np.pi * rise) * np.sin(0.5 * np.pi * fall)).astype(np.float32)
    return mask


def _mu_law_round_trip(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    """Code and decode at 8 bits, relative to the clip's own peak, as a line with a level control would."""
    peak = float(np.max(np.abs(samples))) + _EPSILON
    coded = np.sign(samples) * np.log1p(_MU * np.abs(samples) / peak) / np.log1p(_MU)
    levels = np.round(coded * 127.0) / 127.0
    decoded: NDArray[np.floating] = np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(_MU)) / _MU * peak
    return decoded
