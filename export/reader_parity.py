"""Proof that a reader's files write what its checkpoint does: both read real clips, and every difference counts.

What is proven is what runs: the runtime's `Reader` reads the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.asr.bundle import Precision, ReaderSpec
from edgevoice.config import SAMPLE_RATE
from edgevoice.text import normalise, plain
from export.parity import Clips, ParityError, loud_and_long
from export.reader_checkpoint import ReaderCheckpoint
from export.reader_runs import FIRST_RUNS, Array, Feeds, Watched, WatchedReader
from training.metrics import error_rates

LOGITS_TOLERANCE = 1e-3
"""Largest difference of logits allowed in fp32, over the first steps of a clip."""
WER_TOLERANCE = 0.1
"""For reduced precisions: word error rate against the fp32 text, in lower case without punctuation. Larger than that of
captions: where a reader is unsure, rounding makes it write something else, and the words behind it follow. On 107 hard
clips Whisper tiny.en in int8 differed from fp32 by 10.7 %, and had 36.5 % of the words wrong instead of 37.0 %."""
_COMPARED_STEPS = 8
_NO_CHARACTER = "\ufffd"
_TRIED = 2
"""Of the loudest and of the longest clips: what a large decoder keeps of one takes half a gigabyte."""


@dataclass(frozen=True)
class Figures:
    """What was compared, and how far apart it was."""

    clips: int
    seconds: float
    largest_difference: float
    """Of logits, over the first steps; 0 for what is compared with fp32, which may write something else."""
    text_error: float
    """Word error rate of its text against PyTorch's, or against that in fp32."""
    words: int
    """How many words were read in the clips; of none at all, an equal text proves little."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for the manifest."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Exact:
    """What a reader writes in fp32."""

    figures: Figures
    texts: Sequence[str]


def language_of(spec: ReaderSpec) -> str:
    """The language to compare in: that of the clips, if it reads it."""
    return "en" if "en" in spec.languages else next(iter(spec.languages), "")


def prove(checkpoint: ReaderCheckpoint, folder: Path, spec: ReaderSpec, clips: Clips) -> Exact:
    """Reads every clip with Transformers and with the fp32 files.

    Raises:
        ParityError: a token, a text or a logit differs.
    """
    reader, language = WatchedReader(folder, spec, "fp32"), language_of(spec)
    compared = _usable(clips, spec)
    texts, largest = [], 0.0
    for clip in compared:
        found = reader.watch(clip, language)
        expected = checkpoint.write(clip, reader.limit(len(clip)), language)
        largest = max(largest, _difference(checkpoint, found, clip, language))
        said = checkpoint.text(expected)
        # bytes that are no text are not shown alike everywhere, and their tokens are compared anyway
        if expected != found.ids or (_NO_CHARACTER not in said and said != found.text):
            raise ParityError(
                f"The reader's files write '{plain(found.text)}', and Transformers writes '{plain(said)}'",
                "Nothing was written; report the checkpoint",
            )
        texts.append(found.text)
    if not largest <= LOGITS_TOLERANCE:
        raise ParityError(
            f"The reader's graphs differ from PyTorch on {len(compared)} clips: logits by up to {largest:.2g} "
            f"(allowed {LOGITS_TOLERANCE:.0e})",
            "Nothing was written; report the checkpoint",
        )
    return Exact(_figures(texts, texts, compared, largest), texts)


def compare(folder: Path, spec: ReaderSpec, precision: Precision, clips: Clips, exact: Exact) -> Figures:
    """Reads every clip in a reduced precision, on the CPU.

    Raises:
        ModelError: it does not run.
        ParityError: its text is too far from that in fp32.
    """
    reader, language = WatchedReader(folder, spec, precision), language_of(spec)
    compared = _usable(clips, spec)
    texts = [reader.watch(clip, language).text for clip in compared]
    found = _figures(exact.texts, texts, compared, 0.0)
    if not found.text_error <= WER_TOLERANCE:
        raise ParityError(f"its text differs from that in fp32 by {found.text_error:.1%} (allowed {WER_TOLERANCE:.0%})")
    return found


def examples(folder: Path, spec: ReaderSpec, clips: Clips) -> list[list[Feeds]]:
    """What goes into the fp32 graphs for a few clips: into the encoder, the decoder's first step, and its second."""
    reader, language = WatchedReader(folder, spec, "fp32"), language_of(spec)
    runs = [reader.watch(clip, language) for clip in loud_and_long(_usable(clips, spec), count=_TRIED)]
    return [[run.feeds[number] for run in runs if number < len(run.feeds)] for number in range(FIRST_RUNS)]


def _usable(clips: Clips, spec: ReaderSpec) -> Clips:
    return [clip[: int(spec.longest_s * SAMPLE_RATE)] for clip in clips if len(clip) >= spec.minimum_samples]


def _difference(checkpoint: ReaderCheckpoint, found: Watched, clip: Array, language: str) -> float:
    ids, logits = found.ids[:_COMPARED_STEPS], found.logits[: _COMPARED_STEPS + 1]
    expected = checkpoint.logits(clip, ids, language)[: len(logits)]
    return float(np.abs(expected - np.array(logits)).max())


def _figures(expected: Sequence[str], found: Sequence[str], clips: Clips, largest: float) -> Figures:
    pairs = [[normalise(text) or "-" for text in texts] for texts in (expected, found)]
    return Figures(
        clips=len(clips),
        seconds=sum(map(len, clips)) / SAMPLE_RATE,
        largest_difference=largest,
        text_error=error_rates(*pairs).get("wer", 0.0),
        words=sum(len(text.split()) for text in expected),
    )
