"""Where audio comes from. A file, a pipe and a microphone are the same type, so everything after them is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SourceChange:
    """What became of the device behind a source."""

    source: str
    """The device that delivers from now on, or that is waited for."""
    waiting: bool
    """Whether nothing is delivered until it is back."""
    what: str = ""
    """Why; one sentence without its full stop."""
    remedy: str = ""
    """What the user can do."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A piece of mono audio at the source's sample rate."""

    samples: Samples
    """[samples], nominally -1..1; whatever the source gave, not yet cleaned."""
    arrived: float = 0.0
    """`time.monotonic()` when it reached this process; only for latency figures."""
    lost: float = 0.0
    """Seconds of audio lost just before this block."""
    lost_where: str = ""
    """As in `edgevoice.events.AudioLost.where`."""
    pause: bool = False
    """Whether what was said ends here, because the audio after this block is left out on purpose."""
    change: SourceChange | None = None
    """What became of the device before this block."""


class Source(Protocol):
    """A stream of mono audio."""

    @property
    def name(self) -> str:
        """What to show a person: file name or device name."""
        ...

    @property
    def channel(self) -> str:
        """One of "mic", "call", "file" and "stdin"."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hertz. A pipe may first have to wait for its header."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Blocks until the audio ends or `close` is called from any thread.

        Raises:
            AudioError: the source broke; blocks yielded before stay valid.
        """
        ...

    def close(self) -> None:
        """Ends `blocks` soon, from any thread, any number of times."""
        ...
