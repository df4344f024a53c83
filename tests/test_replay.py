"""Saved events, played again in their own time, whatever happened to their file."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable

import pytest

from edgevoice.errors import EdgeVoiceError
from edgevoice.events import CaptionFinished, Event, Failed, to_json
from edgevoice.replay import SENTENCES, Replay
from edgevoice.saved_events import LONGEST_LINE, Unread, read_events
from tests.test_captions import revised
from tests.tui.scripted import ended, final, started

TALK: list[Event] = [started(), final(0, "good morning", 1.0), final(1, "my card is gone", 5.0), ended()]
LINES = [to_json(event).encode() + b"\n" for event in TALK]


def read(*lines: bytes) -> list[Event | Unread]:
    return list(read_events(io.BytesIO(b"".join(lines))))


def test_what_was_saved_is_read() -> None:
    assert read(*LINES) == TALK
    assert read(b"\n", LINES[0], b"\r\n", *LINES[1:]) == TALK


@pytest.mark.parametrize(
    ("line", "why", "unknown"),
    [
        (b'{"event":"speaker_changed","channel":"mic"}\n', "does not know ('speaker_changed')", "speaker_changed"),
        (b'{"event":"\\u001b[2Jx"}\n', "does not know ('[2Jx')", "[2Jx"),
        (b"\xff\x00garbage\n", "is damaged", ""),
        (b"[" * 100_000 + b"\n", "is damaged", ""),
        (b"[1]\n", "is no event", ""),
        (b'{"event":"caption_finished","text":5}\n', "is damaged (malformed", ""),
        (b"x" * (LONGEST_LINE * 2 + 5) + b"\n", "is too long", ""),
        (LINES[1][:40], "breaks off", ""),
    ],
)
def test_a_line_that_holds_no_event_is_told_and_the_others_are_read(line: bytes, why: str, unknown: str) -> None:
    after = LINES[2:] if line.endswith(b"\n") else []
    before, unread, *rest = read(LINES[0], line, *after)
    assert before == TALK[0]
    assert isinstance(unread, Unread)
    assert unread.line == 2
    assert why in unread.why
    assert unread.unknown == unknown
    assert rest == (TALK[2:] if after else [])


def test_fields_of_a_later_version_are_passed_over() -> None:
    later = json.loads(LINES[1]) | {"language": "en"}
    assert read(json.dumps(later).encode()) == [TALK[1]]


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_events_come_when_they_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    replay = Replay(TALK, "a.jsonl", fast=False, clock=clock)
    monkeypatch.setattr(replay._changed, "wait", lambda seconds: setattr(clock, "now", clock.now + seconds))
    arrived = [(event, clock.now - 100.0) for event in replay.run()]
    assert [event for event, _ in arrived] == TALK
    assert [at for _, at in arrived] == pytest.approx([0.0, 2.0, 6.0, 9.0])


def test_a_second_reading_comes_when_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the sentences, a second or two after its own."""
    talk = [TALK[0], TALK[1], revised(0, "Good morning.", 1.0), *TALK[2:]]
    clock = Clock()
    replay = Replay(read(*(to_json(event).encode() + b"\n" for event in talk)), "a.jsonl", fast=False, clock=clock)
    monkeypatch.setattr(replay._changed, "wait", lambda seconds: setattr(clock, "now", clock.now + seconds))
    arrived = [(event, clock.now - 100.0) for event in replay.run()]
    assert [event for event, _ in arrived] == talk
    assert [at for _, at in arrived] == pytest.approx([0.0, 2.0, 4.0, 6.0, 9.0])


def test_a_part_of_a_session_begins_at_once() -> None:
    assert next(Replay(TALK[2:], "a", fast=False, clock=Clock()).run()) == TALK[2]


def test_times_that_are_none_do_not_stop_it() -> None:
    odd = [final(0, "a", float("nan")), final(1, "b", float("inf")), final(2, "c", -5.0)]
    assert list(Replay(odd, "a", fast=False).run()) == odd


def test_stop_ends_it_and_pause_holds_it() -> None:
    replay = Replay([started(), final(0, "much later", 10_000.0)], "a", fast=False)
    got: list[Event] = []
    thread = threading.Thread(target=lambda: got.extend(replay.run()))
    thread.start()
    replay.pause()
    replay.resume()
    replay.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert got == [started()]


def played(items: Iterable[Event | Unread]) -> list[Event]:
    return list(Replay(items, "a.jsonl", fast=True).run())


def test_what_cannot_be_read_is_a_sentence_each() -> None:
    unread = Unread(1, "is damaged")
    told = played([unread, *TALK[:2], Unread(4, "breaks off")])
    assert [type(event).__name__ for event in told] == ["StreamStarted", "Failed", "CaptionFinished", "Failed"]
    first, last = (event for event in told if isinstance(event, Failed))
    assert first.what == "Line 1 of 'a.jsonl' is damaged"
    assert first.recoverable
    assert (first.channel, last.at) == (TALK[0].channel, TALK[1].at)


def test_a_name_that_is_not_known_is_told_once_and_a_flood_is_counted() -> None:
    unknown = [Unread(line, "is new", "speaker_changed") for line in range(2, 50)]
    damaged = [Unread(line, "is damaged") for line in range(50, 100)]
    told = played([TALK[0], *unknown, *damaged, *TALK[1:]])
    failures = [event.what for event in told if isinstance(event, Failed)]
    assert len(failures) == 1 + SENTENCES + 1
    assert failures[-1] == f"{50 - SENTENCES} more lines of 'a.jsonl' are damaged"
    assert [event for event in told if isinstance(event, CaptionFinished)] == TALK[1:3]


def test_a_file_without_events_is_an_error() -> None:
    with pytest.raises(EdgeVoiceError, match="holds no events"):
        played([Unread(1, "is damaged")])
