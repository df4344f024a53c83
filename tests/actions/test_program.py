"""Programs of actions: real ones, also those that hang, flood, fail and leave children."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from edgevoice.actions.outcome import CANCELLED, OUTPUT_LIMIT, Outcome
from edgevoice.actions.program import Programs
from edgevoice.events import IntentDetected, to_dict
from tests.actions.detections import detected
from tests.processes import gone

HOSTILE = '"; touch pwned #$(touch pwned) `touch pwned` -rf \x1b]0;x\x07 \u202e'


def sh(script: str, *arguments: str, intent: IntentDetected | None = None, timeout_s: float = 30) -> Outcome:
    return Programs().run(["/bin/sh", "-c", script, "sh", *arguments], intent or detected(), timeout_s)


def read_soon(file: Path) -> int:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.02)
    raise AssertionError("the program never wrote its number")


class TestWhatItIsTold:
    """The event, as data."""

    def test_json_on_standard_input(self) -> None:
        outcome = sh("cat")
        assert json.loads(outcome.output) == to_dict(detected())

    def test_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("EDGEVOICE_REQUIRE_RIG", raising=False)  # CI's own
        outcome = sh("env | grep ^EDGEVOICE_ | sort", intent=detected(words="i'd like to", segment=3))
        assert outcome.output.decode().splitlines() == [
            "EDGEVOICE_AT=1.0000",
            "EDGEVOICE_CHANNEL=call",
            "EDGEVOICE_INTENT=pay",
            "EDGEVOICE_SCORE=0.9000",
            "EDGEVOICE_SEGMENT=3",
            "EDGEVOICE_WORDS=i'd like to",
        ]

    def test_nothing_that_was_said_becomes_a_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        hostile = detected(label=HOSTILE, words=HOSTILE + "\0" + "x" * 300_000)
        outcome = sh('printf %s "$EDGEVOICE_INTENT"; cat > said.json; echo "$1" > argument', "{label}", intent=hostile)
        assert outcome.ok, outcome
        assert outcome.output.decode() == '"; touch pwned #$(touch pwned) `touch pwned` -rf ]0;x '
        assert (tmp_path / "argument").read_text() == "{label}\n"
        assert json.loads((tmp_path / "said.json").read_text())["words"] == hostile.words
        assert not (tmp_path / "pwned").exists()


class TestHowItEnds:
    """Exit code, time and output."""

    def test_well(self) -> None:
        outcome = sh("echo out; echo err >&2")
        assert (outcome.ok, outcome.code, outcome.error) == (True, 0, "")
        assert outcome.output == b"out\nerr\n"
        assert 0 < outcome.seconds < 30

    def test_with_an_exit_code_and_its_last_line(self) -> None:
        outcome = sh("echo first; echo 'no such card \033[31m' >&2; exit 3")
        assert (outcome.ok, outcome.code, outcome.error) == (False, 3, "exit code 3: no such card [31m")

    def test_by_a_signal(self) -> None:
        outcome = sh("kill -SEGV $$")
        assert (outcome.ok, outcome.code, outcome.error) == (False, -11, "ended by SIGSEGV")

    @pytest.mark.parametrize("program", ["no-such-program", "/", "/etc/passwd"])
    def test_it_cannot_be_started(self, program: str) -> None:
        outcome = Programs().run([program], detected(), 10)
        assert not outcome.ok
        assert outcome.error.startswith("cannot be started: ")

    def test_one_that_never_reads_is_not_waited_for(self) -> None:
        assert sh("exec <&-; exit 0", intent=detected(words="x" * 200_000)).ok

    def test_a_path_from_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        program = tmp_path / "hook"
        program.write_text("#!/bin/sh\necho home\n")
        program.chmod(0o755)
        assert Programs().run(["~/hook"], detected(), 10).output == b"home\n"


class TestTrouble:
    """What must not reach the captions."""

    def test_one_that_hangs_is_ended_with_all_it_started(self, tmp_path: Path) -> None:
        script = 'sleep 600 & echo $! > "$1"; sleep 600'
        outcome = sh(script, str(tmp_path / "child"), timeout_s=0.5)
        assert not outcome.ok
        assert outcome.error == "took longer than 0.5 s"
        assert outcome.seconds < 10
        assert gone(read_soon(tmp_path / "child"))

    def test_one_that_does_not_listen_is_ended_all_the_same(self) -> None:
        outcome = sh("trap '' TERM HUP INT; echo deaf; while :; do sleep 0.1; done", timeout_s=0.5)
        assert (outcome.ok, outcome.code) == (False, -9)
        assert outcome.output == b"deaf\n"

    def test_one_that_listens_may_tidy_up(self) -> None:
        outcome = sh("trap 'echo tidy; exit 7' TERM; while :; do sleep 0.05; done", timeout_s=0.5)
        assert outcome.code == 7
        assert outcome.output.endswith(b"tidy\n")  # the shell also says that its sleep was ended

    def test_children_it_leaves_hold_nothing_up_and_go_with_it(self, tmp_path: Path) -> None:
        began = time.monotonic()
        outcome = sh('(trap "" HUP TERM; echo $$ >/dev/null; exec sleep 600) & echo $! > "$1"', str(tmp_path / "child"))
        assert outcome.ok
        assert time.monotonic() - began < 30
        assert gone(read_soon(tmp_path / "child"))

    def test_a_session_of_its_own_goes_on(self, tmp_path: Path) -> None:
        assert sh('setsid sh -c \'echo $$ > "$1"; exec sleep 600\' sh "$1" & sleep 1', str(tmp_path / "child")).ok
        pid = read_soon(tmp_path / "child")
        assert not gone(pid, 0.2)
        os.kill(pid, 9)

    def test_a_flood_is_kept_in_bounds_and_costs_little(self) -> None:
        before = time.process_time()
        outcome = sh("exec yes flood", timeout_s=1.5)
        assert time.process_time() - before < 0.75
        assert outcome.error == "took longer than 1.5 s"
        assert OUTPUT_LIMIT < len(outcome.output) < OUTPUT_LIMIT + 100
        assert b"bytes more" in outcome.output

    def test_stop_ends_what_runs_and_lets_nothing_start(self, tmp_path: Path) -> None:
        programs, outcomes = Programs(), []
        command = ["/bin/sh", "-c", 'sleep 600 & echo $! > "$1"; wait', "sh", str(tmp_path / "child")]
        thread = threading.Thread(target=lambda: outcomes.append(programs.run(command, detected(), 600)))
        thread.start()
        child = read_soon(tmp_path / "child")
        programs.stop()
        thread.join(10)
        assert outcomes[0].error == CANCELLED
        assert gone(child)
        assert programs.run(["/bin/sleep", "600"], detected(), 600).error == CANCELLED
