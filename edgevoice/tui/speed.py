"""How fast somebody speaks, and whether that is too fast to read along."""

from __future__ import annotations

from collections import deque

READABLE = 200
"""Words a minute; beyond it most people cannot follow captions (Ofcom: 160 to 180 are comfortable)."""
SPOKEN_S = 20.0
"""Speech over which it is measured; pauses between captions do not count."""
ENOUGH_S = 6.0
"""Less speech says nothing yet."""


class Speed:
    """Of one speaker, over the newest captions."""

    def __init__(self) -> None:
        self._newest: deque[tuple[int, int, float]] = deque()

    def add(self, segment: int, words: int, seconds: float) -> None:
        """A caption of so many words, from the start of the first to the end of the last one."""
        self._newest.append((segment, words, max(0.0, seconds)))
        self._forget()

    def revise(self, segment: int, words: int, seconds: float) -> None:
        """The same caption, read once more; one that is no longer among the newest does not count."""
        revised = segment, words, max(0.0, seconds)
        self._newest = deque(revised if each[0] == segment else each for each in self._newest)
        self._forget()

    @property
    def told(self) -> str:
        """What is said of it; nothing while captions can be read."""
        seconds = sum(spoken for _, _, spoken in self._newest)
        if seconds < ENOUGH_S:
            return ""
        rate = sum(words for _, words, _ in self._newest) / seconds * 60
        return f"fast speech, {round(rate)} words/min" if rate > READABLE else ""

    def _forget(self) -> None:
        while self._newest and sum(spoken for *_, spoken in self._newest) - self._newest[0][2] >= SPOKEN_S:
            self._newest.popleft()
