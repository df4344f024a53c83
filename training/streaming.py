"""Training on a data set that is read while it trains (`--stream-data`), so that it may be larger than the disk.

Nothing of the training split is stored. Some of its rows, from many of its files, are looked through once: for the
characters its texts are written with, for labels that the data set does not list itself, and for clips to measure on
where it has no dev split.
Those that measure are chosen by a hash of their speaker, or of their recording where nobody is named, and are passed
over in training, whichever process comes upon them and in whatever order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import AudioError, ConfigError
from edgevoice.text import plain
from training.config import DataConfig
from training.dataset import Preparation, of_similar_length
from training.decoded import Samples, decode
from training.manifest import Clip, Columns, Needs, split_name, unfit
from training.sources import clip_cache, is_hub_layout, stored
from training.tables import Table, read_tables, refuse_nameless

logger = logging.getLogger(__name__)

LOOKED_THROUGH = 2000
"""Rows of each table that are read before the training begins."""
MIXED_FILES, MIXED_ROWS = 16, 1000
"""What is looked at beforehand is drawn from rows of so many files at once, of which so many wait in memory: data that
are sorted by label or speaker begin with few of them."""
NAMED = 10
"""Labels that nobody knows beforehand and that are named in a warning; of a column of free text there is no end."""
SHUFFLED_ROWS = 256
"""Rows that wait, undecoded, to be drawn from; the files of a data set are shuffled besides."""
POOLED_BATCHES = 8
"""Clips for so many batches wait, so that those of similar length can go together."""
UNREADABLE, UNKNOWN = "unreadable", "unknown intent"
NOT_SAID = Path()
"""The path of a clip that lies in no file."""


@dataclass
class Tally:
    """What the workers have come upon, counted in memory that all of them share; without a lock, so that it may miss a
    clip or two that several come upon at the same moment."""

    reasons: tuple[str, ...]
    """Why clips are left out."""
    counts: torch.Tensor = field(init=False)
    unknown: set[str] = field(default_factory=set)
    """Intents that were met in training and not beforehand, as far as this process has met them."""

    def __post_init__(self) -> None:
        self.counts = torch.zeros(len(self.reasons) + 2, dtype=torch.float64).share_memory_()

    def leave_out(self, reason: str) -> None:
        """Counts a clip that cannot be trained on."""
        self.counts[self.reasons.index(reason)] += 1

    def meet(self, intent: str) -> None:
        """Counts a clip whose intent is not known, and says so the first time, in each worker that meets it."""
        self.leave_out(UNKNOWN)
        if intent in self.unknown or len(self.unknown) >= NAMED:
            return
        self.unknown.add(intent)
        logger.warning(
            "clips of the intent '%s' are left out: it was not among the rows that were looked through", plain(intent)
        )

    def take(self, seconds: float) -> None:
        """Counts a clip that is trained on."""
        self.counts[-2] += 1
        self.counts[-1] += seconds

    @property
    def left_out(self) -> dict[str, int]:
        """Reason -> clips."""
        return {reason: int(count) for reason, count in zip(self.reasons, self.counts, strict=False) if count}

    @property
    def trained_on(self) -> tuple[int, float]:
        """Clips and hours, each as often as it was heard."""
        return int(self.counts[-2]), float(self.counts[-1]) / 3600


@dataclass(frozen=True)
class Stream:
    """The training clips of a run that stores none of them."""

    tables: tuple[Table, ...]
    config: DataConfig
    needs: Needs
    texts: tuple[str, ...]
    """Those of the rows that were looked through."""
    intents: tuple[str, ...]
    dev: tuple[Clip, ...]
    """What the run is measured on, as files."""
    held_back: float
    """Share of the training split that is not trained on, since it measures."""

    @property
    def name(self) -> str:
        """Its data sets."""
        return ", ".join(dict.fromkeys(table.dataset for table in self.tables))

    def clips(self, seed: Sequence[int], part: int, parts: int, tally: Tally) -> Iterator[tuple[Clip, Samples]]:
        """The clips of one pass that can be trained on, in an order drawn by the seed, with their samples.

        Args:
            seed: of the order.
            part: the number of this process among those that train together.
            parts: how many there are; each is given other clips.
            tally: counts what is left out.
        """
        from datasets.distributed import split_dataset_by_node

        rng = np.random.default_rng(list(seed))
        passes = [
            (
                table,
                # one file at a time: drawing from several would join them to one, which no two workers could share
                iter(
                    split_dataset_by_node(
                        table.rows.shuffle(
                            seed=int(rng.integers(2**31)), buffer_size=SHUFFLED_ROWS, max_buffer_input_shards=1
                        ),
                        part,
                        parts,
                    )
                ),
            )
            for table in self.tables
        ]
        while passes:
            table, rows = passes[int(rng.integers(len(passes)))]
            row = next(rows, None)
            if row is None:
                passes.remove((table, rows))
                continue
            read = self._read(table, row, tally)
            if read is not None:
                yield read

    def _read(self, table: Table, row: Mapping[str, Any], tally: Tally) -> tuple[Clip, Samples] | None:
        recording = table.recording(row)
        if is_held_back(table.cell(row, "speaker"), recording, self.held_back):
            return None
        try:
            samples = decode(recording(), "A recording")
        except (OSError, AudioError) as error:
            logger.warning("a row of %s is left out: %s", table.name, getattr(error, "what", error))
            tally.leave_out(UNREADABLE)
            return None
        clip = dataclasses.replace(table.clip(row, 0, NOT_SAID, len(samples) / SAMPLE_RATE), origin=table.name)
        reason = unfit(clip, self.config.minimum_s, self.config.maximum_s, self.needs)
        if reason:
            tally.leave_out(reason)
            return None
        if self.needs != "text" and clip.intent and clip.intent not in self.intents:
            tally.meet(clip.intent)
            return None
        return clip, samples


def open_stream(config: DataConfig, needs: Needs) -> Stream:
    """Looks through some rows of the sources.

    Raises:
        ConfigError: a source is no data set of the hub, cannot be had, or holds nothing to train or measure on.
    """
    columns = Columns(text=config.text_column, intent=config.intent_column, speaker=config.speaker_column)
    tables: list[Table] = []
    for source in config.sources:
        refuse_nameless(source)
        _refuse_what_is_here(source)
        tables += read_tables(source, columns, streaming=True)
    measuring = [table for table in tables if split_name(table.split) == "dev"]
    training = [table for table in tables if split_name(table.split) == "train"]
    if not training:
        names = ", ".join(dict.fromkeys(table.split for table in tables))
        raise ConfigError(f"No split of the data is called 'train' (there are {names})", "Choose another data set")
    texts: dict[str, None] = {}
    intents: dict[str, None] = {}
    dev: list[Clip] = []
    held_back = 0.0 if measuring else config.dev_share
    for table in training:
        intents.update(dict.fromkeys(table.names("intent") or ()))
        logger.info("looking through some rows of %s", table.name)
        for number, row in enumerate(_mixed(table, LOOKED_THROUGH)):
            clip = table.clip(row, number, NOT_SAID, 0.0)
            recording = table.recording(row)
            if is_held_back(table.cell(row, "speaker"), recording, held_back):
                dev += _kept(table, row, number, recording)
            else:
                texts[clip.text] = None
                intents[clip.intent] = None
    for table in measuring:
        count = -(-config.evaluate_at_most // len(measuring))
        for number, row in enumerate(_mixed(table, count)):
            dev += _kept(table, row, number, table.recording(row))
    return Stream(
        tables=tuple(training),
        config=config,
        needs=needs,
        texts=tuple(text for text in texts if text),
        intents=tuple(sorted(set(intents) - {""})),
        dev=tuple(dataclasses.replace(clip, split="dev") for clip in dev),
        held_back=held_back,
    )


def _mixed(table: Table, count: int) -> Iterator[Mapping[str, Any]]:
    """So many rows of a table, or all that it has, the same ones every time."""
    rows = table.rows.shuffle(seed=0, buffer_size=MIXED_ROWS, max_buffer_input_shards=MIXED_FILES)
    return itertools.islice(rows, count)


def _refuse_what_is_here(source: str) -> None:
    """Raises ConfigError for a manifest or a folder of recordings: they are on the disk already."""
    here = Path(source)
    manifest = here.is_file() or source.endswith((".csv", ".jsonl", ".json"))
    if manifest or (here.is_dir() and not is_hub_layout(here)):
        raise ConfigError(
            f"Only data sets of the hub can be streamed, and {source} is a {'manifest' if manifest else 'folder'}",
            "Leave out --stream-data (data.streaming)",
        )


def is_held_back(speaker: str, recording: Callable[[], bytes], share: float) -> bool:
    """Whether a row measures instead of being trained on; all rows of a speaker alike. A row whose recording cannot be
    had does neither."""
    if not share:
        return False
    try:
        known = speaker not in ("", "unknown")
        digest = hashlib.sha256(speaker.encode() if known else recording()).digest()
    except OSError:
        return False
    return int.from_bytes(digest[:4], "big") < share * 2**32


def _kept(table: Table, row: Mapping[str, Any], number: int, fetch: Callable[[], bytes]) -> list[Clip]:
    """A row that measures, as a file; none where it cannot be read."""
    try:
        recording = fetch()
        seconds = len(decode(recording, "Its recording")) / SAMPLE_RATE
    except (OSError, AudioError) as error:
        logger.warning("%s, row %d does not measure: %s", table.name, number, error)
        return []
    audio = {"bytes": recording, "path": row[table.audio]["path"]}
    target = clip_cache() / f"{table.dataset}-dev" / hashlib.sha256(recording).hexdigest()[:24]
    return [table.clip(row, number, stored(audio, target), seconds)]


class StreamDataset(IterableDataset[list[dict[str, Any]]]):
    """A stream as batches of model inputs, without end.

    Args:
        stream: of clips.
        preparation: what makes inputs of them.
        seconds: of audio in a batch, for each process.
        room: whether a clip's text has room in its frames.
        seed: of the order and of the augmentation.
        part: the number of this process among those that train together.
        parts: how many there are.
    """

    def __init__(
        self,
        stream: Stream,
        preparation: Preparation,
        *,
        seconds: float,
        room: Callable[[Clip], bool],
        seed: Sequence[int],
        part: int = 0,
        parts: int = 1,
    ) -> None:
        self.stream, self.preparation, self.room = stream, preparation, room
        self.seconds, self.part, self.parts = seconds, part, parts
        self.seed = tuple(seed)
        reasons = ("too short", "too long", f"no {stream.needs}", "neither text nor intent", UNKNOWN)
        self.tally = Tally((*reasons, "more text than frames", UNREADABLE))

    def draw_anew(self, *more: int) -> None:
        """Makes the order and the augmentation from now on those of these numbers besides."""
        self.seed = (*self.seed, *more)

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        worker: Any = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([*self.seed, self.part, worker.id if worker else 0])
        for number in itertools.count():
            pool: list[tuple[float, dict[str, Any]]] = []
            empty = True
            # the data set shares its files out among the workers by itself, so that all must have them in one order
            for clip, samples in self.stream.clips((*self.seed, number), self.part, self.parts, self.tally):
                if not self.room(clip):
                    self.tally.leave_out("more text than frames")
                    continue
                empty = False
                pool.append((self.preparation.seconds(clip), self.preparation(samples, clip, rng)))
                if sum(seconds for seconds, _ in pool) >= POOLED_BATCHES * self.seconds:
                    yield from self._batches(pool, rng)
                    pool = []
            yield from self._batches(pool, rng)
            if empty:  # there are more workers than files, or nothing that can be trained on
                return

    def _batches(
        self, pool: Sequence[tuple[float, dict[str, Any]]], rng: np.random.Generator
    ) -> Iterator[list[dict[str, Any]]]:
        durations = [seconds for seconds, _ in pool]
        batches = of_similar_length(durations, self.seconds, np.argsort(durations))
        for place in rng.permutation(len(batches)):
            for index in batches[place]:
                self.tally.take(durations[index])
            yield [pool[index][1] for index in batches[place]]
