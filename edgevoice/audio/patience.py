"""Calls into sound systems, which may take for ever: in a thread that nobody has to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ANSWER_S = 10.0
"""How long a sound system may take for an answer: a headset that has to be woken takes seconds."""
_SLICE_S = 0.25


class NoAnswerError(Exception):
    """It took too long."""


def answer(call: Callable[[], T], seconds: float | None = None) -> T:
    """What the call gives or raises; the call goes on if it takes longer than `seconds` (`ANSWER_S` if None).

    Raises:
        NoAnswerError: it took longer.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(call())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller raises it
            raised.append(error)

    thread = threading.Thread(target=run, name="edgevoice-sound-system", daemon=True)
    thread.start()
    # in slices, since a signal that comes just before a wait is handled only after it
    for _ in range(max(1, round((ANSWER_S if seconds is None else seconds) / _SLICE_S))):
        thread.join(_SLICE_S)
        if not thread.is_alive():
            break
    if raised:
        raise raised[0]
    if not given:
        raise NoAnswerError
    return given[0]
