"""What became of processes that others started."""

from __future__ import annotations

import time
from pathlib import Path


def gone(pid: int, seconds: float = 5) -> bool:
    """Whether a process ends within that time; one that nobody reaped counts as ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
