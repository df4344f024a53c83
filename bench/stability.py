"""How still text stands: what was shown and then changed, and when each word came.

The measure is the unstable partial word ratio of Shangguan et al. 2020, "Analyzing the Quality and Stability of a
Streaming End-to-End On-Device Speech Recognizer" (arXiv 2006.01416): unstable words in the partials over words in the
finals. Exactly, here: of two texts that were shown one after the other for a segment, the words of the earlier one are
compared with those at the same place of the later one, letter for letter and capital for capital; from the first that
differs, or that is gone, all words of the earlier one are unstable, since they move on the screen. The final counts as
the last of the texts that were shown.

Often the only change is that the last word, heard in part, has become longer ("ban", then "banking"). That is a change
and it counts; `Stability.grown` says how many of the unstable words these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Words = Sequence[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A segment's text on the screen at one moment."""

    at: float
    """Seconds on the clock of the audio."""
    stable: tuple[str, ...]
    """Words that were promised."""
    tentative: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.stable, *self.tentative)


@dataclass(frozen=True, slots=True)
class Stability:
    """Counts over segments."""

    words: int = 0
    """Words of the finals."""
    unstable: int = 0
    """Words that were shown and then changed or moved."""
    grown: int = 0
    """Of those, last words that only became longer."""
    withdrawn: int = 0
    """Words that were promised as stable and then changed or moved: must be none."""

    def __add__(self, other: Stability) -> Stability:
        return Stability(
            self.words + other.words,
            self.unstable + other.unstable,
            self.grown + other.grown,
            self.withdrawn + other.withdrawn,
        )

    @property
    def upwr(self) -> float:
        """Unstable words per word of the finals; 0 where nothing was said."""
        return self.unstable / self.words if self.words else 0.0

    @property
    def upwr_without_growth(self) -> float:
        """The same without the last words that only became longer."""
        return (self.unstable - self.grown) / self.words if self.words else 0.0

    @property
    def stable_upwr(self) -> float:
        """The same of the stable words alone."""
        return self.withdrawn / self.words if self.words else 0.0


def unstable(before: Words, after: Words) -> int:
    """How many words of a text are not where they were in the next one."""
    return len(before) - _common(before, after)


def grown(before: Words, after: Words) -> bool:
    """Whether the one thing that changed is that the last word became longer."""
    last = len(before) - 1
    return 0 <= last < len(after) and _common(before, after) == last and after[last].startswith(before[last])


def stability(segments: Iterable[Sequence[Shown]]) -> Stability:
    """The counts of segments: for each all texts that were shown, the final last, which is stable."""
    total = Stability()
    for shown in segments:
        pairs = list(pairwise(shown))
        total += Stability(
            words=len(shown[-1].words) if shown else 0,
            unstable=sum(unstable(a.words, b.words) for a, b in pairs),
            grown=sum(grown(a.words, b.words) for a, b in pairs),
            withdrawn=sum(unstable(a.stable, b.stable) for a, b in pairs),
        )
    return total


def delays(shown: Sequence[Shown], ends: Sequence[float]) -> tuple[list[float], list[float]]:
    """Seconds from the end of each word of a segment's final to its first appearance, and to the moment it is stable.

    A word appears with the first text that has it in its place, as the alignment of that text with the beginning of the
    final says (`found_in`). A first appearance can come before the word's end: half of it was enough. It is stable when
    the stable part of a text has as many words. Text that is nowhere promised becomes stable with the final.

    Args:
        shown: all texts of the segment, the final last.
        ends: where each word of the final ends, in seconds on the clock of the audio.
    """
    final = shown[-1].words
    first: dict[int, float] = {}
    stable: dict[int, float] = {}
    for text in shown:
        for index in found_in(text.words, final):
            first.setdefault(index, text.at)
        for index in range(min(len(text.stable), len(final))):
            stable.setdefault(index, text.at)
    count = range(min(len(final), len(ends)))
    return [first[i] - ends[i] for i in count], [stable[i] - ends[i] for i in count]


def found_in(partial: Words, final: Words) -> list[int]:
    """Which words of the final a partial text has: their places in the final, by the alignment with the fewest changes
    (Levenshtein) of the partial with any beginning of the final, the longest among equals."""
    rows = [list(range(len(final) + 1))]
    for count, word in enumerate(partial, start=1):
        above, row = rows[-1], [count]
        for place, other in enumerate(final, start=1):
            row.append(min(above[place - 1] + (word != other), above[place] + 1, row[-1] + 1))
        rows.append(row)
    last = rows[-1]
    place = max(range(len(last)), key=lambda each: (-last[each], each))
    found: list[int] = []
    count = len(partial)
    while count and place:
        same = partial[count - 1] == final[place - 1]
        if rows[count][place] == rows[count - 1][place - 1] + (not same):
            found += [place - 1] if same else []
            count, place = count - 1, place - 1
        elif rows[count][place] == rows[count - 1][place] + 1:
            count -= 1
        else:
            place -= 1
    return found[::-1]


def _common(before: Words, after: Words) -> int:
    """How many words at the beginning are the same."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return count
