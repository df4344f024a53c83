"""Silence in the place of lost audio, so that positions stay true: a minute into the meeting is a minute into its
captions, its recording, and the other side of the call."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from edgevoice.audio.around import Around
from edgevoice.audio.source import Block

_PIECE_S = 1.0


class FilledSource(Around):
    """Another source, with silence in the place of what it lost. The loss is told before the silence."""

    def blocks(self) -> Iterator[Block]:
        """The blocks of the inner source, and silence before those that come after a loss."""
        for block in self._source.blocks():
            if block.lost <= 0:
                yield block
                continue
            yield from self._silence(block)
            yield dataclasses.replace(block, lost=0.0, lost_where="")

    def _silence(self, block: Block) -> Iterator[Block]:
        """In pieces, for it may be an hour."""
        missing = round(block.lost * self.sample_rate)
        piece = np.zeros(round(_PIECE_S * self.sample_rate), np.float32)
        yield dataclasses.replace(block, samples=piece[:0], pause=False)
        while missing > 0:
            yield dataclasses.replace(block, samples=piece[:missing], lost=0.0, lost_where="", pause=False)
            missing -= len(piece)
