"""`edgevoice live`, as lines of JSON and in a terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from edgevoice.events import SpeechEnded, StreamEnded, StreamStarted
from tests.command_line import ENTRY, Cli, events, finals, one_sentence, read_until, terminal, wait_for

pytestmark = pytest.mark.alone


class TestLive:
    """`edgevoice live` as JSON lines."""

    def test_every_line_is_an_event(self, cli: Cli, recording: Path) -> None:
        """From stream_started to stream_ended; a stdout that is no terminal needs no --json."""
        result = cli("live", "--input", recording, "--fast")
        assert result.returncode == 0, result.stderr
        assert result.stderr == b""
        heard = events(result.stdout)
        assert isinstance(heard[0], StreamStarted)
        assert heard[0].model == "tiny-shared"
        assert isinstance(heard[-1], StreamEnded)
        assert finals(heard) == ["one one one", "two three two"]

    def test_standard_input_gives_the_same(self, cli: Cli, recording: Path) -> None:
        """Raw samples and a WAV stream."""
        samples, _ = soundfile.read(recording, dtype="int16")
        for data in (samples.tobytes(), recording.read_bytes()):
            result = cli("live", "--input", "-", stdin=data)
            assert result.returncode == 0, result.stderr
            assert finals(events(result.stdout)) == ["one one one", "two three two"]

    def test_events_come_while_the_recording_plays(self, cli: Cli, recording: Path) -> None:
        """Paced like a microphone, and flushed: the first caption is there long before the end."""
        process = cli.start("live", "--input", recording, "--json")
        assert process.stdout
        arrived = {}
        for line in process.stdout:
            arrived.setdefault(json.loads(line)["event"], time.monotonic())
        process.communicate()
        assert process.returncode == 0
        assert arrived["stream_ended"] - arrived["caption_updated"] > 2
        assert arrived["stream_ended"] - arrived["stream_started"] > 4

    def test_a_reader_that_leaves_is_no_failure(self, cli: Cli, recording: Path) -> None:
        """`| head -1` ends it quietly with 0."""
        process = cli.start("live", "--input", recording, "--json")
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
    def test_a_signal_ends_the_stream_properly(self, cli: Cli, recording: Path, number: signal.Signals) -> None:
        """What was said is finished and flushed; the exit code is 128 plus the signal."""
        process = cli.start("live", "--input", recording, "--json")
        lines = wait_for(process, "caption_updated")
        process.send_signal(number)
        rest, error = process.communicate(timeout=20)
        heard = events(b"".join(lines) + rest)
        assert process.returncode == 128 + number
        assert error == b""
        assert isinstance(heard[-1], StreamEnded)
        assert heard[-1].duration < 3
        assert any(isinstance(event, SpeechEnded) for event in heard)
        assert finals(heard)
        assert finals(heard)[0].startswith("one")

    def test_a_signal_ends_a_pipe_that_says_nothing(self, cli: Cli) -> None:
        """Waiting for input is no reason to hang."""
        process = cli.start("live", "--input", "-", stdin=subprocess.PIPE)
        assert process.stdin
        process.stdin.write(bytes(64_000))
        process.stdin.flush()
        wait_for(process, "level_measured")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 143

    def test_a_second_signal_does_not_wait(self, cli: Cli, recording: Path) -> None:
        """Whoever presses Ctrl-C twice means it."""
        process = cli.start("live", "--input", recording, "--json")
        wait_for(process, "stream_started")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 130

    def test_ctrl_c_while_the_command_line_is_loaded(self, cli: Cli) -> None:
        """No traceback, and the shell is told what ended it."""
        code = (
            "import os, signal, sys\n"
            "class Pressed:\n"
            "    def find_spec(self, name, *rest):\n"
            "        if name == 'edgevoice.cli': os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Pressed()); from edgevoice.__main__ import main; sys.exit(main())"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=cli.environment, check=False)
        assert result.returncode == -signal.SIGINT
        assert result.stderr == b""

    def test_a_full_disk_is_said(self, cli: Cli, recording: Path) -> None:
        """/dev/full takes nothing."""
        with Path("/dev/full").open("wb") as full:
            result = subprocess.run(
                cli.command(["live", "--input", recording, "--fast"]),
                stdout=full,
                stderr=subprocess.PIPE,
                env=cli.environment,
                check=False,
                timeout=60,
            )
        assert result.returncode == 1
        assert "Standard output cannot be written (No space left" in one_sentence(result)

    @pytest.mark.parametrize("arguments", [["live", "--fast", "--input"], ["transcribe"]])
    def test_closed_streams_break_nothing(self, cli: Cli, recording: Path, arguments: list[str]) -> None:
        """`>&-` and `2>&-`, as services do: Python has no sys.stdout and no sys.stderr then."""
        closed = "import os, sys; os.close(int(sys.argv[1])); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
        for number, file, code in (("1", recording, 0), ("1", "missing.wav", 1), ("2", "missing.wav", 1)):
            command = [sys.executable, "-c", closed, number, "-c", ENTRY, *arguments, str(file)]
            result = subprocess.run(command, capture_output=True, env=cli.environment, check=False, timeout=60)
            assert result.returncode == code, result.stderr
            assert result.stdout == b""
            assert b"went wrong" not in result.stderr


class TestScreen:
    """`edgevoice live` in a terminal."""

    def test_it_draws_and_a_signal_restores_the_terminal(self, cli: Cli, recording: Path) -> None:
        """Captions appear; SIGTERM leaves the alternate screen and gives 143."""
        with terminal(columns=100, lines=30) as (controller, inner):
            process = cli.in_terminal(inner, "live", "--input", recording)
            shown = read_until(controller, b"two", 30)
            process.send_signal(signal.SIGTERM)
            shown += read_until(controller, b"\x1b[?1049l", 15)
            assert process.wait(timeout=15) == 143
        assert b"\x1b[?1049h" in shown
        assert b"\x1b[?1049l" in shown

    def test_a_terminal_that_is_too_small(self, cli: Cli, recording: Path) -> None:
        """A sentence before anything is loaded."""
        with terminal(columns=20, lines=5) as (controller, inner):
            process = cli.in_terminal(inner, "live", "--input", recording)
            assert process.wait(timeout=15) == 2
            shown = read_until(controller, b"--json", 5)
        assert b"too small" in shown
        assert b"\x1b" not in shown
