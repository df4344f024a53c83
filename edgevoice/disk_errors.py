"""What a person can do about a file that cannot be written, by what the system says of it."""

from __future__ import annotations

import errno

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


def is_full(error: OSError) -> bool:
    """Whether there is no room, so that no other file would find any."""
    return error.errno in _FULL


def way_out(error: OSError) -> str:
    """What to do, in one phrase that goes on a sentence."""
    if is_full(error):
        return "free some space"
    return _WAYS_OUT.get(error.errno or 0, "see what is wrong with the disk")
