"""So many tasks at once, and so many more that wait for their turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

WAITING = 32
"""Tasks that may wait; further ones are not taken."""

T = TypeVar("T")


class Slots(Generic[T]):
    """Threads that do tasks in the order in which they came, begun as they are needed.

    Args:
        do: does one, in one of the threads.
        at_once: how many at once.
    """

    def __init__(self, do: Callable[[T], None], at_once: int) -> None:
        self._do, self._at_once = do, at_once
        self._tasks: queue.Queue[T] = queue.Queue(WAITING)
        self._threads = 0

    def take(self, task: T) -> bool:
        """Does it as soon as a slot is free; whether there was room for it to wait. Called by one thread."""
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            return False
        if self._threads < self._at_once:
            self._threads += 1
            # daemons: whatever a task does, it cannot keep the process from ending
            threading.Thread(target=self._work, name=f"edgevoice-action-{self._threads}", daemon=True).start()
        return True

    def _work(self) -> None:
        while True:
            self._do(self._tasks.get())
