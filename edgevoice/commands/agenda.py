"""What is done next when several things are done at once but wanted in order."""

from __future__ import annotations

import heapq


class Agenda:
    """Numbers from 0, each taken once, unless it is given back. None is far ahead of the first that is not finished, so
    that what must wait for that one cannot fill the memory.

    Args:
        count: how many.
        ahead: how far a number may be ahead.
    """

    def __init__(self, count: int, ahead: int) -> None:
        self._waiting = list(range(count))
        self._finished: set[int] = set()
        self._first, self._ahead = 0, ahead

    @property
    def over(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._waiting

    def take(self) -> int | None:
        """The lowest that waits; None if there is none, or too far ahead."""
        if self._waiting and self._waiting[0] < self._first + self._ahead:
            return heapq.heappop(self._waiting)
        return None

    def give_back(self, number: int) -> None:
        """It waits again."""
        heapq.heappush(self._waiting, number)

    def finish(self, number: int) -> None:
        """It is done."""
        self._finished.add(number)
        while self._first in self._finished:
            self._finished.remove(self._first)
            self._first += 1
