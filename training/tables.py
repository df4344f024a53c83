"""Data sets of the Hugging Face hub, and folders laid out like one: tables with the recordings in them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevoice.errors import ConfigError
from edgevoice.text import normalise, plain
from training import network
from training.manifest import Clip, Columns, split_name

_PARQUET = "refs/convert/parquet"
"""The branch in which the hub keeps every data set as plain tables, also those that come with a script."""
LOCAL = "Name a manifest, a folder or OWNER/NAME of the hub with --data"
"""What is said to whoever names no data, or what is none."""


@dataclass(frozen=True)
class Table:
    """One split of a data set, its recordings as they are stored."""

    dataset: str
    """As `Clip.dataset`: the data set's name without its owner, and the configuration."""
    name: str
    """As it was asked for, and its split."""
    split: str
    rows: Any
    """A `datasets.Dataset`, or an `IterableDataset` where it is read while it is needed."""
    audio: str
    """The column of the recordings."""
    columns: Mapping[str, str]
    """What a clip needs -> the column that has it."""

    def clip(self, row: Mapping[str, Any], number: int, path: Path, seconds: float) -> Clip:
        """A row as a clip, whose recording is that file and lasts that long."""
        return Clip(
            path=path,
            text=normalise(self.cell(row, "text")),
            intent=self.cell(row, "intent"),
            speaker=self.cell(row, "speaker"),
            split=split_name(self.cell(row, "split") or self.split),
            duration_s=seconds,
            dataset=self.dataset,
            origin=f"{self.name}, row {number}",
        )

    def cell(self, row: Mapping[str, Any], need: str) -> str:
        """What a row says of "text", "intent", ...; "" where it says nothing."""
        column = self.columns.get(need)
        value = row[column] if column else None
        names = getattr(self.rows.features[column], "int2str", None) if column else None
        if value is None or (names and value < 0):  # a ClassLabel's number is -1 where it is kept secret
            return ""
        return str(names(value) if names else value).strip()

    def recording(self, row: Mapping[str, Any]) -> Callable[[], bytes]:
        """What gives the file's content, wherever it lies: fetched once, and only when it is asked for. It raises
        OSError where it cannot be had."""
        return functools.cache(functools.partial(self._fetch, row))

    def _fetch(self, row: Mapping[str, Any]) -> bytes:
        from datasets.utils.file_utils import xopen

        stored = row[self.audio] or {}
        if stored.get("bytes") is not None:
            return bytes(stored["bytes"])
        if not stored.get("path"):
            raise FileNotFoundError("the row has no recording")
        with xopen(stored["path"], "rb") as stream:
            return bytes(stream.read())

    def names(self, need: str) -> list[str] | None:
        """All labels that a column can have, where the data set says so."""
        column = self.columns.get(need)
        return getattr(self.rows.features[column], "names", None) if column else None


def set_name(name: str, config: str) -> str:
    """The `Clip.dataset` of a configuration's clips."""
    return f"{Path(name).resolve().name}{'-' if config else ''}{config}"


def read_tables(spec: str, columns: Columns, *, streaming: bool = False) -> list[Table]:
    """The tables of NAME[:CONFIG[,CONFIG...]], split by split.

    Raises:
        ConfigError: there is no such data set, configuration or column, or it cannot be had without the network.
    """
    name, _, configs = spec.partition(":")
    refuse_nameless(spec)
    return [
        _table(name, config or "", str(split), rows, columns)
        for config in (configs.split(",") if configs else [None])
        for split, rows in _load(name, config, streaming=streaming).items()
    ]


def refuse_nameless(spec: str) -> None:
    """Raises ConfigError where a source names nothing: an empty shell variable, say."""
    if not spec.partition(":")[0].strip():
        raise ConfigError(f"The source '{plain(spec)}' has no name", LOCAL)


def _load(name: str, config: str | None, *, streaming: bool) -> Mapping[Any, Any]:
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError

    try:
        try:
            return _built(name, config, None, streaming=streaming)
        except RuntimeError as error:
            if "scripts are no longer supported" not in str(error):
                raise
            return _built(name, config, _PARQUET, streaming=streaming)
    except (DatasetNotFoundError, FileNotFoundError, ConnectionError) as error:
        raise _not_there(name, error) from None
    except (ImportError, ValueError, DatasetGenerationError) as error:
        # an unknown configuration, with those there are; a file that is damaged, or of a kind that needs a codec
        cause = error.__cause__ if isinstance(error, DatasetGenerationError) and error.__cause__ else error
        raise ConfigError(
            f"The data set '{plain(name)}' cannot be loaded: {_first_line(cause)}",
            "Choose another, or download its recordings and name their folder with --data",
        ) from None


def _built(name: str, config: str | None, revision: str | None, *, streaming: bool) -> Mapping[Any, Any]:
    """Split -> rows, as `datasets.load_dataset` has them, but for recordings that are files; see
    `training.undecoded`."""
    import datasets

    from training.undecoded import keep_files

    builder = datasets.load_dataset_builder(name, config, revision=revision)
    keep_files(builder)
    if not streaming:
        builder.download_and_prepare()
        return builder.as_dataset()  # type: ignore[no-any-return]
    splits = builder.as_streaming_dataset()
    # a stream whose files do not say what is in them: its first rows do
    return {
        split: rows if rows.features is not None else rows._resolve_features()  # noqa: SLF001 - nothing public does
        for split, rows in splits.items()
    }


def _not_there(name: str, error: Exception) -> ConfigError:
    """What is said of a data set that cannot be had: whether it is the name, or the network."""
    shown = plain(name)
    if Path(name).is_dir():
        return ConfigError(f"The folder {shown} holds neither recordings nor tables with them", LOCAL)
    if not network.is_hub_name(name):
        return ConfigError(f"There is no file or folder '{shown}'", LOCAL)
    if network.off():
        fetch = "Run the same command once where there is a network, which keeps it; or name a folder or a manifest"
        return ConfigError(f"The data set '{shown}' is not in the cache, and the hub cannot be reached", fetch)
    return ConfigError(f"The data set '{shown}' cannot be had from the hub: {_first_line(error)}", "Check its name")


def _table(name: str, config: str, split: str, rows: Any, columns: Columns) -> Table:
    import datasets

    from training.undecoded import Recording

    where = f"The data set {name}"
    names = list(rows.features)
    audio = next((key for key, feature in rows.features.items() if isinstance(feature, datasets.Audio)), None)
    if audio is None:
        raise ConfigError(f"{where} has no audio (its columns: {', '.join(names)})", "Choose another")
    return Table(
        dataset=set_name(name, config),
        name=f"{name}{':' if config else ''}{config}, {split}",
        split=split,
        rows=rows.cast_column(audio, Recording(decode=False)),
        audio=audio,
        columns=columns.find([column for column in names if column != audio], where),
    )


def _first_line(error: BaseException) -> str:
    return plain(next(iter(str(error).splitlines()), type(error).__name__)).strip().rstrip(".")
