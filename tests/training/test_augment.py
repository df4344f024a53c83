"""The properties that training relies on when it damages speech."""

from __future__ import annotations

import numpy as np
import pytest

from training.augment import (
    SAMPLE_RATE,
    Audio,
    Augmentation,
    add_noise,
    coloured_noise,
    equalise,
    gain,
    limit,
    room,
    speed,
    synthetic_impulse_response,
    telephone,
)

ALWAYS = Augmentation(
    speed_probability=1.0,
    equalise_probability=1.0,
    room_probability=1.0,
    noise_probability=1.0,
    telephone_probability=1.0,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def speech(rng: np.random.Generator) -> Audio:
    """Two seconds of noise that swells and fades, as speech does."""
    n = 2 * SAMPLE_RATE + 37
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * np.arange(n) / SAMPLE_RATE)
    return gain((coloured_noise(n, 1.0, rng) * swell).astype(np.float32), -20.0)


def tone(frequency: float, seconds: float = 1.0) -> Audio:
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE).astype(np.float32)


def decibels(samples: Audio) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-30))


def band_power(samples: Audio, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    frequencies = np.fft.rfftfreq(samples.size, 1 / SAMPLE_RATE)
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].sum() + 1e-30))


def peak_frequency(samples: Audio) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * SAMPLE_RATE / samples.size)


@pytest.mark.parametrize("factor", [0.85, 0.9, 1.0, 1.1, 1.18])
def test_speed_divides_the_length_and_multiplies_the_pitch(factor: float) -> None:
    faster = speed(tone(1000), factor)
    assert faster.size == pytest.approx(SAMPLE_RATE / factor, abs=2)
    assert peak_frequency(faster) == pytest.approx(1000 * factor, rel=0.005)


@pytest.mark.parametrize("wanted", [-5.0, 0.0, 10.0, 30.0])
@pytest.mark.parametrize("noise_length", [1_000, 100_000])
def test_noise_is_added_at_the_ratio_asked_for(
    speech: Audio, rng: np.random.Generator, wanted: float, noise_length: int
) -> None:
    noisy = add_noise(speech, coloured_noise(noise_length, 1.0, rng), wanted)
    assert noisy.size == speech.size
    assert decibels(speech) - decibels(noisy - speech) == pytest.approx(wanted, abs=0.5)


def test_silent_noise_changes_nothing(speech: Audio) -> None:
    np.testing.assert_array_equal(add_noise(speech, np.zeros(10, dtype=np.float32), 10.0), speech)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_coloured_noise_falls_by_its_exponent(rng: np.random.Generator, exponent: float) -> None:
    noise = coloured_noise(8 * SAMPLE_RATE, exponent, rng)
    assert decibels(noise) == pytest.approx(0.0, abs=0.1)
    per_hertz = band_power(noise, 2000, 4000) - band_power(noise, 1000, 2000) - 10 * np.log10(2)
    assert per_hertz == pytest.approx(-3.01 * exponent, abs=0.5)


def test_a_room_keeps_the_length_the_level_and_the_direct_path_in_place(
    speech: Audio, rng: np.random.Generator
) -> None:
    response = np.concatenate([np.zeros(123, dtype=np.float32), synthetic_impulse_response(rng, 0.4)])
    wet = room(speech, response)
    assert wet.size == speech.size
    assert decibels(wet) == pytest.approx(decibels(speech), abs=0.01)
    lags = range(-50, 51)
    match = [float(np.dot(speech[100:-100], np.roll(wet, -lag)[100:-100])) for lag in lags]
    assert lags[int(np.argmax(match))] == 0


def test_a_room_of_one_echo_is_that_echo() -> None:
    click = np.zeros(1000, dtype=np.float32)
    click[100] = 1.0
    response = np.zeros(300, dtype=np.float32)
    response[0], response[200] = 1.0, 0.5
    wet = room(click, response)
    assert wet[300] / wet[100] == pytest.approx(0.5, abs=1e-4)
    assert np.count_nonzero(np.abs(wet) > 1e-4) == 2


def test_an_impulse_response_dies_away_in_its_time(rng: np.random.Generator) -> None:
    response = synthetic_impulse_response(rng, 0.5, direct_to_reverberant_db=0.0)
    assert response.size == SAMPLE_RATE // 2
    assert response[0] == 1.0
    early, late = response[400:1200], response[4400:5200]
    assert decibels(early) - decibels(late) == pytest.approx(60 * 4000 / SAMPLE_RATE / 0.5, abs=2.0)


@pytest.mark.parametrize("mu_law", [False, True])
def test_a_telephone_keeps_only_its_band(speech: Audio, rng: np.random.Generator, mu_law: bool) -> None:
    white = coloured_noise(speech.size, 0.0, rng)
    narrow = telephone(white, mu_law=mu_law)
    assert narrow.size == white.size
    assert band_power(white, 4000, 8000) - band_power(narrow, 4000, 8000) > 20
    assert band_power(white, 20, 180) - band_power(narrow, 20, 180) > 20
    assert band_power(narrow, 500, 3000) == pytest.approx(band_power(white, 500, 3000), abs=0.5)


def test_mu_law_adds_only_its_coding_noise(speech: Audio) -> None:
    clean, coded = telephone(speech), telephone(speech, mu_law=True)
    assert decibels(clean) - decibels(coded - clean) > 25


def test_equalising_keeps_length_and_level(speech: Audio, rng: np.random.Generator) -> None:
    coloured = equalise(speech, rng)
    assert coloured.size == speech.size
    assert decibels(coloured) == pytest.approx(decibels(speech), abs=0.01)
    assert not np.allclose(coloured, speech)


def test_gain_is_in_decibels_and_the_limit_holds() -> None:
    assert gain(tone(440), -6.0206).max() == pytest.approx(0.5, abs=1e-3)
    assert np.abs(limit(gain(tone(440), 12.0), 0.9)).max() == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize("n", [0, 1, 2, 17, 16_000])
def test_any_length_goes_through_everything(rng: np.random.Generator, n: int) -> None:
    damaged = ALWAYS.apply(rng.standard_normal(n, dtype=np.float32), rng)
    assert damaged.dtype == np.float32
    assert np.isfinite(damaged).all()


def test_all_zeros_stay_finite(rng: np.random.Generator) -> None:
    assert np.isfinite(ALWAYS.apply(np.zeros(4000, dtype=np.float32), rng)).all()


def test_damage_depends_on_the_seed_alone(speech: Audio) -> None:
    noises = [coloured_noise(50_000, 2.0, np.random.default_rng(1)), coloured_noise(900, 0.0, np.random.default_rng(2))]
    responses = [synthetic_impulse_response(np.random.default_rng(3), 0.2)]
    for seed in range(20):
        first, again = (ALWAYS.apply(speech, np.random.default_rng(seed), noises, responses) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert np.isfinite(first).all()
        assert np.abs(first).max() <= 1.0
        assert speech.size / 1.1 - 2 <= first.size <= speech.size / 0.9 + 2
    assert not np.array_equal(first[:1000], ALWAYS.apply(speech, np.random.default_rng(99), noises, responses)[:1000])


def test_no_probability_means_no_damage(speech: Audio, rng: np.random.Generator) -> None:
    never = Augmentation(
        speed_probability=0.0,
        equalise_probability=0.0,
        room_probability=0.0,
        noise_probability=0.0,
        telephone_probability=0.0,
        gain_range=(0.0, 0.0),
    )
    damaged, names = never.apply_named(speech, rng)
    np.testing.assert_allclose(damaged, speech, rtol=1e-6)
    assert names == ()


def test_damage_is_named(speech: Audio, rng: np.random.Generator) -> None:
    _, names = ALWAYS.apply_named(speech, rng)
    assert names == ("speed", "room", "noise", "equalise", "telephone")
