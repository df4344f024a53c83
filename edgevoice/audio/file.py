"""A recording as a source, read in pieces: the length of the file never shows in memory."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import soundfile

from edgevoice.audio.decode import check_format, decoded, reason, wav_format
from edgevoice.audio.source import Block, Samples
from edgevoice.errors import AudioError
from edgevoice.text import plain

_UNKNOWN = 1 << 60  # libsndfile: as many frames as nobody counted


class FileSource:
    """Any file libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF, ...), as fast as it is asked for.

    Raises:
        AudioError: the file is missing, empty, a folder, unreadable or no audio.
    """

    def __init__(self, path: str | os.PathLike[str], channel: str = "file") -> None:
        self._path = Path(path)
        self.name = plain(self._path.name)
        self.channel = channel
        self._closed = threading.Event()
        self._shown = plain(str(self._path))
        _check_regular(self._path, self._shown)
        # libsndfile believes a data size of 0, which recorders that were killed leave behind
        self._unfinished = False
        self.sample_rate = 0
        self.duration = 0.0
        """Seconds, as far as the header can be believed; 0 if it does not say."""
        self._inspect()

    def blocks(self) -> Iterator[Block]:
        """Blocks of 0.1 s to the end of the file; every call begins at its start.

        Raises:
            AudioError: the file is damaged; the part before was yielded.
        """
        for samples in self._unfinished_wav() if self._unfinished else self._sound():
            if self._closed.is_set():
                return
            yield Block(samples, arrived=time.monotonic())

    def close(self) -> None:
        """Ends `blocks` after the block being read."""
        self._closed.set()

    def _inspect(self) -> None:
        with self._opened() as sound:
            self.sample_rate = sound.samplerate
            check_format(self._shown, sound.samplerate, sound.channels)
            frames, kind = sound.frames, sound.format
        self.duration = frames / self.sample_rate if frames < _UNKNOWN else 0.0
        if frames > 0:
            return
        self._unfinished = kind in ("WAV", "WAVEX")
        if next(self.blocks(), None) is None:
            raise AudioError(f"'{self._shown}' contains no audio", "Check that the recording was finished")

    def _opened(self) -> soundfile.SoundFile:
        try:
            return soundfile.SoundFile(self._path)
        except TypeError:  # soundfile asks for the format of files called .raw
            what = f"'{self._shown}' is raw audio without a header"
            raise AudioError(what, "Pipe it in as 16 kHz mono 16-bit samples: edgevoice transcribe - < FILE") from None
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            what = f"'{self._shown}' cannot be read as audio ({reason(error)})"
            remedy = "Convert it first, for example: ffmpeg -i INPUT -ar 16000 -ac 1 output.wav"
            raise AudioError(what, remedy) from error

    def _sound(self) -> Iterator[Samples]:
        with self._opened() as sound:
            yield from decoded(sound, self._shown)

    def _unfinished_wav(self) -> Iterator[Samples]:
        try:
            with self._path.open("rb") as stream:
                wav = wav_format(stream.read, self._shown)
                piece = wav.sample_rate // 10 * wav.frame_bytes
                if wav.data_bytes is not None:
                    return
                while data := stream.read(piece):
                    yield wav.samples(data[: len(data) // wav.frame_bytes * wav.frame_bytes])
        except OSError as error:
            raise AudioError(f"'{self._shown}' cannot be read ({error.strerror})", "Copy it again") from error


def _check_regular(path: Path, shown: str) -> None:
    """Says what is wrong with the path itself, before libsndfile says only that it failed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise AudioError(f"'{shown}' does not exist", "Check the path") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"'{shown}' cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"'{shown}' is a folder", "Name the audio files in it")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"'{shown}' is no regular file", "Pipe it in: edgevoice transcribe - < FILE")
    if status.st_size == 0:
        raise AudioError(f"'{shown}' is empty", "Check that the recording was finished")
    if not os.access(path, os.R_OK):
        raise AudioError(f"'{shown}' may not be read", "Check its permissions")
