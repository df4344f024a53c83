"""Files that are removed while they are being written: whoever writes them would go on into nothing.

The name is gone, but what was written is there until the file is closed, so all of it can be saved.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edgevoice.files import new_file

_PIECE = 1_048_576


def put_back(descriptor: int, path: Path) -> bool:
    """Makes a file that has no name any more again, with all that is in it; whether that was needed. The descriptor is
    then one of the new file, at the same place in it. One that was moved is let be: it can be found.

    Args:
        descriptor: of the file, open for reading too.
        path: where it was.

    Raises:
        OSError: it cannot be made again; the descriptor is as before.
    """
    if os.fstat(descriptor).st_nlink:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    new = new_file(path)
    try:
        _copy(descriptor, new)
        os.lseek(new, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        os.dup2(new, descriptor, inheritable=False)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(new)
    return True


def _copy(source: int, target: int) -> None:
    place = 0
    while piece := os.pread(source, _PIECE, place):
        place += os.pwrite(target, piece, place)
