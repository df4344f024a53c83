"""Audio from standard input: raw samples, or a file format recognised by its first bytes."""

from __future__ import annotations

import io
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

import soundfile

from edgevoice.audio.decode import WavFormat, check_format, decoded, mono, reason, wav_format
from edgevoice.audio.intake import Intake
from edgevoice.audio.source import Block, Samples
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import AudioError

_NAME = "standard input"
_SPOOLED = (b"fLaC", b"OggS", b"ID3\x02", b"ID3\x03", b"ID3\x04")
_REMEDY = "Pipe in a WAV stream, or mono 16-bit little-endian samples"


class PcmSource:
    """Raw signed 16-bit little-endian mono samples, or a WAV, FLAC, Ogg or tagged MP3 stream in their place.

    WAV is decoded as it comes, also without end. The other formats need the whole of it: they are collected in a
    nameless temporary file first, and `sample_rate` waits for that.

    Args:
        stream: a binary stream nobody has read from yet.
        sample_rate: hertz of raw samples; formats with a header bring their own.
        channel: see `Source.channel`.
    """

    def __init__(self, stream: BinaryIO, sample_rate: int = SAMPLE_RATE, channel: str = "stdin") -> None:
        self.name = _NAME
        self.channel = channel
        self._closed = threading.Event()
        self._bytes = _Bytes(stream, self._closed)
        self._wav = WavFormat(sample_rate=sample_rate, channels=1, sample_bytes=2, floating=False, data_bytes=None)
        self._spool: soundfile.SoundFile | None = None
        self._begun = False
        self._failed: AudioError | None = None
        self._beginning = threading.Lock()

    @property
    def sample_rate(self) -> int:
        """Hertz; waits for the first bytes of the stream. If they make no sense, `blocks` says so."""
        self._begin()
        return self._spool.samplerate if self._spool is not None else self._wav.sample_rate

    def blocks(self) -> Iterator[Block]:
        """Blocks of 20 to 100 ms, as they arrive, until the stream ends. Those of a writer that waits for us arrive
        when they are asked for.

        Raises:
            AudioError: the stream is damaged, or ended before any audio.
        """
        self._begin()
        if self._failed:
            raise self._failed
        for samples in self._spooled(self._spool) if self._spool is not None else self._streamed():
            waits = self._spool is not None or self._bytes.waits(self._wav.sample_rate * self._wav.frame_bytes)
            yield Block(samples, arrived=time.monotonic() if waits else self._bytes.arrived)
            if self._closed.is_set() and waits:
                return

    def close(self) -> None:
        """Ends `blocks` soon, also while the writer is silent. What was said and taken in before is still given; what
        waits for us in a file is not."""
        self._closed.set()
        self._bytes.close()

    def _begin(self) -> None:
        """Looks at the first four bytes, once."""
        with self._beginning:
            if self._begun:
                return
            try:
                self._recognise()
            except AudioError as error:
                self._failed = error
            self._begun = True

    def _recognise(self) -> None:
        magic = self._bytes.peek(4)
        if magic in (b"RIFF", b"RF64"):
            self._wav = wav_format(self._bytes.exactly, _NAME)
        elif magic in _SPOOLED:
            self._spool = self._collected()

    def _streamed(self) -> Iterator[Samples]:
        frame = self._wav.frame_bytes
        least = max(1, self._wav.sample_rate // 50) * frame
        left = self._wav.data_bytes
        heard = False
        while left is None or left > 0:
            most = least * 5 if left is None else min(least * 5, left)
            data = self._bytes.between(min(least, most), most)
            whole = len(data) // frame * frame
            if not whole:
                break
            self._bytes.give_back(data[whole:])
            left = None if left is None else left - whole
            heard = True
            yield mono(self._wav.frames(data[:whole]))
        if not heard and not self._closed.is_set():
            raise AudioError("Standard input ended before any audio", _REMEDY)

    def _collected(self) -> soundfile.SoundFile:
        """The whole stream in a file without a name: nothing stays on disk, whatever happens to this process."""
        try:
            with tempfile.TemporaryFile() as spool:
                while data := self._bytes.between(1, 1 << 16):
                    spool.write(data)
                spool.flush()
                spool.seek(0)
                sound = soundfile.SoundFile(os.dup(spool.fileno()))
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise AudioError(f"Standard input cannot be read as audio ({reason(error)})", _REMEDY) from error
        check_format(_NAME, sound.samplerate, sound.channels)
        return sound

    def _spooled(self, sound: soundfile.SoundFile) -> Iterator[Samples]:
        with sound:
            yield from map(mono, decoded(sound, _NAME))


class _Bytes:
    """Bytes of a stream, with waits that `close` ends."""

    def __init__(self, stream: BinaryIO, closed: threading.Event) -> None:
        self._stream = stream
        self._closed = closed
        self._kept = b""
        self.arrived = 0.0
        """`time.monotonic()` when the newest byte that was given came."""
        self._intake: Intake | None = None
        self._opening = threading.Lock()
        try:
            self._descriptor: int | None = stream.fileno()
        except (OSError, AttributeError, io.UnsupportedOperation):
            self._descriptor = None

    def peek(self, count: int) -> bytes:
        """The first bytes, which stay unread."""
        self._kept = self.exactly(count)
        return self._kept

    def exactly(self, count: int) -> bytes:
        """That many bytes; fewer only at the end."""
        return self.between(count, count)

    def between(self, least: int, most: int) -> bytes:
        """At least `least` bytes, and what else is there already up to `most`; fewer only at the end."""
        data, self._kept = self._kept[:most], self._kept[most:]
        while len(data) < least and (more := self._some(most - len(data))):
            data += more
        return data

    def give_back(self, data: bytes) -> None:
        """Puts bytes of an unfinished frame back in front."""
        self._kept = data + self._kept

    def waits(self, bytes_per_second: int) -> bool:
        """Whether the writer waits for us; see `Intake.waits`."""
        return self._intake is None or self._intake.waits(bytes_per_second)

    def close(self) -> None:
        """Ends the waits."""
        with self._opening:
            if self._intake:
                self._intake.close()

    def _some(self, most: int) -> bytes:
        """What the stream has, after waiting for the first byte; empty at the end or once closed."""
        try:
            if self._descriptor is None:
                return b"" if self._closed.is_set() else self._stream.read(most)
            data, self.arrived = self._taken_in(self._descriptor).read(most)
        except (OSError, ValueError) as error:
            raise AudioError(f"Standard input cannot be read ({reason(error)})", _REMEDY) from error
        return data

    def _taken_in(self, descriptor: int) -> Intake:
        """Not before somebody reads: a model that loads for seconds makes nobody late."""
        with self._opening:
            if self._intake is None:
                self._intake = Intake(descriptor)
                if self._closed.is_set():
                    self._intake.close()
            return self._intake
