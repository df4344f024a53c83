"""Files that are there whole or not at all, and why the system refuses one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from edgevoice.text import plain


def new_file(path: Path, mode: int = 0o666) -> int:
    """A descriptor of a file that did not exist, and is no link to another.

    Raises:
        OSError: it exists or cannot be made.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def replace_file(path: Path, content: bytes, mode: int = 0o666, *, durable: bool = False) -> None:
    """Makes a file hold this; a reader sees what it held before or all of this, and never half of it. A link gives way
    to the file.

    Args:
        path: in a folder that exists.
        content: of the file.
        mode: its permissions, less those that the user's mask takes away.
        durable: whether it is on the disk before it takes the place of what was there.

    Raises:
        OSError: it cannot be written; what was there still is.
        ValueError: it has a name that no file can have.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(new_file(part, mode), "wb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def why(error: BaseException) -> str:
    """Why a file or a program was refused, safe to show: "No space left on device"."""
    return plain(str(getattr(error, "strerror", None) or error))
