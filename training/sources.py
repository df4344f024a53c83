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
from edgevoice.text import normalise, plain
from training.manifest import SPLITS, USUAL, Clip, Columns, duration, read_manifest, split_name

MANIFESTS = ("manifest.csv", "manifest.jsonl", "metadata.csv", "metadata.jsonl")
"""Tables a folder of recordings may hold: ours, or those of the hub's audio folders."""
_SPLIT_FOLDERS = ("train", "dev", "test", *SPLITS)
_PARQUET = "refs/convert/parquet"
"""The branch in which the hub keeps every data set as plain tables, also those that come with a script."""


def read_source(spec: str, columns: Columns = USUAL, *, measured: bool = True) -> list[Clip]:
    """The clips of one `--data`.

    Args:
        spec: a manifest (.csv, .jsonl); a folder that holds one; a folder with a folder of recordings for each label,
            perhaps within train, dev and test; or NAME[:CONFIG[,CONFIG...]], a data set of the hub or a folder laid out
            like one (`PolyAI/minds14:en-US,en-GB`).
        columns: which columns hold text, intent and speaker, where the usual names do not tell.
        measured: open every recording whose length is not said; otherwise its `duration_s` is NaN.

    Raises:
        ConfigError: there is no such thing, or it does not hold what it must.
    """
    path = Path(spec)
    if path.suffix in (".csv", ".jsonl", ".json") or path.is_file():
        return read_manifest(path, columns, measured=measured)
    if path.is_dir():
        tables = _tables(path)
        if tables:
            read = {file: read_manifest(file, columns, measured=measured) for file in tables}
            return [clip for file, clips in read.items() for clip in _of_split(path, file, clips)]
        if not _is_hub_layout(path):
            return _labelled_folders(path, measured=measured)
    return list(_hub(spec, columns, measured=measured))


def set_names(spec: str) -> list[str]:
    """The `Clip.dataset` of a source's clips: a folder's name, or the hub's without its owner; the configuration."""
    path = Path(spec)
    if path.suffix in (".csv", ".jsonl", ".json"):
        return [path.resolve().parent.name]
    name, _, configs = spec.partition(":")
    return [_set_name(name, config) for config in configs.split(",")]


def _set_name(name: str, config: str) -> str:
    return f"{Path(name).resolve().name}{'-' if config else ''}{config}"


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


def _is_hub_layout(folder: Path) -> bool:
    return any(next(folder.glob(f"**/*.{kind}"), None) for kind in ("parquet", "arrow"))


def _labelled_folders(folder: Path, *, measured: bool) -> list[Clip]:
    known = set(soundfile.available_formats()) | {"AIF", "OPUS", "OGA"}
    clips = []
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        if not file.is_file() or file.suffix[1:].upper() not in known or any(part.startswith(".") for part in parts):
            continue
        split = split_name(parts[0]) if parts[0].lower() in _SPLIT_FOLDERS and len(parts) > 1 else ""
        labels = parts[1:-1] if split else parts[:-1]
        if not labels:
            raise ConfigError(
                f"{file} lies in no folder named after a label", f"Make it {file.parent / 'LABEL' / file.name}"
            )
        text = file.with_suffix(".txt")
        clips.append(
            Clip(
                path=file,
                text=normalise(text.read_text(encoding="utf-8")) if text.is_file() else "",
                intent=labels[0],
                speaker=labels[1] if len(labels) > 1 else "",
                split=split,
                duration_s=duration(file, "found in the folder") if measured else math.nan,
                dataset=folder.resolve().name,
                origin=str(file),
            )
        )
    if not clips:
        raise ConfigError(f"The folder {folder} holds no recordings", "It needs a folder of recordings for each label")
    return clips


def _hub(spec: str, columns: Columns, *, measured: bool) -> Iterator[Clip]:
    name, _, configs = spec.partition(":")
    for config in configs.split(",") if configs else [None]:
        for split, table in _load(name, config).items():
            yield from _table_clips(name, config or "", str(split), table, columns, measured=measured)


def _load(name: str, config: str | None) -> Mapping[Any, Any]:
    """The tables of a data set by split.

    Raises:
        ConfigError: there is no such data set or configuration, or it cannot be had without the network.
    """
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    try:
        try:
            return datasets.load_dataset(name, config)  # type: ignore[return-value]
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            return datasets.load_dataset(name, config, revision=_PARQUET)  # type: ignore[return-value]
    except (DatasetNotFoundError, FileNotFoundError, ConnectionError) as error:
        raise ConfigError(
            f"The data set '{plain(name)}' is no folder, is not in the cache and cannot be had from the hub: "
            f"{_first_line(error)}",
            "Check the name and the network, or name a folder or a manifest with --data",
        ) from None
    except (ImportError, ValueError) as error:
        # recordings that are files of their own on the hub; an unknown configuration, with those there are
        raise ConfigError(f"The data set '{plain(name)}' cannot be loaded: {_first_line(error)}") from None


def _table_clips(name: str, config: str, split: str, table: Any, columns: Columns, *, measured: bool) -> Iterator[Clip]:
    import datasets

    where = f"The data set {name}"
    audio = next((key for key, feature in table.features.items() if isinstance(feature, datasets.Audio)), None)
    if audio is None:
        raise ConfigError(f"{where} has no audio (its columns: {', '.join(table.column_names)})", "Choose another")
    table = table.cast_column(audio, datasets.Audio(decode=False))
    found = columns.find([column for column in table.column_names if column != audio], where)
    dataset = _set_name(name, config)
    cache = platformdirs.user_cache_path("edgevoice") / "data" / f"{dataset}-{table._fingerprint}"  # noqa: SLF001
    for row in range(len(table)):
        cells = {need: _cell(table, row, column) for need, column in found.items()}
        path = _file(table[row][audio], cache / f"{row:06d}")
        origin = f"{name}{':' if config else ''}{config}, {split}, row {row}"
        yield Clip(
            path=path,
            text=normalise(cells.get("text", "")),
            intent=cells.get("intent", ""),
            speaker=cells.get("speaker", ""),
            split=split_name(cells.get("split", "") or split),
            duration_s=duration(path, origin) if measured else math.nan,
            dataset=dataset,
            origin=origin,
        )


def _cell(table: Any, row: int, column: str) -> str:
    value, feature = table[row][column], table.features[column]
    names = getattr(feature, "int2str", None)  # a ClassLabel: the number of a name, -1 where it is kept secret
    if value is None or (names and value < 0):
        return ""
    return str(names(value) if names else value).strip()


def _file(audio: Mapping[str, Any], target: Path) -> Path:
    """Where a table's recording lies as a file."""
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


def _first_line(error: BaseException) -> str:
    return plain(next(iter(str(error).splitlines()), type(error).__name__)).strip().rstrip(".")
