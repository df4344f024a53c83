"""Verdicts by table: each row is a segment, a list of updates and what came of it."""

import dataclasses
import math

import numpy as np
import pytest

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.intent import Detected, IntentTracker, Rejected, rank
from edgevoice.config import IntentSettings

LABELS = ("pay", "freeze", "balance", "rate", "branch", "none")
MANIFEST = Manifest(
    name="m", graphs={}, files={}, labels=LABELS, reject_label="none", thresholds={"freeze": 0.9}, default_threshold=0.6
)


def logits(label: str, score: float) -> np.ndarray:
    rest = (1 - score) / (len(LABELS) - 1)
    return np.array([math.log(score if each == label else rest) for each in LABELS], dtype=np.float32)


def announced(
    updates: list[tuple[str, float]], speech_s: float = 2.0, manifest: Manifest = MANIFEST, **settings: float
) -> list[str]:
    tracker = IntentTracker(manifest, IntentSettings(**settings))
    verdicts = [tracker.early(logits(*update), speech_s=speech_s, at=1.0) for update in updates]
    return [verdict.label for verdict in verdicts if verdict]


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        ([("pay", 0.8)], []),
        ([("pay", 0.8), ("pay", 0.7)], ["pay"]),
        ([("pay", 0.8), ("pay", 0.5), ("pay", 0.8)], []),
        ([("pay", 0.8), ("balance", 0.8), ("pay", 0.8), ("pay", 0.8)], ["pay"]),
        ([("pay", 0.8)] * 5, ["pay"]),
        ([("pay", 0.8)] * 2 + [("balance", 0.9)] * 3, ["pay"]),
        ([("none", 0.99)] * 4, []),
        ([("freeze", 0.85)] * 4, []),
        ([("freeze", 0.95)] * 2, ["freeze"]),
    ],
)
def test_early_intents_by_table(updates, expected):
    assert announced(updates) == expected


def test_no_intent_is_early_before_enough_speech():
    assert announced([("pay", 0.9)] * 3, speech_s=0.5) == []


def test_what_is_announced_early_has_to_be_surer():
    """Both updates; the whole segment needs the label's own threshold only."""
    stricter = dataclasses.replace(MANIFEST, early_threshold=0.85)
    assert announced([("pay", 0.8)] * 4, manifest=stricter) == []
    assert announced([("pay", 0.8), ("pay", 0.9)], manifest=stricter) == []
    assert announced([("pay", 0.8), ("pay", 0.9), ("pay", 0.9)], manifest=stricter) == ["pay"]
    assert announced([("freeze", 0.87)] * 4, manifest=stricter) == []
    assert isinstance(IntentTracker(stricter, IntentSettings()).final(logits("pay", 0.7), speech_s=2, at=1), Detected)


def test_early_intents_can_be_turned_off():
    assert announced([("pay", 0.9)] * 3, early=False) == []


def test_the_setting_raises_every_threshold():
    assert announced([("pay", 0.8)] * 3, threshold=0.85) == []
    assert announced([("pay", 0.9)] * 3, threshold=0.85) == ["pay"]


@pytest.mark.parametrize(
    ("label", "score", "speech_s", "reason"),
    [
        ("pay", 0.8, 1.0, None),
        ("pay", 0.5, 1.0, "below threshold"),
        ("freeze", 0.85, 1.0, "below threshold"),
        ("none", 0.9, 1.0, "none"),
        ("none", 0.3, 1.0, "none"),
        ("pay", 0.8, 0.1, "too short"),
    ],
)
def test_final_intents_by_table(label, score, speech_s, reason):
    verdict = IntentTracker(MANIFEST, IntentSettings()).final(logits(label, score), speech_s=speech_s, at=1.0)
    assert verdict.label == label
    assert verdict.score == pytest.approx(score, abs=1e-5)
    assert len(verdict.runners_up) == 4
    assert isinstance(verdict, Detected) if reason is None else verdict.reason == reason


def test_audio_too_short_for_the_model_is_rejected():
    assert IntentTracker(MANIFEST, IntentSettings()).final(None, speech_s=1.0, at=1.0) == Rejected(
        "", 0.0, "too short", ()
    )


@pytest.mark.parametrize("final", ["pay", "balance", "none"])
def test_an_early_intent_is_neither_repeated_nor_withdrawn(final):
    tracker = IntentTracker(MANIFEST, IntentSettings())
    for _ in range(2):
        tracker.early(logits("pay", 0.9), speech_s=1.0, at=1.0)
    assert tracker.announced
    assert tracker.final(logits(final, 0.9), speech_s=1.0, at=2.0, announced=tracker.announced) is None


def test_each_segment_may_announce():
    tracker = IntentTracker(MANIFEST, IntentSettings())
    for at in (1.0, 2.0):
        tracker.begin()
        assert isinstance(tracker.final(logits("pay", 0.9), speech_s=1.0, at=at), Detected)


def test_agreement_does_not_reach_across_segments():
    tracker = IntentTracker(MANIFEST, IntentSettings())
    for at in (1.0, 2.0, 3.0):
        tracker.begin()
        assert tracker.early(logits("pay", 0.9), speech_s=1.0, at=at) is None


def test_the_cooldown_holds_for_one_label_from_its_announcement():
    tracker = IntentTracker(MANIFEST, IntentSettings(cooldown_s=5.0))

    def final(label: str, at: float) -> object:
        tracker.begin()
        return tracker.final(logits(label, 0.9), speech_s=1.0, at=at)

    assert isinstance(final("pay", 1.0), Detected)
    assert final("pay", 4.0).reason == "cooldown"
    assert isinstance(final("balance", 4.5), Detected)
    assert isinstance(final("pay", 6.0), Detected)


def test_scores_are_a_softmax_best_first():
    manifest = Manifest(name="m", graphs={}, files={}, labels=("a", "b", "c"))
    ranked = rank(np.array([0.0, 3.0, 1.0], dtype=np.float32), manifest)
    assert [each.label for each in ranked] == ["b", "c", "a"]
    assert sum(each.score for each in ranked) == pytest.approx(1.0)


def test_a_temperature_makes_scores_less_or_more_certain():
    scores = np.array([0.0, 3.0, 1.0], dtype=np.float32)
    cool, warm = (
        rank(scores, Manifest(name="m", graphs={}, files={}, labels=("a", "b", "c"), temperature=each))
        for each in (0.5, 2.0)
    )
    assert [each.label for each in cool] == [each.label for each in warm]
    assert cool[0].score == pytest.approx(math.exp(6) / (1 + math.exp(6) + math.exp(2)))
    assert warm[0].score == pytest.approx(math.exp(1.5) / (1 + math.exp(1.5) + math.exp(0.5)))


def test_what_means_nothing_may_give_way():
    """By the manifest's bias, after the temperature; what the caller gave stays as it was."""
    given = np.log(np.array([0.3, 0.02, 0.02, 0.02, 0.02, 0.62], dtype=np.float32))
    before = given.copy()
    assert rank(given, MANIFEST)[0].label == "none"
    biased = dataclasses.replace(MANIFEST, reject_bias=2.0)
    best = rank(given, biased)[0]
    assert best.label == "pay"
    assert best.score == pytest.approx(0.3 / (0.38 + 0.62 * math.exp(-2)), abs=1e-4)
    assert rank(given, dataclasses.replace(biased, reject_label=""))[0].label == "none"
    np.testing.assert_array_equal(given, before)


def test_a_threshold_can_be_moved_while_it_decides():
    """Up and down, also below that of the settings, which only says where it begins."""
    tracker = IntentTracker(MANIFEST, IntentSettings(threshold=0.7))
    assert tracker.thresholds == {"pay": 0.7, "freeze": 0.9, "balance": 0.7, "rate": 0.7, "branch": 0.7}

    def reason(label: str, score: float) -> str:
        tracker.begin()
        return getattr(tracker.final(logits(label, score), speech_s=1.0, at=1.0), "reason", "")

    assert reason("pay", 0.65) == "below threshold"
    tracker.set_threshold("pay", 0.6)
    assert not reason("pay", 0.65)
    tracker.set_threshold("freeze", 0.97)
    assert reason("freeze", 0.95) == "below threshold"
    with pytest.raises(KeyError):
        tracker.set_threshold("none", 0.5)
