"""The microphone against a sounddevice that does what the test says."""

from __future__ import annotations

import builtins
import os
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgevoice.audio.devices import Device, find_device, list_devices
from edgevoice.audio.microphone import Microphone
from edgevoice.errors import AudioError, DeviceNotFoundError, PortAudioMissingError

pytestmark = pytest.mark.alone

HOSTS = [{"name": "ALSA"}, {"name": "JACK"}]


def device(name: str, channels: int = 2, host: int = 0, rate: float = 44_100.0) -> dict[str, Any]:
    return {"name": name, "max_input_channels": channels, "hostapi": host, "default_samplerate": rate}


class FakeSoundDevice(types.ModuleType):
    """Devices and one stream; `deliver` calls the callback as the audio thread would."""

    class PortAudioError(Exception):
        pass

    def __init__(self, devices: list[dict[str, Any]], default: int) -> None:
        super().__init__("sounddevice")
        self.devices, self.default_index = devices, default
        self.calls: list[str] = []
        self.opened: list[dict[str, Any]] = []
        self.refused_channels: set[int] = set()
        self.started = threading.Event()
        self.hanging: dict[str, threading.Event] = {}
        """Calls that return when the event is set."""

    def query_devices(self, kind: str | None = None) -> Any:
        if kind is None:
            return self.devices
        if self.default_index < 0:
            raise self.PortAudioError("Error querying device -1")
        return {**self.devices[self.default_index], "index": self.default_index}

    def query_hostapis(self) -> list[dict[str, str]]:
        return HOSTS

    def InputStream(self, **options: Any) -> FakeSoundDevice:  # noqa: N802
        if options["channels"] in self.refused_channels:
            raise self.PortAudioError("Invalid number of channels", -9998)
        self.opened.append(options)
        return self

    def start(self) -> None:
        self._called("start")
        self.started.set()

    def abort(self) -> None:
        self._called("abort")

    def close(self) -> None:
        self._called("close")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.hanging:
            self.hanging[name].wait(20)

    def deliver(self, value: float, *, overflow: bool = False) -> None:
        options = self.opened[-1]
        frames = np.full((options["blocksize"], options["channels"]), value, np.float32)
        options["callback"](frames, len(frames), None, types.SimpleNamespace(input_overflow=overflow))
        frames[:] = 99  # PortAudio uses the memory again


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    names = [device("Speaker", 0), device("HDA Mic"), device("USB Mic", 1, 1, 48_000.0), device("mic\x1b[2J", 2, 1)]
    fake = FakeSoundDevice(names, default=2)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def test_devices_are_listed_with_harmless_names(sound: FakeSoundDevice) -> None:
    assert [(found.index, found.name) for found in list_devices()] == [(1, "HDA Mic"), (2, "USB Mic"), (3, "mic[2J")]
    assert list_devices()[1] == Device(
        index=2, name="USB Mic", host_api="JACK", channels=1, sample_rate=48_000, is_default=True, port=2
    )


@pytest.mark.parametrize(("wanted", "index"), [("", 2), ("1", 1), ("hda", 1), ("MIC", 2), ("mic[2j", 3), (" usb ", 2)])
def test_choice_of_a_device(sound: FakeSoundDevice, wanted: str, index: int) -> None:
    assert find_device(wanted).index == index


def test_without_a_default_the_first_is_taken(sound: FakeSoundDevice) -> None:
    sound.default_index = -1
    assert find_device().index == 1


@pytest.mark.parametrize("wanted", ["0", "17", "speaker"])
def test_unknown_devices(sound: FakeSoundDevice, wanted: str) -> None:
    with pytest.raises(DeviceNotFoundError, match=r"1 'HDA Mic', 2 'USB Mic'"):
        Microphone(wanted)


def test_no_input_device(sound: FakeSoundDevice) -> None:
    sound.devices, sound.default_index = [device("Speaker", 0)], -1
    with pytest.raises(AudioError, match="There is no microphone"):
        Microphone()


def test_portaudio_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PortAudioMissingError, match="libportaudio2"):
        list_devices()


class Reading:
    """A microphone whose stream is open: `next` gives blocks, `deliver` makes them."""

    def __init__(self, sound: FakeSoundDevice, **options: Any) -> None:
        self.microphone = Microphone(**options)
        self.blocks = self.microphone.blocks()
        threading.Thread(target=self._deliver_first, args=(sound,), daemon=True).start()
        next(self.blocks)

    @staticmethod
    def _deliver_first(sound: FakeSoundDevice) -> None:
        sound.started.wait(5)
        sound.deliver(0.0)


def test_blocks_are_copies_in_mono(sound: FakeSoundDevice) -> None:
    sound.refused_channels = {1}
    reading = Reading(sound, device="hda")
    assert sound.opened[0]["channels"] == 2
    before = time.monotonic()
    sound.deliver(0.5)
    block = next(reading.blocks)
    assert block.samples.shape == (882,)
    assert (block.samples == 0.5).all()
    assert (block.lost, block.lost_where) == (0, "")
    assert before <= block.arrived <= time.monotonic()


def test_a_full_queue_drops_the_oldest_and_says_so(sound: FakeSoundDevice) -> None:
    reading = Reading(sound, queue_seconds=0.2)
    for number in range(14):
        sound.deliver(number / 100)
    block = next(reading.blocks)
    assert block.samples[0] == np.float32(0.04)
    assert (block.lost, block.lost_where) == (pytest.approx(0.08), "queue full")
    assert next(reading.blocks).lost == 0


def test_an_overflow_of_the_device_is_reported(sound: FakeSoundDevice) -> None:
    reading = Reading(sound)
    time.sleep(0.1)
    sound.deliver(0.1, overflow=True)
    block = next(reading.blocks)
    assert 0.05 < block.lost < 0.3
    assert block.lost_where == "device overflow"


def test_silence_of_the_device_is_an_error(sound: FakeSoundDevice) -> None:
    reading = Reading(sound, stall_s=0.2)
    began = time.monotonic()
    with pytest.raises(AudioError, match="'USB Mic' delivers no audio"):
        next(reading.blocks)
    assert 0.15 < time.monotonic() - began < 1
    assert sound.calls == ["start", "abort", "close"]


def test_a_device_that_goes_away_is_an_error_after_its_last_block(sound: FakeSoundDevice) -> None:
    reading = Reading(sound)
    sound.deliver(0.1)
    sound.opened[0]["finished_callback"]()
    assert len(next(reading.blocks).samples) == 960
    with pytest.raises(AudioError, match="has gone"):
        next(reading.blocks)


def test_what_was_heard_before_the_close_is_delivered(sound: FakeSoundDevice) -> None:
    """An engine that is behind still has it to caption."""
    reading = Reading(sound)
    for number in range(5):
        sound.deliver(number / 100)
    next(reading.blocks)
    reading.microphone.close()
    assert [round(100 * float(block.samples[0])) for block in reading.blocks] == [1, 2, 3, 4]


def test_close_from_another_thread_ends_the_wait(sound: FakeSoundDevice) -> None:
    reading = Reading(sound, stall_s=60)
    threading.Timer(0.1, reading.microphone.close).start()
    began = time.monotonic()
    assert list(reading.blocks) == []
    assert time.monotonic() - began < 0.3
    reading.microphone.close()
    assert sound.calls == ["start", "abort", "close"]


def test_a_device_that_cannot_be_opened(sound: FakeSoundDevice) -> None:
    sound.refused_channels = {1, 2}
    with pytest.raises(AudioError, match=r"cannot be opened \(Invalid number of channels\)"):
        next(Microphone().blocks())


def test_a_device_that_never_opens(sound: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it does open after all, it is closed at once: nobody listens."""
    monkeypatch.setattr("edgevoice.audio.patience.ANSWER_S", 0.25)
    monkeypatch.setattr("edgevoice.audio.microphone._CLOSE_S", 0.1)
    sound.hanging["start"] = threading.Event()
    with pytest.raises(AudioError, match="The sound system does not answer"):
        next(Microphone(stall_s=0.1).blocks())
    assert sound.calls == ["start"]
    sound.hanging["start"].set()
    wait_until(lambda: sound.calls == ["start", "abort", "close"])


def test_a_device_that_opens_slowly_is_not_stalled(sound: FakeSoundDevice) -> None:
    sound.hanging["start"] = threading.Event()
    threading.Timer(0.5, sound.hanging["start"].set).start()
    Reading(sound, stall_s=0.2)


def test_close_ends_the_wait_for_a_device_that_never_opens(
    sound: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgevoice.audio.microphone._CLOSE_S", 0.1)
    sound.hanging["start"] = threading.Event()
    microphone = Microphone()
    threading.Timer(0.1, microphone.close).start()
    began = time.monotonic()
    assert list(microphone.blocks()) == []
    assert time.monotonic() - began < 2
    sound.hanging["start"].set()


def test_a_device_that_never_closes(sound: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.audio.microphone._CLOSE_S", 0.1)
    reading = Reading(sound)
    sound.hanging["abort"] = threading.Event()
    reading.microphone.close()
    began = time.monotonic()
    assert list(reading.blocks) == []
    assert time.monotonic() - began < 2
    sound.hanging["abort"].set()


def test_portaudio_that_hangs_while_it_is_loaded(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    """It looks for devices then, with standard error pointed at nothing."""
    real, answer = builtins.__import__, threading.Event()

    def hanging(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 2)
            os.close(nothing)
            answer.wait(20)
            raise OSError("PortAudio library not found")
        return real(name, *rest)

    monkeypatch.setattr("edgevoice.audio.patience.ANSWER_S", 0.25)
    monkeypatch.setattr(builtins, "__import__", hanging)
    with pytest.raises(AudioError, match="The sound system does not answer"):
        list_devices()
    os.write(2, b"still heard")
    assert capfd.readouterr().err == "still heard"
    answer.set()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
