"""Which intents were heard, which of them is on show, and from which score on they are announced: no Textual here."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from edgevoice.events import LabelScore
from edgevoice.tui.views import IntentView, finite

KEPT = 200
"""Intents kept on screen, and as many rejected ones; the files keep them all."""
STEP = 0.05
"""By how much one key moves a minimum score."""
HIGHEST = 0.99
"""The last step up: a score of 1 is never reached, so that nothing would be announced any more."""
SILENT = ("cooldown", "too short")
"""Why something is rejected that is no news: it was announced a moment ago, or there was nothing to judge."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """The score from which on the intent on show is announced."""

    score: float
    changed: bool = False
    """It is not the one with which the run began."""


@dataclass(frozen=True, slots=True)
class Intents:
    """What the pane shows."""

    shown: IntentView | None = None
    """The newest, or the one that was picked."""
    minimum: Minimum | None = None
    """Of the one on show; what means no intent has none."""
    earlier: tuple[IntentView, ...] = ()
    """All but the newest, which is on show unless another one is; newest first."""
    picked: int = -1
    """Place of the one on show among the earlier ones; -1 for the newest."""
    rejected: bool = False
    """Rejected ones are among them."""
    speakers: bool = False
    """Rows say who it was."""


_Heard = tuple[IntentView | None, tuple[IntentView, ...], tuple[IntentView, ...]]
"""The newest, the detected and the rejected ones."""


class IntentLog:
    """Takes in intents, newest last, and what the keys ask for."""

    def __init__(self) -> None:
        self._newest: IntentView | None = None
        self._detected: deque[IntentView] = deque(maxlen=KEPT)
        self._rejected: deque[IntentView] = deque(maxlen=KEPT)
        self._with_rejected = False
        self._picked: IntentView | None = None
        self._cleared: _Heard = None, (), ()
        self._began: dict[str, float] = {}
        """Label as the run calls it -> its minimum score when the run began."""
        self._minimums: dict[str, float] = {}

    @property
    def newest(self) -> IntentView | None:
        """The newest that is news, detected or not."""
        return self._newest

    @property
    def with_rejected(self) -> bool:
        """Whether rejected ones are among the others."""
        return self._with_rejected

    @property
    def heard(self) -> tuple[IntentView, ...]:
        """Newest first, rejected ones only if they were asked for."""
        rejected = reversed(self._rejected) if self._with_rejected else ()
        return tuple(sorted([*reversed(self._detected), *rejected], key=lambda intent: -intent.at))

    def view(self, *, speakers: bool = False) -> Intents:
        """What the pane shows."""
        earlier = tuple(intent for intent in self.heard if intent is not self._newest)
        place = next((number for number, intent in enumerate(earlier) if intent is self._picked), -1)
        shown = earlier[place] if place >= 0 else self._newest
        return Intents(shown, self._minimum(shown), earlier, place, self._with_rejected, speakers)

    def begin(self, thresholds: Iterable[LabelScore]) -> None:
        """A stream began, and says from which scores on it announces."""
        for threshold in thresholds:
            self._began[threshold.label] = finite(threshold.score)
            self._minimums.setdefault(threshold.label, finite(threshold.score))

    def add(self, intent: IntentView) -> None:
        """Takes an intent in; a final one takes the place of the early one of its segment."""
        if intent.reason not in SILENT:
            self._newest = intent
        if intent.reason:
            self._rejected.append(intent)
            return
        for number, known in enumerate(self._detected):
            if (known.channel, known.segment) == (intent.channel, intent.segment):
                self._detected[number] = intent
                return
        self._detected.append(intent)

    def clear(self) -> None:
        """Puts them away, until `restore`; the minimum scores stay."""
        self._cleared = self._cleared_with_newer()
        self._newest = self._picked = None
        self._detected.clear()
        self._rejected.clear()

    def restore(self) -> None:
        """Brings all that was put away before what was heard since."""
        self._newest, detected, rejected = self._cleared_with_newer()
        self._cleared = None, (), ()
        self._detected = deque(detected, maxlen=KEPT)
        self._rejected = deque(rejected, maxlen=KEPT)

    def show_rejected(self, *, shown: bool) -> None:
        """Rejected ones come among the others, or go."""
        self._with_rejected = shown

    def pick(self, step: int) -> None:
        """Shows an earlier one: by so many further back, or with a negative number forward, to the newest at last."""
        view = self.view()
        place = max(-1, min(len(view.earlier) - 1, view.picked + step))
        self._picked = view.earlier[place] if place >= 0 else None

    def unpick(self) -> bool:
        """Shows the newest again; gives whether it was another one."""
        picked, self._picked = self.view().picked, None
        return picked >= 0

    def move_minimum(self, direction: int) -> tuple[str, float] | None:
        """Moves the minimum score of the label on show to the next step up (1) or down (-1).

        Gives the label as the run calls it and the new score; nothing if there is none to move.
        """
        shown = self.view().shown
        if shown is None or shown.key not in self._minimums:
            return None
        steps = self._minimums[shown.key] / STEP
        # a little off, or 0.7 / 0.05 = 13.999... would be moved to itself
        moved = math.floor(steps + 1e-6) + 1 if direction > 0 else math.ceil(steps - 1e-6) - 1
        highest = max(HIGHEST, self._minimums[shown.key])
        score = round(max(0.0, min(highest, moved * STEP)), 4)
        self._minimums[shown.key] = score
        return shown.key, score

    def raise_minimums(self, least: float) -> list[tuple[str, float]]:
        """Every label's minimum score anew: the one with which the run began, or this where that is lower. Those that
        were moved are moved no more. Gives the labels as the run calls them, with their scores."""
        self._minimums = {label: max(score, least) for label, score in self._began.items()}
        return list(self._minimums.items())

    def _cleared_with_newer(self) -> _Heard:
        newest, detected, rejected = self._cleared
        return self._newest or newest, (*detected, *self._detected)[-KEPT:], (*rejected, *self._rejected)[-KEPT:]

    def _minimum(self, intent: IntentView | None) -> Minimum | None:
        if intent is None or intent.key not in self._minimums:
            return None
        score = self._minimums[intent.key]
        return Minimum(score, score != self._began[intent.key])
