"""Where clips come from: a manifest, a folder with one folder a label, or a data set of the Hugging Face hub.

Audio that a hub data set keeps inside its tables is written to files once, in the user's cache: any clip can be
listened to, and everything after this module knows files only.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs
import soundfile

from edgevoice.errors import ConfigError
from edgevoice.text import normalise
from training.manifest import SPLITS, USUAL, Clip, Columns, duration, read_manifest, split_name, unusable
from training.tables import read_tables, refuse_nameless, set_name

MANIFESTS = ("manifest.csv", "manifest.jsonl", "metadata.csv", "metadata.jsonl")
"""Tables a folder of recordings may hold: ours, or those of the hub's audio folders."""
_SPLIT_FOLDERS = ("train", "dev", "test", *SPLITS)


def read_source(spec: str, columns: Columns = USUAL, *, measured: bool = True, labelled: bool = True) -> list[Clip]:
    """The clips of one `--data`.

    Args:
        spec: a manifest (.csv, .jsonl); a folder that holds one; a folder with a folder of recordings for each label,
            perhaps within train, dev and test; or NAME[:CONFIG[,CONFIG...]], a data set of the hub or a folder laid out
            like one (`PolyAI/minds14:en-US,en-GB`).
        columns: which columns hold text, intent and speaker, where the usual names do not tell.
        measured: open every recording whose length is not said; otherwise its `duration_s` is NaN.
        labelled: a folder's recordings must lie in folders named after labels.

    Raises:
        ConfigError: there is no such thing, or it does not hold what it must.
    """
    refuse_nameless(spec)
    path = Path(spec)
    if path.suffix in (".csv", ".jsonl", ".json") or path.is_file():
        return read_manifest(path, columns, measured=measured)
    if path.is_dir():
        tables = _tables(path)
        if tables:
            read = {file: read_manifest(file, columns, measured=measured) for file in tables}
            return [clip for file, clips in read.items() for clip in _of_split(path, file, clips)]
        if not is_hub_layout(path):
            return _recordings(path, measured=measured, labelled=labelled)
    return list(_hub(spec, columns, measured=measured))


def set_names(spec: str) -> list[str]:
    """The `Clip.dataset` of a source's clips: a folder's name, or the hub's without its owner; the configuration."""
    path = Path(spec)
    if path.suffix in (".csv", ".jsonl", ".json"):
        return [path.resolve().parent.name]
    name, _, configs = spec.partition(":")
    return [set_name(name, config) for config in configs.split(",")]


def _tables(folder: Path) -> list[Path]:
    """The folder's table, or those of the folders of its splits."""
    inside = [each for each in sorted(folder.iterdir()) if each.name.lower() in _SPLIT_FOLDERS]
    places = [folder, *sorted(inside, key=lambda each: _SPLIT_FOLDERS.index(each.name.lower()))]
    found = [place / name for place in places for name in MANIFESTS if (place / name).is_file()]
    return found[:1] if found and found[0].parent == folder else found


def _of_split(folder: Path, file: Path, clips: list[Clip]) -> list[Clip]:
    """Clips of a table in a split's folder, which need not say their split themselves."""
    name = "" if file.parent == folder else split_name(file.parent.name)
    return [dataclasses.replace(clip, split=clip.split or name, dataset=folder.resolve().name) for clip in clips]


def is_hub_layout(folder: Path) -> bool:
    """Whether a folder's recordings lie in tables, as they do on the hub."""
    return any(next(folder.glob(f"**/*.{kind}"), None) for kind in ("parquet", "arrow"))


def _recordings(folder: Path, *, measured: bool, labelled: bool) -> list[Clip]:
    known = set(soundfile.available_formats()) | {"AIF", "OPUS", "OGA"}
    clips = []
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if not file.is_file() or file.suffix[1:].upper() not in known or any(part.startswith(".") for part in parts):
            continue
        split = split_name(parts[0]) if parts[0].lower() in _SPLIT_FOLDERS and len(parts) > 1 else ""
        labels = parts[1:-1] if split else parts[:-1]
        if not labels and labelled:
            raise ConfigError(
                f"{file} lies in no folder named after a label", f"Make it {file.parent / 'LABEL' / file.name}"
            )
        text = file.with_suffix(".txt")
        clips.append(
            Clip(
                path=file,
                text=normalise(text.read_text(encoding="utf-8")) if text.is_file() else "",
                intent=labels[0] if labels else "",
                speaker=labels[1] if len(labels) > 1 else "",
                split=split,
                duration_s=duration(file, str(file)) if measured else math.nan,
                dataset=folder.resolve().name,
                origin=str(file),
            )
        )
    if not clips:
        way_out = (
            "It needs a folder of recordings for each label" if labelled else "It needs audio files, or a manifest"
        )
        raise ConfigError(f"The folder {folder} holds no recordings", way_out)
    return clips


def _hub(spec: str, columns: Columns, *, measured: bool) -> Iterator[Clip]:
    for table in read_tables(spec, columns):
        cache = clip_cache() / f"{table.dataset}-{table.rows._fingerprint}"  # noqa: SLF001
        for number, row in enumerate(table.rows):
            audio = row[table.audio] or {}
            if audio.get("bytes") is None and not audio.get("path"):
                yield dataclasses.replace(table.clip(row, number, Path(), math.nan), recorded=False)
                continue
            origin = f"{table.name}, row {number}"
            if audio.get("bytes") is None and "://" in audio["path"]:  # within an archive
                try:
                    audio = {"bytes": table.recording(row)(), "path": audio["path"].partition("::")[0]}
                except OSError as error:
                    raise unusable(Path(audio["path"]), origin, f"cannot be had: {error}") from None
            path = stored(audio, cache / f"{number:06d}")
            yield table.clip(row, number, path, duration(path, origin) if measured else math.nan)


def clip_cache() -> Path:
    """Where recordings that lie in tables are written to."""
    return platformdirs.user_cache_path("edgevoice") / "data"


def stored(audio: Mapping[str, Any], target: Path) -> Path:
    """Where a table's recording lies as a file; one that has none is written to `target` with its own suffix."""
    inside, path = audio.get("bytes"), audio.get("path") or ""
    if inside is None:
        return Path(path)
    file = target.with_suffix(Path(path).suffix or ".wav")
    if not file.is_file() or file.stat().st_size != len(inside):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{os.getpid()}-{file.name}")  # another process may be about to read it
        part.write_bytes(inside)
        part.replace(file)
    return file
