"""A recording as a source."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgevoice.audio.decode import Frames, mono
from edgevoice.audio.formats import Recording, open_recording
from edgevoice.audio.source import Block, Samples
from edgevoice.text import plain


class FileSource:
    """A recording, as fast as it is asked for: all its channels as one, or one of them.

    Args:
        path: the file; see `edgevoice.audio.formats.open_recording`.
        channel: see `Source.channel`.
        side: the channel of the recording to hear, from 0; None for the mean of all.
        recording: the file, where it was opened before.

    Raises:
        AudioError: the file is missing, empty, a folder, unreadable or no audio.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        channel: str = "file",
        *,
        side: int | None = None,
        recording: Recording | None = None,
    ) -> None:
        self._recording = recording or open_recording(Path(path))
        self.name = plain(Path(path).name)
        self.channel = channel
        self.sample_rate = self._recording.sample_rate
        self.duration = self._recording.duration
        """Seconds, as far as the header can be believed; 0 if it does not say."""
        self._side = side
        self._closed = threading.Event()

    def blocks(self) -> Iterator[Block]:
        """Blocks of at most 0.1 s to the end of the file; every call begins at its start.

        Raises:
            AudioError: the file is damaged; the part before was yielded.
        """
        for frames in self._recording.frames():
            if self._closed.is_set():
                return
            yield Block(self._heard(frames), arrived=time.monotonic())

    def close(self) -> None:
        """Ends `blocks` after the block being read."""
        self._closed.set()

    def _heard(self, frames: Frames) -> Samples:
        return mono(frames) if self._side is None else np.ascontiguousarray(frames[:, self._side])
