"""A file whose end may still change, whole and valid on disk after every change.

It is never written anew: on a day of talk that would be gigabytes, and would take `tail -f` its file. Only what differs
is written, over what was there; what does not fit on the disk is taken back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from edgevoice.removed import put_back


class GrowingFile:
    """An open file.

    Args:
        path: where it is.
        descriptor: of it, as yet empty; it is now ours.
        head: what it begins with.
    """

    def __init__(self, path: Path, descriptor: int, head: bytes = b"") -> None:
        self._path, self._descriptor = path, descriptor
        self._settled = 0
        """Bytes that will not change."""
        self._blocks: list[bytes] = []
        """Behind them."""
        self._head = head

    def put(self, blocks: Sequence[bytes]) -> None:
        """Makes these the blocks behind what is settled.

        Raises:
            OSError: they could not be written; the file is as it was before.
        """
        if self._head:
            self._replace(0, b"", self._head)
            self._settled, self._head = len(self._head), b""
        same = next((at for at, pair in enumerate(zip(self._blocks, blocks, strict=False)) if pair[0] != pair[1]), None)
        same = min(len(self._blocks), len(blocks)) if same is None else same
        place = self._settled + sum(map(len, self._blocks[:same]))
        self._replace(place, b"".join(self._blocks[same:]), b"".join(blocks[same:]))
        self._blocks = list(blocks)

    def settle(self, count: int) -> None:
        """The first blocks will not change any more, and need not be given again."""
        self._settled += sum(map(len, self._blocks[:count]))
        del self._blocks[:count]

    def put_back(self) -> bool:
        """Makes it again if it was removed, with all that was in it; whether it was.

        Raises:
            OSError: it cannot be made again.
        """
        return put_back(self._descriptor, self._path)

    def close(self) -> None:
        """Brings it onto the disk, and closes it.

        Raises:
            OSError: the disk gave up.
        """
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)

    def _replace(self, place: int, old: bytes, new: bytes) -> None:
        if old == new:
            return
        try:
            # whoever is killed before the file is cut leaves empty lines, and not the end of what was there
            self._write(place, new.ljust(len(old), b"\n"))
        except OSError:
            with contextlib.suppress(OSError):  # what is written over takes no room
                self._write(place, old)
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, place + len(old))
            raise
        if len(new) < len(old):
            os.ftruncate(self._descriptor, place + len(new))

    def _write(self, place: int, data: bytes) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, place)
            place, data = place + written, data[written:]
