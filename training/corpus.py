"""The clips of a run: what is trained on, what is measured, what is left out, and the labels they have."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError
from training.config import DataConfig, Task
from training.features import Features
from training.manifest import Clip, Columns, Needs, Selection, length, select, unusable
from training.models import output_frames
from training.sources import read_source
from training.splits import split
from training.streaming import Stream, open_stream
from training.vocabulary import frames_needed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """What a run trains and measures on."""

    train: tuple[Clip, ...]
    """Empty where there is a stream."""
    dev: dict[str, tuple[Clip, ...]]
    """Set name -> clips."""
    left_out: dict[str, int]
    stream: Stream | None = None
    test: dict[str, tuple[Clip, ...]] = dataclasses.field(default_factory=dict)
    """Set name -> clips that are measured once, at the end; none where the recipe wants no judgement."""

    @property
    def texts(self) -> list[str]:
        """What is said in training, as far as that is known beforehand."""
        return list(self.stream.texts) if self.stream else [clip.text for clip in self.train]

    @property
    def intents(self) -> set[str]:
        """The labels of the training clips."""
        return set(self.stream.intents) if self.stream else {clip.intent for clip in self.train if clip.intent}


def read_corpus(task: Task, config: DataConfig, seed: int) -> Corpus:
    """Reads the sources and leaves out what cannot be used.

    Raises:
        ConfigError: a source is missing or nothing is left to train on.
    """
    if not config.sources:
        raise ConfigError("There is no data to train on", "Name a manifest, a folder or a hub data set with --data")
    if config.streaming:
        return _streamed(task, config)
    train: list[Clip] = []
    dev: dict[str, list[Clip]] = {}
    test: dict[str, list[Clip]] = {}
    left_out: dict[str, int] = {}
    sets = read_sets(config, seed)
    names = {clip.dataset for clips in sets for clip in clips}
    if set(config.repeat) - names:
        wrong = min(set(config.repeat) - names)
        raise ConfigError(f"data.repeat names the set '{wrong}'", f"The sets are {', '.join(sorted(names))}")
    for clips in sets:
        chosen = usable_clips(task, config, [clip for clip in clips if clip.split == "train"])
        for reason, count in chosen.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
        for clip in chosen.clips:
            train += [clip] * config.repeat.get(clip.dataset, 1)
        for clip in usable_clips(task, config, [clip for clip in clips if clip.split == "dev"]).clips:
            dev.setdefault(clip.dataset, []).append(clip)
        judging = [clip for clip in clips if clip.split == "test" and config.judge]
        for clip in usable_clips(task, config, judging).clips:
            test.setdefault(clip.dataset, []).append(clip)
    if not train:
        raise ConfigError(
            f"No clip is left to train on ({left_out or 'none in the split train'})", "Check the manifest"
        )
    if not dev:
        raise ConfigError(
            "No clip of the split 'dev' can be used, so nothing could be measured", "Mark some rows of the manifest"
        )
    spread = {name: _spread(clips, config.evaluate_at_most) for name, clips in dev.items()}
    check_recordings([*train, *(clip for clips in (*spread.values(), *test.values()) for clip in clips)])
    return Corpus(tuple(train), spread, left_out, test={name: tuple(clips) for name, clips in test.items()})


def read_dev(task: Task, config: DataConfig, seed: int) -> list[Clip]:
    """The clips that measure, all of them; there need be none to train on.

    Raises:
        ConfigError: a source is missing, or there are none.
    """
    if config.streaming:
        streamed = open_stream(config, needs(task, config))
        return list(usable_clips(task, config, list(streamed.dev)).clips)
    dev = [clip for clips in read_sets(config, seed) for clip in clips if clip.split == "dev"]
    usable = list(usable_clips(task, config, dev).clips)
    if not usable:
        raise ConfigError("No clip of the split 'dev' can be used", "Mark some rows of the manifest")
    check_recordings(usable)
    return usable


def check_recordings(clips: Iterable[Clip]) -> None:
    """Opens every recording once, which takes a second for ten thousand: a run must not break off over one later.

    Raises:
        ConfigError: one is not there or is no recording; its row is named.
    """
    distinct: dict[Path, Clip] = {}
    for clip in clips:
        distinct.setdefault(clip.path, clip)
    with ThreadPoolExecutor() as pool:
        for clip, found in zip(distinct.values(), pool.map(length, distinct), strict=True):
            reason = found if isinstance(found, str) else "" if found else "is empty"
            if reason:
                raise unusable(clip.path, clip.origin, reason)


def _streamed(task: Task, config: DataConfig) -> Corpus:
    stream = open_stream(config, needs(task, config))
    dev: dict[str, list[Clip]] = {}
    for clip in usable_clips(task, config, list(stream.dev)).clips:
        dev.setdefault(clip.dataset, []).append(clip)
    if not dev:
        raise ConfigError(
            "There is no split to measure on, and none of the rows that were looked through could be held back",
            "Choose a data set with a split 'validation', or raise data.dev_share",
        )
    return Corpus((), {name: _spread(clips, config.evaluate_at_most) for name, clips in dev.items()}, {}, stream)


def read_sets(config: DataConfig, seed: int, *, measured: bool = True) -> list[list[Clip]]:
    """The clips of each source, all with a split.

    Where the splits are chosen by themselves ("auto") and any source has a dev split, the others are trained on whole.

    Args:
        config: the sources and how to split them.
        seed: of splits that are drawn.
        measured: as `training.sources.read_source` has it.

    Raises:
        ConfigError: a source is missing, or does not allow the split that was asked for.
    """
    columns = Columns(text=config.text_column, intent=config.intent_column, speaker=config.speaker_column)
    sets = [read_source(source, columns, measured=measured) for source in config.sources]
    unrecorded = [clip.origin for clips in sets for clip in clips if not clip.recorded]
    if unrecorded and measured:  # otherwise they are about to be looked at one by one
        named = "; ".join(unrecorded[:5]) + ("; ..." if unrecorded[5:] else "")
        logger.warning("%d rows have no recording, so left out: %s", len(unrecorded), named)
    if config.split_by == "auto" and any(clip.split == "dev" for clips in sets for clip in clips):
        return [[dataclasses.replace(clip, split=clip.split or "train") for clip in clips] for clips in sets]
    return [split(clips, config.split_by, config.dev_share, config.test_share, seed) for clips in sets]


def intent_labels(task: Task, config: DataConfig, corpus: Corpus) -> list[str]:
    """The labels of the training clips in order of the alphabet; none for "ctc".

    Raises:
        ConfigError: there are fewer than two.
    """
    if task == "ctc":
        return []
    names = corpus.intents | ({config.missing_intent} - {""})
    if len(names) < 2:
        raise ConfigError(
            f"Intents need at least two labels, and the data has {len(names)}", "Check the column 'intent'"
        )
    return sorted(names)


def with_known_intents(task: Task, corpus: Corpus, known: set[str]) -> Corpus:
    """A clip to measure on whose intent is never trained can only be wrong: it does not count, and that is said."""
    if task == "ctc":
        return corpus
    for name, sets in (("dev", corpus.dev), ("test", corpus.test)):
        unknown = [clip for clips in sets.values() for clip in clips if clip.intent not in known]
        if unknown:
            names = ", ".join(sorted({clip.intent for clip in unknown}))
            logger.warning("%d %s clips do not count for intents: no training clip has %s", len(unknown), name, names)
    if task == "joint":
        return corpus  # they still have a text
    dev, test = _of_intents(corpus.dev, known), _of_intents(corpus.test, known)
    if not dev:
        raise ConfigError("No clip of the split 'dev' has an intent that is trained", "Check the column 'intent'")
    return dataclasses.replace(corpus, dev=dev, test=test)


def _of_intents(sets: dict[str, tuple[Clip, ...]], known: set[str]) -> dict[str, tuple[Clip, ...]]:
    """The clips of known intents; a set without any is none."""
    kept = {name: tuple(clip for clip in clips if clip.intent in known) for name, clips in sets.items()}
    return {name: clips for name, clips in kept.items() if clips}


def with_room_for_text(corpus: Corpus, tokenizer: Any, model: Any, features: Features) -> Corpus:
    """Leaves out training clips with more tokens than frames: CTC has no way to spell them."""
    if corpus.stream:
        return corpus  # whose clips are looked at one by one as they come
    room = Room(tokenizer, model, features)
    fits = [room(clip) for clip in corpus.train]
    kept = tuple(itertools.compress(corpus.train, fits))
    if not kept:
        raise ConfigError("Every clip has more text than the model has frames", "Use characters, or a smaller stride")
    if len(kept) == len(corpus.train):
        return corpus
    without = [clip.origin or str(clip.path) for clip, fitting in zip(corpus.train, fits, strict=True) if not fitting]
    without = list(dict.fromkeys(without))  # a set that counts several times is named once
    logger.warning("more text than frames, so left out: %s", "; ".join(without[:5]) + ("; ..." if without[5:] else ""))
    reasons = {**corpus.left_out, "more text than frames": len(corpus.train) - len(kept)}
    return dataclasses.replace(corpus, train=kept, left_out=reasons)


@dataclass(frozen=True)
class Room:
    """Whether a clip has frames enough for CTC to spell its text."""

    tokenizer: Any
    """None where no text is learnt."""
    model: Any
    features: Features

    def __call__(self, clip: Clip) -> bool:
        """True where the text fits."""
        if self.tokenizer is None or not clip.text:
            return True
        samples = torch.tensor([round(clip.duration_s * SAMPLE_RATE)])
        frames = int(output_frames(self.model, self.features.lengths(samples))[0])
        return frames_needed(self.tokenizer(clip.text)["input_ids"]) <= frames


def _spread(clips: Sequence[Clip], count: int) -> tuple[Clip, ...]:
    """At most `count` clips, taken evenly so that every speaker stays represented."""
    step = max(1, -(-len(clips) // count))
    return tuple(clips[::step])


def usable_clips(task: Task, config: DataConfig, clips: list[Clip]) -> Selection:
    """Those that the task can be trained or measured on."""
    return select(clips, minimum_s=config.minimum_s, maximum_s=config.maximum_s, needs=needs(task, config))


def needs(task: Task, config: DataConfig) -> Needs:
    """What a clip must have for a task."""
    labelled: Needs = "nothing" if config.missing_intent else "intent"
    by_task: dict[Task, Needs] = {"ctc": "text", "intent": labelled, "joint": "either"}
    return by_task[task]
