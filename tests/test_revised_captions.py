"""Captions that are read once more, through the pipeline: a tiny real model, and readers that follow a script."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from edgevoice import pipeline as pipelines
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.asr.revision import NOTHING_SAID, Revision, Sentence
from edgevoice.audio.source import Block
from edgevoice.config import AsrSettings, CaptionSettings, IntentSettings, Settings
from edgevoice.events import (
    CaptionFinished,
    CaptionRevised,
    CaptionUpdated,
    Event,
    Failed,
    IntentDetected,
    Recovered,
    StreamEnded,
    StreamStarted,
    Word,
)
from edgevoice.pipeline import Pipeline
from edgevoice.second_pass import SecondPass
from edgevoice.streams import Streams
from tests.tiny import silence, speak, tiny_bundle

SETTINGS = Settings(asr=AsrSettings(provider="cpu", threads=1), captions=CaptionSettings(pause_s=0.8))
Rule = Callable[[Sentence], Revision | None]


class Reviser:
    """Makes of every sentence what a rule says, when it is let."""

    name = "scripted"
    batches = False

    def __init__(self, rule: Rule, *, waits: bool = False) -> None:
        self.rule, self.seen = rule, []
        self.free = threading.Event()
        if not waits:
            self.free.set()

    def revise(self, sentences: Sequence[Sentence]) -> list[Revision | None]:
        assert self.free.wait(20)
        self.seen += sentences
        return [self.rule(each) for each in sentences]


def shouted(sentence: Sentence) -> Revision:
    words = [dataclasses.replace(word, word=f"{word.word.upper()}!") for word in sentence.words]
    return Revision(tuple(words), 0.75)


class Source:
    """Blocks of samples, or calls in between; as fast as they are taken, or as a microphone would."""

    def __init__(self, script: Sequence[Block | Callable[[], object]], channel: str = "mic") -> None:
        self.script, self.channel, self.name, self.sample_rate = script, channel, "script", 16_000
        self.closed = False

    def blocks(self) -> Iterator[Block]:
        for item in self.script:
            if self.closed:
                return
            if isinstance(item, Block):
                yield item
            else:
                item()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module", params=[(), (16,)], ids=["window", "chunks"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AcousticModel:
    return load_model(tiny_bundle(tmp_path_factory.mktemp("bundle"), chunks=request.param), None, SETTINGS.asr)


@pytest.fixture(autouse=True)
def without_reader(model: AcousticModel) -> Iterator[None]:
    yield
    model.reviser, model.reader_note = None, ""


def talk(*sentences: str, pause: float = 0.8) -> np.ndarray:
    return np.concatenate([silence(0.5), *(part for text in sentences for part in (speak(text), silence(pause)))])


def blocks(samples: np.ndarray, size: int = 1600) -> list[Block]:
    return [Block(samples[start : start + size]) for start in range(0, len(samples), size)]


def run(model: AcousticModel, script: Sequence[Block | Callable[[], object]], settings: Settings = SETTINGS) -> list:
    return list(Pipeline(Source(script), model, settings).run())


def of(events: list[Event], *types: type[Event]) -> list:
    return [event for event in events if isinstance(event, types)]


def test_every_sentence_is_revised_once_and_before_the_end(model: AcousticModel) -> None:
    model.reviser = Reviser(shouted)  # type: ignore[assignment]
    events = run(model, blocks(talk("one two", "three four")))
    finished, revised = of(events, CaptionFinished), of(events, CaptionRevised)
    assert of(events, StreamStarted)[0].reader == "scripted"
    assert [each.text for each in revised] == ["ONE! TWO!", "THREE! FOUR!"]
    assert [each.segment for each in revised] == [each.segment for each in finished]
    assert [(each.start, each.end) for each in revised] == [(each.start, each.end) for each in finished]
    assert {(each.reader, each.confidence) for each in revised} == {("scripted", 0.75)}
    assert all(each.latency >= 0 for each in revised)
    assert isinstance(events[-1], StreamEnded)
    for one, other in zip(finished, revised, strict=True):
        assert events.index(one) < events.index(other)
        assert one.at <= other.at


def test_the_reader_is_given_what_was_heard(model: AcousticModel) -> None:
    reviser = model.reviser = Reviser(shouted)  # type: ignore[assignment]
    samples = talk("one two three")
    (finished,) = of(run(model, blocks(samples)), CaptionFinished)
    (sentence,) = reviser.seen
    start = round(finished.start * 16_000)
    np.testing.assert_allclose(sentence.audio, samples[start : start + len(sentence.audio)], atol=1e-6)
    after = start + len(sentence.audio) - round(finished.end * 16_000)
    assert 0.2 * 16_000 <= after <= 0.4 * 16_000  # a little of the silence that ended it
    assert sentence.log_probs is not None
    frames = (finished.end - finished.start) / model.frame_seconds
    assert abs(len(sentence.log_probs) - frames) <= 20


def test_a_segment_that_is_cut_gives_the_reader_each_sound_once(model: AcousticModel) -> None:
    settings = dataclasses.replace(SETTINGS, vad=dataclasses.replace(SETTINGS.vad, maximum_s=3.0))
    reviser = model.reviser = Reviser(shouted)  # type: ignore[assignment]
    finished = of(run(model, blocks(talk("one two three four " * 5)), settings), CaptionFinished)
    assert len(finished) > 2
    for one, sentence in zip(finished[:-1], reviser.seen, strict=False):
        assert len(sentence.audio) == round((one.end - one.start) * 16_000)


def test_a_pause_within_a_revision_begins_a_line_unless_captions_are_left_as_they_are(model: AcousticModel) -> None:
    def paused(_: Sentence) -> Revision:
        first = Word(word="One,", start=0.5, end=0.7, confidence=1.0)
        return Revision((first, dataclasses.replace(first, word="two.", start=1.6, end=1.8)), 1.0)

    model.reviser = Reviser(paused)  # type: ignore[assignment]
    (revised,) = of(run(model, blocks(talk("one two"))), CaptionRevised)
    assert revised.text == "One,\ntwo."
    plain = dataclasses.replace(SETTINGS, captions=CaptionSettings(format=False))
    (revised,) = of(run(model, blocks(talk("one two")), plain), CaptionRevised)
    assert revised.text == "One, two."


def test_a_sentence_that_stays_has_no_event_and_one_of_nothing_is_empty(model: AcousticModel) -> None:
    model.reviser = Reviser(lambda each: NOTHING_SAID if len(each.words) > 2 else None)  # type: ignore[assignment]
    events = run(model, blocks(talk("one two", "one two three")))
    (revised,) = of(events, CaptionRevised)
    assert (revised.segment, revised.text, revised.words) == (2, "", ())
    assert of(events, StreamEnded)[0].words == 2


def test_live_words_and_intents_do_not_wait_for_the_reader(model: AcousticModel) -> None:
    """It is let free only when all was said."""
    reviser = model.reviser = Reviser(shouted, waits=True)  # type: ignore[assignment]
    samples = talk("one two", "two two two", "three four")
    with_reader = run(model, [*blocks(samples), reviser.free.set])
    model.reviser = None
    without = run(model, blocks(samples))
    kinds = (CaptionUpdated, CaptionFinished, IntentDetected)
    assert len(of(with_reader, CaptionRevised)) == 3

    def told(events: list[Event]) -> list[Event]:
        return [
            dataclasses.replace(each, latency=0) if hasattr(each, "latency") else each for each in of(events, *kinds)
        ]

    assert told(with_reader) == told(without)


def test_a_reader_that_cannot_keep_up_is_told_once_and_comes_back(model: AcousticModel) -> None:
    """Live: the source is as slow as the clock, and the reader slower."""
    now = [100.0]
    reviser = model.reviser = Reviser(shouted, waits=True)  # type: ignore[assignment]
    script: list[Block | Callable[[], object]] = []

    def lived(samples: np.ndarray) -> None:
        for block in blocks(samples):
            script.extend([lambda: now.__setitem__(0, now[0] + 0.1), block])

    lived(talk("one two"))
    lived(silence(8))
    lived(talk("two two", "three three"))
    script.append(reviser.free.set)
    script.append(lambda: time.sleep(0.3))
    lived(talk("one one"))  # read, and still nothing is said: it may be skipped again
    lived(silence(10))
    lived(talk("four four"))
    events = list(Pipeline(Source(script), model, SETTINGS, clock=lambda: now[0]).run())
    assert [each.text for each in of(events, CaptionFinished)] == [
        "One two",
        "Two two",
        "Three three",
        "One one",
        "Four four",
    ]
    assert [each.text for each in of(events, CaptionRevised)] == ["ONE! TWO!", "ONE! ONE!", "FOUR! FOUR!"]
    failed, recovered = of(events, Failed), of(events, Recovered)
    assert len(failed) == len(recovered) == 1
    assert failed[0].recoverable
    assert "too busy" in failed[0].what
    assert recovered[0].what == failed[0].what


def test_a_recording_waits_for_the_reader(model: AcousticModel) -> None:
    def slow(each: Sentence) -> Revision:
        time.sleep(0.05)
        return shouted(each)

    model.reviser = Reviser(slow)  # type: ignore[assignment]
    events = run(model, blocks(talk(*["one two"] * 50)))
    assert len(of(events, CaptionRevised)) == 50
    assert not of(events, Failed)


def test_a_recording_is_read_to_its_end_by_the_slowest_reader(
    model: AcousticModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far behind, and longer at the last sentences than somebody who listens would wait."""
    monkeypatch.setattr(pipelines, "PATIENCE_S", 0.05)
    monkeypatch.setattr(SecondPass, "behind", property(lambda _: True))

    def slow(each: Sentence) -> Revision:
        time.sleep(0.3)
        return shouted(each)

    model.reviser = Reviser(slow)  # type: ignore[assignment]
    source = Source(blocks(talk(*["one two"] * 8)))
    events = list(Pipeline(source, model, SETTINGS, waits=True).run())
    assert len(of(events, CaptionRevised)) == 8
    assert not of(events, Failed)


def test_what_was_not_read_in_time_is_said(model: AcousticModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "PATIENCE_S", 0.3)
    reviser = model.reviser = Reviser(shouted, waits=True)  # type: ignore[assignment]
    events = run(model, blocks(talk("one two", "three four")))
    (failed,) = of(events, Failed)
    assert failed.what == "'scripted' has not read 2 of the last sentences once more"
    assert failed.recoverable
    reviser.free.set()


def test_a_reader_that_fails_is_left_out_and_captions_go_on(model: AcousticModel) -> None:
    def broken(_: Sentence) -> Revision:
        raise RuntimeError("no more memory")

    model.reviser = Reviser(broken)  # type: ignore[assignment]
    events = run(model, blocks(talk("one two", "three four", "one one")))
    assert len(of(events, CaptionFinished)) == 3
    assert not of(events, CaptionRevised)
    (failed,) = of(events, Failed)
    assert failed.recoverable
    assert failed.what == "The reader 'scripted' failed: no more memory"


def test_who_stops_a_stream_does_not_wait_long_for_the_reader(
    model: AcousticModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "_LEAVING_S", 0.3)
    reviser = model.reviser = Reviser(shouted, waits=True)  # type: ignore[assignment]
    script: list[Block | Callable[[], object]] = list(blocks(talk("one two")))
    pipeline = Pipeline(Source(script), model, SETTINGS)
    script.append(pipeline.stop)
    began = time.monotonic()
    events = list(pipeline.run())
    assert time.monotonic() - began < 5
    assert len(of(events, CaptionFinished)) == 1
    assert isinstance(events[-1], StreamEnded)
    reviser.free.set()


def test_both_sides_of_a_call_share_a_reader(model: AcousticModel) -> None:
    model.reviser = Reviser(shouted)  # type: ignore[assignment]
    sides = [Source(blocks(talk("one two", "four")), "mic"), Source(blocks(talk("three three")), "call")]
    events = list(Streams([Pipeline(side, model, SETTINGS) for side in sides]).run())
    said = {(each.channel, each.text) for each in of(events, CaptionRevised)}
    assert said == {("mic", "ONE! TWO!"), ("mic", "FOUR!"), ("call", "THREE! THREE!")}


def test_why_nobody_reads_is_said_at_the_start(model: AcousticModel) -> None:
    model.reader_note = "This machine is slow."
    (started,) = of(run(model, blocks(talk("one"))), StreamStarted)
    assert (started.reader, started.note) == ("", "This machine is slow.")


def test_a_model_of_intents_alone_has_nothing_to_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    from edgevoice.commands.readers import give_reader, open_reader

    bundle = tiny_bundle(tmp_path_factory.mktemp("intents"), "intent")
    intents = load_model(bundle, None, SETTINGS.asr)
    found = open_reader(bundle, SETTINGS.asr)
    assert (found.reader, found.note) == (None, "")
    give_reader(intents, found)
    assert intents.reviser is None
    settings = dataclasses.replace(SETTINGS, intent=IntentSettings())
    assert not of(run(intents, blocks(talk("two two two")), settings), CaptionRevised)
