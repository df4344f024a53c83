"""Captions as they stand: the one place that knows that a second reading takes the place of the first.

Whoever shows, keeps or judges what was said asks here which words these are, so that nobody holds both readings of a
sentence. Actions do not: they go by the sound, and are not set off again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from edgevoice.events import CaptionFinished, CaptionRevised, Event, StreamStarted

_Key: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What an event changes about captions."""

    before: CaptionFinished | None
    """What stood until now; None if a caption is new."""
    now: CaptionFinished | None
    """What stands from now on, with the words of the last reading; None if it turned out that nothing was said."""


class Captions:
    """Takes events as they come, and knows each caption as it stands. Captions of channels are told apart, and so are
    those of several runs in a row, each of which counts its segments anew.

    Iterating gives the captions as they stand, in the order in which they were finished.
    """

    def __init__(self) -> None:
        self._standing: dict[_Key, CaptionFinished] = {}
        self._runs: dict[str, int] = {}
        """Channel -> how often its segments were counted anew."""
        self._revised: dict[tuple[str, int], int] = {}
        """Channel and run -> the newest segment that was read twice."""
        self._settled: dict[tuple[str, int], int] = {}
        """Channel and run -> the newest segment that was settled."""

    def __iter__(self) -> Iterator[CaptionFinished]:
        return iter(tuple(self._standing.values()))

    def take(self, event: Event) -> Change | None:
        """Takes an event in, and gives what it changes."""
        match event:
            case StreamStarted():
                self._count_anew(event.channel)
            case CaptionFinished():
                if self._key(event) in self._standing:  # whoever began anew was not heard, as in a damaged file
                    self._count_anew(event.channel)
                self._standing[self._key(event)] = event
                return Change(None, event)
            case CaptionRevised():
                return self._revise(event)
            case _:
                pass
        return None

    def may_change(self, caption: CaptionFinished) -> bool:
        """Whether its second reading is on its way: there is a reader, and it has not come that far yet."""
        newest = self._revised.get(self._run(caption.channel))
        return newest is not None and caption.segment > newest and self._standing.get(self._key(caption)) is caption

    def settle(self, caption: CaptionFinished) -> None:
        """Forgets a caption, which will not change any more; what comes for it or for one before it is passed over."""
        run = self._run(caption.channel)
        key = next((key for key in self._keys(caption) if self._standing.get(key) is caption), None)
        if key:
            del self._standing[key]
            run = key[:2]
        self._settled[run] = max(caption.segment, self._settled.get(run, -1))

    def _revise(self, event: CaptionRevised) -> Change | None:
        key, run = self._key(event), self._run(event.channel)
        self._revised[run] = max(event.segment, self._revised.get(run, -1))
        before = self._standing.get(key)
        if before is None and event.segment <= self._settled.get(run, -1):
            return None
        if event.text.strip():
            # it keeps its place, also where the first reading was never seen, as in a file that was cut
            self._standing[key] = _in_place_of(before, event)
        else:
            self._standing.pop(key, None)
        now = self._standing.get(key)
        return Change(before, now) if before or now else None

    def _count_anew(self, channel: str) -> None:
        self._runs[channel] = self._runs.get(channel, 0) + 1

    def _run(self, channel: str) -> tuple[str, int]:
        return channel, self._runs.get(channel, 0)

    def _key(self, event: CaptionFinished | CaptionRevised) -> _Key:
        return *self._run(event.channel), event.segment

    def _keys(self, caption: CaptionFinished) -> Iterator[_Key]:
        """Where a caption may be: in this run, or one before it."""
        for run in range(self._runs.get(caption.channel, 0), -1, -1):
            yield caption.channel, run, caption.segment


def final_captions(events: Iterable[Event]) -> list[CaptionFinished]:
    """The captions of events as they stand at the end, in the order in which they were finished: of each the words of
    its second reading, if there was one. One of which it turned out that nothing was said is left out."""
    captions = Captions()
    for event in events:
        captions.take(event)
    return list(captions)


def takes_place_of(revised: CaptionRevised, event: Event) -> bool:
    """Whether an event is another reading of the same segment, if both are of one run."""
    readings = CaptionFinished, CaptionRevised
    return isinstance(event, readings) and (event.channel, event.segment) == (revised.channel, revised.segment)


def _in_place_of(before: CaptionFinished | None, event: CaptionRevised) -> CaptionFinished:
    if before:
        return replace(before, text=event.text, words=event.words)
    return CaptionFinished(
        channel=event.channel,
        at=event.at,
        segment=event.segment,
        start=event.start,
        end=event.end,
        text=event.text,
        words=event.words,
        latency=event.latency,
    )
