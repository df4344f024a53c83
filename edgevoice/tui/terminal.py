"""The terminal around the screen: whether it will do, and what must not write into it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from edgevoice.errors import UsageError

MINIMUM_WIDTH = 40
MINIMUM_HEIGHT = 10
LOG_LIMIT = 1_000_000
"""Bytes at which the log starts anew."""
TOO_SMALL = f"terminal too small (needs {MINIMUM_WIDTH}x{MINIMUM_HEIGHT})"


class TerminalFile(io.TextIOWrapper):
    """The terminal as a file that does not fail when its window was closed: there is nobody left to tell."""

    def write(self, text: str, /) -> int:
        """Writes, or loses the text with the terminal."""
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes, or loses the rest with the terminal."""
        with contextlib.suppress(OSError):
            super().flush()


def default_log_file() -> Path:
    """Where diagnostics go while the screen is on."""
    return platformdirs.user_log_path("edgevoice") / "screen.log"


def check_terminal() -> None:
    """Makes sure that the screen can be shown.

    Raises:
        UsageError: there is no terminal, or it cannot show the screen.
    """
    if _terminal_fd() is None:
        raise UsageError("The screen needs a terminal", "Use --json, or run it in a terminal")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("This terminal cannot show the screen (TERM is 'dumb' or not set)", "Use --json")
    width, height = shutil.get_terminal_size()
    if width < MINIMUM_WIDTH or height < MINIMUM_HEIGHT:
        raise UsageError(
            f"This terminal is too small for the screen: {width}x{height}, and it needs "
            f"{MINIMUM_WIDTH}x{MINIMUM_HEIGHT}",
            "Make it larger, or use --json",
        )


def terminal_gone() -> bool:
    """Whether the window was closed, so that keys can come no more."""
    try:
        os.get_terminal_size(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (OSError, ValueError):
        return True
    return False


@contextlib.contextmanager
def quiet_terminal(log_file: Path) -> Iterator[None]:
    """Keeps the terminal for the screen: what libraries print to file descriptor 2 goes to a log file.

    PortAudio and ALSA report lost devices by printing, in the middle of the screen.
    """
    out = _terminal_fd()
    if out is None:
        raise UsageError("The screen needs a terminal", "Use --json, or run it in a terminal")
    with contextlib.ExitStack() as stack:
        # The order matters: the duplicate must be made before file descriptor 2 points to the log.
        screen = TerminalFile(io.FileIO(os.dup(out), "w"), encoding="utf-8", errors="replace", write_through=True)
        stack.callback(_close_quietly, screen)
        _stderr_to(log_file, stack)
        _swap("__stderr__", screen, stack)
        if not os.isatty(0):  # audio comes in on standard input; keys must come from the terminal itself
            _swap("__stdin__", stack.enter_context(_controlling_terminal()), stack)
        yield


def _terminal_fd() -> int | None:
    return next((fd for fd in (2, 1) if os.isatty(fd)), None)


def _controlling_terminal() -> io.TextIOWrapper:
    try:
        return Path("/dev/tty").open(encoding="utf-8", errors="replace")
    except OSError:
        raise UsageError("The screen needs a keyboard, and standard input is not one", "Use --json") from None


def _stderr_to(log_file: Path, stack: contextlib.ExitStack) -> None:
    sys.stderr.flush()
    before = os.dup(2)
    stack.callback(os.close, before)
    log = _open_log(log_file)
    os.dup2(log, 2)
    os.close(log)
    stack.callback(os.dup2, before, 2)
    stack.callback(sys.stderr.flush)
    handler = logging.StreamHandler(os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    stack.callback(handler.stream.close)
    logging.getLogger("edgevoice").addHandler(handler)
    stack.callback(logging.getLogger("edgevoice").removeHandler, handler)


def _open_log(log_file: Path) -> int:
    """The log for appending, readable by its owner only; nowhere if it cannot be written."""
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        too_long = log_file.exists() and log_file.stat().st_size > LOG_LIMIT
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if too_long else 0)
        return os.open(log_file, flags, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _swap(name: str, value: Any, stack: contextlib.ExitStack) -> None:
    stack.callback(setattr, sys, name, getattr(sys, name))
    setattr(sys, name, value)


def _close_quietly(file: io.TextIOWrapper) -> None:
    with contextlib.suppress(OSError):
        file.close()
