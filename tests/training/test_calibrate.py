"""When a score counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.errors import ConfigError
from training.calibrate import LOWEST, calibrate, fit_temperature, load, softmax, threshold

LABELS = ("freeze", "none", "pay")


def drawn(seed: int, clips: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is, by construction, the chance of each label; then made too sharp or too flat."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 2, (clips, len(LABELS)))
    chances = softmax(honest)
    truth = np.array([rng.choice(len(LABELS), p=row) for row in chances])
    return honest * sharpness, truth


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_too_much_or_too_little_certainty(sharpness: float) -> None:
    logits, truth = drawn(1, 4000, sharpness)
    assert fit_temperature(logits, truth) == pytest.approx(sharpness, rel=0.1)


@settings(deadline=None)
@given(seed=st.integers(0, 999), clips=st.integers(5, 300), rate=st.floats(0.005, 0.3))
def test_no_more_false_accepts_than_allowed(seed: int, clips: int, rate: float) -> None:
    """For every intent on the clips it was chosen on, and no threshold is higher than it has to be."""
    logits, truth = drawn(seed, clips, 1.0)
    scores = softmax(logits)
    for index in (0, 2):
        limit = threshold(scores, truth, index, rate)
        others = truth != index
        taken = others & (scores.argmax(axis=1) == index)
        if limit < 0.99:
            assert (taken & (scores[:, index] >= limit)).sum() <= rate * others.sum()
        if LOWEST < limit < 0.99:
            assert (taken & (scores[:, index] >= limit - 2e-4)).sum() > int(rate * others.sum())


def test_the_whole(tmp_path) -> None:
    """The label for "none" has no threshold; the figures are those of the thresholds; what is saved is loaded."""
    logits, truth = drawn(3, 2000, 2.0)
    found = calibrate(logits, truth, LABELS, "none", 0.02)
    assert set(found.thresholds) == {"freeze", "pay"}
    scores = softmax(logits / found.temperature)
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    limits = np.array([found.thresholds["freeze"], np.inf, found.thresholds["pay"]])
    fired = top >= limits[best]
    assert found.false_accepts == pytest.approx(fired[truth == 1].mean(), abs=1e-4)
    assert found.accepted == pytest.approx((fired & (best == truth))[truth != 1].mean(), abs=1e-4)
    assert found.false_accepts < 0.1 < found.accepted
    assert load(tmp_path) is None
    found.save(tmp_path)
    assert load(tmp_path) == found


def test_nothing_to_go_by() -> None:
    with pytest.raises(ConfigError, match="0 clips to calibrate on"):
        calibrate(np.zeros((0, 3)), np.zeros(0, dtype=int), LABELS, "none", 0.05)
    with pytest.raises(ConfigError, match=r"rate of 1\.5"):
        calibrate(np.zeros((2, 3)), np.zeros(2, dtype=int), LABELS, "none", 1.5)


def test_a_damaged_file_is_explained(tmp_path) -> None:
    (tmp_path / "calibration.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
