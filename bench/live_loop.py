"""What one would write without edgevoice: a loop that decodes the segment so far at every update, or once at its end.

Detector, segmenter and intent policy are those of edgevoice, so that all contenders hear the same segments and announce
by the same rules; only what decodes them, and how often, differs. Nothing is promised before the end of a segment. A
loop that is late does not skip: every update is made, as often as it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgevoice import events
from edgevoice.asr.bundle import Manifest
from edgevoice.asr.intent import Detected, IntentTracker
from edgevoice.audio.source import Source
from edgevoice.config import SAMPLE_RATE, Settings
from edgevoice.events import Event, Word
from edgevoice.recent import Ring
from edgevoice.vad.detector import make_detector
from edgevoice.vad.segmenter import SegmentClosed, Segmenter, SegmentOpened

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a model makes of a stretch of audio."""

    words: tuple[Word, ...]
    """With times from the beginning of the stretch."""
    intent_logits: npt.NDArray[np.float32] | None = None
    """[labels] in the order of the manifest; None without intents."""


Decode = Callable[[Samples], Heard]
"""Decodes mono samples at 16 kHz."""


class Loop:
    """A stream from its first block to its last, as `edgevoice.pipeline.Pipeline` is one.

    Args:
        source: the audio, 16 kHz.
        decode: a stretch of it, or None to find segments only.
        manifest: whose intents the decoder gives.
        settings: `vad`, `intent` and `asr.hop_s` are used.
        updates: whether to decode the segment so far at every hop; otherwise at its end only.
    """

    def __init__(
        self, source: Source, decode: Decode | None, manifest: Manifest, settings: Settings, *, updates: bool
    ) -> None:
        self.updates = 0
        """How many were made."""
        self._source, self._decode, self._hop = source, decode, round(settings.asr.hop_s * SAMPLE_RATE)
        self._updating = updates and decode is not None
        self._detector = make_detector(settings.vad)
        self._segmenter = Segmenter(settings.vad, self._detector.frame_samples)
        # as long as the longest segment, beside what the segmenter may reach back to
        self._ring = Ring(self._segmenter.lookback + round((settings.vad.maximum_s + 1) * SAMPLE_RATE))
        self._tracker = IntentTracker(manifest, settings.intent)
        self._threshold = settings.vad.threshold
        self._start = self._segment = self._voiced = 0
        self._next: int | None = None  # where the next update is due, in samples
        self._shown: tuple[str, ...] = ()

    def run(self) -> Iterator[Event]:
        """The events, to the end of the stream."""
        size, pending = self._detector.frame_samples, np.zeros(0, dtype=np.float32)
        for block in self._source.blocks():
            pending = np.concatenate([pending, block.samples])
            while len(pending) >= size:
                frame, pending = pending[:size], pending[size:]
                yield from self._frame(frame)
        for change in self._segmenter.flush():
            yield from self._change(change)

    def _frame(self, frame: Samples) -> Iterator[Event]:
        self._ring.add(frame)
        probability = self._detector.probability(frame)
        self._voiced += len(frame) if probability >= self._threshold else 0
        for change in self._segmenter.feed(probability):
            yield from self._change(change)
        if self._next is not None and self._updating and self._ring.end >= self._next:
            self._next += self._hop
            yield from self._update()

    def _change(self, change: SegmentOpened | SegmentClosed) -> Iterator[Event]:
        if isinstance(change, SegmentOpened):
            self._start, self._segment, self._shown, self._voiced = change.start, change.segment, (), 0
            self._tracker.begin()
            self._next = self._ring.end + self._hop
            start = self._start / SAMPLE_RATE
            yield events.SpeechStarted(channel="mic", at=self._at, segment=self._segment, start=start)
        else:
            self._next = None
            yield from self._close(change.end)

    def _update(self) -> Iterator[Event]:
        self.updates += 1
        heard = self._heard(self._ring.end)
        texts = tuple(word.word for word in heard.words)
        if texts != self._shown:
            self._shown = texts
            yield events.CaptionUpdated(
                channel="mic", at=self._at, segment=self._segment, stable="", tentative=" ".join(texts), latency=0.0
            )
        verdict = self._tracker.early(heard.intent_logits, speech_s=self._voiced / SAMPLE_RATE, at=self._at)
        if verdict:
            yield self._detected(verdict, " ".join(texts), early=True)

    def _close(self, last: int) -> Iterator[Event]:
        start, end = self._start / SAMPLE_RATE, last / SAMPLE_RATE
        yield events.SpeechEnded(channel="mic", at=self._at, segment=self._segment, start=start, end=end)
        if self._decode is None:
            return
        heard = self._heard(last)
        text = " ".join(word.word for word in heard.words)
        yield events.CaptionFinished(
            channel="mic",
            at=self._at,
            segment=self._segment,
            start=start,
            end=end,
            text=text,
            words=heard.words,
            latency=0.0,
        )
        verdict = self._tracker.final(
            heard.intent_logits,
            speech_s=self._voiced / SAMPLE_RATE,
            at=self._at,
            announced=self._tracker.announced,
        )
        if isinstance(verdict, Detected):
            yield self._detected(verdict, text, early=False)

    def _heard(self, last: int) -> Heard:
        assert self._decode is not None
        first, audio = self._ring.since(self._start)
        heard = self._decode(audio[: last - first])
        offset = first / SAMPLE_RATE
        words = tuple(
            Word(word=w.word, start=w.start + offset, end=w.end + offset, confidence=w.confidence) for w in heard.words
        )
        return Heard(words, heard.intent_logits)

    def _detected(self, verdict: Detected, text: str, *, early: bool) -> Event:
        return events.IntentDetected(
            channel="mic",
            at=self._at,
            segment=self._segment,
            label=verdict.label,
            score=verdict.score,
            runners_up=verdict.runners_up,
            early=early,
            words=text,
        )

    @property
    def _at(self) -> float:
        return self._ring.end / SAMPLE_RATE
