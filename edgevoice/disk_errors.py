"""What a person can do about a file that cannot be written, by what the system says of it."""

from __future__ import annotations

import errno

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WAYS_OUT = {
    errno.ENOENT: "make its folder again",
    errno.ENOTDIR: "move the file away that stands where its folder should be",
    errno.EEXIST: "move the one away that stands in its place",
    errno.EISDIR: "move the folder away that stands in its place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EACCES: "correct the permissions of its folder",
    errno.EPERM: "correct the permissions of its folder",
    errno.EROFS: "choose a folder on a disk that can be written",
}


def way_out(error: OSError) -> str:
    """What to do, in one phrase that can go on or begin a sentence."""
    if error.errno in _FULL:
        return "free some space"
    return _WAYS_OUT.get(error.errno or 0, "see what is wrong with the disk")
