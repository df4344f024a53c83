"""Manifests: CSV files that name clips with their text, intent, speaker and split."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgevoice.errors import ConfigError
from edgevoice.text import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One recording."""

    path: Path
    text: str
    """Normalised transcript; empty where there is none."""
    intent: str
    """Label; empty where there is none."""
    speaker: str
    split: str
    duration_s: float
    dataset: str
    """Name of the set: the folder that holds the manifest."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Clips that can be used, and why the others cannot."""

    clips: tuple[Clip, ...]
    left_out: dict[str, int]
    """Reason -> number of clips."""


def read_manifest(file: Path) -> list[Clip]:
    """The clips of a manifest; paths are relative to its folder.

    Raises:
        ConfigError: it cannot be read, lacks a column, or a row lacks what it must have.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:  # spreadsheets put a byte order mark in front
            reader = csv.DictReader(stream, restkey="", restval="")
            rows = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"The manifest {file} cannot be read: {error}", "Name a CSV file with --data") from None
    if not rows:
        raise ConfigError(f"The manifest {file} has no rows", "It needs the columns path, text, intent, speaker, split")
    missing = {"path", "split"} - set(columns)
    if missing:
        raise ConfigError(
            f"The manifest {file} has no column '{min(missing)}' (it has {', '.join(columns)})",
            "The columns are path, text, intent, speaker, split",
        )
    return [_clip(file, line, row) for line, row in rows]


def select(
    clips: Iterable[Clip], *, minimum_s: float, maximum_s: float, needs_text: bool, needs_intent: bool
) -> Selection:
    """Leaves out what cannot be trained on, counting the reasons."""
    kept: list[Clip] = []
    left_out: dict[str, int] = {}
    for clip in clips:
        reason = _unfit(
            clip, minimum_s=minimum_s, maximum_s=maximum_s, needs_text=needs_text, needs_intent=needs_intent
        )
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
        else:
            kept.append(clip)
    return Selection(tuple(kept), left_out)


def _unfit(clip: Clip, *, minimum_s: float, maximum_s: float, needs_text: bool, needs_intent: bool) -> str:
    if clip.duration_s < minimum_s:
        return "too short"
    if clip.duration_s > maximum_s:
        return "too long"
    if needs_text and not clip.text:
        return "no text"
    if needs_intent and not clip.intent:
        return "no intent"
    return ""


def _clip(file: Path, line: int, row: dict[str, str]) -> Clip:
    if not row["path"]:
        raise ConfigError(f"Line {line} of the manifest {file} names no file", "Mend or remove the row")
    path = file.parent / row["path"]
    return Clip(
        path=path,
        text=normalise(row.get("text_norm") or row.get("text") or ""),
        intent=(row.get("intent") or "").strip(),
        speaker=row.get("speaker") or "",
        split=row["split"].strip(),
        duration_s=_seconds(file, line, row["duration_s"]) if row.get("duration_s") else _duration(path),
        dataset=file.resolve().parent.name,
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


def _duration(path: Path) -> float:
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"The clip {path} cannot be read: {error}", "Mend or remove its row in the manifest"
        ) from None
