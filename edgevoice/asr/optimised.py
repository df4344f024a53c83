"""Large graphs as onnxruntime optimised them, kept in the user's cache, so that only the first start is slow.

Optimising takes longest of all when a large graph is loaded. What comes out of it suits one version of onnxruntime and
one kind of processor, so it is kept per machine and never in a bundle. The cache is a convenience: whatever is wrong
with it, the graph of the bundle is loaded as if there were none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgevoice.asr.bundle import sha256
from edgevoice.paths import cache_folder

SMALLEST = 100_000_000
"""Bytes; smaller graphs are optimised in the time that it takes to look for them here."""
KEPT_DAYS = 60
"""What was not used for so long is removed when something new is kept."""
GRAPH, WEIGHTS, RECORD = "graph.onnx", "graph.data", "whole.json"


def place_for(file: Path, digests: Mapping[str, str], version: str) -> Path | None:
    """Where the optimised form of a graph is kept; None for one that is small, or of which no sha256 is known.

    Args:
        file: the graph.
        digests: file name -> sha256 of the bundle's files, which were verified; the graph may use any of them.
        version: of onnxruntime.
    """
    if file.name not in digests or file.stat().st_size < SMALLEST:
        return None
    key = json.dumps([file.name, sorted(digests.items()), version, platform.machine(), _processor()])
    return cache_folder() / "optimised" / hashlib.sha256(key.encode()).hexdigest()


def is_whole(place: Path) -> bool:
    """Whether what is kept there is what was once put there, by this user. Reads every byte."""
    try:
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
        whole = set(record) == {GRAPH, WEIGHTS} and all(sha256(place / name) == record[name] for name in record)
        if whole:
            os.utime(place)  # for `KEPT_DAYS`
    except (OSError, ValueError, TypeError):
        return False
    return whole


def is_there(place: Path) -> bool:
    """Whether something is kept there that nobody else could have put there."""
    try:
        state = place.lstat()
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & others


@contextlib.contextmanager
def kept(place: Path) -> Iterator[Path]:
    """A folder to put `GRAPH` and `WEIGHTS` into; what is whole at the end of the block goes to `place` at once.

    Raises:
        OSError: the cache cannot be written. Whoever could do without need not care.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "kept"
        folder.mkdir(mode=0o700)
        yield folder
        record = {name: sha256(folder / name) for name in (GRAPH, WEIGHTS)}
        (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
        _forget(place.parent)
        shutil.rmtree(place, ignore_errors=True)  # stale, or it would have been used
        folder.rename(place)


def _forget(folder: Path) -> None:
    """Removes what was not used for long, and what was left half done."""
    for entry in folder.iterdir():
        days = (time.time() - entry.stat().st_mtime) / 86_400
        if days > (1 if entry.name.startswith(".new-") else KEPT_DAYS):
            shutil.rmtree(entry, ignore_errors=True)


def _processor() -> str:
    """What the optimiser may have looked at: a home folder can be shared by machines that differ."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        found = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
        if found:
            return "\n".join(sorted(found))
    return platform.processor()
