"""Between the thread that makes events and the loop that sends them: nobody here ever waits for a reader."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edgevoice.events import Event, to_json
from edgevoice.serve.outbox import WAITING, History, Message, Outbox

READERS = 64
"""Who may read at once."""


class Full(Exception):
    """There are `READERS` readers."""


class Reader:
    """One reader's place. `next` is for its coroutine, everything else for the hub."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.news = asyncio.Event()
        self.over = False
        """Whether no more events will come."""


class Hub:
    """Takes events in from any thread, and keeps them for each reader.

    Args:
        loop: in which readers wait.
        history_s: how much a reader who comes later is sent, in seconds of audio.
        waiting: lasting events that may wait for a reader.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, history_s: float, waiting: int = WAITING) -> None:
        self.run = secrets.token_hex(4)
        """Tells the numbers of this server from those of another at the same address."""
        self._loop, self._history, self._waiting = loop, History(history_s), waiting
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._number = 0
        self._woken = False
        self._over = False

    def publish(self, event: Event) -> None:
        """Gives an event to every reader."""
        with self._lock:
            self._number += 1
            message = Message(self._number, event, to_json(event))
            self._history.add(message)
            for reader in self._readers:
                reader.outbox.put(message)
        self._wake()

    def end(self) -> None:
        """Nothing more will come: readers end when they have sent what waits."""
        with self._lock:
            self._over = True
            for reader in self._readers:
                reader.over = True
        self._wake()

    @contextmanager
    def reader(self, last_id: str = "") -> Iterator[Reader]:
        """A place for a reader, who is first given what it missed.

        Args:
            last_id: of the last event it got, if it was here before.

        Raises:
            Full: there are too many.
        """
        with self._lock:
            if len(self._readers) >= READERS:
                raise Full
            reader = Reader(Outbox(self._history.since(self._known(last_id)), self._waiting))
            reader.over = self._over
            self._readers.add(reader)
        try:
            yield reader
        finally:
            with self._lock:
                self._readers.discard(reader)

    def take(self, reader: Reader) -> Message | None:
        """The next message of a reader, or None."""
        with self._lock:
            return reader.outbox.take()

    def id_of(self, message: Message) -> str:
        """What a message is called by readers that come again."""
        return f"{self.run}-{message.number}"

    def _known(self, last_id: str) -> int:
        run, _, number = last_id.partition("-")
        return int(number) if run == self.run and number.isascii() and number.isdigit() else 0

    def _wake(self) -> None:
        if self._woken:  # it has not looked yet: a loop that comes to nothing must not fill the memory
            return
        self._woken = True
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._woken = False
        for reader in tuple(self._readers):
            reader.news.set()
