"""Results go to stdout, everything said to a person to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from edgevoice.text import plain


def say(message: str) -> None:
    """One line on stderr, with the name of the program before it."""
    print(f"edgevoice: {plain(message)}", file=sys.stderr, flush=True)


def write_out(text: str) -> None:
    """Text on stdout in UTF-8 whatever the locale says, flushed."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def write_json(value: Any) -> None:
    """One line of JSON on stdout."""
    write_out(json.dumps(value, ensure_ascii=False) + "\n")


def quiet_stdout() -> None:
    """Points stdout at nothing, so that Python does not complain at exit about a reader that left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def has_screen() -> bool:
    """Whether stdout is a terminal, on which the screen can be drawn."""
    return sys.stdout.isatty()
