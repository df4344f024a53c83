"""What to make: the settings, the sentences and voices of each split, and the shards they are dealt into."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevoice.errors import ConfigError, EdgeVoiceError
from training import voices
from training.voices import SPLITS, Split, Voice

SENTENCE_SPLIT: Mapping[Split, str] = {"train": "train", "dev": "dev", "test": "test", "test-other-engines": "test"}
PLAN_VERSION = 1  # raise it whenever the same seed would give other audio
SHARD_SIZE = 100


class SynthesisError(EdgeVoiceError):
    """Speech could not be synthesised."""


@dataclass(frozen=True)
class Sentence:
    """A line of the sentences file: one thing that somebody says."""

    text: str
    intent: str
    split: str
    source: str = ""
    """Whom it is from, where that is known."""


@dataclass(frozen=True)
class SynthesisConfig:
    """What to make; hours are of audio per split, and zero leaves a split out."""

    sentences: Path
    output: Path
    hours: float = 20.0
    dev_hours: float = 0.15
    test_hours: float = 0.5
    other_engines_hours: float = 0.2
    seed: int = 1
    jobs: int = 2

    def split_hours(self) -> dict[Split, float]:
        """Hours of audio for each split."""
        return {
            "train": self.hours,
            "dev": self.dev_hours,
            "test": self.test_hours,
            "test-other-engines": self.other_engines_hours,
        }


@dataclass(frozen=True)
class Shard:
    """A numbered handful of utterances that one process makes."""

    output: Path
    split: Split
    number: int
    first_index: int
    seed: int
    sentences: tuple[Sentence, ...]  # one for each utterance
    voices: tuple[Voice, ...]

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.output / self.split / f"{self.number:04d}"


def read_sentences(path: Path) -> tuple[Sentence, ...]:
    """Read a CSV with the columns text, intent and split; other columns are passed over."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            missing = {"text", "intent", "split"} - set(reader.fieldnames or ())
            if missing:
                raise ConfigError(
                    f"{path} has no column {', '.join(sorted(missing))}", "Give it the header text,intent,split"
                )
            found = tuple(Sentence(row["text"].strip(), row["intent"], row["split"]) for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"The sentences in {path} cannot be read: {error}", "Name a UTF-8 CSV file with --sentences"
        ) from error
    return tuple(sentence for sentence in found if sentence.text)


def wanted_hours(
    config: SynthesisConfig, sentences: Sequence[Sentence], dealt: Mapping[Split, Sequence[Voice]]
) -> dict[Split, float]:
    """Return the hours of the splits to make, after checking that each has sentences and voices."""
    for split, length in config.split_hours().items():
        if not (math.isfinite(length) and length >= 0):
            raise ConfigError(f"{_flag(split)} {length:g} is no number of hours", "Choose 0 or more")
    if config.seed < 0:
        raise ConfigError(f"--seed {config.seed} is less than 0", "Choose 0 or more")
    hours = {split: length for split, length in config.split_hours().items() if length > 0}
    if not hours or config.jobs < 1:
        raise ConfigError("Nothing to do: no hours of audio or no job is asked for", "Raise --hours or --jobs")
    if not dealt["test-other-engines"]:
        hours.pop("test-other-engines", None)  # an extra for machines that have the non-free engines
    for split in hours:
        flag = _flag(split)
        if not any(sentence.split == SENTENCE_SPLIT[split] for sentence in sentences):
            raise ConfigError(
                f"{config.sentences} has no sentence of the split '{SENTENCE_SPLIT[split]}'",
                f"Add some, or leave the split out with {flag} 0",
            )
        if not dealt[split]:
            raise SynthesisError(
                f"No installed voice belongs to the split '{split}'",
                f"{voices.INSTALL_HINT}, or leave the split out with {flag} 0",
            )
    return hours


def _flag(split: Split) -> str:
    return "--hours" if split == "train" else f"--{split.removeprefix('test-')}-hours"


def shards(
    config: SynthesisConfig, split: Split, sentences: Sequence[Sentence], usable: tuple[Voice, ...]
) -> Iterator[Shard]:
    """Give shards without end; every sentence comes once before any comes again, each time in another order."""
    chosen = [sentence for sentence in sentences if sentence.split == SENTENCE_SPLIT[split]]
    order = _sentence_order(config.seed, split, chosen)
    number = 0
    while True:
        batch = tuple(next(order) for _ in range(SHARD_SIZE))
        yield Shard(config.output, split, number, number * SHARD_SIZE, config.seed, batch, usable)
        number += 1


def _sentence_order(seed: int, split: Split, chosen: Sequence[Sentence]) -> Iterator[Sentence]:
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    while True:
        for place in rng.permutation(len(chosen)):
            yield chosen[place]
