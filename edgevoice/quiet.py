"""Whether a microphone is silent: muted, unplugged at the far end of its cable, or the wrong one. Pure arithmetic over
levels.

A microphone behind a noise gate, and a headset with a mute button, fall silent by themselves and come back. One that
has done so is given more time, so that listening for a while is no reason to be warned.
"""

from __future__ import annotations

PATIENCE_S = 10.0
"""Silence of this length is pointed out."""
LONG_PATIENCE_S = 60.0
"""The same for a microphone that has been silent before and came back."""
SILENT_DBFS = -80.0
"""Decibels of full scale: at or below it there is neither a voice nor the noise of a room, only the device's own. Soft
speech is some thirty decibels louder."""
GAP_S = 1.0
"""Silence of this length between sounds shows that the microphone falls silent by itself."""


class Quiet:
    """One microphone's. Feed it every level."""

    def __init__(self) -> None:
        self.silent = False
        """Whether it was pointed out, and nothing was heard since."""
        self._since: float | None = None
        self._sounded = self._falls_silent = False

    def heard(self, at: float, dbfs: float) -> bool:
        """Takes a level in, and says whether `silent` has changed.

        Args:
            at: seconds on the sample clock.
            dbfs: root mean square of the newest audio.
        """
        if dbfs > SILENT_DBFS:
            return self._sound(at)
        if self._since is None:
            self._since = at
        patience = LONG_PATIENCE_S if self._falls_silent else PATIENCE_S
        if self.silent or at - self._since < patience:
            return False
        self.silent = True
        return True

    def _sound(self, at: float) -> bool:
        if self._since is not None and self._sounded and at - self._since >= GAP_S:
            self._falls_silent = True
        self._since, self._sounded = None, True
        changed, self.silent = self.silent, False
        return changed
