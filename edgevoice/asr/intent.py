"""When an intent is announced: early, while the speaker still speaks, or when the segment is over; or rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.model import log_softmax
from edgevoice.config import IntentSettings
from edgevoice.events import LabelScore

Array = npt.NDArray[np.float32]

EARLY_SPEECH_S = 0.6
"""No intent is announced before this much speech was heard."""
MINIMUM_SPEECH_S = 0.2
"""A segment with less speech than this is too short to have an intent."""
RUNNERS_UP = 4

L = TypeVar("L", str, int)


@dataclass(frozen=True, slots=True)
class Detected:
    """The segment expresses an intent."""

    label: str
    score: float
    runners_up: tuple[LabelScore, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The segment expresses no intent with enough certainty."""

    label: str
    score: float
    reason: str
    """As in `edgevoice.events.IntentRejected.reason`."""
    runners_up: tuple[LabelScore, ...]


def sure_of_both(earlier: tuple[L, float] | None, later: tuple[L, float] | None) -> float:
    """How sure two consecutive updates are of the same label: the lower of their scores; 0 where they differ, or where
    one of them detects nothing. It is what an early announcement goes by, live and when its threshold is chosen."""
    if earlier is None or later is None or earlier[0] != later[0]:
        return 0.0
    return min(earlier[1], later[1])


class IntentTracker:
    """Decides for one stream, segment by segment: `begin`, then `early` at every update, then `final`."""

    def __init__(self, manifest: Manifest, settings: IntentSettings) -> None:
        self._manifest = manifest
        self._settings = settings
        self._thresholds = {
            label: max(manifest.threshold(label), settings.threshold)
            for label in manifest.labels
            if label != manifest.reject_label
        }
        self._announced_at: dict[str, float] = {}
        self.begin()

    def begin(self) -> None:
        """A new segment."""
        self._before: tuple[str, float] | None = None
        self._announced = False

    @property
    def thresholds(self) -> dict[str, float]:
        """Label -> the smallest score at which it is announced; what means none of them has no such score."""
        return dict(self._thresholds)

    def set_threshold(self, label: str, value: float) -> None:
        """Announces a label from this score on, in what is decided from now on; callable from any thread.

        Raises:
            KeyError: there is no such label.
        """
        if label not in self._thresholds:
            raise KeyError(label)
        self._thresholds[label] = value  # one assignment, so that a verdict sees the old value or the new one

    @property
    def announced(self) -> bool:
        """Whether the segment's intent was announced early."""
        return self._announced

    def early(self, logits: Array | None, *, speech_s: float, at: float) -> Detected | None:
        """An intent to announce now: the same label at or above its threshold, and that for early announcements, in
        two consecutive updates.

        Args:
            logits: [labels] over the segment so far.
            speech_s: seconds of speech heard in this segment.
            at: seconds on the stream's clock.
        """
        if logits is None or not self._settings.early or self._announced:
            return None
        verdict = self._judge(logits, at)
        before, self._before = self._before, None
        if not isinstance(verdict, Detected):
            return None
        self._before = (verdict.label, verdict.score)
        held = sure_of_both(before, self._before)
        if not held or held < self._manifest.early_threshold or speech_s < EARLY_SPEECH_S:
            return None
        self._announced = True
        return self._announce(verdict, at)

    def final(
        self, logits: Array | None, *, speech_s: float, at: float, announced: bool = False
    ) -> Detected | Rejected | None:
        """The verdict over a whole segment, which need not be the newest; None if its intent was already announced
        early, which is never withdrawn."""
        if announced:
            return None
        if logits is None:
            return Rejected("", 0.0, "too short", ())
        verdict = self._judge(logits, at)
        if speech_s < MINIMUM_SPEECH_S:
            return Rejected(verdict.label, verdict.score, "too short", verdict.runners_up)
        return self._announce(verdict, at) if isinstance(verdict, Detected) else verdict

    def _announce(self, verdict: Detected, at: float) -> Detected:
        self._announced_at[verdict.label] = at
        return verdict

    def _judge(self, logits: Array, at: float) -> Detected | Rejected:
        best, *others = rank(logits, self._manifest)
        runners_up = tuple(others[:RUNNERS_UP])
        reason = self._objection(best, at)
        if reason:
            return Rejected(best.label, best.score, reason, runners_up)
        return Detected(best.label, best.score, runners_up)

    def _objection(self, best: LabelScore, at: float) -> str:
        if best.label == self._manifest.reject_label:
            return "none"
        if best.score < self._thresholds[best.label]:
            return "below threshold"
        before = self._announced_at.get(best.label)
        if before is not None and at - before < self._settings.cooldown_s:
            return "cooldown"
        return ""


def rank(logits: Array, manifest: Manifest) -> list[LabelScore]:
    """All labels with their calibrated scores, best first. `logits`: [labels]."""
    scaled = logits / np.float32(manifest.temperature)
    if manifest.reject_label in manifest.labels:
        scaled[manifest.labels.index(manifest.reject_label)] -= np.float32(manifest.reject_bias)
    return best_first(scaled, manifest.labels)


def best_first(logits: Array, labels: tuple[str, ...]) -> list[LabelScore]:
    """All labels with their softmax scores, best first. `logits`: [labels]."""
    scores = np.exp(log_softmax(logits))
    return [LabelScore(label=labels[index], score=float(scores[index])) for index in np.argsort(-scores, kind="stable")]
