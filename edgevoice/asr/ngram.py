"""N-gram language models in the ARPA format, read without any library.

The n-grams of an order lie in sorted arrays: each is known by the place of its beginning among the n-grams one word
shorter, and its last word. That takes 16 bytes each, a tenth of what a dictionary would; models of more than a few
million n-grams are for KenLM all the same, which maps them from disk.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from edgevoice.asr.scorer import MEMORY, UNKNOWN, KnownWords, State, stranger
from edgevoice.asr.spelling import Case
from edgevoice.errors import ConfigError
from edgevoice.files import why
from edgevoice.text import plain

BEGIN, END, OTHER = "<s>", "</s>", "<unk>"
HIGHEST_ORDER = 10
_LN10 = math.log(10)
_IMPOSSIBLE = -90 * _LN10
"""What must not be said, such as the beginning of a sentence, has about -99."""
_NEVER = -99.0
"""What stands in such files, to base ten, for a probability of 0."""
_LONGEST_LINE = 100_000
"""Bytes; no n-gram is as long."""


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """All n-grams of one length, sorted by key."""

    keys: npt.NDArray[np.int64]
    """Place of the n-gram without its last word, times the number of words, plus that last word."""
    scores: npt.NDArray[np.float32]
    """Natural logarithms."""
    backoffs: npt.NDArray[np.float32]
    """Natural logarithms."""

    def find(self, key: int) -> int:
        """Where a key is, or -1."""
        at = int(np.searchsorted(self.keys, key))
        return at if at < len(self.keys) and self.keys[at] == key else -1


class Ngrams:
    """A backoff model: the probability of a word after others."""

    def __init__(self, ids: dict[str, int], orders: list[_Order]) -> None:
        self.ids = ids
        """Word -> id."""
        self.order = len(orders)
        self._orders = orders
        possible = [float(score) for score in orders[0].scores if score > _IMPOSSIBLE]
        self._rarest = min(possible, default=UNKNOWN)

    def score(self, context: tuple[int, ...], word: int) -> float:
        """The natural logarithm of the probability of `word` after the words of `context`, the newest last. A word of
        which the model knows nothing, -1, is as rare as its rarest."""
        backoff = 0.0
        for start in range(len(context) + 1):
            place = self._place(context[start:])
            if place < 0:
                continue  # words that never stood together say nothing, and backing off from them is free
            length = len(context) - start
            searched = word >= 0 and length < self.order
            found = self._orders[length].find(place * len(self.ids) + word) if searched else -1
            if found >= 0:
                return backoff + float(self._orders[length].scores[found])
            if length:
                backoff += float(self._orders[length - 1].backoffs[place])
        return backoff + self._rarest

    def _place(self, words: tuple[int, ...]) -> int:
        """Where an n-gram is among those of its length; 0 for no words, -1 if it is not there."""
        place = 0
        for order, word in zip(self._orders, words, strict=False):
            place = order.find(place * len(self.ids) + word)
            if place < 0:
                return -1
        return place


class NgramScorer:
    """Scores words by an n-gram model. Its states are the ids of the newest words.

    Args:
        model: the model.
        weight: what its logarithms are multiplied by.
        word_bonus: added for every word, against the taste for few long ones.
        known: words that are no strangers, though the model has not seen them.
    """

    def __init__(self, model: Ngrams, weight: float, word_bonus: float, known: Collection[str] = ()) -> None:
        self._model, self._weight, self._bonus = model, weight, word_bonus
        self._known = KnownWords([*model.ids, *known])
        self._welcome = frozenset(known)
        self._memory: dict[tuple[State, str], tuple[float, State]] = {}

    def start(self, *, begins: bool) -> State:
        """See `WordScorer.start`."""
        begin = self._model.ids.get(BEGIN)
        return (begin,) if begins and begin is not None and self._model.order > 1 else ()

    def word(self, state: State, word: str) -> tuple[float, State]:
        """See `WordScorer.word`."""
        found = self._memory.get((state, word))
        if found is None:
            if len(self._memory) >= MEMORY:
                self._memory.clear()
            found = self._memory[state, word] = self._scored(state, word)
        return found

    def partial(self, state: State, text: str) -> float:  # noqa: ARG002 - what a word will be matters, not where
        """See `WordScorer.partial`."""
        return 0.0 if self._known.begins(text) else stranger(text)

    def end(self, state: State) -> float:
        """See `WordScorer.end`."""
        assert isinstance(state, tuple)
        end = self._model.ids.get(END)
        return 0.0 if end is None else self._weight * self._model.score(state, end)

    def _scored(self, state: State, word: str) -> tuple[float, State]:
        assert isinstance(state, tuple)
        index = self._model.ids.get(word)
        strange = 0.0 if index is not None or word in self._welcome else stranger(word)
        index = self._model.ids.get(OTHER) if index is None else index
        # a model without <unk> forgets what came before a stranger
        score = self._model.score(state, -1 if index is None else index)
        after = () if index is None else (*state, index)[-(self._model.order - 1) :] if self._model.order > 1 else ()
        return self._weight * score + self._bonus + strange, after


def read_arpa(file: Path, case: Case = "mixed") -> Ngrams:
    """The model in an ARPA file, gzip-compressed or not.

    Args:
        file: where it is.
        case: that of the words the recogniser writes; "mixed" to leave them as they are.

    Raises:
        ConfigError: it cannot be read or is malformed; with the line.
    """
    where = plain(str(file))
    lines = _Lines()
    try:
        with _opened(file) as stream:
            return _parsed(lines.of(stream), case)
    except (OSError, EOFError, zlib.error) as error:
        what = f"The language model '{where}' cannot be read: {why(error)}"
        raise ConfigError(what, "Check or replace it") from None
    except ValueError as error:
        what = f"The language model '{where}' is no ARPA file: line {lines.number}: {plain(str(error))}"
        raise ConfigError(what, "Make it again") from None


class _Lines:
    """Lines without their ends, counted."""

    def __init__(self) -> None:
        self.number = 0

    def of(self, stream: IO[bytes]) -> Iterator[str]:
        """The lines of a stream."""
        for line in iter(partial(stream.readline, _LONGEST_LINE), b""):
            self.number += 1
            yield line.decode("utf-8").strip()


def _opened(file: Path) -> IO[bytes]:
    stream = file.open("rb")
    if stream.peek(2)[:2] == b"\x1f\x8b":
        return gzip.open(stream)  # type: ignore[return-value]
    return stream


def _parsed(lines: Iterator[str], case: Case) -> Ngrams:
    """Raises ValueError for what is no ARPA file."""
    counts = _counts(lines)
    ids: dict[str, int] = {}
    orders: list[_Order] = []
    for length, count in enumerate(counts, 1):
        orders.append(_section(lines, length, count, ids, orders, case))
        following = f"\\{length + 1}-grams:" if length < len(counts) else "\\end\\"
        if next((line for line in lines if line), "") != following:
            raise ValueError(f"'{following}' should stand here")
    return Ngrams(ids, orders)


def _counts(lines: Iterator[str]) -> list[int]:
    """What the head announces, up to the title of the first section."""
    if not any(line == "\\data\\" for line in lines):
        raise ValueError("there is no '\\data\\'")
    counts: list[int] = []
    for line in lines:
        if line == "\\1-grams:" and counts:
            return counts
        if line:
            name, _, number = line.partition("=")
            if name.split() != ["ngram", str(len(counts) + 1)] or not number.strip().isdigit():
                raise ValueError(f"'{line[:40]}' should be 'ngram {len(counts) + 1}=' and a number")
            counts.append(int(number))
            if len(counts) > HIGHEST_ORDER:
                raise ValueError(f"n-grams of more than {HIGHEST_ORDER} words")
    raise ValueError("there is no '\\1-grams:'")


def _section(
    lines: Iterator[str], length: int, count: int, ids: dict[str, int], shorter: list[_Order], case: Case
) -> _Order:
    rows: list[int] = []
    values: list[tuple[float, float]] = []
    for _ in range(count):
        fields = next(lines, "").split()
        if not length + 1 <= len(fields) <= length + 2:
            raise ValueError(f"a logarithm, {length} words and perhaps another logarithm should stand here")
        score, backoff = float(fields[0]), float(fields[length + 1]) if len(fields) > length + 1 else 0.0
        if not (score <= 0 and math.isfinite(backoff)):
            raise ValueError(f"'{fields[0]}' is no logarithm of a probability")
        values.append((max(score, _NEVER), backoff))
        rows += [_id(word, ids, case, new=length == 1) for word in fields[1 : length + 1]]
    words = np.array(rows, dtype=np.int64).reshape(count, length)
    keys, known = _keys(words, shorter, len(ids))
    if not known.all():
        missing = words[int(np.flatnonzero(~known)[0])]
        text = " ".join(list(ids)[index] for index in missing)
        raise ValueError(f"the section above has '{text}', and none before has it without its last word")
    order = np.argsort(keys, kind="stable")
    logs = np.array(values, dtype=np.float64).reshape(count, 2)[order] * _LN10
    return _Order(keys[order], logs[:, 0].astype(np.float32), logs[:, 1].astype(np.float32))


def _keys(
    words: npt.NDArray[np.int64], shorter: list[_Order], size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The keys of n-grams [count, length], and whether their beginnings exist."""
    places, known = np.zeros(len(words), dtype=np.int64), np.ones(len(words), dtype=np.bool_)
    for order, column in zip(shorter, words.T, strict=False):
        keys = places * size + column
        places = np.minimum(np.searchsorted(order.keys, keys), max(0, len(order.keys) - 1))
        known &= order.keys[places] == keys if len(order.keys) else False
    return places * size + words[:, -1], known


def _id(word: str, ids: dict[str, int], case: Case, *, new: bool) -> int:
    if word.startswith("<") and word.endswith(">"):
        word = word.lower()
    elif case != "mixed":
        word = word.lower() if case == "lower" else word.upper()
    if new:
        return ids.setdefault(word, len(ids))
    if word not in ids:
        raise ValueError(f"'{word[:40]}' is no 1-gram")
    return ids[word]
