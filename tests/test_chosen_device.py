"""A headset that is plugged in while a call goes on is chosen on the screen, and heard from then on."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from edgevoice.audio.call import microphone
from edgevoice.config import SAMPLE_RATE, AudioSettings
from tests.rig import PulseRig
from tests.tiny import speak, tiny_bundle
from tests.tmux import terminal

pytestmark = pytest.mark.sound

ROOM = "ev_room"


def test_a_headset_that_comes_in_mid_call(pulse: PulseRig, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "words.wav", speak("one two three"), SAMPLE_RATE)
    model = tiny_bundle(tmp_path / "tiny").path
    environment = {key: value for key, value in pulse.environment("").items() if key.startswith(("XDG_RUN", "PULSE_"))}
    environment.pop("PULSE_SOURCE")
    with (
        pulse.room(ROOM),
        pulse.plugged("ev_laptop", "Laptop"),
        terminal(tmp_path, "live", "--device", "Laptop", "--model", model, environment=environment) as tmux,
    ):
        tmux.wait_for("edgevoice  Laptop")
        tmux.wait_for("● listening")
        tmux.press("d")
        tmux.wait_for("● Laptop")
        assert "New Headset" not in tmux.screen
        with pulse.plugged("ev_new", "New Headset", hears=ROOM):
            tmux.wait_for("New Headset")
            tmux.press("Down")
            pulse.play(tmp_path / "words.wav", ROOM)
            assert "One two three" not in tmux.screen, "it is looked at, and not heard"
            tmux.press("Enter")
            tmux.wait_for("edgevoice  New Headset")
            pulse.play(tmp_path / "words.wav", ROOM)
            tmux.wait_for(r"\d\d:\d\d  One two three")
            tmux.press("q")
            assert tmux.exit_code() == 0


def test_levels_of_devices_besides_the_one_in_use(
    pulse: PulseRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in pulse.environment("").items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("PULSE_SOURCE")
    with pulse.room(ROOM), pulse.plugged("ev_quiet", "Quiet", hears=ROOM), pulse.plugged("ev_loud", "Loud"):
        (you,) = microphone(AudioSettings(device="Quiet")).inputs
        offers = {offer.name: offer for offer in you.offers()}
        assert [name for name, offer in offers.items() if offer.in_use] == ["Quiet"]
        soundfile.write(tmp_path / "words.wav", speak("one two three four"), SAMPLE_RATE)
        heard = {}
        for name in ("Quiet", "Loud"):
            listening = you.listen(offers[name].handle)
            levels = listening.levels()
            next(levels)
            pulse.play(tmp_path / "words.wav")
            heard[name] = max(dbfs for _, (dbfs, _) in zip(range(5), levels, strict=False))
            listening.close()
            assert sum(1 for _ in levels) < 100, "it ends"
    assert heard["Quiet"] < -90
    assert heard["Loud"] > -40
