"""The microphone: an input device as a source."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.audio import patience
from edgevoice.audio.devices import Device, find_device
from edgevoice.audio.loss import LossWatch
from edgevoice.audio.portaudio import OTHER_WAYS, load_sounddevice, no_answer, open_streams
from edgevoice.audio.sound_server import SourceWatch, pointed_at
from edgevoice.audio.source import Block
from edgevoice.errors import AudioError
from edgevoice.text import plain

_BLOCK_S = 0.02
_WAIT_S = 0.25
_CLOSE_S = 1.0
_JUST_NOW_S = 0.05


class Microphone:
    """An input device at its own sample rate, mixed to mono. It is open while `blocks` is being read.

    What waits for its reader when it is closed was still said before, and is delivered.

    Args:
        device: one of `list_devices`, or the number or part of the name of one; empty for the system's default.
        queue_seconds: audio that may wait for its reader; then the oldest is dropped and reported as lost.
        channel: see `Source.channel`.
        stall_s: seconds without any audio after which the microphone counts as broken.

    Raises:
        AudioError: there is no such device.
    """

    def __init__(
        self, device: str | Device = "", queue_seconds: float = 30.0, channel: str = "mic", *, stall_s: float = 2.0
    ) -> None:
        self.device = device if isinstance(device, Device) else find_device(device)
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
        source = self.device.source
        try:
            with open_streams.one():
                with pointed_at(source):
                    stream = self._open(sounddevice, inbox)
                watch = None
                # NB: never `stop()`, which the context manager of the stream calls too: it hangs for ever when the
                # device has stopped delivering. `abort()` does not.
                try:
                    stream.start()
                    watch = SourceWatch(source, lambda: inbox.lose(self._gone())) if source else None
                    inbox.opened()
                    inbox.left.wait()
                finally:
                    if watch:
                        watch.end()
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
            device=self.device.port,
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
                raise self._gone()
            if not inbox.open and waited >= patience.ANSWER_S:
                raise no_answer()
            if inbox.open and waited >= self._stall_s:
                what = f"The microphone '{self.name}' delivers no audio"
                raise AudioError(what, f"Check that it is connected and not suspended; {OTHER_WAYS}")
            # Waiting in slices counts only time in which this process ran: Ctrl-Z for an hour is no stall.
            wait = min(_WAIT_S, self._stall_s)
            if inbox.wake.wait(wait):
                inbox.wake.clear()
                waited = 0.0
            else:
                waited += wait
        return None

    def _gone(self) -> AudioError:
        return AudioError(
            f"The microphone '{self.name}' has gone", f"Connect it again or choose another one; {OTHER_WAYS}"
        )

    def _unusable(self, error: Exception) -> AudioError:
        reason = plain(str(error.args[0] if error.args else error)).strip().rstrip(".")
        what = f"The microphone '{self.name}' cannot be opened ({reason})"
        return AudioError(what, f"Close other programs that use it or choose another one; {OTHER_WAYS}")


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
        self.open = self.finished = self.closed = False
        self.error: Exception | None = None
        self._received = 0

    def put(self, frames: npt.NDArray[np.float32], count: int, _time: object, status: Any) -> None:
        """The audio callback: copies, counts and wakes the reader, nothing else."""
        if self.closed:
            return
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

    def lose(self, error: AudioError) -> None:
        """The sound server delivers something else in place of the device, which must not be heard."""
        self.error = error
        with contextlib.suppress(IndexError):
            while self.pieces and self.pieces[-1].arrived > time.monotonic() - _JUST_NOW_S:
                self.pieces.pop()
        self.closed = True
        self.wake.set()

    def finish(self) -> None:
        """PortAudio gave the stream up, or it was aborted."""
        self.finished = True
        self.wake.set()
