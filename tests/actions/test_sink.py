"""Actions as a sink: at once, in bounds, in the log, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgevoice.actions import sink as sink_module
from edgevoice.actions.log import ActionLog
from edgevoice.actions.sink import Actions
from edgevoice.config import ActionSettings
from edgevoice.events import ActionFinished, ActionStarted, Event, Failed, IntentDetected
from edgevoice.sinks.delivery import delivered
from tests.actions.detections import detected, started
from tests.actions.receiver import receiver, wait_until

Make = Callable[..., Actions]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a sink of shell scripts."""

    def make(*scripts: str, at_once: int = 4, log: Path = tmp_path / "actions.log", **more: object) -> Actions:
        settings = {key: more.pop(key) for key in ("dry_run", "closing_s") if key in more}
        actions = [ActionSettings(intent="pay", run=("/bin/sh", "-c", each), **more) for each in scripts]  # type: ignore[arg-type]
        return Actions(actions, at_once=at_once, log=ActionLog(log), **settings)  # type: ignore[arg-type]

    return make


def of(kind: type[Event], events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def intents(count: int) -> Iterator[IntentDetected]:
    for segment in range(count):
        yield detected(segment=segment, at=float(segment))


def test_start_and_end_are_events(make: Make, tmp_path: Path) -> None:
    heard = list(delivered([started(), *intents(1)], [make("echo done; exit 2", closing_s=30)]))
    [begun], [over] = of(ActionStarted, heard), of(ActionFinished, heard)
    assert isinstance(begun, ActionStarted)
    assert (begun.name, begun.label, begun.kind, begun.segment, begun.dry_run) == ("sh", "pay", "run", 0, False)
    assert isinstance(over, ActionFinished)
    assert (over.name, over.ok, over.code, over.error) == ("sh", False, 2, "exit code 2: done")
    log = tmp_path / "actions.log"
    assert "sh (pay): exit code 2: done, code 2, " in log.read_text()
    assert log.read_text().endswith(" s\n    done\n")
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_dry_run_says_what_would_run_and_runs_nothing(make: Make, tmp_path: Path) -> None:
    heard = list(delivered(intents(1), [make(f"touch {tmp_path}/ran", dry_run=True)]))
    assert [type(event) for event in heard] == [IntentDetected, ActionStarted]
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "actions.log").exists()


def test_events_go_on_while_actions_hang(make: Make) -> None:
    sink = make("sleep 600", at_once=2, closing_s=0.2)
    slowest = 0.0
    for intent in intents(200):
        before = time.monotonic()
        list(sink.write(intent))
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 1
    before = time.monotonic()
    said = list(sink.close())
    assert time.monotonic() - before < 10
    assert {event.error for event in said} == {"ended with edgevoice"}  # type: ignore[attr-defined]


def test_no_more_run_at_once_than_may(make: Make, tmp_path: Path) -> None:
    script = f"d={tmp_path}/now; mkdir -p $d; touch $d/$$; ls $d | wc -l >> {tmp_path}/counts; sleep 0.1; rm $d/$$"
    list(delivered(intents(6), [make(script, at_once=2, closing_s=60)]))
    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 6
    assert max(counts) == 2


def test_what_finds_no_room_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = make("sleep 600", at_once=1, closing_s=0.1)
    said = [event for intent in intents(sink_module.WAITING + 5) for event in sink.write(intent)]
    dropped = of(ActionFinished, said)
    assert 3 <= len(dropped) <= 5
    assert all("others wait already" in event.error for event in dropped)  # type: ignore[attr-defined]
    list(sink.close())
    assert len(of(ActionStarted, said)) <= 1


def test_a_run_is_begun_when_it_is_and_not_when_it_waits(make: Make) -> None:
    sink = make("sleep 600", at_once=2, closing_s=0.1)
    said = list(delivered(intents(5), [sink]))
    begun, over = of(ActionStarted, said), of(ActionFinished, said)
    assert [event.segment for event in begun] == [0, 1]  # type: ignore[attr-defined]
    assert len(over) == 5


def test_a_server_that_hangs_holds_up_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with receiver(0) as there:
        actions = [
            ActionSettings(intent="pay", webhook=there.url),
            ActionSettings(intent="pay", run=("/bin/sh", "-c", f"echo >> {tmp_path}/ran")),
        ]
        sink = Actions(actions, at_once=2, log=ActionLog(tmp_path / "actions.log"), closing_s=1)
        for intent in intents(6):
            list(sink.write(intent))
        wait_until(lambda: (tmp_path / "ran").exists() and (tmp_path / "ran").read_text() == "\n" * 6)
        list(sink.close())


def test_after_ctrl_c_twice_nobody_waits(make: Make) -> None:
    sink = make("sleep 600", closing_s=600)
    began = time.monotonic()

    def stream() -> Iterator[Event]:
        yield detected()
        raise SystemExit(130)

    with pytest.raises(SystemExit):
        list(delivered(stream(), [sink]))
    assert time.monotonic() - began < 30


def test_no_thread_keeps_the_process(make: Make) -> None:
    sink = make("true", at_once=3)
    list(delivered(intents(5), [sink]))
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("edgevoice-action")]
    assert ours
    assert all(thread.daemon for thread in ours)


def test_an_intent_that_the_model_does_not_know_is_said_once(make: Make) -> None:
    stream = [started("play", "stop", channel="mic"), started("play", "stop", channel="call")]
    heard = list(delivered(stream, [make("true")]))
    [failed] = of(Failed, heard)
    assert isinstance(failed, Failed)
    assert failed.recoverable
    assert "'pay'" in failed.what
    assert failed.remedy == "The nearest is 'play'"


def test_a_log_that_cannot_be_written_is_said_once(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    heard = list(delivered(intents(3), [make("true", log=tmp_path / "file" / "actions.log", closing_s=30)]))
    assert all(event.ok for event in of(ActionFinished, heard))  # type: ignore[attr-defined]
    [failed] = of(Failed, heard)
    assert "cannot be written: " in failed.what  # type: ignore[attr-defined]


def test_the_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgevoice.actions.outcome import Outcome

    monkeypatch.setattr("edgevoice.actions.log.LIMIT", 2_000)
    log = ActionLog(tmp_path / "logs" / "actions.log")
    for _ in range(50):
        log.write("a", "pay", Outcome(ok=True, seconds=0.1, output=b"x" * 100 + b"\x1b[2J\n"))
    files = sorted(file.name for file in (tmp_path / "logs").iterdir())
    assert files == ["actions.log", "actions.log.1"]
    assert all(file.stat().st_size < 2_500 for file in (tmp_path / "logs").iterdir())
    assert b"\x1b" not in log.file.read_bytes()
