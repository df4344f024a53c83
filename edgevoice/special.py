"""What must not be replaced by a file, whoever asks for it: devices, pipes, folders."""

from __future__ import annotations

import stat
from pathlib import Path


def is_special(path: Path) -> bool:
    """Whether something is there that is no regular file, or what a process has open, as behind /dev/stderr."""
    try:
        open_elsewhere = path.is_symlink() and path.readlink().is_relative_to("/proc")
        return open_elsewhere or not stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # nothing is there, or what is wrong is said when it is written
        return False
