"""When a score counts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.errors import ConfigError
from training.calibrate import (
    HIGHEST,
    LOWEST,
    adjusted,
    calibrate,
    choose_bias,
    choose_limits,
    fit_temperature,
    load,
    softmax,
)

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


def wrong_detections(scores: np.ndarray, truth: np.ndarray, limits: np.ndarray, reject: int) -> tuple[int, int]:
    """Of the clips that mean nothing, and of the others: how many are detected as what they do not mean."""
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    wrong = (top >= limits[best]) & (best != truth) & (best != reject)
    return int((wrong & (truth == reject)).sum()), int((wrong & (truth != reject)).sum())


@settings(deadline=None)
@given(seed=st.integers(0, 999), clips=st.integers(5, 300), rate=st.floats(0.005, 0.3), reject=st.sampled_from([1, -1]))
def test_no_more_false_accepts_than_allowed(seed: int, clips: int, rate: float, reject: int) -> None:
    """On the clips they were chosen on, in both groups; and no single limit is higher than it has to be."""
    logits, truth = drawn(seed, clips, 1.0)
    scores = softmax(logits)
    limits = choose_limits(scores, truth, reject, rate)
    allowed = int(rate * (truth == reject).sum()), int(rate * (truth != reject).sum())

    def fits(limits: np.ndarray) -> bool:
        found = wrong_detections(scores, truth, limits, reject)
        return all(count <= most for count, most in zip(found, allowed, strict=True))

    wrong_scores = scores.max(axis=1)[(scores.argmax(axis=1) != truth)]
    if not (wrong_scores > HIGHEST - 1e-4).any():
        assert fits(limits)
    assert ((limits >= LOWEST) & (limits <= HIGHEST)).all()
    if fits(limits):
        for label in np.flatnonzero(limits > LOWEST):
            laxer = limits.copy()
            laxer[label] -= 2e-4  # below the wrong score that it was put above
            assert not fits(laxer)


@settings(deadline=None)
@given(seed=st.integers(0, 999), rate=st.floats(0.0, 0.3), wariness=st.floats(0.0, 5.0))
def test_nothing_gives_way_as_far_as_the_rate_allows(seed: int, rate: float, wariness: float) -> None:
    """And no further: a step more, and too many clips would be taken for an intent. At worst all stays as it is."""
    logits, truth = drawn(seed, 200, 1.0)
    logits[:, 1] += wariness

    def fits(bias: float) -> bool:
        found, _ = wrong_detections(adjusted(logits, 1, bias), truth, np.full(3, LOWEST), 1)
        return found <= int(rate * (truth == 1).sum())

    bias = choose_bias(logits, truth, 1, rate)
    assert fits(bias) or bias == 0
    assert not fits(bias + 0.1) or bias == 8.0
    assert choose_bias(logits, truth, -1, rate) == 0


def test_the_stricter_limit_goes_where_it_costs_least() -> None:
    """Both intents are mistaken once too often; raising the second loses one right detection, the first three."""
    rows = [(0, 0.6), (0, 0.62), (0, 0.64), (0, 0.9), (1, 0.9), (1, 0.6)]  # right
    wrong = [(0, 0.7), (1, 0.7)]
    scores = np.zeros((8, 3))
    for clip, (label, score) in enumerate([*rows, *wrong]):
        scores[clip, label] = score
    truth = np.array([label for label, _ in rows] + [2, 2])
    assert choose_limits(scores, truth, 2, 0.5).tolist() == [LOWEST, 0.7001, LOWEST]


def beginnings(*updates: tuple[int, float]) -> np.ndarray:
    """Logits of a clip whose updates are this sure of these labels, of three."""
    scores = np.array([[score if label == i else (1 - score) / 2 for i in range(3)] for label, score in updates])
    return np.log(scores).reshape(-1, 3)


def test_early_announcements_are_as_rarely_wrong_as_others() -> None:
    """Found as the live path announces: by two updates on end, of at least 0.6 s, at the label's own threshold."""
    right = [beginnings((0, 0.95), (0, 0.97))] * 2
    unsure = [beginnings((0, 0.95), (2, 0.95), (0, 0.95)), beginnings((0, 0.99)), beginnings()]
    wrong = [beginnings((0, 0.8), (0, 0.9)), beginnings((0, 0.7), (0, 0.99), (0, 0.75)), beginnings((1, 0.9), (1, 0.9))]
    early = [*right, *unsure, *wrong]
    truth = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    whole = np.log(np.array([[0.98, 0.01, 0.01] if label == 0 else [0.01, 0.98, 0.01] for label in truth]))
    found = calibrate(whole * 1.0, truth, LABELS, "none", 0.05, early)
    limits = {rate: calibrate(whole, truth, LABELS, "none", rate, early) for rate in (0.05, 0.34, 0.67)}
    # the scores are made sharper, and those of "none" lower, in the same order
    sharp = {
        rate: adjusted(np.concatenate(wrong[:2]) / each.temperature, 1, each.reject_bias)[:, 0]
        for rate, each in limits.items()
    }
    assert limits[0.05].early_threshold == pytest.approx(min(sharp[0.05][:2]), abs=2e-4)
    assert limits[0.34].early_threshold == pytest.approx(min(sharp[0.34][3:]), abs=2e-4)
    assert limits[0.67].early_threshold == LOWEST
    assert found.early == 0.4
    assert calibrate(whole, truth, LABELS, "none", 0.05).early is None


def test_the_whole(tmp_path) -> None:
    """The label for "none" has no threshold; the figures are those of the thresholds; what is saved is loaded."""
    logits, truth = drawn(3, 2000, 2.0)
    found = calibrate(logits, truth, LABELS, "none", 0.02)
    assert set(found.thresholds) == {"freeze", "pay"}
    scores = adjusted(logits / found.temperature, LABELS.index("none"), found.reject_bias)
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    limits = np.array([found.thresholds["freeze"], np.inf, found.thresholds["pay"]])
    fired = top >= limits[best]
    assert found.false_accepts == pytest.approx(fired[truth == 1].mean(), abs=1e-4)
    assert found.accepted == pytest.approx((fired & (best == truth))[truth != 1].mean(), abs=1e-4)
    assert found.false_accepts < 0.1 < found.accepted
    assert load(str(tmp_path)) is None
    found.save(tmp_path)
    assert load(str(tmp_path)) == found


def test_nothing_to_go_by() -> None:
    with pytest.raises(ConfigError, match="0 clips to calibrate on"):
        calibrate(np.zeros((0, 3)), np.zeros(0, dtype=int), LABELS, "none", 0.05)
    with pytest.raises(ConfigError, match=r"rate of 1\.5"):
        calibrate(np.zeros((2, 3)), np.zeros(2, dtype=int), LABELS, "none", 1.5)


@pytest.mark.parametrize(
    "content",
    ["{", "[1]", '{"temperature": "hot"}', '{"thresholds": {"pay": "x"}}', '{"temperature": 0}', '{"more": 1}'],
)
def test_a_damaged_file_is_explained(tmp_path, content):
    logits, truth = drawn(3, 100, 2.0)
    calibrate(logits, truth, LABELS, "none", 0.02).save(tmp_path)
    file = tmp_path / "calibration.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**whole, **json.loads(content)}) if ":" in content else content, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path))
