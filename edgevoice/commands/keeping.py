"""What is kept of a run: the mark on the screen meanwhile, and where it lies, said at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from edgevoice.commands.output import say
from edgevoice.sinks.delivery import Sink


@runtime_checkable
class Keeps(Protocol):
    """A sink that keeps what is said or heard."""

    @property
    def mark(self) -> str:
        """What it is doing, in a word; empty while it cannot."""
        ...


@runtime_checkable
class Leaves(Protocol):
    """A sink that leaves files."""

    @property
    def files(self) -> str:
        """Their common path; empty before the first."""
        ...


def marks(sinks: Sequence[Sink]) -> str:
    """What the sinks are doing."""
    return "  ".join(sink.mark for sink in sinks if isinstance(sink, Keeps) and sink.mark)


@contextmanager
def files_said(sinks: Sequence[Sink]) -> Iterator[None]:
    """However it ends, what lies where is said after it."""
    try:
        yield
    finally:
        for sink in sinks:
            if isinstance(sink, Leaves) and sink.files:
                say(f"Saved: {sink.files}")
