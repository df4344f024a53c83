"""What sources around other sources have of the one inside."""

from __future__ import annotations

from edgevoice.audio.source import Source


class Around:
    """A source that is called as the one inside, and has its rate."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._source.name

    @property
    def channel(self) -> str:
        """See `Source.channel`."""
        return self._source.channel

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return self._source.sample_rate

    def close(self) -> None:
        """See `Source.close`."""
        self._source.close()
