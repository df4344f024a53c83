"""`Pipeline`: from a source of audio to events. The only place that knows the order of things.

Source -> Resampler -> Detector -> Segmenter -> Recogniser + IntentTracker -> Event
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from edgevoice import events
from edgevoice.asr.bundle import Manifest
from edgevoice.asr.chunk_recogniser import ChunkRecogniser
from edgevoice.asr.intent import Detected, IntentTracker, Rejected
from edgevoice.asr.recogniser import Final, LastPass, Model, Recogniser
from edgevoice.asr.revision import Revision, Sentence
from edgevoice.asr.spelling import Spelling
from edgevoice.asr.window_recogniser import WindowRecogniser
from edgevoice.audio.resample import Resampler, clean
from edgevoice.audio.source import Block, Source
from edgevoice.config import SAMPLE_RATE, Settings
from edgevoice.errors import AudioError, EdgeVoiceError, ModelAwayError
from edgevoice.events import Event, Word
from edgevoice.formatting import Style, formatted, is_english, spaced
from edgevoice.pace import Pace
from edgevoice.quiet import Quiet
from edgevoice.recent import Level, Ring
from edgevoice.second_pass import Job, SecondPass
from edgevoice.text import plain
from edgevoice.vad.detector import Detector, make_detector
from edgevoice.vad.segmenter import SegmentClosed, Segmenter, SegmentOpened

Array = npt.NDArray[np.float32]

_LEVEL_SAMPLES = SAMPLE_RATE // 10
KEPT_S = 600.0
"""How much speech is kept for a model that is away; 40 MB."""
PATIENCE_S = 30.0
"""How long a stream that is over, or a recording of which no more can be kept, waits for a model that is away."""
_SLICE_S = 0.5
_LONGEST_S = 600.0
"""How long a sentence of a recording may take to be read; a reader that takes longer hangs."""
_LEAVING_S = 1.0
"""How long who stops a stream waits for sentences that are being read."""
_HEARD = {"ctc": "captions", "intent": "intents"}
_RETRY_SAMPLES = SAMPLE_RATE
_CALM_S = 10.0
"""A reader has caught up when no sentence was skipped for so long."""
_FAILURES = 3
"""Failures of a reader after which it is left out."""


class _Place(TypedDict):
    """What every event carries."""

    channel: str
    at: float


class Pipeline:
    """One stream from its first block to its last. `list(Pipeline(...).run())` is a complete run.

    Args:
        source: where the audio comes from.
        model: an `AcousticModel`.
        settings: `vad`, `asr` and `intent` are used here.
        waits: whether the source is a recording that waits for us, so that no sentence is left unread.
        detector: tells speech from silence; the one of the settings when not given.
        clock: seconds, comparable with `Block.arrived`; only for latencies and for being late.
    """

    def __init__(
        self,
        source: Source,
        model: Model,
        settings: Settings,
        *,
        waits: bool = False,
        detector: Detector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failed: AudioError | None = None
        """What ended the stream, if it did not simply end."""
        self._source, self._model, self._settings, self._clock = source, model, settings, clock
        self._waits = waits
        self._detector = detector or make_detector(settings.vad)
        self._channel = plain(source.channel)
        self._segmenter = Segmenter(settings.vad, self._detector.frame_samples)
        self._ring = Ring(self._segmenter.lookback)
        self._recogniser = _recogniser(model, settings)
        self._tracker = IntentTracker(model.manifest, settings.intent)
        self._style = _style(model.manifest, settings)
        self._reader = model.reviser.name if model.reviser else ""
        self._second_pass = SecondPass(model.reviser, clock) if model.reviser else None
        self._reader_failures = 0
        self._skipped_at = 0.0
        self._too_slow: events.Failed | None = None  # what was said of a reader that cannot keep up
        self._before: LastPass | None = None  # of the last segment in which something was said
        self._level = Level(_LEVEL_SAMPLES)
        self._quiet = self._watch_for_silence()
        self._segment: _Segment | None = None
        self._ahead: _Ahead | None = None
        self._over: deque[_Over] = deque()
        self._running = model.running
        self._away = self._waited = self._stopped = False
        self._away_since = (0.0, 0.0)
        self._retry = 0
        self._pending = np.zeros(0, dtype=np.float32)
        self._arrived = 0.0
        self._began: float | None = None
        self._pace = Pace(settings.asr.hop_s)
        self._segments = self._words = self._intents = 0
        self._lost = 0.0

    def run(self) -> Iterator[Event]:
        """The events of the stream, to its end; once. A source that breaks ends it with a `Failed` event."""
        manifest = self._model.manifest
        yield events.StreamStarted(
            **self._place(),
            source=plain(self._source.name),
            sample_rate=self._source.sample_rate,
            model=plain(manifest.name),
            provider=self._model.provider,
            note=plain(" ".join(filter(None, (self._model.note, self._model.reader_note)))),
            reader=plain(self._reader),
            labels=tuple(plain(label) for label in manifest.labels) if "intent" in self._model.heads else (),
            thresholds=self._thresholds() if "intent" in self._model.heads else (),
        )
        try:
            yield from self._listen()
        finally:
            self._source.close()
            if self._second_pass:
                self._second_pass.close()
        if self.failed:
            what, remedy = plain(self.failed.what), plain(self.failed.remedy)
            yield events.Failed(**self._place(), what=what, recoverable=False, remedy=remedy)
        yield events.StreamEnded(
            **self._place(),
            duration=self._ring.end / SAMPLE_RATE,
            segments=self._segments,
            words=self._words,
            intents=self._intents,
            lost=self._lost,
        )

    def stop(self) -> None:
        """Ends the stream soon, from any thread: `run` finishes what the source has taken in, and comes to its end."""
        self._stopped = True
        self._source.close()

    def set_threshold(self, label: str, value: float) -> None:
        """Announces an intent from this score on, 0 to 1, in what is decided from now on; from any thread.

        Args:
            label: as in `StreamStarted.thresholds`; another one changes nothing.
            value: the smallest score.
        """
        for known in self._tracker.thresholds:
            if plain(known) == label:
                self._tracker.set_threshold(known, value)

    def _thresholds(self) -> tuple[events.LabelScore, ...]:
        known = self._tracker.thresholds.items()
        return tuple(events.LabelScore(label=plain(label), score=value) for label, value in known)

    def _listen(self) -> Iterator[Event]:
        resampler = Resampler(self._source.sample_rate)
        try:
            for block in self._source.blocks():
                self._receive(block)
                yield from self._losses(block)
                yield from self._paced()
                yield from self._hear(resampler.process(block.samples))
                if block.pause:
                    yield from self._end_segment()
                yield from self._revised()
        except AudioError as error:
            self.failed = error
        yield from self._hear(resampler.flush())
        yield from self._end()

    def _receive(self, block: Block) -> None:
        # measured before the work on this block: a source that waits for us is never late, however slow we are
        self._arrived = block.arrived or self._clock()
        self._began = self._clock() if self._began is None else self._began
        self._pace.heard(self._clock() - self._arrived)

    def _losses(self, block: Block) -> Iterator[Event]:
        if block.change:
            change = block.change
            self._quiet = self._watch_for_silence(waiting=change.waiting)
            yield events.SourceChanged(
                **self._place(),
                source=plain(change.source),
                waiting=change.waiting,
                what=plain(change.what),
                remedy=plain(change.remedy),
            )
        if block.lost > 0:
            self._lost += block.lost
            yield events.AudioLost(**self._place(), seconds=block.lost, where=block.lost_where)

    def _paced(self) -> Iterator[Event]:
        load = self._pace.news(self._at())
        if load:
            yield events.PaceChanged(**self._place(), behind=load.behind, hop=load.hop, keeping_up=load.keeping_up)

    def _hear(self, samples: Array) -> Iterator[Event]:
        # again after the resampler, which cleans what goes in but overshoots at clipped peaks
        self._pending = np.concatenate([self._pending, clean(samples)])
        size = self._detector.frame_samples
        count = len(self._pending) // size
        frames, self._pending = self._pending[: count * size].reshape(count, size), self._pending[count * size :]
        for frame in frames:
            yield from self._frame(frame, self._detector.probability(frame))

    def _end(self) -> Iterator[Event]:
        """The last samples, too few for the detector, still belong to an open segment."""
        self._ring.add(self._pending)
        if self._segment:
            self._recogniser.feed(self._pending)
            self._segment.audio.append(self._pending)
        yield from self._end_segment(len(self._pending))
        self._waited = False
        yield from self._finish(ending=True)
        yield from self._last_revised()

    def _end_segment(self, rest: int = 0) -> Iterator[Event]:
        for change in self._segmenter.flush(rest):
            yield from self._change(change)

    def _frame(self, frame: Array, probability: float) -> Iterator[Event]:
        self._ring.add(frame)
        if self._segment:
            self._recogniser.feed(frame)
            self._segment.audio.append(frame)
            self._segment.voiced += len(frame) if probability >= self._settings.vad.threshold else 0
        level = self._level.add(frame, probability)
        if level:
            yield events.LevelMeasured(**self._place(), dbfs=level[0], peak=level[1], speech=level[2])
            if self._quiet and self._quiet.heard(self._at(), level[0]):
                yield self._silence(silent=self._quiet.silent)
        for change in self._segmenter.feed(probability):
            yield from self._change(change)
        if self._over and self._ring.end >= self._retry:
            yield from self._finish()
        if self._segment and self._segmenter.ending is not None:
            # silence says nothing new: what the words are is found out now, to be there when the hangover is over
            yield from self._look_ahead(self._segment, self._segmenter.ending)
        elif self._segment and self._recogniser.due:
            yield from self._update(self._segment)

    def _watch_for_silence(self, *, waiting: bool = False) -> Quiet | None:
        # silence in a recording is the recording's, nobody has to speak at the far end of a call, and a device that is
        # waited for has been told of
        return Quiet() if self._source.channel == "mic" and not waiting else None

    def _silence(self, *, silent: bool) -> Event:
        name = plain(self._source.name)
        what = (
            f"The microphone '{name}' is silent: is it muted?" if silent else f"The microphone '{name}' is heard again"
        )
        remedy = "Unmute it, turn its level up, or choose another one: edgevoice devices" if silent else ""
        return events.InputSilent(**self._place(), silent=silent, what=what, remedy=remedy)

    def _change(self, change: SegmentOpened | SegmentClosed) -> Iterator[Event]:
        if isinstance(change, SegmentOpened):
            yield self._open(change)
        elif self._segment:
            yield from self._close(self._segment, change)

    def _open(self, opened: SegmentOpened) -> Event:
        start, audio = self._ring.since(opened.start)
        self._recogniser.open(start, audio)
        self._tracker.begin()
        voiced = min(round(self._settings.vad.minimum_speech_s * SAMPLE_RATE), len(audio))
        said = self._before.words if self._before else ()
        self._segment = _Segment(opened.segment, start, voiced, said[-1].end if said else None, [audio])
        self._segments += 1
        return events.SpeechStarted(**self._place(), segment=opened.segment, start=start / SAMPLE_RATE)

    def _look_ahead(self, segment: _Segment, end: int) -> Iterator[Event]:
        """The last pass of a segment that will end there if nobody goes on to speak; once."""
        if (self._ahead and self._ahead.last_pass.end == end) or self._over or segment.broken or self._pace.late:
            return
        self._ahead = _Ahead(self._recogniser.end(end))
        try:
            final = self._ahead.final = self._ahead.last_pass.run()
        except Exception:  # noqa: BLE001 - it is tried again when the segment is over, and what is wrong is said then
            return
        yield from self._moved()
        stable, _ = segment.shown
        # two looks at nearly the same audio are one when it comes to being sure of an intent
        fresh = self._ring.end - segment.updated >= self._settings.asr.hop_s / 2 * SAMPLE_RATE
        yield from self._show(segment, stable, final.words, final.intent_logits if fresh else None)

    def _update(self, segment: _Segment) -> Iterator[Event]:
        if segment.broken or not self._pace.allows(self._at()):
            self._recogniser.skip()
            yield from self._paced()
            return
        yield from self._paced()
        try:
            partial = self._recogniser.update()
        except ModelAwayError as error:
            yield from self._model_away(error)
            return
        except Exception as error:  # noqa: BLE001 - whatever breaks inside the model, the stream goes on
            segment.broken = True  # one event, not one for every hop
            yield self._failure(error)
            return
        self._away = self._waited = False
        segment.updated = self._ring.end
        yield from self._moved()
        stable = self._written(segment, _plain_words(partial.stable))
        yield from self._show(segment, stable, (*partial.stable, *partial.tentative), partial.intent_logits)

    def _show(
        self, segment: _Segment, stable: str, heard: tuple[Word, ...], intent_logits: Array | None
    ) -> Iterator[Event]:
        """What is known of a segment so far, where it is news.

        Args:
            segment: the open one.
            stable: the text that is.
            heard: all words, which begin with it.
            intent_logits: [labels]
        """
        words = _plain_words(heard)
        tentative = self._written(segment, words)[len(stable) :].strip()
        if "ctc" in self._model.heads and (stable, tentative) != segment.shown:
            segment.shown = (stable, tentative)
            yield events.CaptionUpdated(
                **self._place(), segment=segment.id, stable=stable, tentative=tentative, latency=self._latency()
            )
        verdict = self._tracker.early(intent_logits, speech_s=segment.speech_s, at=self._at())
        if verdict:
            yield self._detected(segment, verdict, formatted(words, None), early=True)

    def _close(self, segment: _Segment, closed: SegmentClosed) -> Iterator[Event]:
        self._segment = None
        start, end = segment.start / SAMPLE_RATE, closed.end / SAMPLE_RATE
        yield events.SpeechEnded(**self._place(), segment=segment.id, start=start, end=end)
        ahead, self._ahead = self._ahead, None
        if not ahead or ahead.last_pass.end != closed.end:
            ahead = _Ahead(self._recogniser.end(closed.end))
        last_pass = ahead.last_pass
        # what was heard after the end belongs to the next segment only where this one was cut
        self._over.append(
            _Over(
                segment,
                last_pass,
                ahead.final,
                closed.speech_end,
                self._tracker.announced,
                closed.end if closed.forced else self._ring.end,
            )
        )
        yield from self._finish()
        self._before = last_pass if last_pass.words else self._before

    def _finish(self, *, ending: bool = False) -> Iterator[Event]:
        """The last passes of the segments that are over, in their order. While the model is away they are kept and
        tried again; when the stream is ending, or more than `KEPT_S` wait, the words so far have to do, at once where
        audio would be lost while we wait."""
        while self._over:
            over = self._over[0]
            final = Final(over.last_pass.words, None)
            failed = True
            try:
                # who stopped the stream does not wait once more for a model that was away
                if not (self._away and self._stopped):
                    final, failed = over.final or over.last_pass.run(), False
                    self._away = self._waited = False
            except ModelAwayError as error:
                yield from self._model_away(error)
                self._retry = self._ring.end + _RETRY_SAMPLES
                if not ending and sum(len(each.last_pass.audio) for each in self._over) <= KEPT_S * SAMPLE_RATE:
                    return
                if (ending or self._source_waits(self._away_since)) and self._back(error):
                    continue
            except Exception as error:  # noqa: BLE001 - whatever breaks inside the model, the words so far are shown
                yield self._failure(error)
            self._over.popleft()
            yield from self._moved()
            yield from self._finished(over, final, failed=failed)

    def _finished(self, over: _Over, final: Final, *, failed: bool) -> Iterator[Event]:
        segment, end = over.segment, over.last_pass.end
        words = _plain_words(final.words)
        if "ctc" in self._model.heads:
            self._words += len(words)
            yield events.CaptionFinished(
                **self._place(),
                segment=segment.id,
                start=segment.start / SAMPLE_RATE,
                end=end / SAMPLE_RATE,
                text=self._written(segment, words),
                words=words,
                latency=self._latency() + max(0, self._ring.end - over.speech_end) / SAMPLE_RATE,
            )
            yield from self._read_once_more(over, words, final.log_probs)
        if "intent" in self._model.heads and not failed:
            verdict = self._tracker.final(
                final.intent_logits, speech_s=segment.speech_s, at=self._at(), announced=over.announced
            )
            yield from self._verdict(segment, verdict, formatted(words, None))

    def _read_once_more(self, over: _Over, words: tuple[Word, ...], log_probs: Array | None) -> Iterator[Event]:
        """Gives a segment to the reader, if there is time for it. A recording waits until there is."""
        second_pass = self._second_pass
        if second_pass is None:
            return
        # what is piped in may be a recording too, as long as it comes faster than anybody speaks
        waits = self._waits or self._source_waits((0.0, self._clock() if self._began is None else self._began))
        while waits and second_pass.full and not self._stopped:
            yield from self._revised(patience_s=_SLICE_S)
        if not waits and second_pass.behind:
            yield from self._too_slow_now()
            return
        if self._too_slow and self._at() - self._skipped_at >= _CALM_S:
            what, self._too_slow = self._too_slow.what, None
            yield events.Recovered(**self._place(), what=what, now="Sentences that are over are read once more again")
        segment = over.segment
        audio = np.concatenate(segment.audio)[: over.audio_end - segment.start]
        start, end = segment.start / SAMPLE_RATE, over.last_pass.end / SAMPLE_RATE
        second_pass.add(segment.id, Sentence(audio, start, end, words, log_probs))

    def _too_slow_now(self) -> Iterator[Event]:
        """Says it once, not at every sentence."""
        self._skipped_at = self._at()
        if self._too_slow:
            return
        self._too_slow = events.Failed(
            **self._place(),
            what=f"This machine is too busy for '{plain(self._reader)}' to read sentences once more",
            recoverable=True,
            remedy="They stay as they were first heard until there is time; --reader off leaves it out",
        )
        yield self._too_slow

    def _revised(self, *, patience_s: float = 0.0) -> Iterator[Event]:
        """What the reader made of segments that are over.

        Args:
            patience_s: how long the next of them is waited for.
        """
        if self._second_pass is None:
            return
        for job in self._second_pass.results(patience_s=patience_s):
            if job.error:
                yield from self._reader_failed(job.error)
            elif job.revision:
                yield self._revision(job, job.revision)

    def _reader_failed(self, error: Exception) -> Iterator[Event]:
        """Says it once; what fails again and again is left out."""
        self._reader_failures += 1
        if self._reader_failures == 1:
            yield self._failure(error, f"The reader '{plain(self._reader)}' failed")
        if self._reader_failures >= _FAILURES and self._second_pass:
            self._second_pass.close()
            self._second_pass = None

    def _last_revised(self) -> Iterator[Event]:
        """Those that are still being read; not for long where somebody wants to leave."""
        began, waiting = self._clock(), self._waiting()
        while waiting and self._clock() - began < self._patience:
            yield from self._revised(patience_s=_SLICE_S)
            if self._waiting() < waiting and not self._stopped:  # it is patient with each
                began = self._clock()
            waiting = self._waiting()
        if waiting and not self._stopped:
            yield events.Failed(
                **self._place(),
                what=f"'{plain(self._reader)}' has not read {waiting} of the last sentences once more",
                recoverable=True,
                remedy="They stay as they were first heard; choose a smaller --reader, or off",
            )

    @property
    def _patience(self) -> float:
        """Seconds that a sentence may take at the end: a recording is read to its end, whatever it takes."""
        if self._stopped:
            return _LEAVING_S
        return _LONGEST_S if self._waits else PATIENCE_S

    def _waiting(self) -> int:
        """Sentences that are being read, or wait for it."""
        return self._second_pass.waiting if self._second_pass else 0

    def _revision(self, job: Job, revision: Revision) -> Event:
        sentence = job.sentence
        words = _plain_words(revision.words)
        self._words += len(words) - len(sentence.words)
        return events.CaptionRevised(
            **self._place(),
            segment=job.segment,
            start=sentence.start_s,
            end=sentence.end_s,
            text=spaced(words, self._settings.captions.pause_s if self._style else None),
            words=words,
            confidence=revision.confidence,
            reader=plain(self._reader),
            latency=max(0.0, self._clock() - job.finished),
        )

    def _written(self, segment: _Segment, words: tuple[Word, ...]) -> str:
        return formatted(words, self._style, segment.before_s)

    def _moved(self) -> Iterator[Event]:
        """Says that a graph goes on elsewhere: a GPU that fails loses no audio, but everything gets slower."""
        before, self._running = self._running, self._model.running
        for old, new in zip(before, self._running, strict=True):
            if new.provider != old.provider:
                what = " and ".join(_HEARD[head] for head in new.heads).capitalize()
                remedy = f"{what} go on on {new.provider}, from the same words; start again when the GPU is back"
                yield events.Failed(**self._place(), what=plain(new.note), recoverable=True, remedy=plain(remedy))

    def _model_away(self, error: ModelAwayError) -> Iterator[Event]:
        """Says it once, not at every try."""
        if not self._away:
            self._away = True
            self._away_since = (self._at(), self._clock())
            yield self._failure(error)

    def _source_waits(self, since: tuple[float, float]) -> bool:
        """Whether the source is a recording that waits for us: since a moment, on both clocks, audio came faster than
        time passed, by more than a microphone keeps in its queue."""
        at, clock = since
        return self._at() - at > self._clock() - clock + PATIENCE_S

    def _back(self, error: ModelAwayError) -> bool:
        """Waits for a model that is away, but not for every segment anew, and not once the stream was stopped."""
        if self._waited:
            return False
        self._waited = True
        for _ in range(round(PATIENCE_S / _SLICE_S)):
            if self._stopped:
                return False
            if error.wait(_SLICE_S):
                return True
        return False

    def _verdict(self, segment: _Segment, verdict: Detected | Rejected | None, text: str) -> Iterator[Event]:
        if isinstance(verdict, Detected):
            yield self._detected(segment, verdict, text, early=False)
        elif verdict:
            yield events.IntentRejected(
                **self._place(),
                segment=segment.id,
                label=plain(verdict.label),
                score=verdict.score,
                reason=verdict.reason,
                runners_up=_plain_scores(verdict.runners_up),
            )

    def _detected(self, segment: _Segment, verdict: Detected, text: str, *, early: bool) -> Event:
        self._intents += 1
        return events.IntentDetected(
            **self._place(),
            segment=segment.id,
            label=plain(verdict.label),
            score=verdict.score,
            runners_up=_plain_scores(verdict.runners_up),
            early=early,
            words=text,
        )

    def _failure(self, error: Exception, failed: str = "The model failed") -> Event:
        what = f"{failed}: {error}".rstrip(": ")
        remedy = "Captions go on with the next words; 'edgevoice doctor' checks the model"
        if isinstance(error, EdgeVoiceError):
            what, remedy = error.what, error.remedy
        return events.Failed(**self._place(), what=plain(what), recoverable=True, remedy=plain(remedy))

    def _place(self) -> _Place:
        return {"channel": self._channel, "at": self._at()}

    def _at(self) -> float:
        return self._ring.end / SAMPLE_RATE

    def _latency(self) -> float:
        """Seconds since the newest audio reached this process."""
        return max(0.0, self._clock() - self._arrived)


@dataclasses.dataclass(slots=True)
class _Ahead:
    """The last pass of a segment that may be over."""

    last_pass: LastPass
    final: Final | None = None
    """What it gave, if it was run."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Over:
    """A segment that is over and whose last pass is still to be done, or was done ahead."""

    segment: _Segment
    last_pass: LastPass
    final: Final | None
    speech_end: int
    """Samples on the stream's clock."""
    announced: bool
    """Whether its intent was announced early."""
    audio_end: int
    """Samples on the stream's clock, up to which its audio is kept for the reader: a little of what follows too."""


@dataclasses.dataclass(slots=True)
class _Segment:
    """The open segment."""

    id: int
    start: int
    """16 kHz samples on the stream's clock."""
    voiced: int
    """Samples of speech heard."""
    before_s: float | None
    """Where the last word before it ended, in seconds; None if there is none."""
    audio: list[Array]
    """All of it, in pieces; for the reader."""
    updated: int = 0
    """Samples heard at the last update."""
    shown: tuple[str, str] = ("", "")
    """Stable and tentative text of the last caption."""
    broken: bool = False
    """Whether an update failed; there are no more updates then, only the final pass."""

    @property
    def speech_s(self) -> float:
        return self.voiced / SAMPLE_RATE


def _recogniser(model: Model, settings: Settings) -> Recogniser:
    """The one that suits the model."""
    if model.stream() is not None:
        return ChunkRecogniser(model)
    return WindowRecogniser(model, settings.asr, model.manifest)


def _style(manifest: Manifest, settings: Settings) -> Style | None:
    if not settings.captions.format:
        return None
    capitals = Spelling(manifest.vocabulary).case == "upper"
    return Style(pause_s=settings.captions.pause_s, english=is_english(manifest.language), capitals=capitals)


def _plain_words(words: tuple[Word, ...]) -> tuple[Word, ...]:
    cleaned = (dataclasses.replace(word, word=plain(word.word).strip()) for word in words)
    return tuple(word for word in cleaned if word.word)


def _plain_scores(scores: tuple[events.LabelScore, ...]) -> tuple[events.LabelScore, ...]:
    return tuple(dataclasses.replace(score, label=plain(score.label)) for score in scores)
