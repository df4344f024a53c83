"""What `live` writes beside its events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgevoice.commands.streaming import _Delivered, _PausableRun, write_events
from edgevoice.events import Event, InputSilent, PaceChanged
from tests.tui.scripted import ScriptedRun, ended, started


def pace(behind: float, hop: float, channel: str = "mic", *, keeping_up: bool = False) -> PaceChanged:
    return PaceChanged(channel=channel, at=1.0, behind=behind, hop=hop, keeping_up=keeping_up)


def notes(capfdbinary: pytest.CaptureFixture[bytes], *events: Event) -> Iterator[str]:
    assert write_events(ScriptedRun([started(), *events, ended()], ends=True)) == 0
    out, err = capfdbinary.readouterr()
    assert out.count(b"\n") == len(events) + 2
    return iter(err.decode().splitlines())


def test_a_machine_that_cannot_keep_up_is_one_line_and_so_is_its_recovery(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    told = [pace(0.7, 0.64), pace(1.2, 1.28), pace(1.4, 1.28), pace(0.0, 0.64), pace(0.0, 0.32, keeping_up=True)]
    assert list(notes(capfdbinary, *told)) == [
        "edgevoice: The machine cannot keep up: behind 1.2 s, captions every 1.3 s; no word is lost.",
        "edgevoice: The machine keeps up again: captions every 0.3 s.",
    ]


def test_a_short_stall_is_an_event_and_no_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    told = [pace(0.7, 0.64), pace(0.7, 0.64, "call"), pace(0.0, 0.32, keeping_up=True)]
    assert list(notes(capfdbinary, *told, *told[:1])) == []


def test_a_silent_microphone_is_one_line_and_so_is_its_return(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    silent = InputSilent(channel="mic", at=10.0, silent=True, what="It is silent: is it muted?", remedy="Unmute it")
    back = InputSilent(channel="mic", at=12.0, silent=False, what="It is heard again", remedy="")
    assert list(notes(capfdbinary, silent, back)) == [
        "edgevoice: It is silent: is it muted? Unmute it.",
        "edgevoice: It is heard again.",
    ]


def test_a_threshold_moved_on_the_screen_reaches_the_run() -> None:
    run = ScriptedRun()
    _PausableRun([], _Delivered(run, [])).set_threshold("card_issues", 0.75)
    assert run.calls == ["card_issues 0.75"]
