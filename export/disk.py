"""Room on disks: found out before the work, and said in one sentence where it runs out all the same."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgevoice.errors import EdgeVoiceError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SLACK = 8_000_000
"""Bytes for what is small whatever the model: manifest, card, sample call, and the tools' own files."""


class DiskFullError(EdgeVoiceError):
    """There is not enough room on a disk."""


@dataclass(frozen=True)
class Need:
    """What is going to be written into a folder for a while."""

    folder: Path
    bytes: int
    remedy: str
    """How to have it written elsewhere."""


@contextmanager
def room(needs: Sequence[Need]) -> Iterator[None]:
    """Sees that there is room before the block begins, and says so where there turns out to be none.

    Raises:
        DiskFullError: a disk is too full.
    """
    _check(needs)
    try:
        yield
    except EdgeVoiceError:
        raise
    except Exception as error:
        if _is_full(error):
            places = " or ".join(dict.fromkeys(str(need.folder) for need in needs))
            raise DiskFullError(f"The disk became full: there is no space left in {places}", needs[0].remedy) from error
        _check(needs)  # tools that write half a file read it next, and what they say of it names no disk
        raise


def _check(needs: Sequence[Need]) -> None:
    """Folders on one disk share its room."""
    disks: dict[int, list[Need]] = {}
    for need in needs:
        disks.setdefault(need.folder.stat().st_dev, []).append(need)
    for sharing in disks.values():
        needed = sum(need.bytes for need in sharing) + _SLACK
        free = shutil.disk_usage(sharing[0].folder).free
        if free < needed:
            places = " and ".join(dict.fromkeys(str(need.folder) for need in sharing))
            raise DiskFullError(
                f"There is too little space in {places}: {free / 1e6:.0f} MB are free, and {needed / 1e6:.0f} MB "
                "are needed for a while",
                sharing[0].remedy,
            )


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if (isinstance(error, OSError) and error.errno in _FULL) or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
