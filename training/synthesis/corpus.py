"""The folder of a corpus: what it is made from, the rows of its shards, its manifest and its list of voices."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgevoice.errors import ConfigError
from training.folders import check_own
from training.synthesis.plan import PLAN_VERSION, SynthesisConfig
from training.voices import Split, Voice

NOTE = "corpus.json"
"""What a corpus is made from, in its folder."""
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


class OtherCorpusError(ConfigError):
    """The folder holds a corpus that was made from something else."""


def claim_folder(config: SynthesisConfig, dealt: Mapping[Split, Sequence[Voice]]) -> None:
    """Note what the folder is made from, and refuse to mix two corpora in one; only the hours may change.

    Raises:
        UsageError: it holds something else, which is left alone, or cannot be written to.
        OtherCorpusError: it holds another corpus.
    """
    made_from = {
        "plan": PLAN_VERSION,
        "seed": config.seed,
        "sentences_sha256": hashlib.sha256(config.sentences.read_bytes()).hexdigest(),
        "voices": {split: [voice.name for voice in listed] for split, listed in dealt.items()},
    }
    check_own(config.output, NOTE, "corpus of 'edgevoice train synthesise'")
    note = config.output / NOTE
    if note.exists():
        others = _differences(note, made_from)
        if others:
            raise OtherCorpusError(
                f"{config.output} holds a corpus that was made with {' and '.join(others)}",
                "Delete that folder, or name another one",
            )
        return
    config.output.mkdir(parents=True, exist_ok=True)
    note.write_text(_as_text(made_from), encoding="utf-8")


_CALLED = {
    "plan": "another version of edgevoice",
    "seed": "another seed",
    "sentences_sha256": "another sentences file",
    "voices": "another set of installed voices",
}


def _differences(note: Path, made_from: Mapping[str, object]) -> list[str]:
    """What a corpus was made from that is not the same now."""
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
        return [called for key, called in _CALLED.items() if before[key] != made_from[key]]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"a {NOTE} that cannot be read"]


def _as_text(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def rows_file(folder: Path) -> Path:
    """Where a shard notes its rows as it goes."""
    return folder / "rows.csv"


def rows_on_disk(output: Path, folder: Path) -> dict[str, Row]:
    """Read the rows of a shard's earlier run whose audio is there; a line cut off by a crash is passed over."""
    if not rows_file(folder).exists():
        return {}
    found: dict[str, Row] = {}
    with rows_file(folder).open(newline="", encoding="utf-8") as file:
        for cells in csv.reader(file):
            if len(cells) == len(MANIFEST_COLUMNS) and cells[-1] and (output / cells[0]).is_file():
                values = dict(zip(MANIFEST_COLUMNS, cells, strict=True))
                found[cells[0]] = Row(**{**values, "duration_s": float(values["duration_s"])})  # type: ignore[arg-type]
    return found


def prune(output: Path, split: Split, shards: int, kept: set[str]) -> None:
    """Remove what the rows of a split's shards list and is not kept, and the shards from number `shards` on; whatever
    else lies there is somebody's own."""
    for folder in sorted((output / split).iterdir()):
        for path in rows_on_disk(output, folder):
            if path not in kept and (output / path).parent == folder:
                (output / path).unlink()
        if folder.name.isdecimal() and int(folder.name) >= shards:
            rows_file(folder).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


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
