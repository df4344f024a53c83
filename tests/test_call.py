"""Both sides of a call through a real sound server: a microphone in a room, and a loudspeaker that is heard in it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.events import CaptionFinished, Event, LevelMeasured, StreamEnded, StreamStarted
from edgevoice.paths import bundled_model, sample_call
from tests.command_line import Cli, one_sentence
from tests.listener import Listener, alone
from tests.rig import SINK, PulseRig
from tests.tiny import speak, tiny_bundle

pytestmark = pytest.mark.sound

ROOM = "ev_room"


def said(heard: Sequence[Event], channel: str) -> str:
    """All captions of a side."""
    finals = [event for event in heard if isinstance(event, CaptionFinished) and event.channel == channel]
    return " ".join(final.text for final in finals).lower()


def both_sides_deliver(heard: Sequence[Event]) -> bool:
    return {event.channel for event in heard if isinstance(event, LevelMeasured)} == {"mic", "call"}


def calling(pulse: PulseRig, model: Path, home: Path, *more: str | Path) -> Listener:
    environment = alone(pulse.environment(""), home)
    environment.pop("PULSE_SOURCE")
    return Listener("--call", "--device", "Headset", "--model", model, *more, environment=environment)


def short_call(pulse: PulseRig, folder: Path, *more: str | Path) -> list[Event]:
    """What is heard when you say "one two three" and they say "four four four"."""
    soundfile.write(folder / "you.wav", speak("one two three"), SAMPLE_RATE)
    soundfile.write(folder / "them.wav", speak("four four four"), SAMPLE_RATE)
    model = tiny_bundle(folder / "tiny").path
    with (
        pulse.room(ROOM),
        pulse.plugged("ev_usb", "Headset", hears=ROOM),
        calling(pulse, model, folder, *more) as listener,
    ):
        listener.wait_for(both_sides_deliver, "both sides deliver")
        them = threading.Thread(target=pulse.play, args=(folder / "them.wav",))
        them.start()
        pulse.play(folder / "you.wav", ROOM)
        them.join()
        listener.wait_for(lambda heard: said(heard, "mic") and said(heard, "call"), "what both said")
        listener.send(signal.SIGINT)
        assert listener.end() == 130
    return listener.events


def test_two_people_are_told_apart(pulse: PulseRig, tmp_path: Path) -> None:
    """Each side's words are on its channel, on one time line."""
    heard = short_call(pulse, tmp_path)
    assert said(heard, "mic") == "one two three"
    assert said(heard, "call") == "four four four"
    finals = {event.channel: event.start for event in heard if isinstance(event, CaptionFinished)}
    assert abs(finals["mic"] - finals["call"]) < 1
    sources = {event.channel: event.source for event in heard if isinstance(event, StreamStarted)}
    assert sources == {"mic": "Headset", "call": f"Monitor of {_sink_description(pulse)}"}
    assert sum(isinstance(event, StreamEnded) for event in heard) == 2


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
    assert len(said(listener.events, "mic").split()) <= 0.6 * len(said(listener.events, "call").split())


def test_devices_are_listed_as_their_users_call_them(pulse: PulseRig, tmp_path: Path) -> None:
    with pulse.plugged("ev_usb", "USB Headset"):
        listed = Cli(tmp_path, bundled_model(), alone(pulse.environment(""), tmp_path))("devices").stdout.decode()
    assert "USB Headset  (sound server)" in listed
    assert f"Monitor of {_sink_description(pulse)}  (what a loudspeaker plays)" in listed
    assert sum(line.startswith("*") for line in listed.splitlines()) == 1


def test_a_machine_without_loudspeakers_to_listen_to(tmp_path: Path) -> None:
    nowhere = {"XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": f"unix:{tmp_path}/none"}
    run = Cli(tmp_path, bundled_model(), nowhere)("live", "--call", "--json")
    assert run.returncode == 1
    assert one_sentence(run).startswith("edgevoice: There is no microphone. ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--call", "--input", "talk.wav"], "Leave --input out"),
        (["--call-device", "HDMI"], "Add --call"),
    ],
)
def test_calls_that_make_no_sense(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    run = Cli(tmp_path, bundled_model())("live", *arguments)
    assert run.returncode == 2
    assert sentence in one_sentence(run)


def _sink_description(pulse: PulseRig) -> str:
    lines = pulse.pactl("list", "sinks").splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip() == f"Name: {SINK}")
    return next(line.partition(": ")[2] for line in lines[at:] if line.strip().startswith("Description"))
