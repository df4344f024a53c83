"""The level meter's memory: peak hold and clipping, on the sample clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

FLOOR = -60.0
"""Decibels of full scale at the left end of the meter."""
STEP_S = 0.1
"""The meter moves ten times a second and no faster: a calm screen is easier to read beside."""
HOLD_S = 1.5
CLIP_S = 2.0
CLIPPED = 0.999


@dataclass(frozen=True, slots=True)
class LevelView:
    """What one meter shows."""

    channel: str = ""
    dbfs: int = -120
    hold: int = -120
    speaking: bool = False
    clipping: bool = False


class LevelTracker:
    """Turns the measurements of one channel into what its meter shows."""

    def __init__(self, channel: str) -> None:
        self.view = LevelView(channel)
        self._shown_at = float("-inf")
        self._loudest = -120.0
        self._held_at = float("-inf")
        self._clipped_at = float("-inf")

    def measure(self, at: float, dbfs: float, peak: float) -> bool:
        """Takes one measurement in and says whether the meter changed."""
        if at < self._shown_at:  # the source began again
            self._shown_at = self._held_at = self._clipped_at = float("-inf")
        self._loudest = max(self._loudest, dbfs)
        if peak >= CLIPPED:
            self._clipped_at = at
        if at - self._shown_at < STEP_S:
            return False
        before = self.view
        self._show(at)
        return self.view != before

    def speech(self, *, speaking: bool) -> None:
        """Somebody began or ceased to speak."""
        self.view = replace(self.view, speaking=speaking)

    def quiet(self) -> None:
        """The stream is over: the meter falls to its left end."""
        self.view = LevelView(self.view.channel)

    def _show(self, at: float) -> None:
        level = round(max(-120.0, min(self._loudest, 0.0)))
        hold = self.view.hold
        if level >= hold or at - self._held_at > HOLD_S:
            hold, self._held_at = level, at
        self.view = replace(
            self.view,
            dbfs=level,
            hold=hold,
            clipping=at - self._clipped_at < CLIP_S,
        )
        self._shown_at, self._loudest = at, -120.0
