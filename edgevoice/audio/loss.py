"""Notices audio that a device lost in silence, by counting samples against a clock. No clock is read here."""

from __future__ import annotations

import math

LEAST_S = 0.5
"""Seconds that must be missing before they count: less is jitter."""
_SETTLE_S = 1.0
_DRIFT = 0.002


class LossWatch:
    """Compares the samples received with the time that passed.

    Sound servers deliver late in bursts without losing anything, so a deficit counts only if it lasted for a second.
    A device whose clock differs from ours by up to 2000 ppm never counts as losing audio.

    Args:
        sample_rate: hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._usual: float | None = None
        self._least = math.inf
        self._since = 0.0

    def heard(self, frames: int, at: float, *, flagged: bool = False) -> float:
        """Counts one block.

        Args:
            frames: samples received in all, this block included.
            at: seconds on a monotonic clock when the block came.
            flagged: the device said that it lost something before this block.

        Returns:
            Seconds newly known to be lost, usually 0.
        """
        behind = at - frames / self._rate
        if self._usual is None or behind <= self._usual:
            self._usual = behind
            self._restart(at)
            return 0.0
        if flagged:
            return self._lost(behind, at)
        self._least = min(self._least, behind)
        if at - self._since < _SETTLE_S:
            return 0.0
        if self._least - self._usual > LEAST_S:
            return self._lost(self._least, at)
        self._usual += min(self._least - self._usual, _DRIFT * (at - self._since))
        self._restart(at)
        return 0.0

    def _lost(self, behind: float, at: float) -> float:
        lost = behind - (self._usual or 0.0)
        self._usual = behind
        self._restart(at)
        return lost

    def _restart(self, at: float) -> None:
        self._least = math.inf
        self._since = at
