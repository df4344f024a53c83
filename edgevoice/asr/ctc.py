"""Greedy CTC: log-probabilities -> tokens -> words with times and confidence."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgevoice.events import Word


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the best path."""

    text: str
    """As in the vocabulary; a leading space begins a word."""
    start_frame: int
    end_frame: int
    """One past the last frame."""
    probability: float
    """The largest of its frames, 0 to 1."""


def greedy(log_probs: npt.NDArray[np.float32], vocabulary: Sequence[str], blank: int) -> list[Token]:
    """The best token of each frame, repeats joined, blanks and special tokens ("") left out.

    Args:
        log_probs: [frames, vocabulary], natural logarithms.
        vocabulary: tokens by id.
        blank: id of the CTC blank.
    """
    if len(log_probs) == 0:
        return []
    ids = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    ends = np.append(starts[1:], len(ids))
    probabilities = np.exp(np.maximum.reduceat(log_probs.max(axis=1), starts))
    return [
        Token(vocabulary[index], int(start), int(end), min(1.0, float(probability)))
        for index, start, end, probability in zip(ids[starts], starts, ends, probabilities, strict=True)
        if index != blank and vocabulary[index]
    ]


class GreedySearch:
    """Takes the best token of each frame, whatever it makes of the words.

    Args:
        vocabulary: tokens by id.
        blank: id of the CTC blank.
    """

    def __init__(self, vocabulary: Sequence[str], blank: int) -> None:
        self._vocabulary, self._blank = vocabulary, blank

    def open(self, *, begins: bool = True) -> GreedyTokens:  # noqa: ARG002 - it does not ask what came before
        """A new stream of frames."""
        return GreedyTokens(self._vocabulary, self._blank)


class GreedyTokens:
    """The best tokens of a stream of frames, fed as they come: those of `greedy` over all of them."""

    def __init__(self, vocabulary: Sequence[str], blank: int) -> None:
        self._vocabulary, self._blank = vocabulary, blank
        self._tokens: list[Token] = []
        self._frames = 0
        self._newest = blank

    def feed(self, log_probs: npt.NDArray[np.float32]) -> None:
        """Takes the next frames [frames, vocabulary], natural logarithms."""
        if not len(log_probs):
            return
        found = [_later(token, self._frames) for token in greedy(log_probs, self._vocabulary, self._blank)]
        goes_on = int(log_probs[0].argmax()) == self._newest and found and found[0].start_frame == self._frames
        if goes_on and self._tokens and self._tokens[-1].end_frame == self._frames:
            before, now = self._tokens.pop(), found[0]
            probability = max(before.probability, now.probability)
            found[0] = Token(now.text, before.start_frame, now.end_frame, probability)
        self._tokens += found
        self._frames += len(log_probs)
        self._newest = int(log_probs[-1].argmax())

    def tokens(self, *, final: bool = False) -> list[Token]:  # noqa: ARG002 - it has no hopes for the last word
        """The tokens, in frames since the stream began."""
        return list(self._tokens)

    def settled(self) -> int:
        """All tokens: at most the last one gets longer."""
        return len(self._tokens)

    def fork(self) -> GreedyTokens:
        """The same stream again: what the one hears does not change the other."""
        twin = copy.copy(self)
        twin._tokens = list(self._tokens)  # noqa: SLF001 - of its own kind
        return twin


def words(tokens: Iterable[Token], frame_seconds: float, offset_s: float) -> list[Word]:
    """Joins tokens into words. A word begins at a literal space, alone (" ") or at the head of a piece (" bal").

    Args:
        tokens: in time order.
        frame_seconds: seconds from one frame to the next.
        offset_s: seconds on the stream's clock at frame 0.
    """
    groups: list[list[Token]] = [[]]
    for token in tokens:
        if token.text.startswith(" "):
            groups.append([])
        if token.text != " ":
            groups[-1].append(token)
    return [_word(group, frame_seconds, offset_s) for group in groups if group]


def text(log_probs: npt.NDArray[np.float32], vocabulary: Sequence[str], blank: int) -> str:
    """The words of the best path, joined by spaces. Arguments as those of `greedy`."""
    return " ".join(word.word for word in words(greedy(log_probs, vocabulary, blank), 1.0, 0.0))


def _later(token: Token, frames: int) -> Token:
    return Token(token.text, token.start_frame + frames, token.end_frame + frames, token.probability)


def _word(tokens: list[Token], frame_seconds: float, offset_s: float) -> Word:
    logs = [math.log(max(token.probability, 1e-12)) for token in tokens]
    return Word(
        word="".join(token.text for token in tokens).lstrip(" "),
        start=offset_s + tokens[0].start_frame * frame_seconds,
        end=offset_s + tokens[-1].end_frame * frame_seconds,
        confidence=math.exp(sum(logs) / len(logs)),
    )
