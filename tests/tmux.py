"""A terminal with the program in it, as a person has it: keys in, screen out."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.command_line import ENTRY

PATIENCE_S = 90.0
ENDED = r"exit code (\d+)\."
_PROGRAM = ["sh", "-c", '"$@"; echo "exit code $?."; exec sleep 1000', "sh"]
"""tmux 3.3 sometimes does not learn how a program ended, so that the shell has to say it."""
ROOT = Path(__file__).parents[1]


class Tmux:
    """A terminal of 80x24 with a program in it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "tmux"

    def __call__(self, *arguments: str) -> str:
        command = ["tmux", "-f", os.devnull, "-S", str(self.socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    @property
    def screen(self) -> str:
        return self("capture-pane", "-p")

    def wait_for(self, pattern: str) -> str:
        """The screen as soon as it matches."""
        end = time.monotonic() + PATIENCE_S
        while not re.search(pattern, shown := self.screen):
            assert time.monotonic() < end, f"{pattern} is not in\n{shown}"
            time.sleep(0.1)
        return shown

    def exit_code(self) -> int:
        """Of the program, as soon as it has ended."""
        return int(re.search(ENDED, self.wait_for(ENDED))[1])  # type: ignore[index]

    def press(self, *keys: str) -> None:
        self("send-keys", *keys)


@contextlib.contextmanager
def terminal(folder: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Iterator[Tmux]:
    """`edgevoice ARGUMENTS` in a terminal of 80x24, in a home of its own; skips the test where there is no tmux."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    tmux = Tmux(folder)
    variables = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    variables |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), **(environment or {})}
    given = [f"{key}={value}" for key, value in variables.items()]
    program = ["env", "-u", "NO_COLOR", *given, sys.executable, "-c", ENTRY, *map(str, arguments)]
    tmux("new-session", "-d", "-x", "80", "-y", "24", "bash")
    try:
        tmux("set-option", "-g", "set-clipboard", "on")
        tmux("respawn-pane", "-k", *_PROGRAM, *program)
        yield tmux
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            tmux("kill-server")
