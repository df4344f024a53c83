"""Both sides of a real call, saved and recorded."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.events import CaptionFinished
from edgevoice.sinks.subtitles import to_srt, to_vtt
from tests.listener import Listener, alone
from tests.rig import PulseRig
from tests.test_call import ROOM, ROOT, both_sides_deliver, said
from tests.tiny import speak, tiny_bundle

pytestmark = pytest.mark.sound


def test_a_call_leaves_two_labelled_sides_and_two_recordings_on_one_time_line(pulse: PulseRig, tmp_path: Path) -> None:
    for name, words in (("you", "one two three"), ("them", "four four four")):
        soundfile.write(tmp_path / f"{name}.wav", speak(words), SAMPLE_RATE)
    folder = tmp_path / "calls"
    environment = alone(pulse.environment(""), tmp_path) | {"PYTHONPATH": str(ROOT)}
    environment.pop("PULSE_SOURCE")
    arguments = ["--call", "--device", "Headset", "--model", tiny_bundle(tmp_path / "tiny").path]
    saving = ["--save", folder, "--record"]
    with (
        pulse.room(ROOM),
        pulse.plugged("ev_usb", "Headset", hears=ROOM),
        Listener(*arguments, *saving, environment=environment) as listener,
    ):
        listener.wait_for(both_sides_deliver, "both sides deliver")
        them = threading.Thread(target=pulse.play, args=(tmp_path / "them.wav",))
        them.start()
        pulse.play(tmp_path / "you.wav", ROOM)
        them.join()
        listener.wait_for(lambda heard: said(heard, "mic") and said(heard, "call"), "what both said")
        listener.send(signal.SIGINT)
        assert listener.end() == 130
    files = {file.name.split(".", 1)[1]: file for file in folder.iterdir()}
    assert set(files) == {"txt", "srt", "vtt", "jsonl", "mic.flac", "call.flac"}
    lines = files["txt"].read_text().splitlines()
    assert "you: one two three" in [line.lower() for line in lines]
    assert "them: four four four" in [line.lower() for line in lines]
    assert files["srt"].read_text() == to_srt(listener.events)
    assert files["vtt"].read_text() == to_vtt(listener.events)
    for final in (event for event in listener.events if isinstance(event, CaptionFinished)):
        audio, rate = soundfile.read(files[f"{final.channel}.flac"])
        words = audio[round(final.words[0].start * rate) : round(final.words[-1].end * rate)]
        assert np.abs(words).mean() > 0.05, "the words are where the events say they are"
