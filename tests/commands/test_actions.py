"""Actions as a user meets them: in the settings, in `live`, and tried by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgevoice.events import ActionFinished, ActionStarted, Failed, IntentDetected, StreamEnded
from tests.actions.receiver import receiver, wait_until
from tests.command_line import Cli, events, finals, one_sentence, read_until, terminal, wait_for
from tests.processes import gone

Write = Callable[[str], None]


@pytest.fixture
def settings(cli: Cli, tmp_path: Path) -> Write:
    """Writes the file of settings."""
    file = tmp_path / "config.toml"
    cli.extra["EDGEVOICE_CONFIG"] = str(file)
    return lambda text: file.write_text(text, encoding="utf-8") and None


class TestLive:
    """`edgevoice live` with actions."""

    def test_an_intent_runs_a_program_and_both_ends_are_events(
        self, cli: Cli, recording: Path, settings: Write, tmp_path: Path
    ) -> None:
        """The program gets the event; the run is in the JSON lines and in the log."""
        script = 'cat >> "$HOME/got.json"; echo "$EDGEVOICE_INTENT said"'
        settings(f"[[actions]]\nintent = 'greet'\nname = 'welcome'\nrun = ['sh', '-c', {json.dumps(script)}]\n")
        result = cli("live", "--input", recording, "--fast")
        assert result.returncode == 0, result.stderr
        assert result.stderr == b""
        heard = events(result.stdout)
        [begun] = [event for event in heard if isinstance(event, ActionStarted)]
        [over] = [event for event in heard if isinstance(event, ActionFinished)]
        assert (begun.name, begun.label, begun.kind) == ("welcome", "greet", "run")
        assert (over.name, over.ok, over.code) == ("welcome", True, 0)
        [said] = [json.loads(line) for line in (tmp_path / "got.json").read_text().splitlines()]
        assert said["event"] == "intent_detected"
        assert said["label"] == "greet"
        [log] = tmp_path.rglob("actions.log")
        assert log.read_text().splitlines()[1] == "    greet said"

    def test_a_dry_run_and_no_run(self, cli: Cli, recording: Path, settings: Write, tmp_path: Path) -> None:
        """Shown as events, or left out; a program that is missing does not matter to either."""
        settings(
            f"[[actions]]\nintent = '*'\nrun = ['touch', '{tmp_path}/ran']\n[[actions]]\nintent='*'\nrun=['nope']\n"
        )
        dry = events(cli("live", "--input", recording, "--fast", "--dry-run-actions").stdout)
        begun = [event for event in dry if isinstance(event, ActionStarted)]
        intents = [event for event in dry if isinstance(event, IntentDetected)]
        assert len(begun) == 2 * len(intents) > 0
        assert all(event.dry_run for event in begun)
        without = events(cli("live", "--input", recording, "--fast", "--no-actions").stdout)
        assert not [event for event in without if isinstance(event, ActionStarted | ActionFinished)]
        assert not (tmp_path / "ran").exists()

    def test_one_that_hangs_neither_slows_captions_nor_keeps_the_process(
        self, cli: Cli, recording: Path, settings: Write, tmp_path: Path
    ) -> None:
        """Ended with edgevoice, its children too."""
        script = f"sleep 600 & echo $! >> {tmp_path}/children; yes"
        settings(f"[[actions]]\nintent = '*'\nrun = ['sh', '-c', '{script}']\n")
        result = cli("live", "--input", recording, "--fast", timeout=120)
        heard = events(result.stdout)
        assert result.returncode == 0
        assert finals(heard) == ["one one one", "two three two"]
        over = [event for event in heard if isinstance(event, ActionFinished)]
        assert {event.error for event in over} == {"ended with edgevoice"}
        ended = next(index for index, event in enumerate(heard) if isinstance(event, StreamEnded))
        assert all(heard.index(event) > ended for event in over)
        for child in (tmp_path / "children").read_text().split():
            assert gone(int(child))

    def test_a_signal_ends_them_as_well(self, cli: Cli, recording: Path, settings: Write, tmp_path: Path) -> None:
        """SIGTERM, and nothing goes on."""
        settings(f"[[actions]]\nintent = '*'\nrun = ['sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 600']\n")
        process = cli.start("live", "--input", recording, "--json")
        wait_for(process, "action_started")
        wait_until(lambda: read(tmp_path / "pid"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 143
        assert gone(int((tmp_path / "pid").read_text()))

    def test_a_webhook_is_posted(self, cli: Cli, recording: Path, settings: Write) -> None:
        """Signed with what a variable holds."""
        cli.extra |= {"DESK_SECRET": "sesame", "no_proxy": "*"}
        with receiver() as there:
            settings(f"[[actions]]\nintent = 'greet'\nwebhook = '{there.url}'\nsecret_env = 'DESK_SECRET'\n")
            heard = events(cli("live", "--input", recording, "--fast").stdout)
        [over] = [event for event in heard if isinstance(event, ActionFinished)]
        assert (over.name, over.ok, over.code) == ("127.0.0.1", True, 204)
        assert there.received[0][0]["X-Hub-Signature-256"].startswith("sha256=")

    def test_an_intent_that_the_model_does_not_know_is_a_warning(
        self, cli: Cli, recording: Path, settings: Write
    ) -> None:
        """The model may change; the captions come."""
        settings("[[actions]]\nintent = 'greed'\nrun = ['true']\n")
        result = cli("live", "--input", recording, "--fast")
        assert result.returncode == 0
        assert "'greed', which this model does not know. The nearest is 'greet'" in one_sentence(result)
        [failed] = [event for event in events(result.stdout) if isinstance(event, Failed)]
        assert failed.recoverable

    def test_what_could_not_run_is_refused_at_the_start(self, cli: Cli, settings: Write) -> None:
        """Not at the first intent, and before a model is loaded."""
        settings("[[actions]]\nintent = '*'\nrun = ['true']\n[[actions]]\nintent = '*'\nrun = ['no-such-program']\n")
        result = cli("live", "--input", "-", stdin=b"")
        assert result.returncode == 2
        assert "no program 'no-such-program', which action 2 (" in one_sentence(result)
        assert "config.toml" in one_sentence(result)

    def test_the_screen_ends_them_when_it_is_left(
        self, cli: Cli, recording: Path, settings: Write, tmp_path: Path
    ) -> None:
        """It does not wait for a run that hangs, and leaves nothing behind."""
        settings(f"[[actions]]\nintent = '*'\nrun = ['sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 600']\n")
        with terminal(columns=100, lines=30) as (controller, inner):
            process = cli.in_terminal(inner, "live", "--input", recording)
            wait_until(lambda: read_until(controller, b"sh...", 0.2) and read(tmp_path / "pid"), 120)
            os.write(controller, b"q")
            end = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < end:
                read_until(controller, b"\x1b[?1049l", 0.2)
        assert process.returncode == 0
        assert gone(int(read(tmp_path / "pid")))


class TestTry:
    """`edgevoice actions list` and `edgevoice actions test`."""

    def test_the_list_says_when_and_what_and_why_not(self, cli: Cli, settings: Write) -> None:
        """Without what may be secret in an address."""
        settings(
            "[[actions]]\nintent='greet'\nchannel='them'\nminimum_score=0.8\ncooldown_s=60\nearly=false\n"
            "run=['echo', 'two words']\n"
            "[[actions]]\nintent='gret'\nname='chat'\nwebhook='https://hooks.example.org/T0/secret-key'\nsecret='x'\n"
            "[[actions]]\nintent='*'\nrun=['no-such-program']\n"
        )
        result = cli("actions", "list")
        text = result.stdout.decode()
        assert result.returncode == 0
        assert "greet, from them, score 0.8 or more, when the speaker has finished, once in 60 s" in text
        assert "run echo 'two words'" in text
        assert "post to hooks.example.org, signed" in text
        assert "The nearest is 'greet'" in text
        assert "! There is no program 'no-such-program'" in text
        assert "actions.log" in text
        assert "secret-key" not in text
        rows = json.loads(cli("actions", "list", "--json").stdout)
        assert [row["kind"] for row in rows] == ["run", "webhook", "run"]
        assert [bool(row["problem"]) for row in rows] == [False, True, True]

    def test_no_actions(self, cli: Cli) -> None:
        """One sentence with the way out."""
        assert "[[actions]]" in one_sentence(cli("actions", "list"))

    def test_a_test_runs_what_would_run(self, cli: Cli, settings: Write) -> None:
        """Output, exit code and time; exit code 1 when one fails."""
        settings(
            "[[actions]]\nintent='greet'\nname='a'\nrun=['sh', '-c', 'echo from $EDGEVOICE_CHANNEL; cat']\n"
            "[[actions]]\nintent='*'\nchannel='them'\nname='b'\nrun=['sh', '-c', 'exit 4']\n"
            "[[actions]]\nintent='pay'\nname='c'\nrun=['true']\n"
        )
        result = cli("actions", "test", "greet", "--channel", "you")
        lines = result.stdout.decode().splitlines()
        assert result.returncode == 0
        assert lines[0] == "from mic"
        assert json.loads(lines[1])["label"] == "greet"
        assert lines[2].startswith("a: ok (exit code 0, 0.")
        both = cli("actions", "test", "greet")
        assert both.returncode == 1
        assert [line[:2] for line in both.stdout.decode().splitlines()][2:] == ["a:", "b:"]
        assert b"b: exit code 4 (exit code 4, " in both.stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["gret"], 2, "There is no intent 'gret'. The nearest is 'greet'"),
            (["stop"], 1, "No action is for 'stop'"),
            (["greet", "--channel", "it"], 2, "Choose one of: you, them"),
        ],
    )
    def test_what_cannot_be_tried(
        self, cli: Cli, settings: Write, arguments: list[str], code: int, message: str
    ) -> None:
        settings("[[actions]]\nintent='greet'\nrun=['true']\n")
        result = cli("actions", "test", *arguments)
        assert result.returncode == code
        assert message in one_sentence(result)


def test_the_demo_runs_no_actions(cli: Cli, settings: Write, tmp_path: Path) -> None:
    """Nobody called. The missing program would be refused otherwise."""
    settings("[[actions]]\nintent='*'\nrun=['no-such-program']\n")
    process = cli.start("demo", "--json")
    wait_for(process, "level_measured")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143


class TestNotify:
    """Notifications, through notify-send and a real session bus, to a desktop that writes down what it shows."""

    @pytest.fixture
    def desktop(self, cli: Cli, tmp_path: Path) -> Iterator[Path]:
        """A session with a desktop; gives the file that holds what was shown."""
        bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"], stdout=subprocess.PIPE, text=True
        )
        assert bus.stdout
        cli.extra["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        shown = tmp_path / "shown.jsonl"
        desktop = subprocess.Popen(
            [*cli.command([])[:1], "-m", "tests.actions.desktop", str(shown)],
            env=cli.environment,
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.PIPE,
        )
        assert desktop.stdout
        assert desktop.stdout.readline() == b"ready\n"
        yield shown
        for process in (desktop, bus):
            process.kill()
            process.communicate()

    def test_what_was_said_is_shown_as_text(self, cli: Cli, settings: Write, desktop: Path) -> None:
        settings("[[actions]]\nintent='greet'\nnotify='A <b>caller</b> says hello'\n")
        result = cli("actions", "test", "greet")
        assert result.returncode == 0, result.stdout + result.stderr
        [shown] = [json.loads(line) for line in desktop.read_text().splitlines()]
        assert shown["app"] == "edgevoice"
        assert shown["title"] == "A <b>caller</b> says hello"
        assert shown["body"] == "this is a test of an action\ngreet, 100%"

    def test_no_desktop_is_said_at_the_start(self, cli: Cli, settings: Write) -> None:
        settings("[[actions]]\nintent='greet'\nnotify='hello'\n")
        cli.extra |= {"DBUS_SESSION_BUS_ADDRESS": "", "XDG_RUNTIME_DIR": ""}
        result = cli("live", "--input", "-", stdin=b"")
        assert result.returncode == 2
        assert "no desktop session" in one_sentence(result)
        cli.extra["PATH"] = str(Path("/usr/bin/env").parent / "nowhere") + os.pathsep + "/nowhere"
        assert "libnotify-bin" in one_sentence(cli("live", "--input", "-", stdin=b""))


def read(file: Path) -> str:
    """What is in a file that may not be there yet."""
    return file.read_text() if file.exists() else ""
