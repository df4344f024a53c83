"""The whole of edgevoice at work: what a microphone hears is captioned like the recording that is played to it.

A private PulseAudio server plays a recording to a null sink, and the real command captions the monitor of that sink
through PortAudio, until a signal ends it. The command is made to write down what its microphone delivers, so that the
way from the loudspeaker to the captions can be judged in two halves, each as strictly as it can be:

* what was delivered is what was played, to the last sample;
* the events are those of `edgevoice live --fast --input` with a file of what was delivered. All of them, with their
  times, but for the name of the source and what the wall clock says, and whatever the model.

The captions and intents must also be those of the recording itself; there, texts are compared, not times. The command
begins to listen at no particular moment, so its frames of 20 ms lie elsewhere on the speech than the file's, and the
sound was resampled twice (16 kHz to the 44.1 kHz of the ALSA device and back). To the tiny model that is nothing. A
trained model may write a word differently where it is unsure, and does so too when its recording is moved by half a
millisecond, so that its text is compared letter by letter, with some letters to spare, and its intents as far as they
are no close call.

What lies before and after the speech is the same everywhere: digital silence, which teaches the detector nothing about
noise, so it does not matter how much of it was heard.
"""

from __future__ import annotations

import difflib
import functools
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import soundfile
import soxr

from edgevoice.config import SAMPLE_RATE
from edgevoice.events import (
    AudioLost,
    CaptionFinished,
    CaptionUpdated,
    Event,
    Failed,
    IntentDetected,
    LevelMeasured,
    SourceChanged,
    StreamEnded,
    StreamStarted,
)
from edgevoice.recent import SILENCE_DBFS
from tests.listener import Listener, alone, captioned, timeless
from tests.rig import PIPE, SINK, PulseRig, best_correlation
from tests.talk import Talk
from tests.tiny import speak, tiny_bundle

pytestmark = pytest.mark.sound

ROOT = Path(__file__).parents[1]
MONITOR = f"{SINK}.monitor"
AnEvent = TypeVar("AnEvent", bound=Event)


def test_the_microphone_is_captioned_like_the_recording(pulse: PulseRig, talk: Talk, tmp_path: Path) -> None:
    """From the loudspeaker to the last event."""
    delivered = tmp_path / "delivered.wav"
    with listening(pulse, MONITOR, talk.model, tmp_path, delivered=delivered) as listener:
        listener.wait_for(lambda heard: of(heard, LevelMeasured), "the microphone delivers")
        pulse.play(talk.recording)
        listener.wait_for(is_over, "a second of silence after the recording")
        listener.send(signal.SIGINT)
        assert listener.end() == 130
    heard = listener.events
    assert listener.error == ""
    assert_promises_kept(heard)
    assert_nothing_lost(heard)
    environment = alone(os.environ, tmp_path)
    assert_same_audio(delivered, talk)
    assert timeless(heard) == timeless(captioned(delivered, talk.model, environment))
    expected = captioned(talk.recording, talk.model, environment)
    assert text(expected)
    assert differing_letters(text(heard), text(expected)) <= talk.spare
    if talk.doubt:
        assert sure_intents(heard, talk.doubt) <= set(intents(expected))
        assert sure_intents(expected, talk.doubt) <= set(intents(heard))
    else:
        assert intents(heard) == intents(expected)


class TestTrouble:
    """A microphone that fails ends the command soon, with one event, one sentence and the right exit code."""

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return tiny_bundle(tmp_path / "tiny").path

    def test_an_unknown_device(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        with listening(pulse, MONITOR, model, tmp_path, device="nonesuch") as listener:
            assert listener.end() == 2
        assert listener.events == []
        assert listener.error.startswith("edgevoice: No input device is called 'nonesuch'. Choose one of these: ")
        assert "'pulse'" in listener.error

    def test_a_source_that_is_not_there(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        with listening(pulse, "nonesuch", model, tmp_path) as listener:
            assert listener.end() == 1
        assert_failed(listener, "cannot be opened")

    def test_a_device_that_never_delivers(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        with listening(pulse, PIPE, model, tmp_path) as listener:
            assert listener.end() == 1
        assert_failed(listener, "delivers no audio")

    def test_a_device_that_stops_delivering_is_waited_for(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        """What was said until then is captioned, and so is what is said after it is back."""
        said = (np.concatenate([np.zeros(5 * SAMPLE_RATE), speak("one one one")]) * 32767).astype(np.int16)
        with listening(pulse, PIPE, model, tmp_path) as listener:
            with pulse.feeder(said):
                listener.wait_for(lambda heard: of(heard, CaptionUpdated), "the first words")
            listener.wait_for(lambda heard: of(heard, CaptionFinished), "the words before it went away")
            assert_waiting(listener, "delivers no audio")
            with pulse.feeder(said):
                listener.wait_for(lambda heard: len(of(heard, CaptionFinished)) > 1, "words after it came back")
                listener.send(signal.SIGINT)
                assert listener.end() == 130
        assert_came_back(listener)
        assert all(caption.text.lower().startswith("one") for caption in of(listener.events, CaptionFinished))

    def test_a_server_that_is_killed_is_waited_for(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        with listening(pulse, MONITOR, model, tmp_path) as listener:
            listener.wait_for(lambda heard: of(heard, LevelMeasured), "the microphone delivers")
            pulse.kill()
            listener.wait_for(lambda heard: of(heard, SourceChanged), "it is known to be away")
            assert_waiting(listener, "has gone")
            pulse.restart()
            listener.wait_for(lambda heard: len(of(heard, SourceChanged)) > 1, "it is back")
            listener.send(signal.SIGINT)
            assert listener.end() == 130
        assert_came_back(listener)

    def test_a_microphone_that_is_unplugged_is_waited_for(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        """The sound server moves the stream to another source in silence, here to what the loudspeaker plays; what is
        heard there is none of our business."""
        soundfile.write(tmp_path / "secret.wav", speak("two two two"), SAMPLE_RATE)
        soundfile.write(tmp_path / "said.wav", speak("one one one"), SAMPLE_RATE)
        plug = functools.partial(pulse.plugged, "ev_usb", "USB Headset", hears="ev_room")
        with pulse.room("ev_room"):
            with plug():
                listener = listening(pulse, "", model, tmp_path, device="USB Headset")
                listener.wait_for(lambda heard: of(heard, LevelMeasured), "the microphone delivers")
            with listener:
                listener.wait_for(lambda heard: of(heard, SourceChanged), "it is known to be away")
                assert_waiting(listener, "'USB Headset' has gone")
                pulse.play(tmp_path / "secret.wav")
                with plug():
                    listener.wait_for(lambda heard: len(of(heard, SourceChanged)) > 1, "it is back")
                    pulse.play(tmp_path / "said.wav", "ev_room")
                    listener.wait_for(lambda heard: of(heard, CaptionFinished), "what is said into it")
                    listener.send(signal.SIGINT)
                    assert listener.end() == 130
        assert_came_back(listener)
        assert of(listener.events, StreamStarted)[0].source == "USB Headset"
        assert text(listener.events) == "one one one"

    def test_a_signal_while_nothing_is_delivered(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        with listening(pulse, PIPE, model, tmp_path) as listener:
            listener.wait_for(lambda heard: of(heard, StreamStarted), "the start")
            listener.send(signal.SIGTERM)
            assert listener.end(limit_s=3) == 143
        assert listener.error == ""
        assert isinstance(listener.events[-1], StreamEnded)

    def test_a_signal_while_the_server_hangs(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        """PortAudio waits for it for ever when it closes the device; edgevoice does not."""
        with listening(pulse, MONITOR, model, tmp_path) as listener:
            listener.wait_for(lambda heard: of(heard, LevelMeasured), "the microphone delivers")
            with pulse.frozen():
                listener.send(signal.SIGTERM)
                assert listener.end(limit_s=3) == 143
        assert isinstance(listener.events[-1], StreamEnded)

    def test_a_signal_while_the_server_hangs_from_the_start(self, pulse: PulseRig, model: Path, tmp_path: Path) -> None:
        """Loading PortAudio waits for the server as well; no signal gets through to a main thread that waits there."""
        with pulse.frozen(), listening(pulse, MONITOR, model, tmp_path) as listener:
            pulse.wait_for_client()
            listener.send(signal.SIGTERM)
            assert listener.end(limit_s=3) == 143
        assert listener.events == []


def listening(
    pulse: PulseRig, source: str, model: Path, home: Path, device: str = "pulse", delivered: Path | None = None
) -> Listener:
    """`edgevoice live` with that source as its microphone."""
    environment = alone(pulse.environment(source), home) | {"PYTHONPATH": str(ROOT)}
    return Listener("--device", device, "--model", model, environment=environment, heard=delivered)


def of(heard: Sequence[Event], kind: type[AnEvent]) -> list[AnEvent]:
    return [event for event in heard if isinstance(event, kind)]


def text(heard: Sequence[Event]) -> str:
    """All captions."""
    return " ".join(caption.text for caption in of(heard, CaptionFinished)).lower()


def intents(heard: Sequence[Event]) -> list[str]:
    return [intent.label for intent in of(heard, IntentDetected)]


def sure_intents(heard: Sequence[Event], doubt: float) -> set[str]:
    """Those that were no close call."""
    return {intent.label for intent in of(heard, IntentDetected) if intent.score >= doubt}


def is_over(heard: Sequence[Event]) -> bool:
    """After any sound, nothing but digital silence for a second, which no recording of a voice contains."""
    levels = [level.dbfs for level in of(heard, LevelMeasured)]
    return max(levels[-10:]) == SILENCE_DBFS < max(levels)


def assert_promises_kept(heard: Sequence[Event]) -> None:
    """Word by word, the stable text of a segment only grows, and the final text begins with it."""
    finals = {caption.segment: caption.text.split() for caption in of(heard, CaptionFinished)}
    promised: dict[int, list[str]] = {}
    for update in of(heard, CaptionUpdated):
        before, stable = promised.get(update.segment, []), update.stable.split()
        assert stable[: len(before)] == before
        assert finals[update.segment][: len(stable)] == stable
        promised[update.segment] = stable
    assert any(promised.values())


def assert_same_audio(delivered: Path, talk: Talk) -> None:
    samples, rate = soundfile.read(delivered, dtype="float32")
    # natural voices reach up to half the sample rate, where two conversions of it leave a thousandth out
    assert best_correlation(soxr.resample(samples, rate, SAMPLE_RATE), talk.samples) > 0.998


def differing_letters(one: str, other: str) -> float:
    """The share of letters that the two do not have in common."""
    return 1 - difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def assert_nothing_lost(heard: Sequence[Event]) -> None:
    """And the totals are those of the events."""
    assert of(heard, AudioLost) == []
    ended = heard[-1]
    assert isinstance(ended, StreamEnded)
    assert ended.lost == 0
    assert ended.words == len(text(heard).split())
    assert ended.intents == len(intents(heard))


def assert_waiting(listener: Listener, what: str) -> None:
    """An event says so, and a sentence on stderr."""
    (changed,) = of(listener.events, SourceChanged)
    assert changed.waiting
    assert what in changed.what
    sentence = f"edgevoice: {changed.what}. {changed.remedy}."
    listener.wait_for(lambda _: sentence in listener.error.splitlines(), "it is said")


def assert_came_back(listener: Listener) -> None:
    """What was missed is told."""
    away, back = of(listener.events, SourceChanged)
    assert not back.waiting
    (lost,) = of(listener.events, AudioLost)
    assert (lost.where, lost.seconds) == ("device away", pytest.approx(back.at - away.at, abs=0.5))
    assert isinstance(listener.events[-1], StreamEnded)


def assert_failed(listener: Listener, what: str) -> None:
    """One event, the sentence in it on stderr, and the end of the stream."""
    (failed,) = of(listener.events, Failed)
    assert what in failed.what
    assert not failed.recoverable
    assert failed.remedy
    # PortAudio and ALSA may have complained before, in words of their own
    assert listener.error.splitlines()[-1] == f"edgevoice: {failed.what}. {failed.remedy}."
    assert isinstance(listener.events[-1], StreamEnded)
