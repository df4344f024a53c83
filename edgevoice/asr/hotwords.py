"""Hot words: phrases that a user expects, which are written more readily than the audio alone would have it.

Contextual biasing by shallow fusion, as in Zhao et al., "Shallow-Fusion End-to-End Contextual Biasing" (Interspeech
2019): each letter that goes on with a phrase is worth a bonus at once, so that the phrase is not dropped from the beam
before it is whole, and all of it is taken back where the phrase breaks off. Phrases begin and end where words do.

The automaton is that of Aho and Corasick, "Efficient string matching" (1975), over letters and the spaces between
words: where one phrase breaks off, the longest other one that is under way goes on.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgevoice.asr.scorer import MEMORY, State
from edgevoice.asr.spelling import Spelling
from edgevoice.errors import ConfigError
from edgevoice.files import why
from edgevoice.text import plain

LARGEST_WEIGHT = 20.0
"""Likelier by a factor of e^20 for each letter: more would not change anything."""
_WEIGHT = re.compile(r"(?:\s*\t\s*|\s+:)(\S*)\s*$")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One or more words, as the model writes them."""

    text: str
    weight: float
    """How much likelier each letter becomes, as a natural logarithm."""


def read_hotwords(file: Path, spelling: Spelling, weight: float) -> list[Phrase]:
    """The phrases of a file, one a line, each perhaps with a weight of its own behind a tab or " :"; what follows a "#"
    at the beginning of a line is a comment.

    Raises:
        ConfigError: the file cannot be read, or a line cannot be written by the model.
    """
    where = plain(str(file))
    found = [_phrase(line, f"line {number} of '{where}'", spelling, weight) for number, line in _lines(file)]
    if not found:
        raise ConfigError(f"There are no hot words in '{where}'", "Write a phrase on each line")
    return found


def phrases_in(file: Path) -> list[str]:
    """The phrases of a file as they are written there, without their weights.

    Raises:
        ConfigError: the file cannot be read.
    """
    return [" ".join(_WEIGHT.sub("", line).split()) for _, line in _lines(file)]


def _lines(file: Path) -> list[tuple[int, str]]:
    """The lines with a phrase, and their numbers."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        what = f"The hot words in '{plain(str(file))}' cannot be read: {why(error)}"
        raise ConfigError(what, "They must be a text file with a phrase on each line") from None
    numbered = enumerate(lines, 1)
    return [(number, line) for number, line in numbered if line.strip() and not line.lstrip().startswith("#")]


class HotWords:
    """A scorer that likes some phrases. Its states are places in the automaton, each at the beginning of a word."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._root = _Node()
        for phrase in sorted(phrases, key=lambda phrase: -phrase.weight):
            node = self._root
            for letter in f" {phrase.text} ":
                node = node.grown(letter, phrase.weight)
            node.whole = True
        self._begin = self._root.after.get(" ", self._root)
        self._link()

    def start(self, *, begins: bool) -> State:  # noqa: ARG002 - a phrase may be said anywhere
        """See `WordScorer.start`."""
        return self._begin

    def word(self, state: State, word: str) -> tuple[float, State]:
        """See `WordScorer.word`; the score of what is whole and never taken back."""
        assert isinstance(state, _Node)
        return self._walk(state, f"{word} ")

    def partial(self, state: State, text: str) -> float:
        """See `WordScorer.partial`; with what is under way, and may be taken back."""
        assert isinstance(state, _Node)
        found = state.seen.get(text)
        if found is None:
            if len(state.seen) >= MEMORY:
                state.seen.clear()
            banked, node = self._walk(state, text)
            found = state.seen[text] = banked + node.value
        return found

    def end(self, state: State) -> float:
        """See `WordScorer.end`."""
        gained, node = 0.0, state
        while isinstance(node, _Node):
            gained, node = gained + node.banked + node.missed, node.fail
        return gained

    def _walk(self, node: _Node, letters: str) -> tuple[float, _Node]:
        """Where letters lead, and what was gained for good on the way."""
        gained = 0.0
        for letter in letters:
            more, node = node.step(letter)
            gained += more
        return gained, node

    def _link(self) -> None:
        """Finds, for every node, the longest other beginning of a phrase that it ends with. The words of a phrase that
        is whole belong to it, and begin no other."""
        waiting = deque(self._root.after.values())
        for node in waiting:
            node.fail = self._root
        while waiting:
            node = waiting.popleft()
            for letter, after in node.after.items():
                assert node.fail
                gained, other = node.fail.step(letter)
                gained += node.missed
                after.value = max(after.value, gained + other.value)
                if after.whole:
                    after.banked, after.fail = max(after.value, gained + other.banked), self._begin
                else:
                    after.banked, after.fail, after.missed = node.banked, other, gained
                waiting.append(after)


@dataclass(slots=True, eq=False)
class _Node:
    """The beginning of a phrase, or of several."""

    value: float = 0.0
    """What its letters are worth."""
    whole: bool = False
    """Whether a phrase ends here."""
    banked: float = 0.0
    """What of its value stays if the phrase breaks off: that of the longest phrase that is whole."""
    missed: float = 0.0
    """What the other phrases are worth that became whole meanwhile."""
    seen: dict[str, float] = field(default_factory=dict)
    """What the beginning of a word is worth here, as far as it was asked for."""
    after: dict[str, _Node] = field(default_factory=dict)
    fail: _Node | None = None

    def grown(self, letter: str, weight: float) -> _Node:
        """One more letter; where phrases share it, the larger weight holds."""
        node = self.after.setdefault(letter, _Node())
        node.value = max(node.value, self.value + (weight if letter != " " else 0.0))
        return node

    def step(self, letter: str) -> tuple[float, _Node]:
        """What is gained for good with a letter, and the node after it."""
        gained, node = 0.0, self
        while letter not in node.after:
            if node.fail is None:
                return gained, node
            gained, node = gained + node.banked + node.missed, node.fail
        return gained, node.after[letter]


def _phrase(line: str, where: str, spelling: Spelling, weight: float) -> Phrase:
    found = _WEIGHT.search(line)
    if found:
        weight = _number(found[1], where)
        line = line[: found.start()]
    text = spelling.fit(line)
    shown = plain(line.strip())
    if not text:
        raise ConfigError(f"The hot word '{shown}' ({where}) has no letter", "Write it as it is said")
    missing = spelling.missing(text)
    if missing:
        what = f"The hot word '{shown}' ({where}) cannot be written by the model, which does not know: {plain(missing)}"
        raise ConfigError(what, "Write it with the letters that the model knows, as it is said")
    for word in text.split():
        if not spelling.writes(word):
            what = f"The hot word '{plain(word)}' ({where}) cannot be put together from the pieces the model writes"
            raise ConfigError(what, "Leave it out")
    return Phrase(text, weight)


def _number(text: str, where: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 < weight <= LARGEST_WEIGHT:
        what = f"The weight of a hot word ({where}) is '{plain(text)}'"
        raise ConfigError(what, f"Write a number above 0 and at most {LARGEST_WEIGHT:g} behind the tab or the colon")
    return weight
