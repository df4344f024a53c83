"""The microphone, and the only place that knows sounddevice.

sounddevice is imported inside functions: without the PortAudio library its import fails, and everything that needs no
microphone must work all the same.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.audio.loss import LossWatch
from edgevoice.audio.source import Block
from edgevoice.errors import AudioError, DeviceNotFoundError, PortAudioMissingError
from edgevoice.text import plain

_BLOCK_S = 0.02
_WAIT_S = 0.25
_ANSWER_S = 10.0  # a headset that has to be woken takes seconds
_CLOSE_S = 1.0
_OTHER_WAYS = "see 'edgevoice devices', or read audio from a file or a pipe with --input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An input device."""

    index: int
    name: str
    host_api: str
    channels: int
    sample_rate: int
    """Hertz, what the device uses by itself."""
    is_default: bool


def list_devices() -> list[Device]:
    """All input devices PortAudio sees, the system's default marked; empty if there are none.

    Raises:
        PortAudioMissingError: the library is not installed.
    """
    sounddevice = load_sounddevice()
    hosts = sounddevice.query_hostapis()
    default = _default_index(sounddevice)
    return [
        Device(
            index=index,
            name=plain(str(found["name"])),
            host_api=plain(str(hosts[found["hostapi"]]["name"])),
            channels=int(found["max_input_channels"]),
            sample_rate=round(found["default_samplerate"]),
            is_default=index == default,
        )
        for index, found in enumerate(sounddevice.query_devices())
        if found["max_input_channels"] > 0
    ]


def find_device(wanted: str = "") -> Device:
    """The input device of that number, or whose name contains that text; the system's default for "".

    An exact name wins, then the host API of the default device, then the order of `list_devices`.

    Raises:
        AudioError: there is no input device at all.
        DeviceNotFoundError: none of them fits.
    """
    devices = list_devices()
    if not devices:
        raise AudioError("There is no microphone", f"Connect one and start again; {_OTHER_WAYS}")
    default = next((device for device in devices if device.is_default), devices[0])
    wanted = plain(wanted).strip().casefold()
    if not wanted:
        return default
    by_number = [device for device in devices if str(device.index) == wanted]
    by_name = [device for device in devices if wanted in device.name.casefold()]
    by_name.sort(key=lambda device: (device.name.casefold() != wanted, device.host_api != default.host_api))
    for device in by_number + by_name:
        return device
    available = ", ".join(f"{device.index} '{device.name}'" for device in devices)
    raise DeviceNotFoundError(f"No input device is called '{wanted}'", f"Choose one of these: {available}")


class Microphone:
    """An input device at its own sample rate, mixed to mono. It is open while `blocks` is being read.

    What waits for its reader when it is closed was still said before, and is delivered.

    Args:
        device: number or part of a name; empty for the system's default.
        queue_seconds: audio that may wait for its reader; then the oldest is dropped and reported as lost.
        channel: see `Source.channel`.
        stall_s: seconds without any audio after which the microphone counts as broken.

    Raises:
        AudioError: there is no such device.
    """

    def __init__(
        self, device: str = "", queue_seconds: float = 30.0, channel: str = "mic", *, stall_s: float = 2.0
    ) -> None:
        self.device = find_device(device)
        self.name = self.device.name
        self.channel = channel
        self.sample_rate = self.device.sample_rate
        self._stall_s = stall_s
        self._queue_seconds = queue_seconds
        self._closed = threading.Event()
        self._inbox: _Inbox | None = None

    def blocks(self) -> Iterator[Block]:
        """Blocks of 20 ms until `close`.

        Raises:
            AudioError: the device cannot be opened, has gone, or delivers nothing.
        """
        inbox = self._inbox = _Inbox(math.ceil(self._queue_seconds / _BLOCK_S))
        # NB: in a thread of its own, since PortAudio waits for ever for a sound server that hangs, and while the main
        # thread is inside a library no signal ends the process
        holder = threading.Thread(target=self._hold, args=(inbox,), name="edgevoice-microphone", daemon=True)
        holder.start()
        try:
            yield from self._received(inbox)
        finally:
            inbox.left.set()
            holder.join(_CLOSE_S)

    def close(self) -> None:
        """Ends `blocks` after what was heard until now."""
        self._closed.set()
        if self._inbox is not None:
            self._inbox.left.set()
            self._inbox.wake.set()

    def _hold(self, inbox: _Inbox) -> None:
        try:
            self._keep_open(inbox)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader raises it
            inbox.fail(error)

    def _keep_open(self, inbox: _Inbox) -> None:
        """Opens the device, and closes it when the reader has left."""
        sounddevice = load_sounddevice()
        try:
            stream = self._open(sounddevice, inbox)
            # NB: never `stop()`, which the context manager of the stream calls too: it hangs for ever when the device
            # has stopped delivering. `abort()` does not.
            try:
                stream.start()
                inbox.opened()
                inbox.left.wait()
            finally:
                stream.abort()
                stream.close()
        except sounddevice.PortAudioError as error:
            raise self._unusable(error) from error

    def _open(self, sounddevice: Any, inbox: _Inbox) -> Any:
        """A stream of one channel, or of all where the device refuses to mix them itself."""
        try:
            return self._stream(sounddevice, inbox, 1)
        except sounddevice.PortAudioError:
            if self.device.channels == 1:
                raise
            return self._stream(sounddevice, inbox, self.device.channels)

    def _stream(self, sounddevice: Any, inbox: _Inbox, channels: int) -> Any:
        return sounddevice.InputStream(
            device=self.device.index,
            channels=channels,
            samplerate=self.sample_rate,
            blocksize=round(self.sample_rate * _BLOCK_S),
            dtype="float32",
            callback=inbox.put,
            finished_callback=inbox.finish,
        )

    def _received(self, inbox: _Inbox) -> Iterator[Block]:
        watch = LossWatch(self.sample_rate)
        expected = 0
        while (piece := self._next(inbox)) is not None:
            dropped = (piece.first - expected) / self.sample_rate
            expected = piece.first + len(piece.frames)
            missing = watch.heard(expected, piece.arrived, flagged=piece.overflowed)
            where = "queue full" if dropped else "device overflow" if missing else ""
            samples = piece.frames.mean(axis=1, dtype=np.float32)
            yield Block(samples, arrived=piece.arrived, lost=dropped + missing, lost_where=where)

    def _next(self, inbox: _Inbox) -> _Piece | None:
        """The oldest piece waiting, None once closed.

        Raises:
            AudioError: the device cannot be opened, has gone or is silent for too long.
        """
        waited = 0.0
        while inbox.pieces or not self._closed.is_set():
            if inbox.pieces:
                return inbox.pieces.popleft()
            if inbox.error:
                raise inbox.error
            if inbox.finished and not self._closed.is_set():
                what = f"The microphone '{self.name}' has gone"
                raise AudioError(what, f"Connect it again or choose another one; {_OTHER_WAYS}")
            if not inbox.open and waited >= _ANSWER_S:
                raise _no_answer()
            if inbox.open and waited >= self._stall_s:
                what = f"The microphone '{self.name}' delivers no audio"
                raise AudioError(what, f"Check that it is connected and not suspended; {_OTHER_WAYS}")
            # Waiting in slices counts only time in which this process ran: Ctrl-Z for an hour is no stall.
            wait = min(_WAIT_S, self._stall_s)
            if inbox.wake.wait(wait):
                inbox.wake.clear()
                waited = 0.0
            else:
                waited += wait
        return None

    def _unusable(self, error: Exception) -> AudioError:
        reason = plain(str(error.args[0] if error.args else error)).strip().rstrip(".")
        what = f"The microphone '{self.name}' cannot be opened ({reason})"
        return AudioError(what, f"Close other programs that use it or choose another one; {_OTHER_WAYS}")


@dataclass(frozen=True, slots=True)
class _Piece:
    """One call of the audio callback."""

    first: int
    """Number of its first sample since the start of the stream."""
    frames: npt.NDArray[np.float32]
    """[samples, channels]"""
    arrived: float
    overflowed: bool


class _Inbox:
    """Where the audio thread leaves its pieces. When full it forgets the oldest; the numbering shows the hole."""

    def __init__(self, size: int) -> None:
        # NB: no lock. Only the audio thread appends, only the reader pops, and both are atomic for a deque.
        self.pieces: deque[_Piece] = deque(maxlen=max(1, size))
        self.wake = threading.Event()
        self.left = threading.Event()
        """The reader needs no more."""
        self.open = self.finished = False
        self.error: Exception | None = None
        self._received = 0

    def put(self, frames: npt.NDArray[np.float32], count: int, _time: object, status: Any) -> None:
        """The audio callback: copies, counts and wakes the reader, nothing else."""
        self.pieces.append(_Piece(self._received, frames.copy(), time.monotonic(), bool(status.input_overflow)))
        self._received += count
        self.wake.set()

    def opened(self) -> None:
        """From now on the device is expected to deliver."""
        self.open = True
        self.wake.set()

    def fail(self, error: Exception) -> None:
        """The device cannot be opened, or not be closed."""
        self.error = error
        self.wake.set()

    def finish(self) -> None:
        """PortAudio gave the stream up, or it was aborted."""
        self.finished = True
        self.wake.set()


def load_sounddevice() -> Any:
    """The library. Loading it asks the sound server for its devices, which may take for ever.

    Raises:
        AudioError: the sound server does not answer.
        PortAudioMissingError: the library is not installed.
    """
    loaded: list[Any] = []
    loader = threading.Thread(target=_load, args=(loaded,), name="edgevoice-portaudio", daemon=True)
    with _kept_stderr():
        loader.start()
        # in slices, since a signal that comes just before a wait is handled only after it
        for _ in range(round(_ANSWER_S / _WAIT_S)):
            loader.join(_WAIT_S)
    if not loaded:
        raise _no_answer()
    if isinstance(loaded[0], OSError):
        raise PortAudioMissingError from loaded[0]
    if isinstance(loaded[0], BaseException):
        raise loaded[0]
    return loaded[0]


def _load(loaded: list[Any]) -> None:
    try:
        import sounddevice

        # what it does at exit may take for ever too, and the end of the process closes every device
        if at_exit := getattr(sounddevice, "_exit_handler", None):
            atexit.unregister(at_exit)
        loaded.append(sounddevice)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller raises it
        loaded.append(error)


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


def _no_answer() -> AudioError:
    remedy = "Restart it, for example: systemctl --user restart pipewire pipewire-pulse, or: pulseaudio --kill"
    return AudioError("The sound system does not answer", f"{remedy}; {_OTHER_WAYS}")


def _default_index(sounddevice: Any) -> int:
    """Number of the system's default input device, -1 for none."""
    try:
        return int(sounddevice.query_devices(kind="input")["index"])
    except (sounddevice.PortAudioError, ValueError):
        return -1
