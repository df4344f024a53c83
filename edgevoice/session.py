"""The files of a session: where they lie and what they are called.

A session is named after its local start time, `2026-03-01_14-05-33`, and its files after it: `.txt`, `.srt`, `.vtt`,
`.jsonl`, and for each recorded channel `.mic.flac` or `.call.flac`.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edgevoice.errors import ConfigError
from edgevoice.files import new_file, why
from edgevoice.text import plain

EVENTS = "jsonl"
"""The file that has all of it."""
RECORDING = ".flac"
_PATTERN = "%Y-%m-%d_%H-%M-%S"
_PATTERN_LENGTH = len("2026-03-01_14-05-33")


def local_time() -> datetime:
    """Now, where the user is."""
    return datetime.now().astimezone()


class Session:
    """A name in a folder that no other session has. It is taken when the first file is asked for, from any thread.

    Args:
        folder: where the files go; it is made if it is missing.
        clock: the local time.

    Raises:
        ConfigError: nothing can be written in this folder.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime] = local_time) -> None:
        self.folder = folder
        self._clock = clock
        self._name = ""
        self._naming = threading.Lock()
        check_folder(folder)

    def file(self, kind: str) -> Path:
        """The file of a kind, such as "srt".

        Raises:
            OSError: the folder is full or gone.
        """
        with self._naming:
            self.folder.mkdir(parents=True, exist_ok=True)  # it may have been removed
            self._name = self._name or self._taken()
        return self.folder / f"{self._name}.{kind}"

    @property
    def files(self) -> str:
        """What its files have in common, with a star behind it; empty before the first."""
        return str(self.folder / f"{self._name}.*") if self._name else ""

    def recording(self, channel: str) -> Path:
        """The recording of a channel.

        Raises:
            OSError: as for `file`.
        """
        slug = re.sub(r"[^a-z0-9-]+", "-", channel.casefold()).strip("-")[:32]
        return self.file(f"{slug or 'audio'}{RECORDING}")

    def _taken(self) -> str:
        """A name whose main file did not exist, and now does, so that two sessions of one second do not meet."""
        first = self._clock().strftime(_PATTERN)
        number = 1
        while True:
            name = first if number == 1 else f"{first}-{number}"
            with contextlib.suppress(FileExistsError):
                os.close(new_file(self.folder / f"{name}.{EVENTS}"))
                return name
            number += 1


def check_folder(folder: Path) -> None:
    """Makes sure that files can be made in a folder, by making one.

    Raises:
        ConfigError: they cannot.
    """
    shown = plain(str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".edgevoice-{secrets.token_hex(8)}"
        try:
            descriptor = new_file(probe)
            try:
                os.write(descriptor, b"can it hold a byte?")
            finally:
                os.close(descriptor)
        finally:
            probe.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Nothing can be saved in the folder '{shown}' ({why(error)})",
            "Choose another one, or correct its permissions",
        ) from None


def started_at(name: str) -> datetime | None:
    """The local time in the name of a session, if it has one."""
    try:
        return datetime.strptime(name[:_PATTERN_LENGTH], _PATTERN).astimezone()
    except ValueError:
        return None
