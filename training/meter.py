"""How far a stage of work is: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

logger = logging.getLogger(__name__)

EVERY_S = 15.0
"""From one line of a log to the next."""


class Meter:
    """Counts work done, as a context manager.

    Args:
        what: is counted, such as "clips decoded".
        total: when all is done.
    """

    def __init__(self, what: str, total: float) -> None:
        self._what, self._total = what, total
        self._done = 0.0
        self._began = self._said = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            shape = "{desc} {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left"
            self._bar = tqdm(total=total, desc=what, dynamic_ncols=True, leave=False, bar_format=shape)

    def advance(self, amount: float = 1.0) -> None:
        """So much more is done."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(min(amount, self._total - self._bar.n))
            return
        now = time.monotonic()
        if now - self._said >= EVERY_S:
            self._said = now
            share = min(1.0, self._done / self._total)
            left = (now - self._began) * (1 - share) / max(1e-9, share)
            logger.info("%s: %.0f %%, %s left", self._what, 100 * share, spoken_time(left))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def spoken_time(seconds: float) -> str:
    """A duration as people say it: "40 s", "12 min", "3 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
