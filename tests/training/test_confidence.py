"""Confidences that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from edgevoice.asr.confidence import ConfidenceMap
from edgevoice.errors import ConfigError
from training.confidence import calibration_error, fit, matches


def boastful(count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Words whose confidence is too high: sigmoid(2 x + 1) where they are right with sigmoid(x)."""
    random = np.random.default_rng(0)
    truth = random.normal(0, 1.5, count)
    right = random.random(count) < 1 / (1 + np.exp(-truth))
    return 1 / (1 + np.exp(-(2 * truth + 1))), right


def test_the_fit_finds_the_map_and_brings_the_error_down():
    confidences, right = boastful()
    found = fit(confidences, right)
    assert (found.slope, found.offset) == pytest.approx((0.5, -0.5), abs=0.05)
    assert calibration_error(confidences, right) > 0.1
    assert calibration_error(np.array([found(p) for p in confidences]), right) < 0.02


def test_confidences_that_are_honest_stay():
    random = np.random.default_rng(1)
    confidences = random.uniform(0.01, 0.99, 20_000)
    found = fit(confidences, random.random(20_000) < confidences)
    assert (found.slope, found.offset) == pytest.approx((1, 0), abs=0.06)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_words_that_are_all_right_or_all_wrong_teach_nothing(share):
    with pytest.raises(ConfigError, match="a fit takes 50 right and 50 wrong"):
        fit(np.full(1000, 0.5), np.full(1000, bool(share)))


def test_confidences_turned_round_are_refused():
    confidences, right = boastful()
    with pytest.raises(ConfigError, match="not more often right"):
        fit(1 - confidences, right)


def test_words_that_can_be_told_apart_give_a_finite_curve():
    right = np.arange(1000) % 2 == 0
    found = fit(np.where(right, 0.9, 0.1), right)
    assert np.isfinite([found.slope, found.offset]).all()
    assert found(0.9) > 0.95


def test_the_error_by_hand():
    """Two tenths of the scale, half of the words each: 0.1 and 0.25 from the truth."""
    confidences = np.array([0.85] * 4 + [0.25] * 4)
    right = np.array([True, True, True, False] + [False] * 4)
    assert calibration_error(confidences, right) == pytest.approx((0.1 + 0.25) / 2)
    assert ConfidenceMap()(0.85) == 0.85


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("my card is lost", "my cart is lost", [True, False, True, True]),
        ("my card", "oh my card please", [False, True, True, False]),
        ("my card is lost", "lost", [True]),
        ("my card", "", []),
    ],
)
def test_which_words_are_right(said, heard, expected):
    assert matches(said, heard.split()) == expected
