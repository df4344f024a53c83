"""Help and version."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgevoice import __version__
from tests.command_line import Cli

COMMANDS = ["live", "demo", "transcribe", "classify", "devices", "doctor", "models", "actions"]


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
        groups = {"models": ("list", "info", "verify", "pull", "rm"), "actions": ("list", "test")}
        below = groups.get(command, ())
        sub = [cli(command, each, "-h").stdout for each in below]
        for text in sub or [result.stdout]:
            assert f"edgevoice {command}" in text.decode().split("Example", 1)[1]

    def test_no_colour_reaches_a_pipe(self, cli: Cli) -> None:
        """No escape sequences where nobody reads them; NO_COLOR holds on a terminal as well."""
        cli.extra = {"NO_COLOR": "1"}
        assert b"\x1b" not in cli("--help").stdout
