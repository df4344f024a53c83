"""Resampling in pieces is resampling in one piece."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgevoice.audio.resample import Resampler, clean

RATES = [8_000, 16_000, 22_050, 44_100, 48_000]


@given(st.sampled_from(RATES), st.lists(st.integers(0, 3000), max_size=12), st.integers(0, 2**32 - 1))
def test_in_pieces_as_in_one(rate: int, sizes: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, sum(sizes)).astype(np.float32)
    resampler = Resampler(rate)
    pieces = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    result = np.concatenate([resampler.process(piece) for piece in pieces] + [resampler.flush()])
    expected = soxr.resample(samples, rate, 16_000, quality="HQ") if len(samples) else samples
    assert result.dtype == np.float32
    assert abs(len(result) - len(samples) * 16_000 / rate) <= 1
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_holds_back_little_and_starts_anew_after_flush(rate: int) -> None:
    resampler = Resampler(rate)
    tone = np.sin(np.arange(rate) * 440 * 2 * np.pi / rate).astype(np.float32) * 0.5
    ready = resampler.process(tone)
    assert len(ready) >= 16_000 - 0.13 * 16_000
    first = np.concatenate([ready, resampler.flush()])
    second = np.concatenate([resampler.process(tone), resampler.flush()])
    np.testing.assert_array_equal(first, second)


def test_poison_does_not_spread() -> None:
    samples = np.zeros(48_000, np.float32)
    samples[[100, 200, 300]] = np.nan, np.inf, 1e30
    resampler = Resampler(48_000)
    result = np.concatenate([resampler.process(samples), resampler.flush()])
    assert np.isfinite(result).all()
    assert np.abs(result).max() < 1


@given(arrays.arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)))
def test_clean_leaves_only_what_a_model_can_take(samples: np.ndarray) -> None:
    result = clean(samples)
    assert result.dtype == np.float32
    assert result.shape == samples.shape
    assert np.isfinite(result).all()
    assert (np.abs(result) <= 1).all()
    good = np.isfinite(samples) & (np.abs(samples) <= 1)
    np.testing.assert_array_equal(result[good], samples[good])
    assert (result[~np.isfinite(samples)] == 0).all()
