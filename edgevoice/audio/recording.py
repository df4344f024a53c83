"""Keeps the audio of each channel as FLAC, as the engine hears it.

At 16 kHz and 16 bits, whatever the source delivers: what the engine does not hear is not worth its room (about 60 MB
an hour), and each sample has the number that it has on the clock of the events.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from edgevoice.audio.decode import reason
from edgevoice.audio.pacing import Around
from edgevoice.audio.resample import Resampler, clean
from edgevoice.audio.source import Block, Samples, Source
from edgevoice.config import SAMPLE_RATE
from edgevoice.events import Event, Failed
from edgevoice.files import new_file, way_out
from edgevoice.removed import put_back
from edgevoice.text import plain

_COUNT_EVERY = SAMPLE_RATE // 2
"""Samples after which the file is told its length."""
_TRIED = 65_536


class Recorder:
    """Records sources that are led through it. It is also a sink, which says what could not be recorded.

    Args:
        file_of: gives the file of a channel, which does not exist yet.
    """

    def __init__(self, file_of: Callable[[str], Path]) -> None:
        self._file_of = file_of
        self._said: deque[Failed] = deque()
        self._sources: list[_RecordedSource] = []

    @property
    def mark(self) -> str:
        """What the screen shows while any of them is recorded."""
        return "● rec" if any(not source.failed for source in self._sources) else ""

    def recorded(self, source: Source) -> Source:
        """The same source, whose audio is kept while it is read."""
        self._sources.append(_RecordedSource(source, self._file_of, self._said.append))
        return self._sources[-1]

    def write(self, _event: Event) -> Iterable[Event]:
        """Gives what there is to say."""
        while self._said:
            yield self._said.popleft()

    def close(self) -> Iterable[Event]:
        """The same, for the last time; each file is finished when its source ends."""
        return list(self.write(Event(channel="", at=0.0)))


class _RecordedSource(Around):
    """Lets blocks through as they are."""

    def __init__(self, source: Source, file_of: Callable[[str], Path], say: Callable[[Failed], None]) -> None:
        super().__init__(source)
        self._file_of, self._say = file_of, say
        self._heard = 0
        self._resampler: Resampler | None = None
        self._file: FlacFile | None = None
        self._path = Path()
        self.failed = False

    def blocks(self) -> Iterator[Block]:
        """The blocks of the inner source, each kept before it is let through."""
        self._begin()
        try:
            for block in self._source.blocks():
                self._keep(block.samples)
                yield block
        finally:
            self._end()

    def _begin(self) -> None:
        try:
            self._path = self._file_of(self.channel)
            self._file = FlacFile(self._path)
            self._resampler = Resampler(self.sample_rate)
        except OSError as error:
            self._fail(error)

    def _keep(self, samples: Samples) -> None:
        if self._file and self._resampler:
            self._write(self._resampler.process(samples))

    def _write(self, samples: Samples) -> None:
        if self._file is None:
            return
        try:
            if self._file.put_back():
                what = f"The recording '{plain(str(self._path))}' was removed while it was made"
                self._tell(what, "It is made again, with all that was heard")
            self._file.write(samples)
            self._heard += len(samples)
        except OSError as error:
            self._fail(error)

    def _end(self) -> None:
        if self._resampler:
            self._write(self._resampler.flush())
        if self._file:
            try:
                self._file.close()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failed = True
        if self._file:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        where = f"'{plain(str(self._path))}'" if self._path.name else "the save folder"
        what = f"The recording in {where} ends after {self._heard / SAMPLE_RATE:.0f} s: it cannot be written"
        remedy = f"Captions go on without it; {way_out(error)} and start again to record"
        self._tell(f"{what} ({error.strerror})", remedy)

    def _tell(self, what: str, remedy: str) -> None:
        at = self._heard / SAMPLE_RATE
        self._say(Failed(channel=plain(self.channel), at=at, what=what, recoverable=True, remedy=remedy))


class FlacFile:
    """A FLAC file that can be read at any time, also after its writer was killed.

    libsndfile writes whole frames of a quarter of a second, but the length into the header only at the end, and a file
    whose header has none is one that most readers refuse. So the header is told the length now and then.

    Args:
        path: of a file that does not exist yet.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = new_file(path)
        try:
            self._sound = soundfile.SoundFile(
                self._descriptor, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC", closefd=False
            )
        except (soundfile.SoundFileError, RuntimeError) as error:
            failure = self._failure(error)
            os.close(self._descriptor)
            raise failure from error
        self._path = path
        self._written = self._counted = 0

    def put_back(self) -> bool:
        """Makes it again if it was removed, with all that was in it; whether it was.

        Raises:
            OSError: it cannot be made again.
        """
        return put_back(self._descriptor, self._path)

    def write(self, samples: Samples) -> None:
        """Adds [samples] at 16 kHz.

        Raises:
            OSError: there is no room.
        """
        whole = np.rint(clean(samples) * np.float32(32768)).clip(-32768, 32767).astype(np.int16)
        try:
            self._sound.write(whole)
        except (soundfile.SoundFileError, RuntimeError, AssertionError) as error:
            raise self._failure(error) from error
        self._written += len(whole)
        if self._written - self._counted >= _COUNT_EVERY:
            self._count()

    def close(self) -> None:
        """Finishes the file.

        Raises:
            OSError: its end could not be written; what was written before can be read.
        """
        if self._sound.closed:
            return
        try:
            self._sound.close()
            os.fsync(self._descriptor)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise self._failure(error) from error
        finally:
            os.close(self._descriptor)

    def _count(self) -> None:
        """Tells the header how many samples are in the file for certain: those of all frames but the newest, which the
        encoder may still hold."""
        self._counted = self._written
        header = os.pread(self._descriptor, 26, 0)
        frame = int.from_bytes(header[8:10], "big")
        if header[:4] != b"fLaC" or not frame:
            return
        fields = int.from_bytes(header[18:26], "big")
        length = max(0, (self._written - 1) // frame) * frame
        os.pwrite(self._descriptor, (fields >> 36 << 36 | length).to_bytes(8, "big"), 18)

    def _failure(self, error: BaseException) -> OSError:
        """Why the disk takes no more, which libsndfile does not say: the same is tried again without it."""
        end = os.fstat(self._descriptor).st_size
        try:
            os.pwrite(self._descriptor, bytes(_TRIED), end)
        except OSError as refusal:
            return refusal
        finally:
            os.ftruncate(self._descriptor, end)
        return OSError(0, reason(error) or "it takes no more")
