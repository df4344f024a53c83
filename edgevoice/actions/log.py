"""The log of actions: what each said, and how it ended."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

from edgevoice.actions.outcome import Outcome
from edgevoice.text import plain

LIMIT = 1_000_000
"""Bytes at which the log is put aside, as actions.log.1, and a new one begins."""


class ActionLog:
    """A file that its owner alone may read; several threads may write."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()

    def write(self, name: str, label: str, outcome: Outcome) -> None:
        """Adds the end of a run that an intent set off, with the output below it.

        Raises:
            OSError: the file cannot be written.
        """
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        ended = f"{'ok' if outcome.ok else outcome.error}, code {outcome.code}, {outcome.seconds:.2f} s"
        head = f"{now} {name} ({plain(label)}): {ended}"
        lines = [head, *(f"    {plain(line)}" for line in outcome.output.decode("utf-8", "replace").splitlines())]
        with self._lock:
            self._append("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))

    def _append(self, text: bytes) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if self.file.exists() and self.file.stat().st_size > LIMIT:
            self.file.replace(self.file.with_name(f"{self.file.name}.1"))
        log = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(log, "wb") as stream:
            stream.write(text)
