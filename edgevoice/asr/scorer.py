"""What a decoder asks of anything that prefers some words to others: language models, word lists, hot words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable, Sequence
from typing import Protocol

UNKNOWN = -10.0
"""What a word costs that a language model or word list does not know, as a natural logarithm: it is still written where
the audio leaves hardly a doubt."""
STRANGER_LETTERS = 7
"""A word that nobody knows costs that for each so many letters: otherwise one long word would be cheaper than several
short ones, and what is hard to hear would be written without spaces."""

MEMORY = 100_000
"""How many answers a scorer may remember: hypotheses ask the same again and again."""

State = Hashable
"""What a scorer remembers of the words before; opaque to everybody else."""


class WordScorer(Protocol):
    """Scores words, as natural logarithms that are added to those of the audio. It has no memory of its own: one scorer
    serves any number of hypotheses and streams, each with its state."""

    def start(self, *, begins: bool) -> State:
        """The state before the first word.

        Args:
            begins: whether what follows begins a sentence, or words unknown come before it.
        """
        ...

    def word(self, state: State, word: str) -> tuple[float, State]:
        """The score of a whole word, and the state after it."""
        ...

    def partial(self, state: State, text: str) -> float:
        """The score of a word that is still being written, `text` so far, perhaps empty; `word` takes its place."""
        ...

    def end(self, state: State) -> float:
        """The score of the words being over."""
        ...


class Together:
    """Several scorers as one: their scores are added."""

    def __init__(self, scorers: Sequence[WordScorer]) -> None:
        self._scorers = tuple(scorers)

    def start(self, *, begins: bool) -> State:
        """See `WordScorer.start`."""
        return tuple(scorer.start(begins=begins) for scorer in self._scorers)

    def word(self, state: State, word: str) -> tuple[float, State]:
        """See `WordScorer.word`."""
        assert isinstance(state, tuple)
        found = [scorer.word(each, word) for scorer, each in zip(self._scorers, state, strict=True)]
        return sum(score for score, _ in found), tuple(after for _, after in found)

    def partial(self, state: State, text: str) -> float:
        """See `WordScorer.partial`."""
        assert isinstance(state, tuple)
        return sum(scorer.partial(each, text) for scorer, each in zip(self._scorers, state, strict=True))

    def end(self, state: State) -> float:
        """See `WordScorer.end`."""
        assert isinstance(state, tuple)
        return sum(scorer.end(each) for scorer, each in zip(self._scorers, state, strict=True))


def stranger(word: str) -> float:
    """What a word costs that nobody knows, or its beginning."""
    return UNKNOWN * max(1.0, len(word) / STRANGER_LETTERS)


class KnownWords:
    """The words somebody listed, in order, so that the beginning of one is found as fast as the whole."""

    def __init__(self, words: Collection[str]) -> None:
        self._words = sorted(set(words))
        self._begins: dict[str, bool] = {}

    def __contains__(self, word: str) -> bool:
        at = bisect_left(self._words, word)
        return at < len(self._words) and self._words[at] == word

    def begins(self, text: str) -> bool:
        """Whether any word begins so; every word begins with nothing."""
        found = self._begins.get(text)
        if found is None:
            if len(self._begins) >= MEMORY:
                self._begins.clear()
            at = bisect_left(self._words, text)
            found = self._begins[text] = at < len(self._words) and self._words[at].startswith(text)
        return found


class WordList:
    """A scorer that knows words and no grammar: others are strangers, from the first letter that leads nowhere."""

    def __init__(self, words: Collection[str]) -> None:
        self._known = KnownWords(words)

    def start(self, *, begins: bool) -> State:  # noqa: ARG002 - every word stands for itself
        """See `WordScorer.start`."""
        return None

    def word(self, state: State, word: str) -> tuple[float, State]:
        """See `WordScorer.word`."""
        return (0.0 if word in self._known else stranger(word)), state

    def partial(self, state: State, text: str) -> float:  # noqa: ARG002 - the same
        """See `WordScorer.partial`."""
        return 0.0 if self._known.begins(text) else stranger(text)

    def end(self, state: State) -> float:  # noqa: ARG002 - the same
        """See `WordScorer.end`."""
        return 0.0
