"""Files that are there whole or not at all, what no file may replace, and why the system refuses one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from edgevoice.text import plain

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WAYS_OUT = {
    errno.EFBIG: "free some space or lift the limit on the size of files",
    errno.ENOENT: "make its folder again",
    errno.ENOTDIR: "move away what stands in the place of its folder",
    errno.EEXIST: "move away what stands in its place or that of its folder",
    errno.EISDIR: "move away the folder that stands in its place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EACCES: "correct the permissions of its folder",
    errno.EPERM: "correct the permissions of its folder",
    errno.EROFS: "choose a folder on a disk that can be written",
}


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


def is_full(error: OSError) -> bool:
    """Whether there is no room, so that no other file would find any."""
    return error.errno in _FULL


def way_out(error: OSError) -> str:
    """What to do, in one phrase that goes on a sentence."""
    if is_full(error):
        return "free some space"
    return _WAYS_OUT.get(error.errno or 0, "see what is wrong with the disk")


def is_special(path: Path) -> bool:
    """Whether something is there that is no regular file, or what a process has open, as behind /dev/stderr."""
    try:
        open_elsewhere = path.is_symlink() and path.readlink().is_relative_to("/proc")
        return open_elsewhere or not stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # nothing is there, or what is wrong is said when it is written
        return False
