"""A file that says which words to expect: a word list, an ARPA n-gram model, or a binary one of KenLM."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edgevoice.asr.kenlm_model import MAGIC, KenlmScorer
from edgevoice.asr.ngram import NgramScorer, read_arpa
from edgevoice.asr.scorer import WordList, WordScorer
from edgevoice.asr.spelling import Spelling
from edgevoice.errors import ConfigError
from edgevoice.files import why
from edgevoice.text import plain

_HEAD = 4096
"""Bytes that tell what a file is."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much a language model counts beside the audio."""

    weight: float
    """What its logarithms are multiplied by."""
    word_bonus: float
    """Added for every word."""


def load_language_model(
    file: Path, spelling: Spelling, weights: Weights, known: Collection[str] = (), *, binary: bool = True
) -> WordScorer:
    """The scorer that a file holds, whatever its kind.

    Args:
        file: where it is.
        spelling: how the recogniser's model writes.
        weights: of an n-gram model; a word list has none.
        known: words that count as known as well.
        binary: whether KenLM's binary format will do. It is not checked as it is read, so it must be the user's own.

    Raises:
        ConfigError: it cannot be read, or has no word that the model can write.
        MissingExtraError: it takes kenlm, which is not installed.
    """
    where = plain(str(file))
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        what = f"The language model '{where}' cannot be read: {why(error)}"
        raise ConfigError(what, "It must be a word list, an ARPA file or a binary of KenLM") from None
    if head.startswith(MAGIC):
        if not binary:
            raise ConfigError(f"'{where}' is a binary of KenLM, which no bundle may hold", "Use it as --language-model")
        return KenlmScorer(file, weights.weight, weights.word_bonus, known)
    if head.startswith(b"\x1f\x8b") or b"\\data\\" in head or file.suffix == ".arpa":
        model = read_arpa(file, spelling.case)
        _check(any(spelling.writes(word) for word in model.ids), where)
        return NgramScorer(model, weights.weight, weights.word_bonus, known)
    words = _words(file, spelling)
    _check(bool(words), where)
    return WordList([*words, *known])


def _words(file: Path, spelling: Spelling) -> set[str]:
    """The words of a list, one on a line, that the model can write."""
    where = plain(str(file))
    found: set[str] = set()
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if line.startswith("#"):
                    continue
                if len(line.split()) > 1:
                    what = (
                        f"Line {number} of the word list '{where}' has more than a word: '{plain(line[:40].strip())}'"
                    )
                    raise ConfigError(what, "Write one on each line; phrases can be hot words")
                found.update(spelling.fit(line).split())
    except (OSError, ValueError) as error:
        what = f"The word list '{where}' cannot be read: {why(error)}"
        raise ConfigError(what, "It must be a word list, an ARPA file or a binary of KenLM") from None
    return {word for word in found if spelling.writes(word)}


def _check(usable: bool, where: str) -> None:  # noqa: FBT001 - the question is the argument
    if not usable:
        what = f"The language model '{where}' has no word that the model of the captions can write"
        raise ConfigError(what, "Choose one of its language")
