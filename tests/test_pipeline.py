"""The order of things: scripts for the edge cases, a real tiny model for whole runs."""

import dataclasses
import itertools
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edgevoice import pipeline as pipelines
from edgevoice.asr import session as sessions
from edgevoice.asr.decoder import greedy_decoder
from edgevoice.asr.model import AcousticModel, Encoding, load_model
from edgevoice.asr.opening import live_lengths
from edgevoice.asr.window_recogniser import WindowRecogniser
from edgevoice.audio.file import FileSource
from edgevoice.audio.pacing import PacedSource
from edgevoice.audio.source import Block, SourceChange
from edgevoice.config import AsrSettings, CaptionSettings, IntentSettings, Settings, VadSettings
from edgevoice.errors import AudioError, ModelAwayError, ModelError
from edgevoice.events import (
    AudioLost,
    CaptionFinished,
    CaptionUpdated,
    Event,
    Failed,
    InputSilent,
    IntentDetected,
    IntentRejected,
    LevelMeasured,
    PaceChanged,
    SpeechEnded,
    SpeechStarted,
    StreamEnded,
    StreamStarted,
    to_dict,
)
from edgevoice.pipeline import Pipeline
from edgevoice.recent import Ring, dbfs
from tests.pretended_gpu import CPU, CUDA, Runtime
from tests.tiny import LABELS, silence, speak, tiny_bundle

# words as they are recognised; how they are written has tests of its own
SETTINGS = Settings(asr=AsrSettings(provider="cpu", threads=1), captions=CaptionSettings(format=False))


class ScriptedSource:
    """Yields blocks; raises what is an exception; calls what can be called."""

    def __init__(self, script: list, channel: str = "mic", sample_rate: int = 16000, name: str = "script") -> None:
        self.script, self.channel, self.sample_rate, self.name = script, channel, sample_rate, name
        self.closed = False

    def blocks(self) -> Iterator[Block]:
        for item in self.script:
            if self.closed:
                return
            if isinstance(item, Exception):
                raise item
            if callable(item):
                item()
            else:
                yield item

    def close(self) -> None:
        self.closed = True


class ScriptedDetector:
    """Speech where the script says so, in seconds."""

    frame_samples = 320

    def __init__(self, *spans: tuple[float, float]) -> None:
        self.spans, self.heard = spans, 0

    def probability(self, frame: np.ndarray) -> float:
        assert frame.shape == (320,)
        assert np.isfinite(frame).all()
        assert np.abs(frame).max() <= 1
        middle = (self.heard + 0.5) * 0.02
        self.heard += 1
        return float(any(start <= middle < end for start, end in self.spans))

    def reset(self) -> None:
        self.heard = 0


class ScriptedModel:
    """One word every half second and one intent, whatever the audio; a script of failures by call."""

    frame_seconds, provider, note, heads, running = 0.02, "cpu", "", ("ctc", "intent"), ()
    reviser, reader_note = None, ""

    def __init__(self, manifest, failures: dict[int, Exception] | None = None) -> None:
        self.manifest, self.failures, self.calls = manifest, failures or {}, 0
        self.decoder = greedy_decoder(manifest)

    def stream(self) -> None:
        """It hears whole windows."""

    def front(self) -> None:
        """And has nothing to keep from one for the next."""

    def encode(self, samples: np.ndarray) -> Encoding:
        self.calls += 1
        if self.calls in self.failures:
            raise self.failures[self.calls]
        ids = np.zeros(len(samples) // 320, dtype=int)
        ids[10::25] = 1
        rows = np.full((len(ids), 6), -9.0, dtype=np.float32)
        rows[np.arange(len(ids)), ids] = 0
        return Encoding(rows, np.array([5.0, 0, 0, 0], dtype=np.float32))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {kind: tiny_bundle(folder / kind, kind) for kind in ("shared", "ctc", "intent")}


@pytest.fixture(scope="module")
def tiny(bundles) -> AcousticModel:
    return load_model(bundles["shared"], None, SETTINGS.asr)


def cut(samples: np.ndarray, size: int = 1600, **fields: float) -> list[Block]:
    return [Block(samples[start : start + size], **fields) for start in range(0, len(samples), size)]


def call(*sentences: str, pause: float = 0.8) -> np.ndarray:
    return np.concatenate([silence(0.5), *(part for text in sentences for part in (speak(text), silence(pause)))])


def run(script, model, detector=None, settings=SETTINGS, **source: object) -> list[Event]:
    return list(Pipeline(ScriptedSource(script, **source), model, settings, detector=detector).run())


def of(events: list[Event], *types: type[Event]) -> list:
    return [event for event in events if isinstance(event, types)]


def names(events: list[Event], without: tuple[type[Event], ...] = (LevelMeasured, CaptionUpdated)) -> list[str]:
    return [type(event).__name__ for event in events if not isinstance(event, without)]


def timeless(events: list[Event]) -> list[dict]:
    return [{key: value for key, value in to_dict(event).items() if key != "latency"} for event in events]


# whole runs with the real detector and a real, tiny model


def test_a_call_becomes_captions_and_intents(tiny):
    events = run(cut(call("one two two four", "three three")), tiny)
    assert [event.text for event in of(events, CaptionFinished)] == ["one two two four", "three three"]
    assert [event.label for event in of(events, IntentDetected)] == ["pay", "stop"]
    started, ended = events[0], events[-1]
    assert (started.model, started.provider, started.labels) == ("tiny-shared", "cpu", LABELS)
    assert (ended.segments, ended.words, ended.intents, ended.lost) == (2, 6, 2, 0)
    assert ended.duration == pytest.approx(len(call("one two two four", "three three")) / 16000)


def test_the_order_of_events(tiny):
    segment = ["SpeechStarted", "IntentDetected", "SpeechEnded", "CaptionFinished"]
    events = run(cut(call("two two two two two", "one one one one one")), tiny)
    assert names(events) == ["StreamStarted", *segment, *segment, "StreamEnded"]
    assert all(event.early for event in of(events, IntentDetected))


def test_captions_are_written_with_capitals_and_words_are_not(tiny):
    """A second caption begins a sentence after a pause, and goes on with one without; stable text stays as it is."""
    settings = dataclasses.replace(SETTINGS, captions=CaptionSettings(pause_s=1.0))
    samples = np.concatenate([call("one two four"), call("three three", pause=0.2), silence(1.5), speak("two two")])
    events = run(cut(np.concatenate([samples, silence(1)])), tiny, settings=settings)
    finished = of(events, CaptionFinished)
    assert [caption.text for caption in finished] == ["One two four", "Three three", "Two two"]
    assert [word.word for word in finished[0].words] == ["one", "two", "four"]
    assert all(event.words == event.words.lower() for event in of(events, IntentDetected))
    texts = {caption.segment: caption.text for caption in finished}
    stable: dict[int, str] = {}
    for update in of(events, CaptionUpdated):
        assert update.stable.startswith(stable.get(update.segment, ""))
        assert texts[update.segment].startswith(update.stable)
        stable[update.segment] = update.stable
    slow = dataclasses.replace(SETTINGS, captions=CaptionSettings(pause_s=10.0))
    going_on = of(run(cut(np.concatenate([samples, silence(1)])), tiny, settings=slow), CaptionFinished)
    assert [caption.text for caption in going_on] == ["One two four", "three three", "two two"]


def test_a_pause_within_a_caption_begins_a_line(tiny):
    settings = dataclasses.replace(
        SETTINGS, vad=VadSettings(hangover_s=2.0), captions=CaptionSettings(format=True, pause_s=0.8)
    )
    samples = np.concatenate([silence(0.5), speak("one two"), silence(1.2), speak("four"), silence(3)])
    events = run(cut(samples), tiny, settings=settings)
    assert [caption.text for caption in of(events, CaptionFinished)] == ["One two\nFour"]
    updates = of(events, CaptionUpdated)
    assert any((update.stable, update.tentative) == ("One two", "Four") for update in updates)
    assert not any("\n" in update.tentative for update in updates)


def test_stable_text_only_grows_and_the_final_text_begins_with_it(tiny):
    events = run(cut(call("one two three four " * 5, "four three two one " * 4)), tiny)
    stable: dict[int, str] = {}
    for event in of(events, CaptionUpdated):
        assert event.stable.startswith(stable.get(event.segment, ""))
        stable[event.segment] = event.stable
    for event in of(events, CaptionFinished):
        assert event.text.startswith(stable[event.segment])
    assert stable[1].count("one") >= 4


def test_time_never_runs_backwards(tiny):
    times = [event.at for event in run(cut(call("one two", "three")), tiny)]
    assert times == sorted(times)


def test_words_lie_within_their_segments_in_order(tiny):
    for event in of(run(cut(call("one two three")), tiny), CaptionFinished):
        edges = [edge for word in event.words for edge in (word.start, word.end)]
        assert edges == sorted(edges)
        assert event.start <= edges[0]
        assert edges[-1] <= event.end + 0.05


def test_intents_below_the_threshold_and_none_are_rejected(tiny):
    strict = dataclasses.replace(SETTINGS, intent=IntentSettings(threshold=0.99999))
    (rejected,) = of(run(cut(call("one two three")), tiny, settings=strict), IntentRejected)
    assert (rejected.reason, len(rejected.runners_up)) == ("below threshold", 3)
    (rejected,) = of(run(cut(call("four four four")), tiny), IntentRejected)
    assert (rejected.label, rejected.reason) == ("none", "none")


@pytest.mark.parametrize("size", [1, 7, 319, 320, 1600, 100_000])
def test_the_size_of_blocks_changes_nothing(tiny, size):
    samples = call("one two")[:24000]
    assert timeless(run(cut(samples, size), tiny)) == timeless(run(cut(samples, 4000), tiny))


def test_other_sample_rates_are_resampled(tiny):
    import soxr

    for rate in (8000, 44100, 48000):
        samples = soxr.resample(call("one two three"), 16000, rate).astype(np.float32)
        events = run(cut(samples, rate // 10), tiny, sample_rate=rate)
        assert [event.text for event in of(events, CaptionFinished)] == ["one two three"]


def test_a_paced_file_gives_the_same_events(tiny, tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", call("one two", "three"), 16000, subtype="FLOAT")
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    paced = PacedSource(FileSource(tmp_path / "a.wav"), clock=lambda: now[0], sleep=sleep)
    fast = list(Pipeline(FileSource(tmp_path / "a.wav"), tiny, SETTINGS).run())
    slow = list(Pipeline(paced, tiny, SETTINGS, clock=lambda: now[0]).run())
    assert timeless(fast) == timeless(slow)


@pytest.mark.parametrize("kind", ["ctc", "intent"])
def test_a_model_of_one_head_says_what_it_can(bundles, kind):
    events = run(cut(call("two two two")), load_model(bundles[kind], None, SETTINGS.asr))
    captions, intents = of(events, CaptionFinished, CaptionUpdated), of(events, IntentDetected, IntentRejected)
    assert (bool(captions), bool(intents)) == (kind == "ctc", kind == "intent")


def test_two_models_work_together(bundles):
    model = load_model(bundles["ctc"], bundles["intent"], SETTINGS.asr)
    events = run(cut(call("two two two")), model)
    assert [event.text for event in of(events, CaptionFinished)] == ["two two two"]
    assert [event.label for event in of(events, IntentDetected)] == ["pay"]


def test_speech_longer_than_the_maximum_loses_and_doubles_nothing(tiny):
    spoken = ("one two three four " * 20).strip()
    events = run(cut(np.concatenate([silence(0.5), speak(spoken, gap_s=0.14), silence(1)])), tiny)
    assert len(of(events, SpeechStarted)) > 1
    assert " ".join(event.text for event in of(events, CaptionFinished)) == spoken


def test_broken_samples_break_nothing(tiny):
    broken = call("one two", "three")
    broken[:400] = np.nan
    broken[20000:20200] = np.inf
    broken[-300:] = 1e30
    events = run(cut(broken), tiny)
    assert of(events, Failed) == []
    assert of(events, CaptionFinished)[-1].text == "three"
    assert all(np.isfinite([event.dbfs, event.peak]).all() for event in of(events, LevelMeasured))


# scripts


def test_no_audio_at_all(tiny):
    assert names(run([], tiny)) == ["StreamStarted", "StreamEnded"]


def test_silence_has_levels_and_no_segments(tiny):
    events = run(cut(np.zeros(32000, dtype=np.float32)), tiny)
    assert names(events) == ["StreamStarted", "StreamEnded"]
    levels = of(events, LevelMeasured)
    assert len(levels) == 20
    assert {event.dbfs for event in levels} == {-120.0}


def test_levels_are_those_of_the_audio(tiny):
    wave = np.sin(2 * np.pi * 440 * np.arange(3200) / 16000).astype(np.float32) / 2
    level = of(run(cut(wave), tiny, ScriptedDetector((0.0, 0.06))), LevelMeasured)
    assert [event.speech for event in level] == [1.0, 0.0]
    assert level[0].dbfs == pytest.approx(-9.03, abs=0.05)
    assert level[0].peak == pytest.approx(0.5, abs=0.01)


def test_an_open_segment_is_finished_at_the_end(tiny):
    events = run(cut(call("one two", pause=0.0)), tiny)
    assert names(events)[-4:-1] == ["SpeechEnded", "CaptionFinished", "IntentDetected"]
    assert of(events, CaptionFinished)[0].text == "one two"


def test_the_last_samples_belong_to_the_open_segment(tiny):
    """A recording that ends in the middle of a detector frame, and of a word."""
    model = ScriptedModel(tiny.manifest)
    heard = []
    encode = model.encode
    model.encode = lambda samples: (heard.append(len(samples)), encode(samples))[1]
    (caption,) = of(run(cut(silence(2.015)), model, ScriptedDetector((0.0, 3.0))), CaptionFinished)
    assert caption.end == pytest.approx(2.015)
    assert heard[-1] == round(2.015 * 16000)


def test_the_preroll_belongs_to_the_segment(tiny):
    events = run(cut(call("one two")), tiny, ScriptedDetector((0.8, 1.4)))
    (started,) = of(events, SpeechStarted)
    assert started.start == pytest.approx(0.8 - SETTINGS.vad.preroll_s)
    assert of(events, CaptionFinished)[0].text == "one two"


def test_lost_audio_is_told_and_counted(tiny):
    blocks = cut(silence(0.3))
    blocks[1] = dataclasses.replace(blocks[1], lost=1.5, lost_where="queue full")
    events = run(blocks, tiny)
    (lost,) = of(events, AudioLost)
    assert (lost.seconds, lost.where, lost.at) == (1.5, "queue full", pytest.approx(0.1))
    assert events[-1].lost == 1.5


def test_a_source_that_breaks_ends_the_stream_after_the_open_segment(tiny):
    error = AudioError("The microphone is gone", "Plug it in")
    source = ScriptedSource([*cut(call("one two", pause=0.0)), error])
    pipeline = Pipeline(source, tiny, SETTINGS)
    events = list(pipeline.run())
    assert names(events)[-4:] == ["CaptionFinished", "IntentDetected", "Failed", "StreamEnded"]
    assert (events[-2].what, events[-2].remedy, events[-2].recoverable) == (
        "The microphone is gone",
        "Plug it in",
        False,
    )
    assert (pipeline.failed, source.closed) == (error, True)


def test_stop_finishes_what_was_heard(tiny):
    blocks = cut(call("one two", "three three"))
    source = ScriptedSource([])
    pipeline = Pipeline(source, tiny, SETTINGS)
    source.script = [*blocks[:12], pipeline.stop, *blocks[12:]]
    events = list(pipeline.run())
    assert names(events)[-1] == "StreamEnded"
    assert of(events, CaptionFinished)[0].text == "one two"
    assert of(events, LevelMeasured)[-1].at <= 1.3
    pipeline.stop()


def test_a_pause_ends_the_sentence(tiny):
    """What was said is final while the pause lasts, not when it is over; what follows is a sentence of its own."""
    before, after = np.concatenate([silence(0.5), speak("one two")]), speak("three")
    events = run([*cut(before), Block(np.zeros(0, np.float32), pause=True), *cut(after)], tiny)
    first, second = of(events, CaptionFinished)
    assert (first.text, second.text) == ("one two", "three")
    assert first.at == pytest.approx(len(before) / 16000, abs=0.02)
    assert second.start >= first.end


def test_a_consumer_that_leaves_closes_the_source(tiny):
    source = ScriptedSource(cut(silence(1)))
    events = Pipeline(source, tiny, SETTINGS).run()
    next(events), next(events)
    events.close()
    assert source.closed


def test_a_failing_update_is_told_once_and_the_final_still_comes(tiny):
    model = ScriptedModel(tiny.manifest, {2: ModelError("CUDA is gone", "Restart"), 3: ValueError("never called")})
    model.failures.pop(3)
    events = run(cut(silence(5)), model, ScriptedDetector((0.5, 3.5)))
    (failed,) = of(events, Failed)
    assert (failed.what, failed.remedy, failed.recoverable) == ("CUDA is gone", "Restart", True)
    (caption,) = of(events, CaptionFinished)
    assert caption.text
    assert model.calls == 3


def test_a_failing_final_pass_still_shows_the_words_so_far(tiny):
    model = ScriptedModel(tiny.manifest)
    updates = len(of(run(cut(silence(5)), model, ScriptedDetector((0.5, 3.5))), CaptionUpdated))
    calls = model.calls  # the last of them looked ahead, and what fails there is tried again
    model = ScriptedModel(tiny.manifest, {calls: RuntimeError("early"), calls + 1: RuntimeError("boom")})
    events = run(cut(silence(5)), model, ScriptedDetector((0.5, 3.5)))
    (failed,), (caption,) = of(events, Failed), of(events, CaptionFinished)
    assert updates
    assert (failed.what, failed.recoverable) == ("The model failed: boom", True)
    last = of(events, CaptionUpdated)[-1]
    assert caption.text == f"{last.stable} {last.tentative}".strip()


def test_the_next_segment_tries_again(tiny):
    model = ScriptedModel(tiny.manifest, {1: RuntimeError()})
    events = run(cut(silence(7)), model, ScriptedDetector((0.5, 2.0), (3.5, 5.5)))
    assert {event.segment for event in of(events, CaptionUpdated)} == {2}
    assert of(events, Failed)[0].what == "The model failed"


class ModelElsewhere(ScriptedModel):
    """A model that is away for some time; `waits` counts who waited for it."""

    def __init__(self, manifest) -> None:
        super().__init__(manifest)
        self.away, self.waits = False, 0

    def encode(self, samples: np.ndarray) -> Encoding:
        encoding = super().encode(samples)
        if self.away:
            raise ModelAwayError("It went away", "Wait", self.wait)
        return encoding

    def leave(self) -> None:
        self.away = True

    def come_back(self) -> None:
        self.away = False

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        return not self.away


def test_who_stopped_the_stream_asks_a_model_that_is_away_no_more(tiny):
    """Each question may take as long as a server may take to answer."""
    model, source = ModelElsewhere(tiny.manifest), ScriptedSource([])
    pipeline = Pipeline(source, model, SETTINGS, detector=ScriptedDetector((0.5, 1.5), (2.5, 3.5), (4.5, 9.0)))
    source.script = [model.leave, *cut(silence(6)), lambda: setattr(model, "calls", 0), pipeline.stop]
    events = list(pipeline.run())
    assert len(of(events, CaptionFinished)) == 3
    assert (model.calls, model.waits) == (0, 0)
    assert len(of(events, Failed)) == 1


def test_a_stream_that_can_keep_no_more_goes_on_listening(tiny, monkeypatch):
    """A microphone does not wait: the oldest segment has to do with the words so far, the others wait on."""
    monkeypatch.setattr(pipelines, "KEPT_S", 4.0)
    monkeypatch.setattr(pipelines, "PATIENCE_S", 2.0)
    model, now, waits = ModelElsewhere(tiny.manifest), [100.0], []

    class Live(ScriptedSource):
        def blocks(self) -> Iterator[Block]:
            for block in super().blocks():
                now[0] += len(block.samples) / 16000
                yield dataclasses.replace(block, arrived=now[0])

    blocks = cut(silence(12))
    script = [
        *blocks[:15],
        model.leave,
        *blocks[15:95],
        lambda: waits.append(model.waits),
        model.come_back,
        *blocks[95:],
    ]
    spans = [(start, start + 1.5) for start in (0.5, 3.0, 5.5, 8.0)]
    pipeline = Pipeline(Live(script), model, SETTINGS, detector=ScriptedDetector(*spans), clock=lambda: now[0])
    finals = of(list(pipeline.run()), CaptionFinished)
    assert waits == [0]
    assert [final.segment for final in finals] == [1, 2, 3, 4]
    assert [len(final.words) for final in finals] == [3, 0, 4, 4]  # 3 had been shown before
    assert finals[0].at < 8 < finals[2].at


def test_a_recording_waits_rather_than_lose_words(tiny, monkeypatch):
    """It is read far faster than it was spoken, so that everything that can be kept comes within seconds."""
    monkeypatch.setattr(pipelines, "KEPT_S", 4.0)
    monkeypatch.setattr(pipelines, "PATIENCE_S", 2.0)

    class Returning(ModelElsewhere):
        def wait(self, seconds: float) -> bool:
            self.away = self.away and self.waits < 2
            return super().wait(seconds)

    model = Returning(tiny.manifest)
    spans = [(start, start + 1.5) for start in (0.5, 3.0, 5.5, 8.0)]
    events = run([model.leave, *cut(silence(12))], model, ScriptedDetector(*spans))
    assert model.waits == 3
    assert [len(final.words) for final in of(events, CaptionFinished)] == [4] * 4


def lagging(samples: np.ndarray, lag: float, model) -> list[Event]:
    """A run in which every block reaches the pipeline `lag` seconds after it arrived."""
    source = ScriptedSource(cut(samples, arrived=100.0))
    return list(
        Pipeline(source, model, SETTINGS, detector=ScriptedDetector((0.5, 3.5)), clock=lambda: 100.0 + lag).run()
    )


def test_who_is_late_skips_partials_and_never_finals(tiny):
    punctual, late = (lagging(silence(5), lag, ScriptedModel(tiny.manifest)) for lag in (0.6, 0.7))
    assert of(punctual, CaptionUpdated)
    assert of(late, CaptionUpdated) == []
    assert all(event.text for event in of(late, CaptionFinished))
    assert len(of(late, CaptionFinished, IntentDetected)) == len(of(punctual, CaptionFinished, IntentDetected)) == 2


def test_a_source_that_waits_is_never_late_however_slow_the_model(tiny):
    now = [100.0]

    class Slow(ScriptedModel):
        def encode(self, samples: np.ndarray) -> Encoding:
            now[0] += 5.0
            return super().encode(samples)

    class Pulled(ScriptedSource):
        def blocks(self) -> Iterator[Block]:
            for block in super().blocks():
                yield dataclasses.replace(block, arrived=now[0])

    pipeline = Pipeline(
        Pulled(cut(silence(5))),
        Slow(tiny.manifest),
        SETTINGS,
        detector=ScriptedDetector((0.5, 3.5)),
        clock=lambda: now[0],
    )
    events = list(pipeline.run())
    assert len(of(events, CaptionUpdated)) > 3
    assert of(events, PaceChanged) == []


class Burdened:
    """A real model on a machine whose clock runs on by `cost` seconds at every pass, until `busy_until`."""

    def __init__(self, model: AcousticModel, now: list[float], cost: float, busy_until: float) -> None:
        self._model, self._now, self._cost, self._until = model, now, cost, busy_until

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def encode(self, samples: np.ndarray) -> Encoding:
        self._work()
        return self._model.encode(samples)

    def stream(self) -> object:
        stream = self._model.stream()
        if stream:
            for name in ("advance", "rest"):
                step = getattr(stream, name)
                setattr(stream, name, lambda *given, step=step: (self._work(), step(*given))[1])
        return stream

    def _work(self) -> None:
        self._now[0] += self._cost if self._now[0] < self._until else 0.02


def burdened(samples: np.ndarray, model: AcousticModel, cost: float, busy_until: float) -> list[Event]:
    """A run in real time, on that clock."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    source = PacedSource(ScriptedSource(cut(samples, 320)), clock=lambda: now[0], sleep=sleep)
    loaded = Burdened(model, now, cost, busy_until)
    return list(Pipeline(source, loaded, SETTINGS, clock=lambda: now[0]).run())


@pytest.fixture(scope="module")
def tiny_in_chunks(tmp_path_factory) -> AcousticModel:
    bundle = tiny_bundle(tmp_path_factory.mktemp("bundles") / "chunked", chunks=(8, 16))
    return load_model(bundle, None, SETTINGS.asr)


@pytest.mark.parametrize("which", ["tiny", "tiny_in_chunks"])
@pytest.mark.parametrize("cost", [0.5, 0.9, 2.0])
def test_a_machine_that_cannot_keep_up_updates_less_often_and_loses_no_word(request, which, cost):
    """Real audio through a real model: finals as ever; the pace falls step by step, and is as it was once it can be."""
    tiny = request.getfixturevalue(which)
    sentences = ["one two three four one two", "four three two one", "two two one one three"] * 6
    samples = call(*sentences)
    events = burdened(samples, tiny, cost, busy_until=20.0)
    assert [event.text for event in of(events, CaptionFinished)] == sentences
    told = of(events, PaceChanged)
    hops = [round(event.hop / SETTINGS.asr.hop_s) for event in told]
    assert hops[0] == 2
    assert max(hops) >= min(8, cost / SETTINGS.asr.hop_s)
    assert all(now in (before, 2 * before, before / 2) for before, now in itertools.pairwise(hops))
    assert [event.keeping_up for event in told] == [hop == 1 for hop in hops]
    assert told[0].behind > 2 * SETTINGS.asr.hop_s
    assert (hops[-1], told[-1].behind) == (1, pytest.approx(0, abs=0.1))
    busy = [event for event in of(events, CaptionUpdated) if event.at < 20]
    free = [event for event in of(events, CaptionUpdated) if event.at > told[-1].at]
    assert 0 < len(busy) / 20 < len(free) / (len(samples) / 16000 - told[-1].at)


def test_a_machine_that_keeps_up_never_speaks_of_it(tiny):
    assert of(burdened(call("one two three", "four"), tiny, 0.2, 99), PaceChanged) == []


def test_latencies_count_the_clock_and_the_hangover(tiny):
    events = lagging(silence(5), 0.25, ScriptedModel(tiny.manifest))
    assert {event.latency for event in of(events, CaptionUpdated)} == {0.25}
    (caption,) = of(events, CaptionFinished)
    speech_end = caption.end - 0.2  # a little of the silence belongs to the segment
    assert caption.latency == pytest.approx(0.25 + caption.at - speech_end)


def test_the_last_pass_is_done_before_the_hangover_is_over(tiny):
    """As soon as all that belongs to the segment was heard; the caption is finished without another one."""
    lengths: list[tuple[float, int]] = []

    class Noted(ScriptedModel):
        def encode(self, samples: np.ndarray) -> Encoding:
            lengths.append((heard[-1], len(samples)))
            return super().encode(samples)

    heard = [0.0]
    source = ScriptedSource(
        [each for block in cut(silence(5), 320) for each in (block, lambda: heard.append(heard[-1] + 0.02))]
    )
    events = list(Pipeline(source, Noted(tiny.manifest), SETTINGS, detector=ScriptedDetector((0.5, 3.4))).run())
    (caption,) = of(events, CaptionFinished)
    assert caption.at == 3.9
    assert lengths[-1] == (pytest.approx(3.6, abs=0.021), round((3.6 - caption.start) * 16000))


def test_a_pass_ahead_is_thrown_away_if_speech_goes_on(tiny):
    """A pause shorter than the hangover: the words are those of the whole segment, said once."""
    samples = call("one two", "three four", pause=0.4)
    model = ScriptedModel(tiny.manifest)
    (caption,) = of(run(cut(samples), tiny), CaptionFinished)
    assert caption.text == "one two three four"
    events = run(cut(silence(6)), model, ScriptedDetector((0.5, 2.0), (2.4, 4.0)))
    (caption,) = of(events, CaptionFinished)
    assert caption.end == 4.2
    assert [event.at for event in of(events, CaptionUpdated) if 2.0 < event.at < 2.4]


@given(gap=st.floats(0.02, 0.6), size=st.integers(100, 3000))
@hypothesis_settings(max_examples=15, deadline=None)
def test_looking_ahead_changes_no_final(tiny, gap, size):
    """Wherever a speaker pauses: the same captions as without a pass ahead."""
    samples = np.concatenate([silence(0.5), speak("one two two"), silence(gap), speak("three one"), silence(1)])

    class Never(Pipeline):
        def _look_ahead(self, *_: object) -> Iterator[Event]:
            return iter(())

    blocks = cut(samples, size)
    found, expected = (list(kind(ScriptedSource(blocks), tiny, SETTINGS).run()) for kind in (Pipeline, Never))
    assert [(e.text, e.words, e.end) for e in of(found, CaptionFinished)] == [
        (e.text, e.words, e.end) for e in of(expected, CaptionFinished)
    ]


def test_control_characters_reach_no_event(bundles, tmp_path):
    nasty = "\x1b]0;title\x07\u202e"
    vocabulary = ("", f" o{nasty}ne", " two", " three", " four", "")
    bundle = tiny_bundle(tmp_path, vocabulary=vocabulary, labels=(f"gr{nasty}eet", "pay", "stop", "none"), name=nasty)
    events = run(cut(call("one one one")), AcousticModel(bundle, SETTINGS.asr), name=nasty, channel=nasty)
    text = repr([to_dict(event) for event in events])
    assert of(events, CaptionFinished)[0].text == " ".join(["o]0;titlene"] * 3)
    assert not {"\\x1b", "\\x07", "\\u202e"} & {text[i : i + size] for size in (4, 6) for i in range(len(text))}


def test_unchanged_captions_are_not_repeated(tiny):
    captions = of(run(cut(call("one two")), tiny), CaptionUpdated)
    assert len({(event.stable, event.tentative) for event in captions}) == len(captions)


def test_the_cooldown_reaches_across_segments(tiny):
    settings = dataclasses.replace(SETTINGS, intent=IntentSettings(cooldown_s=60))
    events = run(cut(call("two two two", "two two two")), tiny, settings=settings)
    assert names(of(events, IntentDetected, IntentRejected)) == ["IntentDetected", "IntentRejected"]
    assert of(events, IntentRejected)[0].reason == "cooldown"


# what is remembered of the newest audio


def test_the_ring_keeps_what_it_promises_and_little_more():
    ring = Ring(1000)
    for start in range(0, 10_000, 320):
        ring.add(np.arange(start, start + 320, dtype=np.float32))
    start, audio = ring.since(ring.end - 1000)
    assert (start, audio[0], len(audio)) == (ring.end - 1000, start, 1000)
    start, audio = ring.since(0)
    assert audio[0] == start
    assert len(audio) < 1000 + 320
    assert len(ring.since(ring.end)[1]) == 0


def test_decibels_of_full_scale():
    assert dbfs(np.ones(10, dtype=np.float32)) == 0
    assert dbfs(np.zeros(10, dtype=np.float32)) == -120
    assert dbfs(np.full(10, 1e-9, dtype=np.float32)) == -120


def test_every_event_type_of_the_stream_is_seen(tiny):
    started = of(run(cut(call("one two")), tiny), StreamStarted, SpeechStarted, SpeechEnded, StreamEnded)
    assert [type(event) for event in started] == [StreamStarted, SpeechStarted, SpeechEnded, StreamEnded]


@pytest.mark.parametrize("after", [0, 4, 9])
def test_a_gpu_that_is_lost_costs_no_word(tmp_path, monkeypatch, after):
    """Wherever it fails, the same audio is run again on the CPU, and that is said once."""
    bundle = tiny_bundle(tmp_path)
    samples = np.concatenate([silence(0.4), speak("one two"), silence(1.2), speak("two two one"), silence(0.9)])

    def captions(model: AcousticModel) -> tuple[list[Event], list[str]]:
        source = ScriptedSource([Block(each) for each in np.array_split(samples, 40)])
        events = list(Pipeline(source, model, SETTINGS).run())
        return events, [event.text for event in events if isinstance(event, CaptionFinished)]

    _, expected = captions(load_model(bundle, None, SETTINGS.asr))
    assert len(expected) == 2
    gpu = Runtime([CUDA, CPU], [CUDA, CPU])
    monkeypatch.setattr(sessions, "_runtime", lambda: gpu)
    model = load_model(bundle, None, dataclasses.replace(SETTINGS.asr, provider="cuda"))
    gpu.left = after
    events, found = captions(model)
    assert found == expected
    failures = [event for event in events if isinstance(event, Failed)]
    assert [event.recoverable for event in failures] == [True]
    assert "CUDA failure 700" in failures[0].what
    assert "on cpu" in failures[0].remedy
    assert (model.provider, model.precision) == ("cpu", "fp32")


@pytest.fixture
def on_gpu(monkeypatch):
    """Makes a model on a GPU that is none."""

    def load(bundle, intents=None, **options: object) -> tuple[AcousticModel, Runtime]:
        gpu = Runtime([CUDA, CPU], [CUDA, CPU], **options)
        monkeypatch.setattr(sessions, "_runtime", lambda: gpu)
        return load_model(bundle, intents, dataclasses.replace(SETTINGS.asr, provider="cuda")), gpu

    return load


@pytest.fixture
def partials(monkeypatch) -> list[int]:
    """How many samples each partial pass decodes."""
    found: list[int] = []
    update = WindowRecogniser.update

    def noted(self) -> object:
        encode = self._model.encode
        with monkeypatch.context() as patch:
            patch.setattr(self._model, "encode", lambda samples: (found.append(len(samples)), encode(samples))[1])
            return update(self)

    monkeypatch.setattr(WindowRecogniser, "update", noted)
    return found


def threaded(work) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("where", [lambda work: work(), threaded], ids=["here", "in a thread"])
def test_every_partial_pass_is_replayed_on_a_gpu_and_no_final_one(bundles, on_gpu, partials, where):
    """Also in another thread than the one that loaded the model, as on the screen."""
    model, gpu = on_gpu(bundles["shared"])
    gpu.runs.clear()
    samples = call("one two two four one three one one two", "three three", "one")
    events: list[Event] = []
    where(lambda: events.extend(run(cut(samples), model)))
    finals = of(events, CaptionFinished)
    assert len(finals) == 3
    assert set(partials) <= set(live_lengths(model.manifest, SETTINGS.asr.hop_s, 560))
    assert len(partials) > 12
    hows = [each.how for each in gpu.runs]
    assert hows.count("replayed") == len(partials)
    assert hows.count("copied") == len(finals)
    assert hows.count("recorded") <= len(set(partials))
    assert model.provider == "cuda"


def test_a_recording_that_fails_costs_the_graphs_and_not_the_gpu(bundles, on_gpu):
    """Three succeed: two at the start, one in mid-speech."""
    samples = call("one two two four one three", "three three")
    model, gpu = on_gpu(bundles["shared"], recordings=3)
    gpu.runs.clear()
    events = run(cut(samples), model)
    assert [each.text for each in of(events, CaptionFinished)] == ["one two two four one three", "three three"]
    assert not of(events, Failed)
    assert model.provider == "cuda"
    hows = [each.how for each in gpu.runs]
    assert hows[-3:].count("bound") == 2  # and the last pass
    assert hows.count("recorded") == 1


def test_the_loss_of_each_graph_is_told_once(bundles, on_gpu):
    """Captions and intents have one each; what is lost is named, and what still runs where."""
    model, gpu = on_gpu(bundles["ctc"], bundles["intent"])
    assert model.provider == "cuda"

    blocks = cut(call("one one one one", "two two two two", "one two"))
    script = [
        *blocks[:15],
        lambda: setattr(gpu, "lost", "/intent/"),
        *blocks[15:35],
        lambda: setattr(gpu, "lost", "/"),
        *blocks[35:],
    ]
    events = run(script, model)
    assert [(each.recoverable, each.remedy.partition(",")[0]) for each in of(events, Failed)] == [
        (True, "Intents go on on cpu"),
        (True, "Captions go on on cpu"),
    ]
    assert all("out of memory" in each.what for each in of(events, Failed))
    assert len(of(events, CaptionFinished)) == 3
    assert model.provider == "cpu"


def test_a_model_of_which_a_part_is_lost_says_so(bundles, on_gpu):
    model, gpu = on_gpu(bundles["ctc"], bundles["intent"])
    gpu.lost = "/intent/"
    run(cut(call("one one")), model)
    assert model.provider == "cuda+cpu"


def test_a_silent_microphone_is_pointed_out_and_taken_back(tiny):
    """Once, after ten seconds, with the way out; captions go on."""
    heard = run(cut(np.concatenate([np.zeros(12 * 16_000, np.float32), call("one one")])), tiny, name="Desk\x1b mic")
    silent, back = of(heard, InputSilent)
    assert (silent.silent, round(silent.at)) == (True, 10)
    assert silent.what == "The microphone 'Desk mic' is silent: is it muted?"
    assert "edgevoice devices" in silent.remedy
    assert (back.silent, back.remedy) == (False, "")
    assert [caption.text for caption in of(heard, CaptionFinished)] == ["one one"]


def test_silence_in_a_recording_is_the_recordings(tiny):
    """Nobody can unmute it."""
    assert of(run(cut(np.zeros(12 * 16_000, np.float32)), tiny, channel="file"), InputSilent) == []


def test_a_device_that_is_waited_for_is_not_called_silent(tiny):
    """There is silence in its place, and it was told of."""
    away = cut(np.zeros(15 * 16_000, np.float32))
    away[0] = dataclasses.replace(away[0], change=SourceChange("desk", waiting=True, what="It has gone"))
    back = cut(np.zeros(11 * 16_000, np.float32))
    back[0] = dataclasses.replace(back[0], change=SourceChange("desk", waiting=False))
    silent = of(run([*cut(call("one")), *away, *back], tiny), InputSilent)
    assert [event.silent for event in silent] == [True]
    assert silent[0].at > 25
