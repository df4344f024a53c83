"""The command line as its user meets it: a process with arguments, streams, signals and an exit code."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from edgevoice import __version__
from edgevoice.events import CaptionFinished, Event, SpeechEnded, StreamEnded, StreamStarted, from_json
from tests.tiny import LABELS, silence, speak, tiny_bundle

COMMANDS = ["live", "demo", "transcribe", "classify", "devices", "doctor", "models"]
ENTRY = "import sys; from edgevoice.cli import main; sys.exit(main())"


@dataclass
class Cli:
    """Runs `edgevoice` in a home of its own."""

    home: Path
    model: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
        """Runs to the end."""
        return subprocess.run(
            self.command(arguments),
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=60,
            check=False,
            **more,
        )

    def start(self, *arguments: str | Path, **more: Any) -> subprocess.Popen[bytes]:
        """Starts and goes on."""
        return subprocess.Popen(
            self.command(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment, **more
        )

    def in_terminal(self, terminal: int, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Starts with all three streams on a terminal of its own."""
        kept = {key: value for key, value in self.environment.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        environment = kept | {"TERM": "xterm-256color"}
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
        return subprocess.Popen(self.command(arguments), env=environment, start_new_session=True, **streams)

    def command(self, arguments: Sequence[str | Path]) -> list[str]:
        """The whole command line."""
        return [sys.executable, "-c", ENTRY, *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the person who runs the tests."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("EDGEVOICE_", "XDG_"))}
        folders = {f"XDG_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
        model = {"EDGEVOICE_MODEL": str(self.model)}
        return kept | folders | model | {"HOME": str(self.home), "COLUMNS": "100"} | self.extra


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that hears tones as words."""
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny").path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two utterances, at a rate that must be converted."""
    parts = [silence(0.5), speak("one one one"), silence(1.5), speak("two three two"), silence(1.0)]
    file = tmp_path_factory.mktemp("audio") / "call.wav"
    soundfile.write(file, np.concatenate(parts), 16_000)
    return file


@pytest.fixture
def cli(tmp_path: Path, model: Path) -> Cli:
    """The command line with the tiny model as its default."""
    return Cli(tmp_path, model)


def events(lines: bytes) -> list[Event]:
    """Standard output as events; fails if any line is something else."""
    return [from_json(line) for line in lines.decode().splitlines()]


def one_sentence(result: subprocess.CompletedProcess[bytes]) -> str:
    """Standard error, which must be a single line of ours."""
    error = result.stderr.decode()
    assert error.startswith("edgevoice: "), error
    assert error.count("\n") == 1, error
    assert error.rstrip().endswith("."), error
    return error


def finals(heard: Sequence[Event]) -> list[str]:
    """The texts of the finished captions."""
    return [event.text for event in heard if isinstance(event, CaptionFinished)]


class TestHelp:
    """Help and version."""

    @pytest.mark.parametrize("flag", ["--help", "--version"])
    def test_answers_before_anything_heavy_is_imported(self, cli: Cli, flag: str) -> None:
        """What takes time is imported inside the command that needs it."""
        probe = f"import sys; from edgevoice.cli import main; main([{flag!r}]); print(sorted(sys.modules))"
        result = subprocess.run([sys.executable, "-c", probe], capture_output=True, env=cli.environment, check=False)
        assert result.returncode == 0, result.stderr
        modules = result.stdout.decode().splitlines()[-1]
        for heavy in ("numpy", "onnxruntime", "textual", "sounddevice", "soundfile", "soxr", "torch", "rich"):
            assert f"'{heavy}'" not in modules

    def test_takes_less_than_0_3_seconds_of_cpu(self, cli: Cli) -> None:
        """CPU seconds, so that a busy machine does not matter; the best of three."""
        best = min(self._cpu_seconds(cli) for _ in range(3))
        assert best < 0.3

    @staticmethod
    def _cpu_seconds(cli: Cli) -> float:
        before = os.times()
        assert cli("--help").returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    def test_version(self, cli: Cli) -> None:
        """Name and number on stdout."""
        assert cli("--version").stdout.decode() == f"edgevoice {__version__}\n"

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_an_example(self, cli: Cli, command: str) -> None:
        """A command line to copy, in each help text."""
        result = cli(command, "--help")
        assert result.returncode == 0
        sub = [cli("models", each, "-h").stdout for each in ("list", "info", "verify")] if command == "models" else []
        for text in sub or [result.stdout]:
            assert f"edgevoice {command}" in text.decode().split("Example", 1)[1]

    def test_no_colour_reaches_a_pipe(self, cli: Cli) -> None:
        """No escape sequences where nobody reads them; NO_COLOR holds on a terminal as well."""
        cli.extra = {"NO_COLOR": "1"}
        assert b"\x1b" not in cli("--help").stdout


class TestWrongUsage:
    """Exit code 2 and a sentence."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["lvie"],
            ["--nonsense"],
            ["live", "--nonsense"],
            ["transcribe"],
            ["transcribe", "x.wav", "--format", "doc"],
            ["classify", "x.wav", "--top-k", "0"],
            ["live", "--fast"],
            ["live", "--provider", "gpu", "--input", "x.wav"],
            ["live", "--vad", "ears", "--input", "x.wav"],
        ],
    )
    def test_exit_code_is_2(self, cli: Cli, arguments: list[str]) -> None:
        """Nothing on stdout, no traceback."""
        result = cli(*arguments)
        assert result.returncode == 2
        assert result.stdout == b""
        assert b"Traceback" not in result.stderr
        assert result.stderr

    def test_a_typing_error_in_a_command_is_pointed_out(self, cli: Cli) -> None:
        """The nearest command is named."""
        assert b"'transcribe'" in cli("trancribe").stderr

    def test_a_wrong_setting_names_the_nearest(self, cli: Cli) -> None:
        """The environment and the file are checked before anything starts."""
        cli.extra = {"EDGEVOICE_VAD_TRESHOLD": "0.4"}
        result = cli("transcribe", "x.wav")
        assert result.returncode == 2
        assert "EDGEVOICE_VAD_THRESHOLD" in one_sentence(result)

    def test_a_wrong_flag_is_called_by_its_name(self, cli: Cli) -> None:
        """Not by that of the setting behind it."""
        assert "--vad is 'ears'" in one_sentence(cli("transcribe", "x.wav", "--vad", "ears"))

    def test_input_from_a_terminal_is_explained(self, cli: Cli) -> None:
        """`-` without a pipe would wait for ever."""
        controller, terminal = pty.openpty()
        process = cli.start("live", "--input", "-", stdin=terminal)
        _, error = process.communicate(timeout=30)
        os.close(controller)
        os.close(terminal)
        assert process.returncode == 2
        assert b"reads audio from a pipe" in error


class TestExtensions:
    """`train`, `export` and `bench` live in other packages."""

    def test_help_goes_through_to_the_command(self, cli: Cli) -> None:
        """`--help` is the command's own, not ours."""
        result = cli("train", "--help")
        assert result.returncode == 0
        assert b"usage: edgevoice train" in result.stdout

    def test_without_the_extra_it_says_how_to_install_it(self, cli: Cli) -> None:
        """An import that fails is no traceback."""
        code = (
            "import sys, importlib.metadata as m; from edgevoice.cli import main\n"
            "m.entry_points = lambda **_: []\n"
            "sys.exit(main(['train', '--help']))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=cli.environment, check=False)
        assert result.returncode == 2
        assert "pip install 'edgevoice[train]'" in one_sentence(result)

    def test_a_command_that_leaves_with_a_message_failed(self, cli: Cli) -> None:
        """As Python does it: the message on stderr, exit code 1."""
        code = (
            "import sys, importlib.metadata as m; from edgevoice.cli import main\n"
            "class Found:\n    module = 'x'\n    load = staticmethod(lambda: lambda argv: sys.exit('No data.'))\n"
            "m.entry_points = lambda **_: [Found]\n"
            "sys.exit(main(['train']))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=cli.environment, check=False)
        assert result.returncode == 1
        assert one_sentence(result) == "edgevoice: No data.\n"

    def test_arguments_pass_untouched(self, cli: Cli) -> None:
        """Also `--`, `--debug` and the like."""
        code = (
            "import sys, importlib.metadata as m; from edgevoice.cli import main\n"
            "class Found:\n    module = 'x'\n    load = staticmethod(lambda: lambda argv: print(argv) or 7)\n"
            "m.entry_points = lambda **_: [Found]\n"
            "sys.exit(main(['--debug', 'export', '--debug', '--', '-x', '']))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, env=cli.environment, check=False)
        assert result.returncode == 7
        assert result.stdout.decode().strip() == "['--debug', '--', '-x', '']"


class TestBadInput:
    """One clear sentence, exit code 1, no traceback, nothing half written."""

    def test_unreadable_audio(self, cli: Cli, tmp_path: Path) -> None:
        """Missing, empty, a folder, no audio, cut off in its header."""
        (tmp_path / "empty.wav").write_bytes(b"")
        (tmp_path / "text.wav").write_text("this is no audio\n" * 100)
        (tmp_path / "cut.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfm")
        for name in ("missing.wav", "empty.wav", "text.wav", "cut.wav", "."):
            result = cli("live", "--input", tmp_path / name, "--json", "--fast")
            assert result.returncode == 1, name
            assert result.stdout == b"", name
            one_sentence(result)

    def test_a_missing_model(self, cli: Cli, recording: Path, tmp_path: Path) -> None:
        """Neither a known name nor a folder with a manifest."""
        for name in ("no-such-model", str(tmp_path), "~no-such-user/model", "x" * 300):
            result = cli("live", "--input", recording, "--fast", "--json", "--model", name)
            assert result.returncode == 1
            assert result.stdout == b""
            assert "model" in one_sentence(result)
            assert "went wrong" not in one_sentence(result)

    def test_a_model_changed_by_one_byte(self, cli: Cli, recording: Path, tmp_path: Path) -> None:
        """It is not run; verify says which file."""
        bundle = tiny_bundle(tmp_path / "damaged")
        file = bundle.path / "model.onnx"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
        for arguments in (["transcribe", recording, "--model", bundle.path], ["models", "verify", bundle.path]):
            result = cli(*arguments)
            assert result.returncode == 1
            assert result.stdout == b""
            assert "model.onnx" in one_sentence(result)

    def test_no_microphone(self, cli: Cli) -> None:
        """Exit code 1 where there is none at all, 2 where only the one asked for is missing."""
        cli.extra = {"PULSE_SERVER": "unix:/nonexistent"}
        result = cli("live", "--json", "--device", "no such microphone")
        assert result.returncode in (1, 2)
        assert result.stdout == b""
        assert "--input" in one_sentence(result) or "Choose one of these" in one_sentence(result)

    def test_no_portaudio(self, cli: Cli) -> None:
        """The sentence holds the command that installs it; recordings need none of it."""
        code = (
            "import sys\n"
            "class Finder:\n"
            "    def find_spec(self, name, *rest):\n"
            "        if name == 'sounddevice': raise OSError('PortAudio library not found')\n"
            "sys.meta_path.insert(0, Finder()); from edgevoice.cli import main; sys.exit(main(sys.argv[1:]))"
        )
        for command in ("live", "devices"):
            result = subprocess.run(
                [sys.executable, "-c", code, command], capture_output=True, env=cli.environment, check=False
            )
            assert result.returncode == 1
            assert "apt install libportaudio2" in one_sentence(result)

    def test_cuda_that_is_not_there_is_an_error_when_asked_for(self, cli: Cli, recording: Path) -> None:
        """A named provider never falls back."""
        onnxruntime = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("CUDA is there")
        result = cli("transcribe", recording, "--provider", "cuda")
        assert result.returncode == 1
        assert "--provider cpu" in one_sentence(result)

    def test_a_traceback_only_with_debug(self, cli: Cli) -> None:
        """Wherever --debug stands."""
        assert b"Traceback" not in cli("classify", "missing.wav").stderr
        assert b"Traceback" in cli("classify", "missing.wav", "--debug").stderr
        assert b"Traceback" in cli("--debug", "classify", "missing.wav").stderr


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


class TestTranscribe:
    """`edgevoice transcribe`."""

    def test_one_bad_file_does_not_stop_the_others(self, cli: Cli, recording: Path) -> None:
        """In the order of the arguments; exit code 1 at the end."""
        result = cli("transcribe", "missing.wav", recording)
        assert result.returncode == 1
        assert result.stdout.decode() == "one one one\ntwo three two\n"
        assert "missing.wav" in one_sentence(result)

    def test_json_is_one_object_a_file(self, cli: Cli, recording: Path) -> None:
        """With an error in place of the rest where one failed."""
        result = cli("transcribe", recording, "missing.wav", "--format", "json")
        good, bad = map(json.loads, result.stdout.decode().splitlines())
        assert good["file"] == str(recording)
        assert good["text"] == "one one one two three two"
        assert [intent["label"] for intent in good["intents"]] == ["greet", "pay"]
        first = good["segments"][0]
        assert set(first) == {"start", "end", "text", "words"}
        assert set(first["words"][0]) == {"word", "start", "end", "confidence"}
        assert bad["file"] == "missing.wav"
        assert set(bad) == {"file", "error"}

    def test_jsonl_is_the_events(self, cli: Cli, recording: Path) -> None:
        """Without those that only matter while they are new."""
        heard = events(cli("transcribe", recording, "-f", "jsonl").stdout)
        assert finals(heard) == ["one one one", "two three two"]
        assert isinstance(heard[0], StreamStarted)
        assert isinstance(heard[-1], StreamEnded)

    @pytest.mark.parametrize(("kind", "head"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n00:00:0")])
    def test_subtitles_are_written_beside_each_other(self, cli: Cli, recording: Path, kind: str, head: str) -> None:
        """A file for each recording in --output; nothing on stdout, nothing left over."""
        folder = cli.home / "deep" / "subtitles"
        result = cli("transcribe", recording, "missing.wav", "--format", kind, "--output", folder)
        assert result.returncode == 1
        assert result.stdout == b""
        assert [file.name for file in folder.iterdir()] == [f"call.{kind}"]
        assert (folder / f"call.{kind}").read_text().startswith(head)

    def test_files_are_not_replaced_unless_forced(self, cli: Cli, recording: Path) -> None:
        """Nor written through a link, nor twice under one name."""
        target = cli.home / "call.txt"
        target.write_text("mine")
        kept = cli("transcribe", recording, "--output", cli.home)
        assert kept.returncode == 2
        assert "--force" in one_sentence(kept)
        assert target.read_text() == "mine"
        link = cli.home / "elsewhere.txt"
        target.rename(link)
        target.symlink_to(link)
        assert cli("transcribe", recording, "--output", cli.home, "--force").returncode == 0
        assert link.read_text() == "mine"
        assert target.read_text() == "one one one\ntwo three two\n"
        assert cli("transcribe", recording, recording, "--output", cli.home, "--force").returncode == 2

    def test_standard_input(self, cli: Cli, recording: Path) -> None:
        """`-` is a pipe."""
        result = cli("transcribe", "-", stdin=recording.read_bytes())
        assert result.stdout.decode() == "one one one\ntwo three two\n"

    def test_output_is_utf8_whatever_the_locale(self, cli: Cli, recording: Path) -> None:
        """A file name with an umlaut in a C locale."""
        copy = cli.home / "gespräch.wav"
        copy.write_bytes(recording.read_bytes())
        cli.extra = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
        result = cli("transcribe", copy, "--format", "json")
        assert result.returncode == 0, result.stderr
        json.loads(result.stdout.decode("utf-8"))


class TestClassify:
    """`edgevoice classify`."""

    @pytest.fixture
    def utterance(self, tmp_path: Path) -> Path:
        """One utterance."""
        soundfile.write(tmp_path / "pay.flac", speak("two two two two"), 16_000)
        return tmp_path / "pay.flac"

    def test_json_is_what_the_hugging_face_pipeline_gives(self, cli: Cli, utterance: Path) -> None:
        """A list of score and label, best first."""
        result = cli("classify", utterance, "--top-k", "2", "--json")
        best, second = json.loads(result.stdout)
        assert set(best) == {"score", "label"}
        assert best["label"] == "pay"
        assert 1 >= best["score"] > second["score"] >= 0

    def test_text_has_a_line_for_each_label(self, cli: Cli, utterance: Path) -> None:
        """All of them, if there are fewer than --top-k."""
        lines = cli("classify", utterance).stdout.decode().splitlines()
        assert lines[0].split()[-1] == "pay"
        assert {line.split()[-1] for line in lines} == set(LABELS)

    def test_a_model_without_intents(self, cli: Cli, utterance: Path, tmp_path: Path) -> None:
        """It says so."""
        captions_only = tiny_bundle(tmp_path / "ctc", "ctc").path
        result = cli("classify", utterance, "--model", captions_only)
        assert result.returncode == 1
        assert "no intents" in one_sentence(result)

    def test_a_long_recording_is_sent_to_transcribe(self, cli: Cli, tmp_path: Path) -> None:
        """Attention over an hour would take all memory."""
        soundfile.write(tmp_path / "long.flac", silence(61), 16_000)
        result = cli("classify", tmp_path / "long.flac")
        assert result.returncode == 2
        assert "transcribe" in one_sentence(result)

    def test_hardly_any_audio(self, cli: Cli, tmp_path: Path) -> None:
        """Ten milliseconds are no utterance."""
        soundfile.write(tmp_path / "click.wav", silence(0.01), 16_000)
        result = cli("classify", tmp_path / "click.wav")
        assert result.returncode == 1
        assert "too short" in one_sentence(result)


class TestModels:
    """`edgevoice models`."""

    def test_own_models_are_known_by_name(self, cli: Cli, recording: Path) -> None:
        """A folder under the data folder can be named everywhere."""
        own = cli.home / "data" / "edgevoice" / "models" / "mine"
        tiny_bundle(own)
        listed = json.loads(cli("models", "list", "--json").stdout)
        assert "mine" in [row["name"] for row in listed]
        assert cli("transcribe", recording, "--model", "mine").stdout.startswith(b"one")
        assert json.loads(cli("models", "info", "mine", "--json").stdout)["labels"] == list(LABELS)
        assert cli("models", "verify", "mine").returncode == 0


class TestDoctor:
    """`edgevoice doctor`."""

    def test_each_line_has_a_state_and_a_way_out(self, cli: Cli) -> None:
        """No microphone is a warning: recordings work without one."""
        cli.extra = {"PULSE_SERVER": "unix:/nonexistent"}
        result = cli("doctor", "--json", "--model", cli.model)
        checks = {check["name"]: check for check in json.loads(result.stdout)}
        assert result.returncode == 0, checks
        assert checks["microphone"]["status"] in ("pass", "warn")
        assert checks["provider"]["status"] in ("pass", "warn")
        for check in checks.values():
            assert check["status"] == "pass" or check["remedy"]
        assert cli("doctor", "--model", cli.model).stdout.decode().startswith("pass  configuration")

    def test_a_damaged_model_fails(self, cli: Cli, tmp_path: Path) -> None:
        """Exit code 1, and the line says what to do."""
        result = cli("doctor", "--json", "--model", tmp_path / "nothing")
        checks = {check["name"]: check for check in json.loads(result.stdout)}
        assert result.returncode == 1
        assert checks["model"]["status"] == "fail"
        assert checks["model"]["remedy"]

    def test_both_runtimes_are_a_trap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """onnxruntime and onnxruntime-gpu share one folder."""
        from edgevoice.commands import checks

        monkeypatch.setattr(checks, "version", lambda name: "1.31.1")
        found = checks.check_runtime()
        assert found.status == "fail"
        assert "pip uninstall" in found.remedy

    def test_a_wrong_file_of_settings_fails(self, cli: Cli) -> None:
        """The rest is checked all the same."""
        file = cli.home / "config" / "edgevoice" / "config.toml"
        file.parent.mkdir(parents=True)
        file.write_text("[vad]\nagressiveness = 1\n")
        result = cli("doctor", "--json")
        first, *others = json.loads(result.stdout)
        assert result.returncode == 1
        assert first["status"] == "fail"
        assert "vad.aggressiveness" in first["remedy"]
        assert others


@contextmanager
def terminal(columns: int, lines: int) -> Iterator[tuple[int, int]]:
    """A pseudo terminal: the end we read and the end a program draws on."""
    controller, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    try:
        yield controller, inner
    finally:
        os.close(controller)
        os.close(inner)


def read_until(controller: int, wanted: bytes, seconds: float) -> bytes:
    """What a terminal got, up to that text or for that long."""
    shown = b""
    end = time.monotonic() + seconds
    while wanted not in shown and time.monotonic() < end:
        if select.select([controller], [], [], 0.1)[0]:
            shown += os.read(controller, 65_536)
    return shown


def wait_for(process: subprocess.Popen[bytes], event: str) -> list[bytes]:
    """Reads lines until one holds that event."""
    lines: list[bytes] = []
    for line in _lines(process):
        lines.append(line)
        if json.loads(line)["event"] == event:
            return lines
    raise AssertionError(f"{event} never came: {process.stderr.read() if process.stderr else ''!r}")


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout
    yield from iter(process.stdout.readline, b"")
