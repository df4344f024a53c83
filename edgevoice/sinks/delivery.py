"""Events to everybody who wants them besides the screen or stdout: files, actions, programs that listen.

A sink may have something to say itself, for example that the disk is full. It says it with an event, which goes the way
of all others: onto the screen, into the JSON lines, and to the other sinks.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from edgevoice.errors import EdgeVoiceError
from edgevoice.events import Event, Failed
from edgevoice.text import plain

_LOG = logging.getLogger(__name__)


class Sink(Protocol):
    """Whoever takes events. One thread calls it; it must return soon, for the captions wait meanwhile."""

    def write(self, event: Event) -> Iterable[Event]:
        """Takes an event, and gives what there is to say about it or has become known since.

        Raises:
            EdgeVoiceError: this event could not be taken; the next may be.
        """
        ...

    def close(self) -> Iterable[Event]:
        """Ends what was begun, once, after the last event; gives what there is to say about that."""
        ...


def delivered(stream: Iterable[Event], sinks: Sequence[Sink]) -> Iterator[Event]:
    """A stream that every sink has seen: each event is with the sinks before it is yielded, so that what a reader has
    seen is saved. What sinks say follows it. However the stream ends, the sinks are
    closed, the last first."""
    round_ = _Round(sinks)
    try:
        for event in stream:
            yield from round_.take(event)
    finally:
        # events that come out of closing still matter to the files, though nobody may be left to be shown them
        last = list(round_.close())
    yield from last


class _Round:
    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = list(sinks)
        self._last = Event(channel="", at=0.0)

    def take(self, event: Event) -> Iterator[Event]:
        """Gives an event to all sinks, then yields it and what they say."""
        self._last = event
        said: deque[tuple[Event, Sink | None]] = deque([(event, None)])
        while said:
            each, author = said.popleft()
            for sink in [sink for sink in self._sinks if sink is not author]:
                answers = self._write(sink, each)
                # whoever cannot even take in that another sink failed does not start an argument about it
                if author is None or not isinstance(each, Failed):
                    said.extend((answer, sink) for answer in answers)
            yield each

    def close(self) -> Iterator[Event]:
        while self._sinks:
            sink = self._sinks.pop()
            try:
                answers = list(sink.close())
            except Exception as error:  # noqa: BLE001 - the other sinks are closed all the same
                answers = [self._failure(error)]
            for answer in answers:
                yield from self.take(answer)

    def _write(self, sink: Sink, event: Event) -> list[Event]:
        try:
            return list(sink.write(event))
        except EdgeVoiceError as error:
            return [self._failure(error)]
        except Exception as error:  # noqa: BLE001 - whatever breaks in a sink, captions go on
            _LOG.exception("a sink failed")
            self._sinks.remove(sink)
            return [self._failure(error)]

    def _failure(self, error: Exception) -> Event:
        what, remedy = f"{type(error).__name__}: {error}", "Captions go on without it; please report this"
        if isinstance(error, EdgeVoiceError):
            what, remedy = error.what, error.remedy
        last = self._last
        return Failed(channel=last.channel, at=last.at, what=plain(what), recoverable=True, remedy=plain(remedy))
