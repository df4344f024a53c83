"""How a text lies in CTC log-probabilities: when each of its words was said, and how well it fits what was heard.

The forward score of a text is its probability under the model, over all ways to lay it along the frames (Graves et al.,
"Connectionist Temporal Classification", 2006, section 4.1); the best single way gives the times. What the vocabulary
cannot write, a number in digits or a letter of another alphabet, is a wildcard that stands for anything, once at least,
as the star token of torchaudio's forced alignment (Pratap et al., "Scaling Speech Technology to 1,000+ Languages",
2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from edgevoice.asr.spelling import Spelling

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

WILD = -1
"""The token that stands for anything."""
_NEVER = -1e30


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """Where a word lies, and how well it fits there."""

    start_frame: int
    end_frame: int
    """One past the last frame."""
    misfit: float
    """How much less likely, for each of its tokens, the word is than what the model would rather have written over the
    same frames; in natural logarithms, 0 at best. 0 for a word that is a wildcard."""
    known: bool
    """Whether any of it could be compared."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text in its place."""

    words: tuple[PlacedWord, ...]
    misfit: float
    """The forward score below that of the best path, for each token of the text; in natural logarithms."""


class TextAligner:
    """Lays texts along the log-probabilities of one vocabulary.

    Args:
        vocabulary: tokens by id, as in a manifest.
        blank: id of the CTC blank.
    """

    def __init__(self, vocabulary: Sequence[str], blank: int) -> None:
        self._blank = blank
        self._spelling = Spelling(vocabulary)
        self._ids = {piece: number for number, piece in enumerate(vocabulary) if piece and number != blank}
        self._longest = max(map(len, self._ids), default=0)
        self._space = self._ids.get(" ")

    def align(self, words: Sequence[str], log_probs: Array) -> Alignment | None:
        """The words along the frames; None where there are too few frames to say them, or no words.

        Args:
            words: as they are written, punctuation and all.
            log_probs: [frames, vocabulary], natural logarithms.
        """
        tokens, owners = self._tokens(words)
        repeats = sum(one == other for one, other in pairwise(tokens))
        if not tokens or len(log_probs) < len(tokens) + repeats:
            return None
        emissions, best = self._emissions(tokens, log_probs)
        skips = _skips(tokens)
        forward = _forward(emissions, skips)
        states = _best_states(emissions, skips)
        scores = emissions[np.arange(len(states)), states]
        missing = best - scores
        placed = [
            self._placed(states, [index for index, owner in enumerate(owners) if owner == word], tokens, missing)
            for word in range(len(words))
        ]
        misfit = max(0.0, float(best.sum() - forward)) / len(tokens)
        return Alignment(tuple(placed), misfit)

    def _placed(
        self, states: npt.NDArray[np.int64], places: Sequence[int], tokens: Sequence[int], missing: Floats
    ) -> PlacedWord:
        """A word of the tokens at those places; blanks between them belong to it."""
        inside = np.flatnonzero((states >= 2 * places[0] + 1) & (states <= 2 * places[-1] + 1))
        known = [place for place in places if tokens[place] != WILD]
        start, end = int(inside[0]), int(inside[-1]) + 1
        misfit = float(missing[start:end].sum()) / len(known) if known else 0.0
        return PlacedWord(start, end, misfit, bool(known))

    def _tokens(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        """The tokens of a text, and for each the word that it belongs to; -1 for a space between words."""
        tokens: list[int] = []
        owners: list[int] = []
        for number, word in enumerate(words):
            if number and self._space is not None:
                tokens.append(self._space)
                owners.append(-1)
            spelt = self._spelt(self._spelling.fit(word))
            tokens += spelt
            owners += [number] * len(spelt)
        return tokens, owners

    def _spelt(self, text: str) -> list[int]:
        """The tokens of a word, in as long pieces as there are; a wildcard for what has none, several in a row one."""
        text = text if self._space is not None else f" {text}"
        found: list[int] = []
        at = 0
        while at < len(text):
            ends = range(min(len(text), at + self._longest), at, -1)
            end = next((end for end in ends if text[at:end] in self._ids), 0)
            if end:
                found.append(self._ids[text[at:end]])
            elif text[at].isalnum() and found[-1:] != [WILD]:
                found.append(WILD)
            at = end or at + 1
        return found or [WILD]

    def _emissions(self, tokens: Sequence[int], log_probs: Array) -> tuple[Floats, Floats]:
        """Log-probabilities of the states, blank and token in turn [frames, 2 * tokens + 1], and of the best token of
        each frame [frames]."""
        wide = np.asarray(log_probs, dtype=np.float64)
        best = wide.max(axis=1)
        emissions = np.empty((len(wide), 2 * len(tokens) + 1))
        emissions[:, ::2] = wide[:, [self._blank]]
        for place, token in enumerate(tokens):
            emissions[:, 2 * place + 1] = best if token == WILD else wide[:, token]
        return emissions, best


def _skips(tokens: Sequence[int]) -> npt.NDArray[np.bool_]:
    """For each state, whether the blank before it can be left out: before a token that differs from the last."""
    skips = np.zeros(2 * len(tokens) + 1, dtype=bool)
    skips[3::2] = [one != other for one, other in pairwise(tokens)]
    return skips


def _forward(emissions: Floats, skips: npt.NDArray[np.bool_]) -> float:
    """The logarithm of the probability of the tokens, over all alignments."""
    alpha = np.full(emissions.shape[1], _NEVER)
    alpha[:2] = emissions[0, :2]
    for frame in emissions[1:]:
        by_one, by_two = _shifted(alpha, 1), np.where(skips, _shifted(alpha, 2), _NEVER)
        alpha = np.logaddexp(np.logaddexp(alpha, by_one), by_two) + frame
    return float(np.logaddexp(alpha[-1], alpha[-2]))


def _best_states(emissions: Floats, skips: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The state of each frame on the likeliest alignment."""
    frames, count = emissions.shape
    steps = np.zeros((frames, count), dtype=np.int8)
    score = np.full(count, _NEVER)
    score[:2] = emissions[0, :2]
    for number in range(1, frames):
        ways = np.stack([score, _shifted(score, 1), np.where(skips, _shifted(score, 2), _NEVER)])
        steps[number] = ways.argmax(axis=0)
        score = ways.max(axis=0) + emissions[number]
    states = np.empty(frames, dtype=np.int64)
    state = count - 1 if score[-1] >= score[-2] else count - 2
    for number in range(frames - 1, -1, -1):
        states[number] = state
        state -= int(steps[number, state])
    return states


def _shifted(values: Floats, by: int) -> Floats:
    return np.concatenate([np.full(by, _NEVER), values[:-by]])
