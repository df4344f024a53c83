"""Several streams with one model: each says what it says alone."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from edgevoice.asr.model import load_model
from edgevoice.audio.source import Block
from edgevoice.config import AsrSettings, Settings
from edgevoice.events import CaptionFinished, CaptionUpdated, Event, StreamEnded, StreamStarted
from edgevoice.pipeline import Pipeline
from edgevoice.streams import WAITING, Streams
from tests.tiny import silence, speak, tiny_bundle

SETTINGS = Settings(asr=AsrSettings(provider="cpu", threads=1))
TEXTS = ["one two two", "three one", "two", "one one three two"]


class Side:
    """One side of a call: sentences with pauses; raises what it is given in the end."""

    sample_rate = 16000

    def __init__(self, channel: str, *texts: str, error: Exception | None = None) -> None:
        self.name = self.channel = channel
        parts = [silence(0.4), *(part for text in texts for part in (speak(text), silence(0.9)))]
        self.samples, self.error, self.closed = np.concatenate(parts), error, False

    def blocks(self):
        for start in range(0, len(self.samples), 480):
            if self.closed:
                return
            yield Block(self.samples[start : start + 480])
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module", params=[(), (8, 16)], ids=["windows", "chunks"])
def model(request, tmp_path_factory):
    return load_model(tiny_bundle(tmp_path_factory.mktemp("bundle"), chunks=request.param), None, SETTINGS.asr)


def said(events: list[Event], kind: type[Event]) -> list[tuple]:
    names = ("at", "stable", "tentative", "text", "start", "end")
    return [tuple(getattr(e, name, None) for name in names) for e in events if isinstance(e, kind)]


def test_each_stream_says_what_it_says_alone(model) -> None:
    """Sixteen of them, on one model: the same events in the same order."""

    def sides() -> list[Side]:
        return [Side(f"side {number}", *TEXTS[number % 3 :]) for number in range(16)]

    events = list(Streams([Pipeline(side, model, SETTINGS) for side in sides()]).run())
    for side in sides():
        alone = list(Pipeline(side, model, SETTINGS).run())
        shared = [event for event in events if event.channel == side.channel]
        assert [caption.text for caption in shared if isinstance(caption, CaptionFinished)]
        assert [type(event) for event in shared] == [type(event) for event in alone]
        for kind in (CaptionUpdated, CaptionFinished):
            assert said(shared, kind) == said(alone, kind)


def test_they_are_stopped_together(model) -> None:
    streams = Streams([Pipeline(Side(f"{number}", *TEXTS * 50), model, SETTINGS) for number in range(2)])
    events = []
    for event in streams.run():
        events.append(event)
        if len(events) == 50:
            streams.stop()
    assert sum(isinstance(event, StreamEnded) for event in events) == 2
    assert len(events) < 50 + 2 * WAITING


def test_who_stops_listening_stops_them(model) -> None:
    sides = [Side(f"{number}", *TEXTS * 50) for number in range(2)]
    events = Streams([Pipeline(side, model, SETTINGS) for side in sides]).run()
    next(events)
    events.close()
    assert all(side.closed for side in sides)


def test_what_breaks_one_is_raised_when_the_others_were_heard_out(model) -> None:
    """A fault of ours, not of the audio, which is an event."""
    good, bad = Side("good", *TEXTS), Side("bad", "one", error=ZeroDivisionError("a fault"))
    events = []
    with pytest.raises(ZeroDivisionError, match="a fault"):
        events.extend(Streams([Pipeline(side, model, SETTINGS) for side in (good, bad)]).run())


def test_settings_may_differ(model) -> None:
    strict = dataclasses.replace(SETTINGS, intent=dataclasses.replace(SETTINGS.intent, threshold=1.0))
    pipelines = [Pipeline(Side("you", *TEXTS), model, SETTINGS), Pipeline(Side("them", *TEXTS), model, strict)]
    ended = {event.channel: event for event in Streams(pipelines).run() if isinstance(event, StreamEnded)}
    assert ended["you"].words == ended["them"].words > 0
    assert ended["them"].intents == 0


def test_a_threshold_is_told_and_moved_for_all_of_them(model) -> None:
    """What is said after it counts with the new one."""
    moved = threading.Event()

    class Waiting(Side):
        def blocks(self):
            moved.wait()
            yield from super().blocks()

    run = Streams([Pipeline(Waiting(f"{number}", *TEXTS), model, SETTINGS) for number in range(2)])
    events = run.run()
    told = [event for event in (next(events), next(events)) if isinstance(event, StreamStarted)]
    for threshold in told[0].thresholds:
        run.set_threshold(threshold.label, 1.0)
    run.set_threshold("no such label", 0.0)
    moved.set()
    assert [each.label for each in told[1].thresholds] == [each for each in told[1].labels if each != "none"]
    assert all(0 < threshold.score < 1 for event in told for threshold in event.thresholds)
    assert [event.intents for event in events if isinstance(event, StreamEnded)] == [0, 0]
