"""Single keys from a terminal, without Enter."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self

LEFT = "\x04"
"""What a terminal that is gone says: as Ctrl-D."""


class Keyboard:
    """The keyboard while it is open as a context manager; Ctrl-C interrupts as always."""

    def __init__(self) -> None:
        self._terminal = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._terminal)

    def pressed(self, seconds: float | None) -> str:
        """The next key, waited for so long, or for ever; "" for none. A key of several characters is as none."""
        if not self._waits(seconds):
            return ""
        try:
            key = os.read(self._terminal, 1)
            if key == b"\x1b" and self._waits(0):  # an arrow, or another key that begins with Escape
                os.read(self._terminal, 32)
                return ""
        except OSError:
            return LEFT
        return key.decode("utf-8", "replace") or LEFT

    def _waits(self, seconds: float | None) -> bool:
        return bool(select.select([self._terminal], [], [], seconds)[0])

    def __enter__(self) -> Self:
        tty.setcbreak(self._terminal, termios.TCSADRAIN)  # what was typed before counts too
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
