"""Files in real time and pauses, on a clock that the tests turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edgevoice.audio.pacing import PacedSource, PausableSource
from edgevoice.audio.source import Block

pytestmark = pytest.mark.alone


class Clock:
    """Time that passes only where somebody sleeps; each sleep takes a little longer than asked."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + 0.0007


class Script:
    """A source of numbered blocks of 0.1 s."""

    name, channel, sample_rate = "script", "file", 1000

    def __init__(self, count: int = 10) -> None:
        self.closed = False
        self.given = 0
        self._count = count

    def blocks(self) -> Iterator[Block]:
        for number in range(self._count):
            if self.closed:
                return
            self.given += 1
            yield Block(np.full(100, number, np.float32), lost=0.5 if number == 3 else 0.0)

    def close(self) -> None:
        self.closed = True


def numbers(blocks: list[Block]) -> list[int]:
    return [int(block.samples[0]) for block in blocks if not block.pause]


def test_each_block_comes_when_it_is_due() -> None:
    clock = Clock()
    source = PacedSource(Script(1000), clock, clock.sleep)
    assert (source.name, source.channel, source.sample_rate) == ("script", "file", 1000)
    for number, block in enumerate(source.blocks(), start=1):
        assert block.arrived == pytest.approx(100 + number / 10, abs=1e-9)
        assert clock.now == pytest.approx(block.arrived, abs=0.001)  # the extra 0.7 ms never add up
    assert number == 1000


def test_losses_are_passed_on() -> None:
    clock = Clock()
    assert [block.lost for block in PacedSource(Script(), clock, clock.sleep).blocks()][3] == 0.5


def test_a_late_reader_catches_up() -> None:
    clock = Clock()
    blocks = PacedSource(Script(), clock, clock.sleep).blocks()
    next(blocks)
    clock.now += 0.35
    late = [next(blocks) for _ in range(3)]
    assert clock.now == pytest.approx(100.4507)
    assert [block.arrived for block in late] == pytest.approx([100.2, 100.3, 100.4])
    next(blocks)
    assert clock.now == pytest.approx(100.5007)


def test_the_default_sleep_really_waits_and_close_ends_it() -> None:
    source = PacedSource(Script(100))
    threading.Timer(0.25, source.close).start()
    began = time.monotonic()
    assert len(list(source.blocks())) == 2
    assert time.monotonic() - began < 0.32


@pytest.mark.parametrize("late", [0.0, 0.25])
def test_pausing_a_paced_file_stops_its_clock(late: float) -> None:
    clock = Clock()
    source = PausableSource(PacedSource(Script(), clock, clock.sleep), live=False)
    blocks = source.blocks()
    next(blocks)
    clock.now = 100.1 + late
    source.pause()
    assert source.paused
    threading.Timer(0.1, lambda: (setattr(clock, "now", clock.now + 50), source.resume())).start()
    second = next(blocks)
    assert not source.paused
    assert second.arrived == pytest.approx(150.2)
    assert numbers([second, *blocks]) == list(range(1, 10))


def test_a_paused_file_waits_and_loses_nothing() -> None:
    inner = Script()
    source = PausableSource(inner, live=False)
    blocks = source.blocks()
    first = next(blocks)
    source.pause()
    threading.Timer(0.1, source.resume).start()
    assert numbers([first, *blocks]) == list(range(10))


def test_paused_live_audio_is_thrown_away() -> None:
    inner = Script()
    source = PausableSource(inner, live=True)
    blocks = source.blocks()
    first = next(blocks)
    source.pause()
    mark, *rest = blocks
    assert (len(mark.samples), mark.pause, rest) == (0, True, [])
    assert (inner.given, numbers([first]), first.pause) == (10, [0], False)


def test_what_arrived_before_the_pause_is_let_through_however_late_it_is_read() -> None:
    """And what arrived in it is not, even if it is read after the pause, or after the end."""
    queued = [Block(np.full(100, number, np.float32), arrived=100 + number) for number in range(9)]

    class Queue(Script):
        def blocks(self) -> Iterator[Block]:
            yield from queued

    clock = Clock()
    source = PausableSource(Queue(), live=True, clock=clock)
    clock.now = 103.5
    source.pause()
    clock.now = 105.5
    source.resume()
    clock.now = 106.5
    source.pause()
    source.close()
    found = list(source.blocks())
    assert numbers(found) == [0, 1, 2, 3, 6]
    assert [block.pause for block in found] == [False, False, False, False, True, False, True]


def test_resumed_live_audio_goes_on_with_what_is_new() -> None:
    clock = Clock()
    source = PausableSource(PacedSource(Script(), clock, lambda s: (clock.sleep(s), press())), live=True, clock=clock)

    def press() -> None:
        if 100.35 < clock.now < 100.65:
            source.pause()
        else:
            source.resume()

    found = list(source.blocks())
    # what is due at 0.4 s arrived a moment before the button was pressed, what is due at 0.7 s a moment before it was
    # pressed again
    assert numbers(found) == [0, 1, 2, 3, 7, 8, 9]
    assert [block.pause for block in found] == [False, False, False, False, True, False, False, False]
    assert sum(block.lost for block in found) == 0.5


@pytest.mark.parametrize("paced", [True, False])
def test_close_ends_a_pause(paced: bool) -> None:
    source = PausableSource(PacedSource(Script()) if paced else Script(), live=False)
    blocks = source.blocks()
    next(blocks)
    source.pause()
    threading.Timer(0.1, source.close).start()
    began = time.monotonic()
    assert list(blocks) == []
    assert time.monotonic() - began < 1
    source.pause()
    source.close()


def test_pausing_before_the_first_block() -> None:
    source = PausableSource(PacedSource(Script(2)), live=False)
    source.pause()
    began = time.monotonic()
    threading.Timer(0.2, source.resume).start()
    assert numbers(list(source.blocks())) == [0, 1]
    assert 0.35 < time.monotonic() - began < 2
