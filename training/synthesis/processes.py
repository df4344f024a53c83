"""Work shared out among processes, with the results in the order of the work."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import connection
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_NICE = 10


def process_pool(jobs: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Start the processes, or none where one is enough."""
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    if jobs == 1:
        return nullcontext()
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)


def in_order(
    make: Callable[[Item], Result], items: Iterator[Item], pool: ProcessPoolExecutor | None, jobs: int
) -> Generator[Result, None, None]:
    """Make the items, a few ahead of what is asked for, and give the results in the order of the items."""
    if pool is None:
        yield from map(make, items)
        return
    ahead: deque[Future[Result]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(make, item))
            if len(ahead) > jobs:
                yield ahead.popleft().result()
    finally:
        wait([future for future in ahead if not future.cancel()])


def _begin() -> None:
    """What a process does first: it works for hours, and makes way for whatever else there is to do."""
    os.nice(_NICE)
    _die_with_parent()


def _die_with_parent() -> None:
    """End this process when its parent ends: an orphan would go on writing into a corpus that another run has begun."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        Thread(target=lambda: (connection.wait([sentinel]), os._exit(1)), daemon=True).start()
