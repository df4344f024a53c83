"""Folders of runs, and others that a command writes to: found out before the work whether it may."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgevoice.errors import UsageError

ANOTHER = "Choose another --output"


def check_own(folder: Path, mark: str, what: str) -> None:
    """Sees that a folder is new, empty, or one that was made by the same command, and that it can be written to.

    Args:
        folder: to be written to; it is not made yet.
        mark: the file that is there in every folder of that kind.
        what: the kind, as a message calls it: "run of edgevoice train".

    Raises:
        UsageError: it is none of these, or cannot be written to.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is no folder", ANOTHER)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / mark).is_file():
            raise UsageError(
                f"{folder} is not empty and holds no {what} ({mark}), so that files of yours could be overwritten",
                "Choose another --output, or an empty folder",
            )
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        # rights alone do not tell: nothing can be made in /proc, whoever asks
        with tempfile.TemporaryDirectory(dir=there, prefix=".edgevoice-"):
            pass
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be written to ({error.strerror or error})", ANOTHER) from None


def beside(folder: Path, name: str) -> Path:
    """Where a file of a checkpoint lies: in it, or, for the `checkpoint-N` of a run, in the run's folder."""
    above = folder.resolve().parent
    in_run = folder.name.startswith("checkpoint-") and not (folder / name).is_file() and (above / name).is_file()
    return above if in_run else folder
