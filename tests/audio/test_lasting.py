"""A device that goes away is waited for, and time goes on meanwhile."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edgevoice.audio.lasting import Beginning, LastingSource
from edgevoice.audio.source import Block
from edgevoice.errors import AudioError

RATE = 1000


class Clock:
    """Goes on when somebody asks, as it would while somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


class Device:
    """Delivers blocks of 0.1 s, then breaks, ends or goes on until it is closed."""

    channel = "mic"

    def __init__(self, clock: Clock, blocks: int, *, name: str = "USB", rate: int = RATE, breaks: bool = True) -> None:
        self.name, self.sample_rate, self._clock = name, rate, clock
        self._blocks, self._breaks = blocks, breaks
        self._closed = threading.Event()

    def blocks(self) -> Iterator[Block]:
        for _ in range(self._blocks):
            if self._closed.is_set():
                return
            self._clock.now += 0.09
            yield Block(np.full(self.sample_rate // 10, 0.5, np.float32), arrived=self._clock())
        if self._breaks:
            raise AudioError("The microphone 'USB' has gone", "Connect it")

    def close(self) -> None:
        self._closed.set()


def lasting(clock: Clock, *plugged: Device | None) -> tuple[LastingSource, list[tuple[str, bool]]]:
    """A source whose tries to open its device find these, None for a device that is away."""
    tries: list[tuple[str, bool]] = []
    devices = iter(plugged)

    def open_device(wanted: str, again: bool) -> Device:
        tries.append((wanted, again))
        device = next(devices)
        if device is None:
            raise AudioError("There is no microphone", "Connect one")
        return device

    return LastingSource(open_device, "usb", clock=clock), tries


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.audio.lasting._SLICE_S", 0.0)


def test_it_is_waited_for_with_silence_in_real_time() -> None:
    clock = Clock()
    source, tries = lasting(clock, Device(clock, 3), None, None, Device(clock, 2, breaks=False))
    blocks = list(source.blocks())
    changes = [block.change for block in blocks if block.change]
    assert [(change.waiting, change.what) for change in changes] == [
        (True, "The microphone 'USB' has gone"),
        (False, ""),
    ]
    assert "another microphone can be chosen" in changes[0].remedy
    assert tries == [("usb", False), ("usb", True), ("usb", True), ("usb", True)]
    heard = np.concatenate([block.samples for block in blocks])
    assert (heard[:300] == 0.5).all()
    assert (heard[-200:] == 0.5).all()
    assert (heard[300:-200] == 0).all()
    # every sample is where the clock says it belongs
    assert len(heard) / RATE == pytest.approx(clock.now - 100.0, abs=0.03)
    lost = [(block.lost, block.lost_where) for block in blocks if block.lost]
    assert lost == [(pytest.approx((len(heard) - 500) / RATE, abs=0.01), "device away")]


def test_tries_come_less_and_less_often() -> None:
    clock = Clock()
    source, _ = lasting(clock, Device(clock, 1), *[None] * 6, Device(clock, 1, breaks=False))
    away = sum(block.lost for block in source.blocks())
    assert 0.5 + 1 + 2 + 4 + 4 + 4 < away < 17


def test_one_that_opens_and_does_not_deliver_is_waited_for_all_the_same() -> None:
    """As a sound server behaves whose microphone is stuck: there is silence meanwhile."""
    clock = Clock()
    stuck = [Device(clock, 0) for _ in range(4)]
    source, _ = lasting(clock, Device(clock, 1), *stuck, Device(clock, 1, breaks=False))
    blocks = list(source.blocks())
    assert sum(bool(block.change) for block in blocks) == 2
    assert 0.5 + 1 + 2 < sum(block.lost for block in blocks) < 12
    assert sum(len(block.samples) for block in blocks) / RATE == pytest.approx(clock.now - 100, abs=0.1)


def test_a_device_that_never_delivers_is_an_error() -> None:
    source, _ = lasting(Clock(), Device(Clock(), 0))
    with pytest.raises(AudioError, match="has gone"):
        list(source.blocks())


def test_one_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(AudioError, match="There is no microphone"):
        lasting(Clock(), None)


def test_another_can_be_chosen_and_its_rate_does_not_matter() -> None:
    clock = Clock()
    other = Device(clock, 5, name="Headset", rate=2 * RATE, breaks=False)
    source, tries = lasting(clock, Device(clock, 100), other)
    blocks = []
    for block in source.blocks():
        blocks.append(block)
        if len(blocks) == 3:
            source.choose("headset")
    assert tries[1] == ("headset", True)
    assert [block.change.source for block in blocks if block.change] == ["Headset"]
    assert source.name == "Headset"
    assert sum(len(block.samples) for block in blocks) / RATE == pytest.approx(clock.now - 100, abs=0.1)


def test_another_can_be_chosen_while_one_is_waited_for() -> None:
    clock = Clock()
    source, tries = lasting(clock, Device(clock, 1), None, Device(clock, 1, name="Headset", breaks=False))
    for block in source.blocks():
        if block.change and block.change.waiting:
            source.choose("headset")
    assert tries[-1] == ("headset", True)


def test_close_ends_the_wait_and_what_was_lost_is_counted() -> None:
    clock = Clock()
    source, _ = lasting(clock, Device(clock, 1), *[None] * 100)
    blocks = []
    for block in source.blocks():
        blocks.append(block)
        if clock.now > 110:
            source.close()
    assert blocks[-1].lost == pytest.approx(sum(len(block.samples) for block in blocks) / RATE - 0.1, abs=0.01)


def test_silence_stands_in_for_what_the_device_lost() -> None:
    clock = Clock()

    class Losing(Device):
        def blocks(self) -> Iterator[Block]:
            for number, block in enumerate(super().blocks()):
                yield Block(block.samples, arrived=block.arrived, lost=0.2 * (number == 1), lost_where="queue full")

    source, _ = lasting(clock, Losing(clock, 2, breaks=False))
    first, second = source.blocks()
    assert (len(first.samples), len(second.samples), second.lost) == (100, 300, 0.2)
    assert (second.samples[:200] == 0).all()


def test_streams_with_one_beginning_have_one_time_line() -> None:
    clock = Clock()
    beginning = Beginning()
    one, other = (
        LastingSource(lambda _, __: Device(clock, 3, breaks=False), clock=clock, beginning=beginning) for _ in range(2)
    )
    list(one.blocks())
    passed = clock.now - 100
    blocks = list(other.blocks())
    heard = np.concatenate([block.samples for block in blocks])
    assert np.flatnonzero(heard)[0] / RATE == pytest.approx(passed, abs=0.02)
    assert not any(block.lost for block in blocks)


def test_another_that_is_chosen_before_the_first_delivered_begins_the_time() -> None:
    """Nothing is missing before it: nobody has heard anything yet."""
    clock = Clock()
    source, _ = lasting(clock, Device(clock, 0, breaks=False), Device(clock, 2, name="Headset", breaks=False))
    source.choose("headset")
    blocks = list(source.blocks())
    assert sum(len(block.samples) for block in blocks) == 200
    assert not any(block.lost for block in blocks)


def test_a_choice_that_cannot_be_opened_is_told_and_waited_for() -> None:
    clock = Clock()
    source, tries = lasting(
        clock, Device(clock, 9, breaks=False), None, None, Device(clock, 2, name="Headset", breaks=False)
    )
    blocks = source.blocks()
    next(blocks)
    source.choose("headset")
    changes = [block.change for block in itertools.islice(blocks, 200) if block.change]
    assert [change.waiting for change in changes[:2]] == [True, False]
    assert changes[1].source == "Headset"
    assert [wanted for wanted, _ in tries] == ["usb", "headset", "headset", "headset"]
