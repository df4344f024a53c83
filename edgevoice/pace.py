"""How often captions are updated on a machine that cannot keep up: less often the more audio waits, and as often as
before once it no longer does. Pure arithmetic: positions on the stream's clock, and how long audio waited.

An update costs about the same however much audio is new, so a hop twice as long halves the work. While audio is late
there is no update at all, which lets the stream catch up; finals are none of this module's business, and always come.

Going back is a trial, since only updates at the shorter hop show whether they can be kept up. A trial that fails makes
the wait before the next one twice as long, so that a machine that is busy for an hour does not change its pace every
few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

LATE_HOPS = 2.0
"""Audio is late when it waited longer than so many usual hops."""
SLOWEST = 8.0
"""The hop grows to at most so many times the usual one."""
CALM_S = 5.0
"""After this much speech with updates in time the hop is halved."""
LONGEST_CALM_S = 40.0
"""The same after trials that failed."""
PROOF_S = 20.0
"""A trial that lasted for less speech than this has failed."""
QUIET_S = 10.0
"""After so much audio that is in time and needs no updates, nothing speaks for a longer hop any more."""
REPORT_S = 2.0
"""How much audio passes at least between two reports at the same hop."""
_NOTEWORTHY_S = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """How a stream keeps up."""

    behind: float
    """Seconds that audio waited at most in the last moments; once it keeps up, seconds that it waits now."""
    hop: float
    """Seconds of audio from one update to the next."""
    keeping_up: bool
    """Whether that is the usual hop."""


class Pace:
    """One stream's. `heard` at every block of audio, `allows` whenever an update could be made, `news` after either.

    Args:
        hop_s: from one update to the next as long as the machine keeps up.
    """

    def __init__(self, hop_s: float) -> None:
        self.hop = hop_s
        """Seconds of audio from one update to the next as of now."""
        self._usual = hop_s
        self._behind = self._most = 0.0
        self._updated: float | None = None
        self._ran = True
        self._calm = 0.0
        self._wait, self._waited = CALM_S, 0.0
        self._told = Load(0.0, hop_s, keeping_up=True)
        self._told_at = 0.0

    @property
    def late(self) -> bool:
        """Whether audio waited too long for an update to be worth its time."""
        return self._behind > LATE_HOPS * self._usual

    def heard(self, behind_s: float) -> None:
        """A block of audio waited for so long before it was taken in."""
        self._behind = max(0.0, behind_s)
        self._most = max(self._most, self._behind)

    def allows(self, at_s: float) -> bool:
        """Whether to make the update that could be made at this position; if so, it counts as made."""
        since = self.hop if self._updated is None else at_s - self._updated
        if self.hop > self._usual and since < self.hop - self._usual / 2:
            return False
        if self.late:
            if self._ran:  # one step for each update that came too late, not for each that is left out
                self._widen()
            return False
        self._updated, self._ran = at_s, True
        self._calm += min(since, self.hop)
        if self.hop > self._usual and self._calm >= self._wait:
            self._narrow()
        return True

    def news(self, at_s: float) -> Load | None:
        """What is worth telling at this position, if anything."""
        if not self.late and self._updated is not None and at_s - self._updated >= QUIET_S:
            self.hop = self._usual
        told, keeping_up = self._told, self.hop <= self._usual
        if self.hop == told.hop:
            if keeping_up or at_s - self._told_at < REPORT_S:
                return None
            if abs(self._most - told.behind) < _NOTEWORTHY_S:
                self._told_at, self._most = at_s, 0.0
                return None
        self._told = Load(self._behind if keeping_up else self._most, self.hop, keeping_up)
        self._told_at, self._most = at_s, 0.0
        return self._told

    def _widen(self) -> None:
        if self.hop < SLOWEST * self._usual:
            failed = self._waited and self._calm < PROOF_S
            self._wait = min(2 * self._waited, LONGEST_CALM_S) if failed else CALM_S
            self._waited = 0.0
            self.hop = min(2 * self.hop, SLOWEST * self._usual)
        self._calm, self._ran = 0.0, False

    def _narrow(self) -> None:
        self.hop = max(self.hop / 2, self._usual)
        self._waited, self._wait = self._wait, CALM_S
        self._calm = 0.0
