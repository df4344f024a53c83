"""How the run of an action went."""

from __future__ import annotations

from dataclasses import dataclass

OUTPUT_LIMIT = 65_536
"""Bytes that are kept of what an action says."""
CANCELLED = "ended with edgevoice"
"""What is said of a run that was cut short because edgevoice ends."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run."""

    ok: bool
    seconds: float
    code: int = 0
    """Exit code, negative for the signal that ended it, or HTTP status; 0 where there is neither."""
    error: str = ""
    """What went wrong, in one phrase."""
    output: bytes = b""
    """What the program said, or the body of the answer, up to `OUTPUT_LIMIT`."""
