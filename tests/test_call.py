"""Both sides of a call through a real sound server: a microphone in a room, and a loudspeaker that is heard in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.events import CaptionFinished, Event, LevelMeasured, StreamEnded, StreamStarted
from edgevoice.paths import bundled_model, sample_call
from tests.listener import Listener, alone
from tests.rig import SINK, PulseRig
from tests.tiny import speak, tiny_bundle

pytestmark = pytest.mark.sound

ROOT = Path(__file__).parents[1]
ROOM = "ev_room"


def edgevoice(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgevoice", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def said(heard: Sequence[Event], channel: str) -> str:
    """All captions of a side."""
    finals = [event for event in heard if isinstance(event, CaptionFinished) and event.channel == channel]
    return " ".join(final.text for final in finals).lower()


def both_sides_deliver(heard: Sequence[Event]) -> bool:
    return {event.channel for event in heard if isinstance(event, LevelMeasured)} == {"mic", "call"}


def calling(pulse: PulseRig, model: Path, home: Path) -> Listener:
    environment = alone(pulse.environment(""), home) | {"PYTHONPATH": str(ROOT)}
    environment.pop("PULSE_SOURCE")
    return Listener("--call", "--device", "Headset", "--model", model, environment=environment)


def test_two_people_are_told_apart(pulse: PulseRig, tmp_path: Path) -> None:
    """Each side's words are on its channel, on one time line."""
    soundfile.write(tmp_path / "you.wav", speak("one two three"), SAMPLE_RATE)
    soundfile.write(tmp_path / "them.wav", speak("four four four"), SAMPLE_RATE)
    model = tiny_bundle(tmp_path / "tiny").path
    with pulse.room(ROOM), pulse.plugged("ev_usb", "Headset", hears=ROOM), calling(pulse, model, tmp_path) as listener:
        listener.wait_for(both_sides_deliver, "both sides deliver")
        them = threading.Thread(target=pulse.play, args=(tmp_path / "them.wav",))
        them.start()
        pulse.play(tmp_path / "you.wav", ROOM)
        them.join()
        listener.wait_for(lambda heard: said(heard, "mic") and said(heard, "call"), "what both said")
        listener.send(signal.SIGINT)
        assert listener.end() == 130
    assert said(listener.events, "mic") == "one two three"
    assert said(listener.events, "call") == "four four four"
    finals = {event.channel: event.start for event in listener.events if isinstance(event, CaptionFinished)}
    assert abs(finals["mic"] - finals["call"]) < 1
    sources = {event.channel: event.source for event in listener.events if isinstance(event, StreamStarted)}
    assert sources == {"mic": "Headset", "call": f"Monitor of {_sink_description(pulse)}"}
    assert sum(isinstance(event, StreamEnded) for event in listener.events) == 2


def test_the_loudspeaker_in_the_microphone_is_not_captioned_twice(pulse: PulseRig, tmp_path: Path) -> None:
    samples, rate = soundfile.read(sample_call(), dtype="float32")
    soundfile.write(tmp_path / "them.wav", samples[: 20 * rate], rate)
    with (
        pulse.room(ROOM),
        pulse.plugged("ev_usb", "Headset", hears=ROOM),
        pulse.echo(ROOM),
        calling(pulse, bundled_model(), tmp_path) as listener,
    ):
        listener.wait_for(both_sides_deliver, "both sides deliver")
        pulse.play(tmp_path / "them.wav")
        listener.wait_for(lambda heard: said(heard, "call").count(" ") >= 8, "what they said")
        listener.send(signal.SIGINT)
        assert listener.end() == 130
    # until the canceller has found the echo, some of it gets through
    assert len(said(listener.events, "mic").split()) <= 0.4 * len(said(listener.events, "call").split())


def test_devices_are_listed_as_their_users_call_them(pulse: PulseRig, tmp_path: Path) -> None:
    with pulse.plugged("ev_usb", "USB Headset"):
        run = edgevoice("devices", environment=alone(pulse.environment(""), tmp_path))
    assert "USB Headset  (sound server)" in run.stdout
    assert f"Monitor of {_sink_description(pulse)}  (what a loudspeaker plays)" in run.stdout
    assert sum(line.startswith("*") for line in run.stdout.splitlines()) == 1


def test_a_machine_without_loudspeakers_to_listen_to(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": f"unix:{tmp_path}/none"}
    run = edgevoice("live", "--call", "--json", environment=environment)
    assert run.returncode == 1
    assert run.stderr.startswith("edgevoice: There is no microphone. ")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--call", "--input", "talk.wav"], "Leave --input out"),
        (["--call-device", "HDMI"], "Add --call"),
    ],
)
def test_calls_that_make_no_sense(arguments: list[str], sentence: str) -> None:
    run = edgevoice("live", *arguments, environment=dict(os.environ))
    assert (run.returncode, sentence in run.stderr) == (2, True)


def _sink_description(pulse: PulseRig) -> str:
    lines = pulse.pactl("list", "sinks").splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip() == f"Name: {SINK}")
    return next(line.partition(": ")[2] for line in lines[at:] if line.strip().startswith("Description"))
