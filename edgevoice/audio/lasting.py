"""A device for as long as its user wants it: one that goes away is waited for, and another can be chosen meanwhile."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from edgevoice.audio.resample import Resampler
from edgevoice.audio.source import Block, Samples, Source, SourceChange
from edgevoice.errors import AudioError

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 4.0
"""Between two tries to open a device that is away; each wait is twice the one before."""
_SLICE_S = 0.1
_GAP_S = 0.05
_AWAY = "device away"
_GOES_ON = "Captions go on when it is back; another microphone can be chosen meanwhile"

Opener = Callable[[str, bool], Source]
"""Opens the device that is asked for ("" for the system's default); True for a further try, when what is plugged in may
have changed."""


class LastingSource:
    """A source around a device. While the device is away, and in place of all that it lost, there is silence: positions
    stay those of the clock, so that two sides of a call stay side by side.

    A device that cannot be opened the first time, or never delivers, is an error as it is without this.

    Args:
        open_device: opens it, and opens it again.
        wanted: what to ask `open_device` for.
        beginning: shared by streams that are to have one time line; the first to deliver sets it, and the others have
            silence before they begin.
        clock: seconds, comparable with `Block.arrived`.

    Raises:
        AudioError: there is no such device.
    """

    def __init__(
        self,
        open_device: Opener,
        wanted: str = "",
        *,
        beginning: Beginning | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_device, self._wanted, self._clock = open_device, wanted, clock
        self._source = open_device(wanted, False)
        self.channel = self._source.channel
        self.sample_rate = self._source.sample_rate
        """Hertz, of the first device; what others deliver is resampled."""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._chosen = threading.Event()
        self._wait = 0.0
        """Before the next try to open the device."""
        self._line = _TimeLine(self.sample_rate, beginning or Beginning())

    @property
    def name(self) -> str:
        """Of the device in use or waited for."""
        return self._source.name

    @property
    def device(self) -> Source:
        """The one in use or waited for."""
        return self._source

    def choose(self, wanted: str) -> None:
        """Goes on with another device; from any thread. One that cannot be opened is waited for."""
        with self._lock:
            self._wanted = wanted
            self._chosen.set()
            self._source.close()

    def look_up(self, wanted: str) -> Source:
        """Another device, to be opened by whoever asks; this one goes on.

        Raises:
            AudioError: there is no such device.
        """
        return self._open_device(wanted, False)

    def blocks(self) -> Iterator[Block]:
        """Blocks until `close`.

        Raises:
            AudioError: the device never delivered anything.
        """
        away = False
        while True:
            failure: AudioError | None = None
            try:
                for block in self._delivered():
                    if away:
                        yield self._silence_before(block)
                    placed = self._placed(block)
                    yield self._back(placed) if away else placed
                    away, self._wait = False, 0.0
            except AudioError as error:
                if not self._line.begun:
                    raise
                failure = error
            if self._closed.is_set() or not (failure or self._chosen.is_set()):
                break
            if failure and not away:
                yield self._silence(SourceChange(self.name, True, failure.what, _GOES_ON))
            away = True
            yield from self._reopened()
        if away:
            yield dataclasses.replace(self._silence(), lost=self._line.take_missing(), lost_where=_AWAY)

    def close(self) -> None:
        """Ends `blocks` after what was heard until now."""
        with self._lock:
            self._closed.set()
            self._source.close()

    def _delivered(self) -> Iterator[Block]:
        """What the device in use delivers, at our sample rate."""
        resampler = Resampler(self._source.sample_rate, self.sample_rate)
        for block in self._source.blocks():
            samples = block.samples if resampler.from_rate == resampler.to_rate else resampler.process(block.samples)
            yield dataclasses.replace(block, samples=samples)
        rest = resampler.flush()
        if len(rest):
            yield Block(rest, arrived=self._clock())

    def _placed(self, block: Block) -> Block:
        """A block behind silence in place of what its device lost, or of what others of the same time had before."""
        missing = self._line.begin(len(block.samples), block.arrived)
        missing += round(block.lost * self.sample_rate)
        self._line.add(len(block.samples) + missing)
        return dataclasses.replace(block, samples=_after_silence(missing, block.samples)) if missing else block

    def _silence_before(self, block: Block) -> Block:
        missing = max(0, self._line.missing(block.arrived) - len(block.samples))
        self._line.fill(missing)
        return Block(np.zeros(missing, dtype=np.float32), arrived=block.arrived)

    def _back(self, block: Block) -> Block:
        """The first block of a device that was away, or of another one."""
        lost = self._line.take_missing()
        change = SourceChange(self.name, waiting=False)
        if lost < _GAP_S:
            return dataclasses.replace(block, lost=0.0, change=change)
        return dataclasses.replace(block, lost=lost, lost_where=_AWAY, change=change)

    def _silence(self, change: SourceChange | None = None) -> Block:
        """Silence up to now."""
        now = self._clock()
        missing = max(0, self._line.missing(now))
        self._line.fill(missing)
        return Block(np.zeros(missing, dtype=np.float32), arrived=now, change=change)

    def _reopened(self) -> Iterator[Block]:
        """Silence in real time until the device can be opened again, another one can, or nobody wants it any more."""
        while not self._closed.is_set():
            yield self._silence()
            end = self._clock() + self._wait
            while self._clock() < end and not self._closed.is_set() and not self._chosen.is_set():
                self._closed.wait(_SLICE_S)
                yield self._silence()
            self._wait = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, 2 * self._wait))
            chosen = self._chosen.is_set()
            failure = self._try_to_open()
            if failure is None:
                return
            if chosen:  # nobody was told yet that it is waited for
                yield self._silence(SourceChange(self.name, True, failure.what, _GOES_ON))

    def _try_to_open(self) -> AudioError | None:
        self._chosen.clear()
        try:
            source = self._open_device(self._wanted, True)
        except AudioError as error:
            return error
        with self._lock:
            self._source = source
            if self._closed.is_set():  # `close` has closed the one before it
                source.close()
        return None


class Beginning:
    """The moment at which the time of several streams begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: float | None = None

    def at(self, candidate: float) -> float:
        """That moment; the candidate if it is the first."""
        with self._lock:
            self._at = candidate if self._at is None else self._at
            return self._at


class _TimeLine:
    """Where a stream stands, in samples, and where it should by the clock."""

    def __init__(self, sample_rate: int, beginning: Beginning) -> None:
        self.begun = False
        self._rate, self._beginning = sample_rate, beginning
        self._origin = 0.0
        self._position = self._filled = 0

    def begin(self, samples: int, arrived: float) -> int:
        """With the first samples, the last of which arrived then: how many are missing before them."""
        if self.begun:
            return 0
        self.begun = True
        first = arrived - samples / self._rate
        self._origin = self._beginning.at(first)
        return max(0, round((first - self._origin) * self._rate))

    def add(self, samples: int) -> None:
        """So many samples more."""
        self._position += samples

    def missing(self, now: float) -> int:
        """Samples that should have come until now and have not; none before anything came."""
        if not self.begun:
            return 0
        return round((now - self._origin) * self._rate) - self._position

    def fill(self, samples: int) -> None:
        """So many samples of silence in their place."""
        self._position += samples
        self._filled += samples

    def take_missing(self) -> float:
        """Seconds of silence since the last time, in place of what was not heard."""
        filled, self._filled = self._filled, 0
        return filled / self._rate


def _after_silence(count: int, samples: Samples) -> Samples:
    return np.concatenate([np.zeros(count, dtype=np.float32), samples])
