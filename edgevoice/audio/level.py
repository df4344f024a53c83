"""How loud a source is, for whoever looks for the right microphone."""

from __future__ import annotations

from collections.abc import Iterator

from edgevoice.audio.source import Source
from edgevoice.recent import Level

EVERY_S = 0.1


def levels(source: Source) -> Iterator[tuple[float, float]]:
    """Decibels of full scale and peak (0 to 1), ten times a second, until the source ends.

    Raises:
        AudioError: it cannot be heard.
    """
    level = Level(round(EVERY_S * source.sample_rate))
    for block in source.blocks():
        if measured := level.add(block.samples, 0.0):
            dbfs, peak, _ = measured
            yield dbfs, peak
