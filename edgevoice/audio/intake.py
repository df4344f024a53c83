"""What a pipe has, taken in by a thread as it comes, so that audio that waits for us is known to wait.

A program that writes a file into a pipe is never late, however slow we are: it waits for us. One that writes what is
being said does not, and what it wrote a second ago is a second late. They are told apart by how much they write: nobody
can write down what will be said next.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
import time
from collections import deque

ROOM = 1 << 22
"""Bytes that may wait here; beyond it the writer waits."""
_PIECE = 1 << 16
_SLICE_S = 0.25
"""How long `close` takes at most."""
_AHEAD_S = 1.0


class Intake:
    """Bytes of a descriptor, with the time at which they came.

    Args:
        descriptor: of a pipe or a file; it is not closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)  # the thread may outlive by a moment what it was given
        self._changed = threading.Condition()
        self._pieces: deque[tuple[bytes, float]] = deque()
        self._held = self._received = 0
        self._capacity = _capacity(self._descriptor)
        self._closed = self._ended = False
        self._error: OSError | None = None
        self._began = self._newest = time.monotonic()
        threading.Thread(target=self._take_in, name="edgevoice-pipe", daemon=True).start()

    def read(self, most: int) -> tuple[bytes, float]:
        """At most so many bytes, and when they came; waits for the first. Empty at the end, or once closed and nothing
        is left.

        Raises:
            OSError: the descriptor cannot be read; what came before was given.
        """
        with self._changed:
            while not self._pieces:
                if self._error and not self._closed:
                    raise self._error
                if self._ended or self._closed:
                    return b"", time.monotonic()
                self._changed.wait()
            data, arrived = self._pieces.popleft()
            if len(data) > most:
                self._pieces.appendleft((data[most:], arrived))
            self._held -= min(len(data), most)
            self._changed.notify_all()
            return data[:most], arrived

    def waits(self, bytes_per_second: int) -> bool:
        """Whether the writer waits for us, or is gone, so that nothing of it is ever late: it has written more than can
        have been said since it began, and been left in the pipe before."""
        with self._changed:
            spoken = (self._newest - self._began + _AHEAD_S) * bytes_per_second
            return self._ended or self._received > spoken + self._capacity

    def close(self) -> None:
        """Takes in no more; what was taken in can still be read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take_in(self) -> None:
        try:
            while self._room():
                if not select.select([self._descriptor], [], [], _SLICE_S)[0]:
                    continue
                data = os.read(self._descriptor, _PIECE)
                if not data:
                    break
                self._put(data)
        except (OSError, ValueError) as error:
            self._error = error if isinstance(error, OSError) else OSError(str(error))
        finally:
            os.close(self._descriptor)
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _put(self, data: bytes) -> None:
        with self._changed:
            self._newest = time.monotonic()
            self._pieces.append((data, self._newest))
            self._held += len(data)
            self._received += len(data)
            self._changed.notify_all()

    def _room(self) -> bool:
        """Waits until there is room for a piece; False once closed."""
        with self._changed:
            began = time.monotonic()
            while self._held > ROOM - _PIECE and not self._closed:
                self._changed.wait()
            self._began += time.monotonic() - began  # in which the writer could not have shown how fast it is
            return not self._closed


def _capacity(descriptor: int) -> int:
    """Bytes that the pipe itself holds, which may have come at any time before."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    except (OSError, AttributeError):  # no pipe, or no Linux
        return _PIECE
