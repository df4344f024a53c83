"""Wrong usage and the commands of other packages."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.command_line import Cli, one_sentence


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
        result = with_extensions(cli, "[]", ["train", "--help"])
        assert result.returncode == 2
        assert "pip install 'edgevoice[train,export]'" in one_sentence(result)

    def test_a_command_that_leaves_with_a_message_failed(self, cli: Cli) -> None:
        """As Python does it: the message on stderr, exit code 1."""
        result = with_extensions(cli, found("lambda argv: sys.exit('No data.')"), ["train"])
        assert result.returncode == 1
        assert one_sentence(result) == "edgevoice: No data.\n"

    def test_arguments_pass_untouched(self, cli: Cli) -> None:
        """Also `--`, `--debug` and the like."""
        arguments = ["--debug", "export", "--debug", "--", "-x", ""]
        result = with_extensions(cli, found("lambda argv: print(argv) or 7"), arguments)
        assert result.returncode == 7
        assert result.stdout.decode().strip() == "['--debug', '--', '-x', '']"


def found(command: str) -> str:
    """The source of a list of one entry point, which loads that command."""
    return f"[types.SimpleNamespace(module='x', load=lambda: {command})]"


def with_extensions(cli: Cli, entry_points: str, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Runs a command line where those are the entry points that are installed."""
    code = (
        "import sys, types, importlib.metadata as m; from edgevoice.cli import main\n"
        f"m.entry_points = lambda **_: {entry_points}\n"
        f"sys.exit(main({arguments!r}))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, env=cli.environment, check=False)
