"""Which recordings the arguments of `transcribe` mean, and where the transcript of each goes."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.audio.formats import SUFFIXES
from edgevoice.errors import UsageError
from edgevoice.text import plain


@dataclass(frozen=True, slots=True)
class Found:
    """A recording."""

    file: str
    """As it is opened and shown; "-" is a pipe."""
    place: Path
    """Where it is below the folder that was named, if one was; its name alone otherwise."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a transcript goes."""

    file: Path
    done: bool
    """Whether it is there already, whole and no older than its recording."""


def find(arguments: Sequence[str]) -> list[Found]:
    """The recordings in the order of the arguments; those of a folder, and of the folders in it, sorted.

    Raises:
        UsageError: there are none in a folder.
    """
    return [found for argument in arguments for found in _meant(argument)]


def _meant(argument: str) -> list[Found]:
    if argument == "-":
        return [Found(argument, Path("stdin"))]
    path = Path(argument)
    if not _is_folder(path):
        return [Found(argument, Path(path.name))]
    found = [Found(str(file), file.relative_to(path)) for file in sorted(_recordings(path))]
    if not found:
        what = f"'{plain(argument)}' holds no recordings"
        raise UsageError(what, f"It may hold {', '.join(sorted(SUFFIXES))} files")
    return found


def _recordings(folder: Path) -> Iterator[Path]:
    """Files that are called as recordings are, but no hidden ones: programs of theirs leave those everywhere. Each
    folder is read once, however many links lead to it; one that cannot be read comes as if it were a recording, which
    then says so."""
    waiting, links, seen = deque([folder]), deque[Path](), set[tuple[int, int]]()
    while waiting or links:
        each = (waiting or links).popleft()
        try:
            status = each.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = [entry for entry in each.iterdir() if not entry.name.startswith(".")]
        except OSError:
            yield each
            continue
        for entry in entries:
            if _is_folder(entry):
                (links if entry.is_symlink() else waiting).append(entry)
            elif entry.suffix.lower() in SUFFIXES:
                yield entry


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # what is wrong with it is said when it is opened
        return False


def targets(found: Sequence[Found], ending: str, folder: Path, *, force: bool, resume: bool) -> list[Target]:
    """Where each transcript goes: called as its recording, in the same folder below `folder` as that was below the one
    that was named. Recordings that differ in their ending only keep it.

    Args:
        found: the recordings.
        ending: of the transcripts, without the dot.
        folder: where they go.
        force: files that are there are replaced.
        resume: those that are older than their recording are; the others are done.

    Raises:
        UsageError: the folder cannot be used, two would have the same name, or one is already there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"'{plain(str(folder))}' cannot be a folder ({error.strerror})", "Choose another") from None
    files = [folder / place for place in _places(found, ending)]
    for file, count in Counter(files).items():
        if count > 1:
            remedy = "Transcribe them one by one, or name the folder that holds both"
            raise UsageError(f"Two recordings would be written to '{plain(str(file))}'", remedy)
    return [_target(each, file, force=force, resume=resume) for each, file in zip(found, files, strict=True)]


def _places(found: Sequence[Found], ending: str) -> Iterator[Path]:
    stems = Counter(each.place.with_suffix("") for each in found)
    for each in found:
        name = each.place.stem if stems[each.place.with_suffix("")] == 1 else each.place.name
        yield each.place.with_name(f"{name}.{ending}")


def _target(found: Found, file: Path, *, force: bool, resume: bool) -> Target:
    try:
        status = file.lstat()
    except OSError:  # it is not there; if it cannot be, that is said when it is written
        return Target(file, done=False)
    if resume and found.file != "-" and stat.S_ISREG(status.st_mode):
        return Target(file, done=_is_current(found.file, status) and not _holds_error(file))
    if not force:
        raise UsageError(f"'{plain(str(file))}' is already there", "Use --force to replace it, or --resume to go on")
    return Target(file, done=False)


def _is_current(recording: str, transcript: os.stat_result) -> bool:
    try:
        return Path(recording).stat().st_mtime_ns <= transcript.st_mtime_ns
    except OSError:
        return False


def _holds_error(file: Path) -> bool:
    """Whether a JSON transcript says that its recording could not be read, or not all of it."""
    if file.suffix != ".json":
        return False
    try:
        return "error" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return True
