"""The recordings that edgevoice and its peers hear, set by set, and what is said in them.

What a set's own notes say is respected: where the text is no transcript (coffee orders) only the words that must occur
are looked for, French commands are left out, and free speech on the telephone is apart from key words alone.
"""

from __future__ import annotations

import csv
import json
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.live_audio import NOISE_DBFS, SHARED, Samples
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import UsageError
from training.decoded import load_audio

JUDGED = ("dev", "test")
PADDING_S = 0.5
"""Faint noise before and behind each clip, as a microphone would hear it: no tool begins within a word."""
Row = Mapping[str, str]


def _all(_row: Row) -> bool:
    return True


@dataclass(frozen=True)
class PeerSet:
    """Clips of one kind."""

    name: str
    folder: str
    splits: tuple[str, ...] = ("dev",)
    written: bool = False
    """Whether its texts have the capitals and punctuation of written English."""
    takes: Callable[[Row], bool] = _all
    """Which rows of the manifest belong to it."""
    note: str = ""


@dataclass(frozen=True)
class Clip:
    """One recording and what is said in it."""

    path: Path
    seconds: float
    plain: str
    """Lower case, without punctuation, numbers in words; empty without a transcript."""
    written: str
    """As the source has it, where that is written English."""
    phrases: tuple[str, ...]
    """That must occur, where there is no transcript."""


SETS = (
    PeerSet("librispeech-test-other", "librispeech-test-other", note="audio books"),
    PeerSet("speechocean762", "speechocean762", note="read English, Mandarin accents"),
    PeerSet("commonvoice-deltas", "commonvoice-deltas", written=True, note="read English from all over the world"),
    PeerSet("commonvoice-6.1", "commonvoice-6.1-rigved", written=True, note="the same, ten speakers"),
    PeerSet(
        "telephone, free speech",
        "wuw-telephone",
        takes=lambda row: row["note"].startswith("free speech"),
        note="real calls, 8 kHz",
    ),
    PeerSet(
        "telephone, key words",
        "wuw-telephone",
        takes=lambda row: row["note"].startswith("isolated keyword"),
        note="one of five words a clip, two of them names of products",
    ),
    PeerSet("wake-words", "wake-words", note="one phrase a clip, most of them names"),
    PeerSet("single digits", "fsdd", splits=("test",), note="8 kHz, half a second each"),
    PeerSet("precise-words", "precise-words", note="short phrases"),
    PeerSet("an4-mini", "an4-mini", splits=("train",), note="single words; the set has no other split"),
    PeerSet("ljspeech-32", "ljspeech-32", written=True, note="one reader"),
    PeerSet("vctk-p239", "vctk-p239", written=True, note="one reader"),
    PeerSet(
        "speech-to-phrase",
        "speech-to-phrase",
        takes=lambda row: row["path"].startswith("en/"),
        note="commands for a home, the English ones",
    ),
    PeerSet("coffee-orders", "coffee-orders", note="no transcripts: the phrases that must occur"),
)


def clips_of(which: PeerSet, data: Path = SHARED, at_most: int = 0) -> list[Clip]:
    """The clips of a set, or at most so many from all over it.

    Raises:
        UsageError: the set is not here.
    """
    file = data / which.folder / "manifest.csv"
    if not file.is_file():
        raise UsageError(f"There are no recordings in {file.parent}", "Name the folder that has them with --data")
    with file.open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] in which.splits and which.takes(row)]
    rows = rows[:: max(1, -(-len(rows) // at_most))] if at_most else rows
    return [_clip(which, row, file.parent) for row in rows]


def prepare(clips: Sequence[Clip], folder: Path) -> list[Path]:
    """The clips as every tool hears them, 16-bit WAV at 16 kHz with a little faint noise on either side."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    size = round(PADDING_S * SAMPLE_RATE)
    files = []
    for number, clip in enumerate(clips):
        quiet = rng.normal(0, 10 ** (NOISE_DBFS / 20), (2, size)).astype(np.float32)
        files.append(folder / f"{number:04d}.wav")
        write_wave(files[-1], np.concatenate([quiet[0], load_audio(clip.path), quiet[1]]))
    return files


def write_wave(file: Path, samples: Samples) -> None:
    """Mono 16-bit WAV at 16 kHz, which every tool reads."""
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        out.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _clip(which: PeerSet, row: Row, folder: Path) -> Clip:
    slots: dict[str, str] = json.loads(row.get("slots") or "{}")
    return Clip(
        path=folder / row["path"],
        seconds=float(row["duration_s"]),
        plain=row["text_norm"],
        written=row["text"] if which.written else "",
        phrases=tuple(slots.values()),
    )
