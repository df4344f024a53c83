"""Events as JSON lines, each flushed as it happens."""

from __future__ import annotations

from typing import BinaryIO

from edgevoice.events import Event, to_json


class JsonLines:
    """Writes one JSON object a line, in UTF-8 whatever the locale says."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, event: Event) -> None:
        """Writes an event and flushes it.

        Raises:
            OSError: the reader is gone (BrokenPipeError) or the disk is full.
        """
        self._stream.write(to_json(event).encode("utf-8", "replace") + b"\n")
        self._stream.flush()
