"""Results go to stdout, everything said to a person to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgevoice.errors import EdgeVoiceError
from edgevoice.text import plain


def provide_streams() -> None:
    """Stands in for streams that were closed before the start (`>&-`), which Python leaves None."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run


def say(message: str) -> None:
    """One line on stderr, with the name of the program before it."""
    print(f"edgevoice: {plain(message)}", file=sys.stderr, flush=True)


def write_out(text: str) -> None:
    """Text on stdout in UTF-8 whatever the locale says, flushed."""
    with full_disk_explained():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()


@contextmanager
def full_disk_explained() -> Iterator[None]:
    """Around writing to stdout. A reader that left is no fault and passes as BrokenPipeError.

    Raises:
        EdgeVoiceError: stdout takes no more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> EdgeVoiceError:
    """What is said of a stdout that takes no more."""
    return EdgeVoiceError(
        f"Standard output cannot be written ({error.strerror})", "Free some space or write somewhere else"
    )


def write_json(value: Any) -> None:
    """One line of JSON on stdout."""
    write_out(json.dumps(value, ensure_ascii=False) + "\n")


def quiet_stdout() -> None:
    """Points stdout at nothing, so that Python does not complain at exit about a reader that left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def has_screen() -> bool:
    """Whether stdout is a terminal, on which the screen can be drawn."""
    return sys.stdout.isatty()
