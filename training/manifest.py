"""Clips and the tables that name them: CSV or JSON-lines manifests with path, text, intent, speaker and split."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgevoice.errors import ConfigError
from edgevoice.text import normalise

NAMES = {
    "path": ("path", "file_name", "file", "audio"),
    "text": ("text_norm", "text", "transcription", "transcript", "sentence"),
    "intent": ("intent", "intent_class", "label"),
    "speaker": ("speaker", "speaker_id", "client_id"),
    "split": ("split",),
    "duration_s": ("duration_s", "duration"),
}
"""What a clip needs -> the columns it is looked for in, the best first."""
SPLITS = {"validation": "dev", "valid": "dev", "val": "dev", "eval": "dev", "training": "train"}
"""Other names of splits -> ours."""


Needs = Literal["text", "intent", "either", "nothing"]
"""What a clip must have to be trained on, besides its audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One recording."""

    path: Path
    text: str
    """Normalised transcript; empty where there is none."""
    intent: str
    """Label; empty where there is none."""
    speaker: str
    """Empty, or "unknown", where nobody knows."""
    split: str
    """ "train", "dev", "test" or any other; empty where the data does not say."""
    duration_s: float
    dataset: str
    """Name of the set: the folder that holds the manifest, or the hub's name and configuration."""
    origin: str = ""
    """File and line, or data set and row, that name the clip."""
    recorded: bool = field(default=True, repr=False)
    """False of a data set's row that has no recording; `path` says nothing then."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Clips that can be used, and why the others cannot."""

    clips: tuple[Clip, ...]
    left_out: dict[str, int]
    """Reason -> number of clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns to read, where the usual names do not tell; empty for those of `NAMES`."""

    text: str = ""
    intent: str = ""
    speaker: str = ""

    def find(self, available: Sequence[str], where: str) -> dict[str, str]:
        """What a clip needs -> the column that has it, for all that there are.

        Raises:
            ConfigError: a column that was asked for by name is not among those available.
        """
        found: dict[str, str] = {}
        for need, usual in NAMES.items():
            asked = getattr(self, need, "")
            if asked and asked not in available:
                raise ConfigError(
                    f"{where} has no column '{asked}' (it has {', '.join(available)})", "Name one of them"
                )
            for name in (asked,) if asked else usual:
                if name in available:
                    found.setdefault(need, name)
        return found


UNRECORDED = "without a recording"
"""Why a row is left out that has none."""
USUAL = Columns()
"""All found by `NAMES`."""


def read_manifest(file: Path, columns: Columns = USUAL, *, measured: bool = True) -> list[Clip]:
    """The clips of a manifest, .csv or .jsonl; paths are relative to its folder.

    A recording whose length the table does not say is opened to find out, unless not `measured`: then it is NaN.

    Raises:
        ConfigError: it cannot be read, lacks a column, or a row lacks what it must have.
    """
    try:
        rows, names = _json_rows(file) if file.suffix in (".jsonl", ".json") else _csv_rows(file)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise ConfigError(
            f"The manifest {file} cannot be read: {error}", "Name a CSV or JSON-lines file with --data"
        ) from None
    if not rows:
        raise ConfigError(f"The manifest {file} has no rows", "It needs the columns path, text, intent, speaker, split")
    found = columns.find(names, f"The manifest {file}")
    if "path" not in found:
        raise ConfigError(
            f"The manifest {file} has no column 'path' (it has {', '.join(names)})",
            "The columns are path, text, intent, speaker, split",
        )
    return [_clip(file, line, row, found, measured=measured) for line, row in rows]


def write_manifest(file: Path, clips: Iterable[Clip]) -> Path:
    """Writes what `read_manifest` reads, all of it or nothing; returns the file."""
    part = file.with_name(f".{file.name}.part")
    with part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "text", "intent", "speaker", "split", "duration_s"])
        for clip in clips:
            writer.writerow(
                [clip.path.resolve(), clip.text, clip.intent, clip.speaker, clip.split, round(clip.duration_s, 3)]
            )
    part.replace(file)
    return file


def select(clips: Iterable[Clip], *, minimum_s: float, maximum_s: float, needs: Needs) -> Selection:
    """Leaves out what cannot be trained on, counting the reasons."""
    kept: list[Clip] = []
    left_out: dict[str, int] = {}
    for clip in clips:
        reason = unfit(clip, minimum_s, maximum_s, needs)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept.append(clip)
    return Selection(tuple(kept), left_out)


def split_name(name: str) -> str:
    """A split's name as we call it."""
    name = name.strip()
    plain = name.lower()
    return SPLITS.get(plain, plain if plain in ("train", "dev", "test") else name)


def length(path: Path) -> float | str:
    """Seconds of a recording as its header has them, or what is wrong with it."""
    import soundfile

    if not path.is_file():
        return "is not there"
    try:
        return float(soundfile.info(str(path)).duration)
    except (OSError, RuntimeError) as error:
        return f"cannot be read: {getattr(error, 'error_string', error)}"  # libsndfile's own words, without the path


def duration(path: Path, origin: str) -> float:
    """Seconds of a recording that a row, or a folder, names.

    Raises:
        ConfigError: it is not there or cannot be read.
    """
    found = length(path)
    if isinstance(found, str):
        raise unusable(path, origin, found)
    return found


def unusable(path: Path, origin: str, reason: str) -> ConfigError:
    """What is said of a recording that a run cannot do without.

    Args:
        path: of the recording.
        origin: file and line, or data set and row, that name it; the path itself where it was found in a folder.
        reason: as `length` gives it.
    """
    if origin in ("", str(path)):
        return ConfigError(f"The recording {path} {reason}", "Mend or remove it")
    where = "(column path) " if reason == "is not there" else ""
    return ConfigError(f"{origin}: the recording {path} {where}{reason}", "Mend or remove its row")


def _csv_rows(file: Path) -> tuple[list[tuple[int, Mapping[str, Any]]], Sequence[str]]:
    with file.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets put a byte order mark in front
        reader = csv.DictReader(stream, restkey="", restval="")
        return [(reader.line_num, row) for row in reader], reader.fieldnames or ()


def _json_rows(file: Path) -> tuple[list[tuple[int, Mapping[str, Any]]], Sequence[str]]:
    rows: list[tuple[int, Mapping[str, Any]]] = []
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            rows.append((number, row))
    return rows, tuple(dict.fromkeys(name for _, row in rows for name in row))


def unfit(clip: Clip, minimum_s: float, maximum_s: float, needs: Needs) -> str:
    """Why a clip cannot be trained on; "" where it can."""
    if not clip.recorded:
        return UNRECORDED
    if clip.duration_s < minimum_s:
        return "too short"
    if clip.duration_s > maximum_s:
        return "too long"
    if needs == "either":
        return "" if clip.text or clip.intent else "neither text nor intent"
    if needs == "nothing" or (clip.text if needs == "text" else clip.intent):
        return ""
    return f"no {needs}"


def _clip(file: Path, line: int, row: Mapping[str, Any], found: Mapping[str, str], *, measured: bool) -> Clip:
    cells = {need: "" if row.get(column) is None else str(row[column]).strip() for need, column in found.items()}
    if not cells["path"]:
        raise ConfigError(f"Line {line} of the manifest {file} names no file", "Mend or remove the row")
    text = cells.get("text", "")
    if not text and found.get("text") == "text_norm":
        text = str(row.get("text") or "")
    path = file.parent / cells["path"]
    seconds = cells.get("duration_s", "")
    origin = f"{file}, line {line}"
    said = _seconds(file, line, seconds) if seconds else None
    return Clip(
        path=path,
        text=normalise(text),
        intent=cells.get("intent", ""),
        speaker=cells.get("speaker", ""),
        split=split_name(cells.get("split", "")),
        duration_s=said if said is not None else duration(path, origin) if measured else math.nan,
        dataset=file.resolve().parent.name,
        origin=origin,
    )


def _seconds(file: Path, line: int, cell: str) -> float:
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ConfigError(
            f"Line {line} of the manifest {file} has the duration_s '{cell}', which is no number",
            "Mend it, or leave the cell empty to have the file measured",
        )
    return seconds
