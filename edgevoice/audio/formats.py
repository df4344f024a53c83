"""A recording on disk, whatever can decode it, in pieces: its length never shows in memory."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import soundfile

from edgevoice.audio import media
from edgevoice.audio.decode import BLOCK_S, CONVERT, Frames, check_format, decoded, reason, wav_format
from edgevoice.errors import AudioError
from edgevoice.files import why
from edgevoice.text import plain

SUFFIXES = media.SUFFIXES | frozenset(
    ".wav .wave .w64 .rf64 .flac .mp3 .ogg .oga .opus .aif .aiff .aifc .au .snd .caf .sph".split()
)
"""How recordings are called, in lower case."""
_UNKNOWN = 1 << 60  # libsndfile: as many frames as nobody counted
_UNFINISHED = "Check that the recording was finished"


class Recording(Protocol):
    """All channels of a recording. It may be read by several threads at once."""

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        ...

    @property
    def channels(self) -> int:
        """How many."""
        ...

    @property
    def duration(self) -> float:
        """Seconds, as far as the header can be believed; 0 if it does not say."""
        ...

    def frames(self) -> Iterator[Frames]:
        """Pieces of at most 0.1 s to the end; every call begins at the start.

        Raises:
            AudioError: it is damaged; the part before was yielded.
        """
        ...


def open_recording(path: Path) -> Recording:
    """A file that libsndfile reads (WAV, FLAC, Ogg, Opus, MP3, AIFF, ...) or, with the extra `media`, FFmpeg, which is
    asked first for MP3.

    Raises:
        AudioError: the file is missing, empty, a folder, unreadable or no audio.
    """
    shown = plain(str(path))
    _check_regular(path, shown)
    if path.suffix.lower() == ".mp3":
        # the decoder of libsndfile writes notes of its own on stderr, hundreds for a file that libsndfile itself wrote
        with contextlib.suppress(ImportError, media.NotMediaError):
            return media.Media(path, shown)
    try:
        return _Sound(path, shown)
    except _UnknownFormatError as unknown:
        try:
            return media.Media(path, shown)
        except media.NotMediaError:
            raise unknown from None
        except ImportError:
            if path.suffix.lower() not in media.SUFFIXES:
                raise unknown from None
            remedy = "Install what reads such files: pip install 'edgevoice[media]'"
            raise AudioError(unknown.what, remedy) from None


class _UnknownFormatError(AudioError):
    """Nothing that libsndfile reads."""


class _Sound:
    """A file that libsndfile reads."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown
        with self._opened() as sound:
            self.sample_rate, self.channels = sound.samplerate, sound.channels
            check_format(shown, self.sample_rate, self.channels)
            count, kind = sound.frames, sound.format
        self.duration = count / self.sample_rate if count < _UNKNOWN else 0.0
        # libsndfile believes a data size of 0, which recorders that were killed leave behind
        self._unfinished = count == 0 and kind in ("WAV", "WAVEX")
        if count == 0 and next(self.frames(), None) is None:
            raise AudioError(f"'{shown}' contains no audio", _UNFINISHED)

    def frames(self) -> Iterator[Frames]:
        """See `Recording.frames`."""
        if self._unfinished:
            yield from self._to_the_end()
            return
        with self._opened() as sound:
            yield from decoded(sound, self._shown)

    def _opened(self) -> soundfile.SoundFile:
        try:
            # without a name libsndfile goes by what is in the file: one that is only called MP3 would make the decoder
            # complain on stderr
            by_content = self._path.suffix.lower() == ".mp3"
            # and soundfile takes no names whose bytes are no text, but bytes
            return soundfile.SoundFile(os.open(self._path, os.O_RDONLY) if by_content else os.fsencode(self._path))
        except TypeError:  # soundfile asks for the format of files called .raw
            what = f"'{self._shown}' is raw audio without a header"
            raise AudioError(what, "Pipe it in as 16 kHz mono 16-bit samples: edgevoice transcribe - < FILE") from None
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            what = f"'{self._shown}' cannot be read as audio ({reason(error)})"
            raise _UnknownFormatError(what, CONVERT) from error

    def _to_the_end(self) -> Iterator[Frames]:
        """The audio of a WAV file whose header does not say how much it is."""
        try:
            with self._path.open("rb") as stream:
                wav = wav_format(stream.read, self._shown)
                piece = max(1, int(wav.sample_rate * BLOCK_S)) * wav.frame_bytes
                if wav.data_bytes is not None:
                    return
                while data := stream.read(piece):
                    yield wav.frames(data[: len(data) // wav.frame_bytes * wav.frame_bytes])
        except OSError as error:
            raise AudioError(f"'{self._shown}' cannot be read ({error.strerror})", "Copy it again") from error


def _check_regular(path: Path, shown: str) -> None:
    """Says what is wrong with the path itself, before libsndfile says only that it failed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise AudioError(f"'{shown}' does not exist", "Check the path") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"'{shown}' cannot be opened ({why(error)})") from error
    if not os.access(path, os.R_OK):
        raise AudioError(f"'{shown}' may not be read", "Check its permissions")
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"'{shown}' is a folder", "Name the audio files in it")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"'{shown}' is no regular file", "Pipe it in: edgevoice transcribe - < FILE")
    if status.st_size == 0:
        raise AudioError(f"'{shown}' is empty", _UNFINISHED)
