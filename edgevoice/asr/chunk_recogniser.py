"""Chunk streaming over one stream, for models that were trained for it: each frame is encoded once and decoded once, so
that nothing that was heard is computed again, and the last pass of a segment is the rest of its last chunk.

What a chunk says never changes, but a word may go on in the next one: a word is shown when it is whole, and stable when
the decoder says that no frame to come can change it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgevoice.asr.decoder import GrowingWords
from edgevoice.asr.model import Encoding, ModelStream
from edgevoice.asr.recogniser import Final, Model, Partial, promised_before
from edgevoice.asr.stable import StablePrefix
from edgevoice.config import SAMPLE_RATE
from edgevoice.events import Word

Array = npt.NDArray[np.float32]


class ChunkRecogniser:
    """One stream's recogniser. Segments follow one another: `open`, then `feed` and `update`, then `end`.

    Args:
        model: one whose `stream` is not None.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._newest: LastChunk | None = None
        self.open(0, np.zeros(0, dtype=np.float32))

    def open(self, start_sample: int, audio: Array) -> None:
        """Begins a segment at `start_sample` (16 kHz, stream's clock) with the audio from there to now."""
        stream = self._model.stream()
        assert stream is not None
        words = self._model.decoder.open(self._model.frame_seconds, start_sample / SAMPLE_RATE)
        self._segment = _Segment(start_sample, stream, words, StablePrefix(promised_before(self._newest, start_sample)))
        self.feed(audio)

    def feed(self, samples: Array) -> None:
        """Adds the segment's next samples."""
        self._segment.stream.feed(samples)

    @property
    def due(self) -> bool:
        """Whether a whole chunk has come since the last update."""
        return self._segment.stream.due

    def skip(self) -> None:
        """Lets this hop pass without an update; its frames are encoded with those of the next."""

    def update(self) -> Partial:
        """Encodes the chunks that have come.

        Raises:
            ModelError: the model failed; the words so far stay as they are.
        """
        return self._segment.update()

    def end(self, end_sample: int) -> LastChunk:
        """The end of the segment, at `end_sample` (stream's clock), to be run now or when it can be."""
        self._newest = LastChunk(self._segment, end_sample)
        return self._newest


class _Segment:
    """One stretch of speech: what of it is encoded, and the words in that."""

    def __init__(self, start: int, stream: ModelStream, words: GrowingWords, said: StablePrefix) -> None:
        self.start, self.stream = start, stream
        self._words, self._said = words, said
        self._heard: list[Array] = []
        """[frames, vocabulary] of the chunks so far."""

    @property
    def words(self) -> tuple[Word, ...]:
        """The words so far, stable and tentative."""
        return tuple(self._said.unsaid(self._words.words()))

    def update(self) -> Partial:
        """Encodes the chunks that have come."""
        encoding = self.stream.advance()
        _hear(self._words, encoding)
        self._heard += [] if encoding.log_probs is None else [encoding.log_probs]
        words = self._words.whole_words()
        stable, tentative = words[: self._words.settled()], words[self._words.settled() :]
        return Partial(tuple(self._said.unsaid(stable)), tuple(self._said.unsaid(tentative)), encoding.intent_logits)

    def final(self, end: int) -> Final:
        """The words that begin before sample `end` of the stream, all audio until there heard, and those that were
        promised. Changes nothing."""
        encoding = self.stream.rest(end - self.start)
        promised, words = self._words.settled(), self._words.fork()
        _hear(words, encoding)
        every = words.words(final=True)
        said = [word for number, word in enumerate(every) if number < promised or word.start < end / SAMPLE_RATE]
        heard = None if encoding.log_probs is None else np.concatenate([*self._heard, encoding.log_probs])
        return Final(tuple(self._said.unsaid(said)), encoding.intent_logits, heard)


def _hear(words: GrowingWords, encoding: Encoding) -> None:
    if encoding.log_probs is not None:
        words.feed(encoding.log_probs)


class LastChunk:
    """The end of a segment that is over."""

    def __init__(self, segment: _Segment, end: int) -> None:
        self.audio = np.zeros(0, dtype=np.float32)
        """Nothing is kept: all but the last chunk is encoded."""
        self.end = end
        """Where it ends, in samples on the stream's clock."""
        self.words = segment.words
        """The words so far; once it has run, all."""
        self._segment = segment

    def run(self) -> Final:
        """Encodes what is left.

        Raises:
            ModelError: the model failed; `words` still holds the words so far.
        """
        final = self._segment.final(self.end)
        self.words = final.words
        return final
