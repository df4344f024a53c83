"""PortAudio, through sounddevice: the only importer of it.

It is imported inside a function: without the PortAudio library the import fails, and everything that needs no
microphone must work all the same.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

from edgevoice.audio import patience
from edgevoice.errors import AudioError, PortAudioMissingError

OTHER_WAYS = "see 'edgevoice devices', or read audio from a file or a pipe with --input"


def load_sounddevice() -> Any:
    """The library. Loading it asks the sound server for its devices, which may take for ever.

    Raises:
        AudioError: the sound server does not answer.
        PortAudioMissingError: the library is not installed.
    """
    try:
        with _kept_stderr():
            return patience.answer(_load)
    except patience.NoAnswerError:
        raise no_answer() from None
    except OSError as error:
        raise PortAudioMissingError from error


def _load() -> Any:
    import sounddevice

    # what it does at exit may take for ever too, and the end of the process closes every device
    if at_exit := getattr(sounddevice, "_exit_handler", None):
        atexit.unregister(at_exit)
    return sounddevice


@contextlib.contextmanager
def _kept_stderr() -> Iterator[None]:
    """Puts file descriptor 2 back, which sounddevice points at nothing while it is being loaded."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def no_answer() -> AudioError:
    """What is said of a sound system that hangs."""
    remedy = "Restart it, for example: systemctl --user restart pipewire pipewire-pulse, or: pulseaudio --kill"
    return AudioError("The sound system does not answer", f"{remedy}; {OTHER_WAYS}")


def default_input(sounddevice: Any) -> int:
    """Number of the system's default input device, -1 for none."""
    try:
        return int(sounddevice.query_devices(kind="input")["index"])
    except (sounddevice.PortAudioError, ValueError):
        return -1


def refresh_devices(sounddevice: Any) -> None:
    """Lets PortAudio look for devices again, which would end every open stream: not while there is one.

    Raises:
        AudioError: the sound server does not answer.
    """

    def again() -> None:
        with open_streams.lock:
            if not open_streams.count:
                sounddevice._terminate()  # noqa: SLF001 - there is no public way: python-sounddevice #125
                sounddevice._initialize()  # noqa: SLF001

    try:
        patience.answer(again)
    except patience.NoAnswerError:
        raise no_answer() from None


class OpenStreams:
    """How many there are in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """One more, within it."""
        with self.lock:
            self.count += 1
        try:
            yield
        finally:
            with self.lock:
                self.count -= 1


open_streams = OpenStreams()
