"""Sinks see every event first, may say something themselves, and never end the captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from edgevoice.errors import EdgeVoiceError
from edgevoice.events import Event, Failed, SpeechStarted
from edgevoice.sinks.delivery import delivered


def speech(segment: int) -> SpeechStarted:
    return SpeechStarted(channel="mic", at=1.0, segment=segment, start=1.0)


class Recorder:
    """A sink that remembers, and answers as it is told to."""

    def __init__(self, answers: dict[Event, list[Event]] | None = None, last: Iterable[Event] = ()) -> None:
        self.seen: list[Event] = []
        self.closed = 0
        self._answers, self._last = answers or {}, list(last)

    def write(self, event: Event) -> Iterable[Event]:
        self.seen.append(event)
        return self._answers.get(event, [])

    def close(self) -> Iterable[Event]:
        self.closed += 1
        return self._last


class Full(Recorder):
    """Has no room for anything."""

    def write(self, event: Event) -> Iterable[Event]:
        super().write(event)
        raise EdgeVoiceError("The disk is full", "Free some space")


class Broken(Recorder):
    """Has a bug."""

    def write(self, event: Event) -> Iterable[Event]:
        super().write(event)
        raise ZeroDivisionError("division by zero")


def test_an_event_is_with_the_sinks_before_it_is_yielded() -> None:
    sink = Recorder()
    for event in delivered([speech(0), speech(1)], [sink]):
        assert sink.seen[-1] == event
    assert sink.closed == 1


def test_what_a_sink_says_follows_the_event_and_reaches_the_others_only() -> None:
    one = Recorder({speech(0): [speech(7)]})
    other = Recorder()
    assert list(delivered([speech(0), speech(1)], [one, other])) == [speech(0), speech(7), speech(1)]
    assert one.seen == [speech(0), speech(1)]
    assert other.seen == [speech(0), speech(7), speech(1)]


def test_a_sink_that_cannot_take_an_event_is_asked_again_with_the_next() -> None:
    sink = Full()
    failed = Failed(channel="mic", at=1.0, what="The disk is full", recoverable=True, remedy="Free some space")
    assert list(delivered([speech(0), speech(1)], [sink])) == [speech(0), failed, speech(1), failed]
    assert sink.seen == [speech(0), speech(1)]


def test_two_full_sinks_do_not_argue_for_ever() -> None:
    stream = list(delivered([speech(0)], [Full(), Full()]))
    assert [type(event) for event in stream] == [SpeechStarted, Failed, Failed]


def test_a_sink_with_a_bug_is_left_alone_from_then_on() -> None:
    broken, other = Broken(), Recorder()
    stream = list(delivered([speech(0), speech(1)], [broken, other]))
    assert [type(event) for event in stream] == [SpeechStarted, Failed, SpeechStarted]
    assert "ZeroDivisionError: division by zero" in stream[1].what  # type: ignore[attr-defined]
    assert broken.seen == [speech(0)]
    assert len(other.seen) == 3


def test_what_is_said_while_closing_is_saved_and_yielded() -> None:
    saver, actions = Recorder(), Recorder(last=[speech(9)])
    assert list(delivered([speech(0)], [saver, actions])) == [speech(0), speech(9)]
    assert saver.seen == [speech(0), speech(9)]
    assert saver.closed == actions.closed == 1


def test_sinks_are_closed_when_nobody_reads_on_and_when_the_stream_breaks() -> None:
    sink = Recorder()
    stream = delivered([speech(0), speech(1)], [sink])
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert sink.closed == 1

    def broken() -> Iterator[Event]:
        yield speech(0)
        raise RuntimeError("the stream broke")

    sink = Recorder()
    with pytest.raises(RuntimeError, match="the stream broke"):
        list(delivered(broken(), [sink]))
    assert sink.closed == 1
