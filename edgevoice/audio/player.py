"""Plays recordings through the loudspeakers, from any position."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from edgevoice.audio.decode import mono, reason
from edgevoice.audio.portaudio import load_sounddevice, open_streams
from edgevoice.audio.source import Samples
from edgevoice.errors import AudioError, EdgeVoiceError
from edgevoice.text import plain

_BLOCK_S = 0.1


class Player:
    """Plays recordings that began at the same moment, all at once. One thread may use it; another does the work.

    Args:
        recordings: files of one sample rate, such as the channels of a session.
    """

    def __init__(self, recordings: Sequence[Path]) -> None:
        self._recordings = recordings
        self._playback: _Playback | None = None

    @property
    def position(self) -> float | None:
        """Seconds from the beginning of what is heard now; None for silence."""
        return self._playback.position if self._playback else None

    @property
    def problem(self) -> str:
        """Why nothing is heard, in one sentence with the way out."""
        return str(self._playback.error) if self._playback and self._playback.error else ""

    def play(self, at: float) -> None:
        """Plays from a position, in seconds; what goes wrong later is in `problem`.

        Raises:
            AudioError: there is no recording.
        """
        self.stop()
        if not self._recordings:
            raise AudioError("This session has no recording", "--record keeps the audio of the next one")
        self._playback = _Playback(self._recordings, at)
        self._playback.start()

    def stop(self) -> None:
        """Falls silent."""
        if self._playback:
            self._playback.left.set()
        self._playback = None


class _Playback:
    """One time from a position to the end."""

    def __init__(self, recordings: Sequence[Path], at: float) -> None:
        self._recordings, self._at = recordings, at
        self.left = threading.Event()
        self.position: float | None = at
        self.error: EdgeVoiceError | None = None

    def start(self) -> None:
        """Starts, in a thread that nobody waits for: a sound server that hangs would take us along."""
        threading.Thread(target=self._run, name="edgevoice-player", daemon=True).start()

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                self._play([stack.enter_context(_opened(file)) for file in self._recordings])
        except EdgeVoiceError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever listens is told
            self.error = AudioError(f"The recording cannot be played ({plain(str(error)).rstrip('.')})")
        self.position = None

    def _play(self, sounds: list[soundfile.SoundFile]) -> None:
        rate = sounds[0].samplerate
        for sound in sounds:
            sound.seek(min(round(self._at * rate), sound.frames))
        library = load_sounddevice()
        if self.left.is_set():  # somebody who looks for a place goes from one to the next
            return
        with open_streams.one():
            self._through(library, sounds, rate)

    def _through(self, library: Any, sounds: list[soundfile.SoundFile], rate: int) -> None:
        try:
            stream = library.OutputStream(samplerate=rate, channels=1, dtype="float32")
        except (library.PortAudioError, ValueError) as error:
            why = plain(str(error.args[0] if error.args else error)).strip().rstrip(".")
            raise AudioError(f"No loudspeaker can be opened ({why})", "Connect one and press Enter again") from error
        # NB: never `stop()`, which hangs for ever when the device takes nothing any more
        try:
            stream.start()
            self._feed(stream, sounds, rate)
        finally:
            stream.abort()
            stream.close()

    def _feed(self, stream: Any, sounds: list[soundfile.SoundFile], rate: int) -> None:
        played = 0
        while not self.left.is_set() and len(samples := _mixed(sounds, round(_BLOCK_S * rate))):
            stream.write(samples[:, np.newaxis])
            played += len(samples)
            self.position = max(self._at, self._at + played / rate - stream.latency)
        self.left.wait(stream.latency)  # for what the device still has


def _opened(file: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(file)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        what = f"'{plain(file.name)}' cannot be played ({reason(error)})"
        raise AudioError(what, "Check that the file is whole") from error


def _mixed(sounds: list[soundfile.SoundFile], size: int) -> Samples:
    """The next samples of all, added up; fewer at the end of the longest."""
    parts = [mono(sound.read(size, dtype="float32", always_2d=True)) for sound in sounds]
    mixed = np.zeros(max(map(len, parts)), np.float32)
    for part in parts:
        mixed[: len(part)] += part
    return np.clip(mixed, -1, 1)
