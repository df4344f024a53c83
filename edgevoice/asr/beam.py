"""CTC prefix beam search in numpy, fed frame by frame: log-probabilities -> the likeliest tokens with their frames.

A hypothesis is a sequence of tokens, and its probability the sum over all paths that spell it. Paths that end in a
blank and those that end in its last token are summed apart, since only the former can say that token again (Hannun et
al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs", 2014). To this a
`WordScorer` adds what it thinks of the words. Words are what counts, so special tokens ("") are blanks, and a space
after a space, or before the first word, is nothing new.

Two limits keep it quick, and without them a beam that is wide enough is exact: a token less likely than `FLOOR` in a
frame is impossible there, which leaves nothing but blank in many frames of a CTC model, and those cost next to nothing;
and hypotheses that fall behind the best by more than `MARGIN` are dropped, however wide the beam.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edgevoice.asr.ctc import Token
from edgevoice.asr.scorer import State, WordScorer

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Beam = npt.NDArray[np.void]

WIDTH = 16
FLOOR = -5.0
"""Of the natural logarithm of a token's probability in a frame."""
MARGIN = 10.0
"""A difference of natural logarithms."""

_NEVER = -np.inf
_MIX = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(29)
_BEAM = np.dtype(
    [
        ("blank", np.float64),  # log-probability of all paths that end in a blank
        ("token", np.float64),  # and of those that end in the last token
        ("held", np.float64),  # what the scorer adds
        ("last", np.int64),  # id of the last token
        ("key", np.uint64),  # stands for all of its tokens
        ("parent", np.uint64),  # and this for all but the last
        ("start", np.int64),  # first frame of the last token
        ("end", np.int64),  # one past its last frame
        ("peak", np.float64),  # its largest log-probability in those
    ]
)
"""A hypothesis."""


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
        self._beams = np.zeros(1, dtype=_BEAM)  # nothing was said yet, after a space
        self._beams["token"], self._beams["last"] = _NEVER, search.space
        self._beams["parent"] = ~self._beams["key"]
        self._trails: list[_Trail | None] = [None]  # the tokens of each before its last
        self._places: list[_Place] = []
        if search.scorer:
            self._places = [_Place(search.scorer, search.scorer.start(begins=begins), 0.0, "")]
            self._beams["held"] = self._places[0].held

    def feed(self, log_probs: npt.NDArray[np.floating]) -> None:
        """Takes the next frames [frames, vocabulary], natural logarithms."""
        if not len(log_probs):
            return
        rows, blanks = self._split(log_probs)
        possible = rows > _NEVER
        silence: float | None = None  # the log-probability of the blanks since the last frame with anything else
        for index, busy in enumerate(possible.any(axis=1).tolist()):
            if not busy:
                silence = (silence or 0.0) + float(blanks[index])
                continue
            if silence is not None:
                self._hear_blanks(silence)
                silence = None
            candidates = np.flatnonzero(possible[index])
            self._hear(_Frame(self._frames + index, rows[index], float(blanks[index]), candidates))
        if silence is not None:
            self._hear_blanks(silence)
        self._frames += len(log_probs)

    def tokens(self, *, final: bool = False) -> list[Token]:
        """The tokens of the best hypothesis, in frames since the stream began.

        Args:
            final: whether the words are over; until then the last one may still be in the making.
        """
        return self._spelt(int(self._judged(final=final).argmax()))

    def settled(self) -> int:
        """How many tokens, from the first, no frame to come can change: all hypotheses have them."""
        trails = [self._trail(index) for index in range(len(self._beams))]
        level = min(_depth(trail) for trail in trails)
        while True:
            trails = [_cut(trail, level) for trail in trails]
            if len({_key(trail) for trail in trails}) == 1:
                return level
            level -= 1

    def settle(self, count: int) -> None:
        """Drops the hypotheses that differ from the best in its first `count` tokens, so that those are settled."""
        keys = [_key(_cut(self._trail(index), count)) for index in range(len(self._beams))]
        wanted = keys[int(self._judged(final=False).argmax())]
        self._keep([index for index, key in enumerate(keys) if key == wanted])

    def hypotheses(self) -> dict[tuple[str, ...], float]:
        """Every hypothesis, as the texts of its tokens, with its log-probability as far as the audio goes."""
        totals = self._totals().tolist()
        return {tuple(token.text for token in self._spelt(index)): total for index, total in enumerate(totals)}

    def _split(self, log_probs: npt.NDArray[np.floating]) -> tuple[Array, Array]:
        """Tokens [frames, vocabulary + 1], -inf for those that are not possible, and blanks [frames]."""
        search = self._search
        rows = np.full((len(log_probs), len(search.vocabulary) + 1), _NEVER)
        rows[:, :-1] = log_probs
        blanks = np.logaddexp.reduce(rows[:, search.silent], axis=1)
        rows[:, search.silent] = _NEVER
        # the likeliest of a frame is possible, however many share its probability
        limits = np.minimum(search.floor, np.maximum(rows.max(axis=1), blanks))
        rows[rows < limits[:, None]] = _NEVER
        return rows, blanks

    def _totals(self) -> Array:
        return np.logaddexp(self._beams["blank"], self._beams["token"])

    def _hear_blanks(self, log_prob: float) -> None:
        """Frames with nothing but blank."""
        self._beams["blank"] = self._totals() + log_prob
        self._beams["token"] = _NEVER

    def _hear(self, frame: _Frame) -> None:
        """A frame in which some tokens are possible."""
        beams, last = self._beams, self._beams["last"]
        spaced, total = last == self._search.space, self._totals()
        # a token after itself needs a blank between; a space after a space is the same one
        doubled = np.where(spaced, _NEVER, beams["blank"])
        grown = np.where(last[:, None] == frame.candidates, doubled[:, None], total[:, None])
        grown += frame.row[frame.candidates]
        stay = beams.copy()
        stay["blank"] = total + frame.blank
        stay["token"] = np.where(spaced, total, beams["token"]) + frame.row[last]
        again = (beams["end"] == frame.number) & (frame.row[last] > frame.blank)
        stay["end"] += again
        stay["peak"] = np.where(again, np.maximum(beams["peak"], frame.row[last]), beams["peak"])
        self._select(frame, stay, grown, self._merge(frame, stay, grown))

    def _merge(self, frame: _Frame, stay: Beam, grown: Array) -> list[_Trail | None]:
        """Adds what grows into a hypothesis that is there already to that one; gives the trails of those there are."""
        trails = list(self._trails)
        parents, children = np.nonzero(stay["key"][:, None] == stay["parent"])
        for parent, child in zip(parents.tolist(), children.tolist(), strict=True):
            for column in np.flatnonzero(frame.candidates == stay["last"][child]):
                now = grown[parent, column]
                grown[parent, column] = _NEVER
                if now > max(stay["blank"][child], stay["token"][child]):  # more likely said now than before
                    stay["start"][child], stay["end"][child] = frame.number, frame.number + 1
                    stay["peak"][child] = frame.row[stay["last"][child]]
                    trails[child] = self._trail(parent)
                stay["token"][child] = np.logaddexp(stay["token"][child], now)
        return trails

    def _select(self, frame: _Frame, stay: Beam, grown: Array, trails: Sequence[_Trail | None]) -> None:
        """Goes on with the best of what is there [hypotheses] and of that, grown by a token [hypotheses, candidates]."""
        scores = np.logaddexp(stay["blank"], stay["token"]) + stay["held"]
        bonus = self._bonus(frame, grown, scores.max() - self._search.margin)
        order = self._best(np.concatenate([scores, (grown + bonus).ravel()]))
        kept = order[order < len(stay)].tolist()
        rows, columns = np.divmod(order[order >= len(stay)] - len(stay), len(frame.candidates))
        ids = frame.candidates[columns]
        new = self._beams[rows]
        new["blank"], new["token"], new["held"] = _NEVER, grown[rows, columns], bonus[rows, columns]
        new["parent"], new["key"], new["last"] = new["key"], _grown(new["key"], ids), ids
        new["start"], new["end"], new["peak"] = frame.number, frame.number + 1, frame.row[ids]
        self._trails = [trails[index] for index in kept] + [self._trail(row) for row in rows.tolist()]
        if self._places:
            pairs = zip(rows.tolist(), ids.tolist(), strict=True)
            fresh = [self._places[row].after(self._search.vocabulary[index]) for row, index in pairs]
            self._places = [self._places[index] for index in kept] + fresh
        self._beams = np.concatenate([stay[kept], new])

    def _bonus(self, frame: _Frame, grown: Array, limit: float) -> Array:
        """What the scorer adds to what grows [hypotheses, candidates]; 0 where that cannot be kept anyway."""
        bonus = np.zeros(grown.shape)
        if self._places:
            pieces = [self._search.vocabulary[index] for index in frame.candidates.tolist()]
            worth = np.nonzero(grown + self._beams["held"][:, None] > limit)
            for row, column in zip(*(each.tolist() for each in worth), strict=True):
                bonus[row, column] = self._places[row].after(pieces[column]).held
            grown[grown + self._beams["held"][:, None] <= limit] = _NEVER
        return bonus

    def _best(self, scores: Array) -> Ids:
        """The places of the best scores, at most as many as the beam is wide and none beyond the margin."""
        width = self._search.width
        order = np.argpartition(scores, -width)[-width:] if len(scores) > width else np.arange(len(scores))
        chosen = scores[order]
        # what is impossible is no hypothesis, whatever the margin
        return np.sort(order[(chosen >= chosen.max() - self._search.margin) & (chosen > _NEVER)])

    def _keep(self, indices: list[int]) -> None:
        self._beams = self._beams[indices]
        self._trails = [self._trails[index] for index in indices]
        self._places = [self._places[index] for index in indices] if self._places else []

    def _judged(self, *, final: bool) -> Array:
        """The score of each hypothesis; if final, of its words, which a space behind them does not change."""
        totals = self._totals()
        if not final:
            return np.asarray(totals + self._beams["held"])
        spaced = np.flatnonzero(self._beams["last"] == self._search.space)
        shorter, longer = np.nonzero(self._beams["key"][:, None] == self._beams["parent"][spaced])
        totals[shorter] = np.logaddexp(totals[shorter], totals[spaced[longer]])
        return totals + np.array([place.ended() for place in self._places]) if self._places else totals

    def _trail(self, index: int) -> _Trail | None:
        """The tokens of a hypothesis, the last one included."""
        beam, before = self._beams[index], self._trails[index]
        if not beam["key"]:
            return None
        times = int(beam["start"]), int(beam["end"]), float(beam["peak"])
        return _Trail(before, _depth(before) + 1, int(beam["key"]), int(beam["last"]), *times)

    def _spelt(self, index: int) -> list[Token]:
        found, trail = [], self._trail(index)
        while trail:
            text, probability = self._search.vocabulary[trail.token], min(1.0, float(np.exp(trail.peak)))
            found.append(Token(text, trail.start, trail.end, probability))
            trail = trail.before
        return found[::-1]


class _Frame(NamedTuple):
    """One frame."""

    number: int
    row: Array
    """Log-probabilities of the tokens, -inf for those that are not possible; one column more than the vocabulary."""
    blank: float
    candidates: Ids
    """The tokens that are possible."""


class _Trail(NamedTuple):
    """Some tokens: the last of them, and what came before."""

    before: _Trail | None
    depth: int
    """How many they are."""
    key: int
    token: int
    start: int
    end: int
    peak: float


class _Place:
    """Where a hypothesis stands among its words, as far as the scorer goes."""

    __slots__ = ("_after", "_banked", "_scorer", "_state", "_text", "_word", "held")

    def __init__(self, scorer: WordScorer, state: State, banked: float, text: str) -> None:
        self._scorer, self._state, self._banked, self._text = scorer, state, banked, text
        self.held = banked + scorer.partial(state, text)
        """The score of the words, and of the one in the making."""
        self._after: dict[str, _Place] = {}
        self._word: tuple[float, State] | None = None

    def after(self, piece: str) -> _Place:
        """The place after one more token."""
        found = self._after.get(piece)
        if found is None:
            if piece.startswith(" "):
                score, state = self._whole()
                found = _Place(self._scorer, state, self._banked + score, piece[1:])
            else:
                found = _Place(self._scorer, self._state, self._banked, self._text + piece)
            self._after[piece] = found
        return found

    def ended(self) -> float:
        """The score if the words are over here."""
        score, state = self._whole()
        return self._banked + score + self._scorer.end(state)

    def _whole(self) -> tuple[float, State]:
        """The score of the word that ends here, if there is one, and the state after it."""
        if self._word is None:
            self._word = self._scorer.word(self._state, self._text) if self._text else (0.0, self._state)
        return self._word


def _grown(keys: npt.NDArray[np.uint64], tokens: Ids) -> npt.NDArray[np.uint64]:
    """A key for each sequence and a token more; two sequences share one about as often as a disk reads a bit wrong."""
    mixed = (keys + tokens.astype(np.uint64) + _MIX) * _MIX
    return (mixed ^ (mixed >> _FOLD)) * _MIX


def _cut(trail: _Trail | None, depth: int) -> _Trail | None:
    """The first `depth` tokens."""
    while trail and trail.depth > depth:
        trail = trail.before
    return trail


def _depth(trail: _Trail | None) -> int:
    return trail.depth if trail else 0


def _key(trail: _Trail | None) -> int:
    return trail.key if trail else 0
