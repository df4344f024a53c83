"""CTC prefix beam search, fed frame by frame: log-probabilities -> the likeliest tokens with their frames.

A hypothesis is a sequence of tokens, and its probability the sum over all paths that spell it. Paths that end in a
blank and those that end in its last token are summed apart, since only the former can say that token again (Hannun et
al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs", 2014). To this a
`WordScorer` adds what it thinks of the words. Words are what counts, so special tokens ("") are blanks, and a space
after a space, or before the first word, is nothing new.

Two limits keep it quick, and without them a beam that is wide enough is exact: a token less likely than `FLOOR` in a
frame is impossible there, which leaves nothing but blank in many frames of a CTC model, and those cost next to nothing;
and hypotheses that fall behind the best by more than `MARGIN` are dropped, however wide the beam.

numpy finds what is possible, in all frames at once. The hypotheses are Python objects: within the limits there are a
dozen of them and three tokens to choose from, and arrays of that size took five times as long.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgevoice.asr.ctc import Token
from edgevoice.asr.scorer import State, WordScorer

_Row = list[tuple[int, float]]
"""The tokens that are possible in a frame with their log-probabilities, likeliest first."""

WIDTH = 16
FLOOR = -4.5
"""Of the natural logarithm of a token's probability in a frame."""
MARGIN = 7.0
"""A difference of natural logarithms."""

_NEVER = -math.inf
_HOPE = 3.0
"""By how much a scorer may like a token more than what came before."""


class BeamSearch:
    """What all streams share: the vocabulary, the scorer, the limits.

    Args:
        vocabulary: tokens by id, as in a manifest.
        blank: id of the CTC blank.
        scorer: what prefers some words to others.
        width: how many hypotheses are kept.
        floor: see `FLOOR`; -inf for no limit.
        margin: see `MARGIN`; inf for no limit.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        blank: int,
        scorer: WordScorer | None = None,
        *,
        width: int = WIDTH,
        floor: float = FLOOR,
        margin: float = MARGIN,
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.scorer = scorer
        self.width, self.floor, self.margin = width, floor, margin
        self.silent = [index for index, piece in enumerate(vocabulary) if index == blank or not piece]
        # a vocabulary whose pieces begin with their spaces has none: its id is then one that no frame ever takes
        self.space = self.vocabulary.index(" ") if " " in self.vocabulary else len(self.vocabulary)

    def open(self, *, begins: bool = True) -> Beams:
        """A new stream.

        Args:
            begins: whether it begins where a sentence does, or somewhere in the middle.
        """
        return Beams(self, begins=begins)


class Beams:
    """The hypotheses about one stream. `feed` takes frames as they come; `tokens` can be asked at any time."""

    def __init__(self, search: BeamSearch, *, begins: bool) -> None:
        self._search = search
        self._frames = 0
        scorer = search.scorer
        place = _Place(scorer, scorer.start(begins=begins), 0.0, "") if scorer else None
        nothing = _Hypothesis(None, search.space, place)  # was said yet; before it stands a space
        nothing.blank, nothing.alive = 0.0, True
        self._beam = [nothing]
        self._hope = _HOPE if scorer else 0.0

    def feed(self, log_probs: npt.NDArray[np.floating]) -> None:
        """Takes the next frames [frames, vocabulary], natural logarithms."""
        for blank, row in zip(*self._split(log_probs), strict=True):
            if row:
                self._hear(blank, row)
            else:
                for each in self._beam:
                    each.blank, each.said = _add(each.blank, each.said) + blank, _NEVER
            self._frames += 1

    def tokens(self, *, final: bool = False) -> list[Token]:
        """The tokens of the best hypothesis, in frames since the stream began.

        Args:
            final: whether the words are over; until then the last one may still be in the making.
        """
        return self._spelt(self._best(final=final))

    def settled(self) -> int:
        """How many tokens, from the first, no frame to come can change: all hypotheses have them."""
        level = min(each.depth for each in self._beam)
        heads = {each.cut(level) for each in self._beam}
        while len(heads) > 1:
            level -= 1
            heads = {each.cut(level) for each in heads}
        return level

    def fork(self) -> Beams:
        """The same stream again: what the one hears does not change the other."""
        twins: dict[_Hypothesis, _Hypothesis] = {}
        for each in self._beam:
            ancestor: _Hypothesis | None = each
            while ancestor and ancestor not in twins:
                twins[ancestor] = copy.copy(ancestor)
                ancestor = ancestor.before
        for twin in twins.values():
            twin.before = twins[twin.before] if twin.before else None
            twin.grown = {token: twins[child] for token, child in twin.grown.items() if child in twins}
        fork = copy.copy(self)
        fork._beam = [twins[each] for each in self._beam]  # noqa: SLF001 - of its own kind
        return fork

    def hypotheses(self) -> dict[tuple[str, ...], float]:
        """Every hypothesis, as the texts of its tokens, with its log-probability as far as the audio goes."""
        return {tuple(t.text for t in self._spelt(each)): _add(each.blank, each.said) for each in self._beam}

    def _split(self, log_probs: npt.NDArray[np.floating]) -> tuple[list[float], list[_Row]]:
        """For each frame the log-probability of a blank, and the tokens that are possible."""
        rows = np.array(log_probs, dtype=np.float64)
        if not len(rows):
            return [], []
        silent = self._search.silent
        blanks = np.logaddexp.reduce(rows[:, silent], axis=1)
        rows[:, silent] = _NEVER
        # the likeliest of a frame is possible, however many share its probability
        limits = np.minimum(self._search.floor, np.maximum(rows.max(axis=1), blanks))
        frames, ids = np.nonzero((rows >= limits[:, None]) & (rows > _NEVER))
        values = rows[frames, ids]
        order = np.lexsort((-values, frames))
        pairs = list(zip(ids[order].tolist(), values[order].tolist(), strict=True))
        ends = np.searchsorted(frames, np.arange(len(rows) + 1)).tolist()
        return blanks.tolist(), [pairs[start:end] for start, end in itertools.pairwise(ends)]

    def _hear(self, blank: float, row: _Row) -> None:
        """A frame in which some tokens are possible."""
        likely = dict(row)
        scores = self._stay(blank, likely)
        limit = max(scores) - self._search.margin
        # as many as the beam is wide are at least as good as the worst of these, so what is worse has no chance
        chance = max(limit, min(scores)) if len(scores) >= self._search.width else limit
        everyone = list(self._beam)
        for each in self._beam:
            self._grow(each, row, limit, chance, everyone)
        self._keep(everyone, self._fittest(everyone))
        # all paths before any of them goes on, since some begin with others
        for each in self._beam:
            each.next_path = each.sayer.trail() if each.sayer else None
        for each in self._beam:
            each.go_on(self._frames, blank, likely.get(each.token, _NEVER))

    def _stay(self, blank: float, likely: dict[int, float]) -> list[float]:
        """What becomes in a frame of the hypotheses that say nothing new; gives about how good each is."""
        space, scores = self._search.space, []
        for each in self._beam:
            total = each.total = _add(each.blank, each.said)
            each.next_blank = total + blank
            # a space after a space is the same one, and any other token after itself needs a blank between
            each.next_said = (total if each.token == space else each.said) + likely.get(each.token, _NEVER)
            scores.append(max(each.next_blank, each.next_said) + each.held)
        return scores

    def _grow(self, parent: _Hypothesis, row: _Row, limit: float, chance: float, everyone: list[_Hypothesis]) -> None:
        """Says each token of a frame after a hypothesis, down to a limit; adds what is new and has a chance."""
        for token, log_prob in row:
            said = parent.total + log_prob
            if said + parent.held < limit:
                break
            if token == parent.token:
                said = _NEVER if token == self._search.space else parent.blank + log_prob
            child = parent.grown.get(token)
            if child is not None and child.alive:
                if said > child.next_blank and said > child.next_said:
                    child.sayer = parent
                child.next_said = _add(child.next_said, said)
            elif said + parent.held > chance - self._hope:
                place, piece = parent.place, self._search.vocabulary[token]
                if said + (place.held_after(piece) if place else 0.0) < chance or said == _NEVER:
                    continue
                if child is None:
                    child = parent.grown[token] = _Hypothesis(parent, token, place and place.after(piece))
                child.next_blank, child.next_said, child.sayer = _NEVER, said, parent
                everyone.append(child)

    def _fittest(self, everyone: Sequence[_Hypothesis]) -> list[_Hypothesis]:
        """The best, at most as many as the beam is wide, and none beyond the margin."""
        scores = [_add(each.next_blank, each.next_said) + each.held for each in everyone]
        limit = max(scores) - self._search.margin
        found = [index for index, score in enumerate(scores) if score >= limit and score > _NEVER]
        if len(found) > self._search.width:
            found = sorted(found, key=scores.__getitem__, reverse=True)[: self._search.width]
        return [everyone[index] for index in found]

    def _keep(self, everyone: Sequence[_Hypothesis], kept: list[_Hypothesis]) -> None:
        for each in everyone:
            each.alive = False
        for each in kept:
            each.alive = True
        for each in everyone:
            each.forget()
        self._beam = kept

    def _best(self, *, final: bool) -> _Hypothesis:
        """The best hypothesis; if final, the one with the best words, which a space behind them does not change."""
        scores = {id(each): _add(each.blank, each.said) for each in self._beam}
        for each in self._beam:
            before = each.before
            if final and each.token == self._search.space and before and before.alive:
                scores[id(before)] = _add(scores[id(before)], scores[id(each)])
        return max(self._beam, key=lambda each: scores[id(each)] + each.bonus(final=final))

    def _spelt(self, hypothesis: _Hypothesis) -> list[Token]:
        found, trail = [], hypothesis.trail()
        while trail:
            text, probability = self._search.vocabulary[trail.token], min(1.0, math.exp(trail.peak))
            found.append(Token(text, trail.start, trail.end, probability))
            trail = trail.before
        return found[::-1]


class _Trail(NamedTuple):
    """Where a sequence of tokens was said: the last of them, and those before."""

    before: _Trail | None
    token: int
    start: int
    """Its first frame."""
    end: int
    """One past its last."""
    peak: float
    """Its largest log-probability."""


class _Hypothesis:
    """A sequence of tokens: one more than another hypothesis. There is one object for each, as long as it is alive or
    an ancestor of one that is, and so paths that spell the same meet."""

    __slots__ = (
        "alive",
        "before",
        "blank",
        "depth",
        "end",
        "grown",
        "held",
        "next_blank",
        "next_path",
        "next_said",
        "path",
        "peak",
        "place",
        "said",
        "sayer",
        "start",
        "token",
        "total",
    )

    def __init__(self, before: _Hypothesis | None, token: int, place: _Place | None) -> None:
        self.before, self.token, self.place = before, token, place
        self.depth: int = before.depth + 1 if before else 0
        self.grown: dict[int, _Hypothesis] = {}
        self.alive = False
        self.held = place.held if place else 0.0
        # log-probabilities of the paths that end in a blank, those that end in the last token, and both
        self.blank = self.said = self.total = self.next_blank = self.next_said = _NEVER
        # where the tokens before the last were said, and where the last
        self.path: _Trail | None = None
        self.next_path: _Trail | None = None
        self.sayer: _Hypothesis | None = None  # what says the last token most likely in this frame
        self.start = self.end = 0
        self.peak = 0.0

    def cut(self, depth: int) -> _Hypothesis:
        """Its first `depth` tokens."""
        found = self
        while found.depth > depth and found.before:
            found = found.before
        return found

    def trail(self) -> _Trail | None:
        """Where its tokens were said."""
        return _Trail(self.path, self.token, self.start, self.end, self.peak) if self.before else None

    def go_on(self, frame: int, blank: float, log_prob: float) -> None:
        """Takes over what the frame made of it, with the log-probabilities of a blank and of its last token."""
        self.blank, self.said = self.next_blank, self.next_said
        if self.sayer:
            self.sayer, self.path = None, self.next_path
            self.start, self.end, self.peak = frame, frame + 1, log_prob
        elif self.end == frame and log_prob > blank:
            self.end, self.peak = frame + 1, max(self.peak, log_prob)

    def forget(self) -> None:
        """Makes room where it and its ancestors are needed no more."""
        each = self
        while each.before and not each.alive and not each.grown:
            each.before.grown.pop(each.token, None)
            each = each.before

    def bonus(self, *, final: bool) -> float:
        """What the scorer says, of the words so far or, if final, of all words."""
        return self.place.ended() if self.place and final else self.held


class _Place:
    """Where a hypothesis stands among its words, as far as the scorer goes."""

    __slots__ = ("_after", "_banked", "_scorer", "_state", "_text", "_word", "held")

    def __init__(self, scorer: WordScorer, state: State, banked: float, text: str) -> None:
        self._scorer, self._state, self._banked, self._text = scorer, state, banked, text
        self.held = banked + scorer.partial(state, text)
        """The score of the words, and of the one in the making."""
        self._after: dict[str, float] = {}
        self._word: tuple[float, State] | None = None

    def held_after(self, piece: str) -> float:
        """What `after` would hold: most tokens that are possible are not worth a place."""
        found = self._after.get(piece)
        if found is None:
            banked, state, text = self._moved(piece)
            found = self._after[piece] = banked + self._scorer.partial(state, text)
        return found

    def after(self, piece: str) -> _Place:
        """The place after one more token."""
        banked, state, text = self._moved(piece)
        return _Place(self._scorer, state, banked, text)

    def _moved(self, piece: str) -> tuple[float, State, str]:
        """What is banked, the state and the word in the making after one more token."""
        if not piece.startswith(" "):
            return self._banked, self._state, self._text + piece
        score, state = self._whole()
        return self._banked + score, state, piece[1:]

    def ended(self) -> float:
        """The score if the words are over here."""
        score, state = self._whole()
        return self._banked + score + self._scorer.end(state)

    def _whole(self) -> tuple[float, State]:
        """The score of the word that ends here, if there is one, and the state after it."""
        if self._word is None:
            self._word = self._scorer.word(self._state, self._text) if self._text else (0.0, self._state)
        return self._word


def _add(one: float, other: float) -> float:
    """The logarithm of the sum of two probabilities."""
    if one < other:
        one, other = other, one
    return one if other == _NEVER else one + math.log1p(math.exp(other - one))
