"""What turns the audio of a segment into words, whichever way: `WindowRecogniser` decodes the newest seconds again and
again, with any model; `ChunkRecogniser` encodes each frame once, with models that were trained for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.decoder import Decoder
from edgevoice.asr.model import Encoding, ModelFront, ModelStream, Running
from edgevoice.asr.revision import Reviser
from edgevoice.config import SAMPLE_RATE
from edgevoice.events import Word

Array = npt.NDArray[np.float32]


class Model(Protocol):
    """What the recogniser and the pipeline need of `AcousticModel`."""

    manifest: Manifest
    decoder: Decoder
    frame_seconds: float
    heads: tuple[str, ...]
    reviser: Reviser | None
    reader_note: str

    @property
    def provider(self) -> str:
        """What it runs on now."""
        ...

    @property
    def note(self) -> str:
        """Why that is not what one might expect; empty when there is nothing to say."""
        ...

    @property
    def running(self) -> tuple[Running, ...]:
        """Where each of its graphs runs now."""
        ...

    def encode(self, samples: Array) -> Encoding:
        """Log-probabilities and intent logits of 16 kHz samples."""
        ...

    def stream(self) -> ModelStream | None:
        """A stretch of speech that is about to begin, for a model that hears in chunks; None for any other."""
        ...

    def front(self) -> ModelFront | None:
        """A stretch of speech that is about to begin, for a model whose windows have work in common; None for any
        other."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """What is known while the speaker speaks."""

    stable: tuple[Word, ...]
    tentative: tuple[Word, ...]
    intent_logits: Array | None
    """[labels], over the segment so far; None without an intent head."""


@dataclass(frozen=True, slots=True, eq=False)
class Final:
    """What a segment says."""

    words: tuple[Word, ...]
    intent_logits: Array | None
    """[labels], over the whole segment; None without an intent head or if the segment is too short."""
    log_probs: Array | None = None
    """[frames, vocabulary] from the start of the segment, natural logarithms; None without a CTC head, or if nothing
    was decoded."""


class Recogniser(Protocol):
    """One stream's recogniser. Segments follow one another: `open`, then `feed` and `update`, then `end`."""

    def open(self, start_sample: int, audio: Array) -> None:
        """Begins a segment at `start_sample` (16 kHz, stream's clock) with the audio from there to now."""
        ...

    def feed(self, samples: Array) -> None:
        """Adds the segment's next samples."""
        ...

    @property
    def due(self) -> bool:
        """Whether there is enough new audio for an update."""
        ...

    def skip(self) -> None:
        """Lets an update pass."""
        ...

    def update(self) -> Partial:
        """The words so far.

        Raises:
            ModelError: the model failed; the words so far stay as they are.
        """
        ...

    def end(self, end_sample: int) -> LastPass:
        """The end of the segment, at `end_sample` (stream's clock), to be decoded now or when it can be."""
        ...


class LastPass(Protocol):
    """What is left to do of a segment that is over. If it fails it can be tried again, later segments or not."""

    audio: Array
    """What is kept for it, 16 kHz."""
    end: int
    """Where the segment ends, in samples on the stream's clock."""
    words: tuple[Word, ...]
    """The words so far; once it has run, all."""

    def run(self) -> Final:
        """All words of the segment; those that were stable stay as they are.

        Raises:
            ModelError: the model failed; `words` still holds the words so far.
        """
        ...


def promised_before(before: LastPass | None, start_sample: int) -> Word | None:
    """The last word of the segment before one that begins at `start_sample` (stream's clock), if that audio may contain
    it again: a segment may be cut in the past, before words that were promised, and they are not said again."""
    if before is None or not before.words or start_sample != before.end:
        return None
    last = before.words[-1]
    return last if start_sample < last.end * SAMPLE_RATE else None
