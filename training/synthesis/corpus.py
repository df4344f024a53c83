"""The folder of a corpus: what it is made from, the rows of its shards, its manifest and its list of voices."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgevoice.errors import ConfigError
from training.synthesis.plan import PLAN_VERSION, Shard, SynthesisConfig
from training.voices import Split, Voice

MANIFEST_COLUMNS = ("path", "text", "intent", "speaker", "split", "voice", "duration_s", "augmentation")


@dataclass(frozen=True)
class Row:
    """One line of the manifest; `path` is relative to the corpus folder."""

    path: str
    text: str
    intent: str
    speaker: str
    split: str
    voice: str
    duration_s: float
    augmentation: str


def claim_folder(config: SynthesisConfig, dealt: Mapping[Split, Sequence[Voice]]) -> None:
    """Note what the folder is made from, and refuse to mix two corpora in one; only the hours may change."""
    made_from = {
        "plan": PLAN_VERSION,
        "seed": config.seed,
        "sentences_sha256": hashlib.sha256(config.sentences.read_bytes()).hexdigest(),
        "voices": {split: [voice.name for voice in listed] for split, listed in dealt.items()},
    }
    if config.output.exists() and not config.output.is_dir():
        raise ConfigError(f"{config.output} is no folder", "Name another folder with --output")
    note = config.output / "corpus.json"
    if note.exists() and note.read_text(encoding="utf-8") != _as_text(made_from):
        raise ConfigError(
            f"{config.output} holds a corpus of another seed, sentences file or set of voices",
            "Delete it, or name another folder with --output",
        )
    config.output.mkdir(parents=True, exist_ok=True)
    note.write_text(_as_text(made_from), encoding="utf-8")


def _as_text(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def rows_file(shard: Shard) -> Path:
    """Where a shard notes its rows as it goes."""
    return shard.folder / "rows.csv"


def rows_on_disk(shard: Shard) -> dict[str, Row]:
    """Read the rows of an earlier run whose audio is there; a line cut off by a crash is passed over."""
    if not rows_file(shard).exists():
        return {}
    found: dict[str, Row] = {}
    with rows_file(shard).open(newline="", encoding="utf-8") as file:
        for cells in csv.reader(file):
            if len(cells) == len(MANIFEST_COLUMNS) and cells[-1] and (shard.output / cells[0]).is_file():
                values = dict(zip(MANIFEST_COLUMNS, cells, strict=True))
                found[cells[0]] = Row(**{**values, "duration_s": float(values["duration_s"])})  # type: ignore[arg-type]
    return found


def prune(output: Path, split: Split, shards: int, kept: set[str]) -> None:
    """Remove a split's shards from number `shards` on, and every audio file of it that is not kept."""
    folder = output / split
    for shard in sorted(folder.iterdir()):
        if shard.name.isdecimal() and int(shard.name) >= shards:
            shutil.rmtree(shard)
    for path in folder.glob("*/*.flac"):
        if path.relative_to(output).as_posix() not in kept:
            path.unlink()


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write a line for each utterance."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, MANIFEST_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def write_voices(
    path: Path, dealt: Mapping[Split, Sequence[Voice]], rows: Sequence[Row], failures: Mapping[str, int]
) -> None:
    """Write who speaks in which split, how often, and under which licence."""
    spoken = Counter((row.split, row.voice) for row in rows)
    listing = {
        split: [
            {
                "name": voice.name,
                "engine": voice.engine,
                "speaker": voice.speaker,
                "gender": voice.gender,
                "licence": voice.licence,
                "shippable": voice.shippable,
                "utterances": spoken[split, voice.name],
                "failures": failures.get(voice.name, 0),
            }
            for voice in listed
        ]
        for split, listed in dealt.items()
    }
    path.write_text(_as_text(listing), encoding="utf-8")
