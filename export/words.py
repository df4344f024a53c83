"""A language model that goes into a bundle: which words its captions expect, wherever the bundle runs."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.asr.bundle import Decoding
from edgevoice.asr.language_model import Weights, load_language_model
from edgevoice.asr.spelling import Spelling
from edgevoice.errors import UsageError

NAME = "language_model"
"""What its file is called in a bundle, before its ending."""


@dataclass(frozen=True)
class Words:
    """A language model, and how much it counts; None for what `Decoding` says."""

    file: Path
    """A word list, or an ARPA n-gram model, which may be compressed with gzip."""
    weight: float | None = None
    bonus: float | None = None


def check(words: Words, vocabulary: Sequence[str]) -> None:
    """Raises a ConfigError or UsageError where a model with that vocabulary cannot use it."""
    if not vocabulary:
        raise UsageError("A model without captions has no words to expect", "Leave --language-model out")
    load_language_model(words.file, Spelling(vocabulary), Weights(0.5, 1.5), binary=False)


def add(words: Words, folder: Path, decoding: Decoding) -> Decoding:
    """Copies it into a bundle's folder in place of one that is there; gives what the manifest says of it."""
    for old in folder.glob(f"{NAME}.*"):
        old.unlink()
    with words.file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    file = folder / (NAME + (".arpa.gz" if packed else words.file.suffix or ".txt"))
    shutil.copyfile(words.file, file)
    chosen = {"language_model_weight": words.weight, "word_bonus": words.bonus}
    return dataclasses.replace(
        decoding, language_model=file.name, **{name: value for name, value in chosen.items() if value is not None}
    )
