"""TAB in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import ENTRY, Cli, read_until, terminal
from tests.tiny import tiny_bundle

LIMIT_S = 60.0


@pytest.fixture
def shell(cli: Cli, tmp_path: Path) -> Cli:
    """A home with `edgevoice` on the PATH, a model of one's own, and a file to complete."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "edgevoice"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{ENTRY}' \"$@\"\n")
    program.chmod(0o755)
    tiny_bundle(cli.home / "data" / "edgevoice" / "models" / "deskmodel")
    (tmp_path / "recording-1.wav").touch()
    cli.extra = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[2])}
    return cli


def answer(cli: Cli, line: str) -> list[str]:
    """What the shell bash would be told."""
    words = line.split(" ")
    asked = {"_EDGEVOICE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = cli.command([])
    result = subprocess.run(command, env={**cli.environment, **asked}, capture_output=True, check=True, timeout=LIMIT_S)
    assert result.stderr == b""
    return result.stdout.decode().split()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("edgevoice tr", {"transcribe", "train"}),
        ("edgevoice live --pro", {"--provider"}),
        ("edgevoice live --provider ", {"auto", "cuda", "tensorrt", "cpu"}),
        ("edgevoice live --model desk", {"deskmodel"}),
        ("edgevoice config set vad.det", {"vad.detector"}),
        ("edgevoice config set vad.detector ", {"webrtc", "silero"}),
        ("edgevoice config set intent.early ", {"true", "false"}),
        ("edgevoice transcribe record", set()),
        ("edgevoice completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_what_is_offered(shell: Cli, line: str, wanted: set[str]) -> None:
    """Nothing where a file is wanted: the shell knows files itself."""
    assert set(answer(shell, line)) == wanted


def test_intents_and_sessions_are_offered(shell: Cli) -> None:
    """Of the model and the actions, and of the folder that is named or set; nothing where the settings are wrong."""
    file, calls = shell.home / "config" / "edgevoice" / "config.toml", shell.home / "calls"
    file.parent.mkdir(parents=True)
    file.write_text(f"[save]\nfolder = '{calls}'\n[[actions]]\nintent = 'greed'\nrun = ['true']\n")
    calls.mkdir()
    (calls / "2026-03-01_14-05-33.jsonl").touch()
    assert set(answer(shell, "edgevoice actions test gr")) == {"greet", "greed"}
    assert set(answer(shell, "edgevoice sessions open 2026")) == {"2026-03-01_14-05-33"}
    assert set(answer(shell, "edgevoice sessions open --in . 2026")) == set()
    file.write_text("nothing = 1\n")
    assert answer(shell, "edgevoice actions test gr") == answer(shell, "edgevoice sessions open 20") == []


def test_it_is_quick() -> None:
    """Each TAB waits for it; zsh and fish are told what things mean as well."""
    environment = {**os.environ, "_EDGEVOICE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "edgevoice "}
    probe = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\n"
        "from edgevoice.cli import main\nmain([])"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, env=environment, check=False)
    assert b"Caption what is said" in result.stdout
    for heavy in ("numpy", "onnxruntime", "textual", "sounddevice", "rich.console", "torch", "tomlkit"):
        assert f"'{heavy}'".encode() not in result.stderr


class TestShells:
    """The script in each shell, with keys."""

    def typed(self, cli: Cli, command: list[str], setup: str, keys: str, wanted: str) -> str:
        """What a shell in a terminal shows after these keys."""
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        environment = {**cli.environment, "TERM": "xterm", "PS1": "> ", "ZDOTDIR": str(cli.home)}
        with terminal(120, 40) as (controller, inner):
            streams = dict.fromkeys(("stdin", "stdout", "stderr"), inner)
            process = subprocess.Popen(command, cwd=cli.home, env=environment, start_new_session=True, **streams)
            try:
                # typed in halves, so that what is waited for is an answer and not the echo
                os.write(controller, f"{setup} && echo rea''dy\r".encode())
                shown = read_until(controller, b"ready", LIMIT_S)
                assert b"ready" in shown, shown
                os.write(controller, keys.encode())
                return read_until(controller, wanted.encode(), LIMIT_S).decode("utf-8", "replace")
            finally:
                process.kill()
                process.wait()

    @pytest.mark.parametrize(
        ("keys", "wanted"),
        [("edgevoice config get asr.thr\t", "asr.threads"), ("edgevoice transcribe rec\t", "recording-1.wav")],
    )
    def test_bash(self, shell: Cli, keys: str, wanted: str) -> None:
        command = ["bash", "--norc", "--noprofile", "-i"]
        assert wanted in self.typed(shell, command, "source <(edgevoice completion bash)", keys, wanted)

    @pytest.mark.parametrize(
        ("keys", "wanted"),
        [("edgevoice config get asr.thr\t", "asr.threads"), ("edgevoice transcribe rec\t", "recording-1.wav")],
    )
    def test_zsh(self, shell: Cli, keys: str, wanted: str) -> None:
        setup = "autoload -Uz compinit && compinit -u && source <(edgevoice completion zsh)"
        assert wanted in self.typed(shell, ["zsh", "-f", "-i"], setup, keys, wanted)

    @pytest.mark.parametrize(
        ("line", "wanted"),
        [
            ("edgevoice config get asr.thr", "asr.threads\tThreads of ONNX Runtime"),
            ("edgevoice transcribe rec", "recording-1.wav"),
        ],
    )
    def test_fish(self, shell: Cli, line: str, wanted: str) -> None:
        """fish says itself what TAB would offer."""
        if shutil.which("fish") is None:
            pytest.skip("fish is not installed")
        script = f'edgevoice completion fish | source; complete --do-complete "{line}"'
        result = subprocess.run(
            ["fish", "-c", script],
            cwd=shell.home,
            env=shell.environment,
            capture_output=True,
            timeout=LIMIT_S,
            check=True,
        )
        assert wanted in result.stdout.decode()
