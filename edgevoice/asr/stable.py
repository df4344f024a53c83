"""Commit policy: which words will never change again.

A word becomes stable when two consecutive passes agree on it (LocalAgreement-2, by words and times) and it ended a
little before the newest audio, where the model still changes its mind. Stable words are a promise: they are never
changed, and whatever a later pass says about their stretch of time is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgevoice.events import Word

SETTLE_S = 0.2
"""A word must have ended this long before the newest audio."""
TOLERANCE_S = 0.25
"""Two words of the same text are the same word if their middles are at most this far apart."""

EDGE_S = 0.1
"""What a window's left edge leaves of a stable word may reach this far past the word's end."""


class StablePrefix:
    """The words of one segment so far: a stable part that only grows and a tentative rest.

    Args:
        said: the last word of the segment before, if this one's audio may contain it again.
        settle_s: see `SETTLE_S`.
        tolerance_s: see `TOLERANCE_S`.
    """

    def __init__(
        self, said: Word | None = None, *, settle_s: float = SETTLE_S, tolerance_s: float = TOLERANCE_S
    ) -> None:
        self.stable: list[Word] = []
        self.tentative: list[Word] = []
        self._said = said
        self._settle_s = settle_s
        self._tolerance_s = tolerance_s

    def update(self, words: Sequence[Word], now_s: float) -> tuple[list[Word], list[Word]]:
        """Takes the words of a new pass over audio up to `now_s` (seconds); gives all stable and tentative words."""
        fresh = self.unsaid(words)
        agreed = 0
        for before, now in zip(self.tentative, fresh, strict=False):
            if not self._same(before, now) or now.end > now_s - self._settle_s:
                break
            agreed += 1
        self.stable += fresh[:agreed]
        self.tentative = fresh[agreed:]
        return list(self.stable), list(self.tentative)

    def commit_before(self, limit_s: float) -> None:
        """Makes tentative words that begin before `limit_s` stable, agreed or not: their audio leaves the window."""
        while self.tentative and self.tentative[0].start < limit_s:
            self.stable.append(self.tentative.pop(0))

    def finish(self, words: Sequence[Word]) -> list[Word]:
        """The final words: the stable ones, then what the final pass has after them."""
        return self.stable + self.unsaid(words)

    def unsaid(self, words: Sequence[Word]) -> list[Word]:
        """The words of a pass that come after the stable ones.

        Where the pass repeats the last stable word, order decides, so that neither jitter in its times nor "no no no"
        can double or swallow a word. Otherwise (the window cuts it, or the model changed its mind) times decide.
        """
        last = self.stable[-1] if self.stable else self._said
        if last is None:
            return list(words)
        repeats = [index for index, word in enumerate(words) if self._same(word, last)]
        if repeats:
            nearest = min(repeats, key=lambda index: abs(_middle(words[index]) - _middle(last)))
            return list(words[nearest + 1 :])
        return [word for word in words if _middle(word) > last.end + EDGE_S]

    def _same(self, one: Word, other: Word) -> bool:
        return one.word == other.word and abs(_middle(one) - _middle(other)) <= self._tolerance_s


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2
