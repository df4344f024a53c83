"""The process is stopped and goes on, as a shell does it: Ctrl-Z and SIGSTOP, then `fg`."""

from __future__ import annotations

import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tmux import ROOT, Tmux, terminal


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Tmux]:
    with terminal(tmp_path) as tmux:
        tmux("respawn-pane", "-k", "env", "PS1=prompt> ", "bash", "--norc", "-i")
        tmux.wait_for("prompt>")
        arguments = [sys.executable, "-m", "tests.tui.scripted", tmp_path / "saved", tmp_path / "log"]
        program = shlex.join(map(str, ["env", f"PYTHONPATH={ROOT}", *arguments]))
        tmux.press(f"cd {shlex.quote(str(ROOT))}; clear; {program}", "Enter")
        tmux.wait_for(r"hello there(.|\n)*space Pause")
        yield tmux


def in_foreground(tmux: Tmux) -> psutil.Process:
    shell = psutil.Process(int(tmux("display-message", "-p", "#{pane_pid}")))
    return next(iter(shell.children()))


@pytest.mark.parametrize("key", [True, False], ids=["ctrl+z", "SIGSTOP"])
def test_it_is_whole_again_after_fg(shell: Tmux, key: bool) -> None:
    before = shell.screen
    for _ in range(2):
        if key:
            shell.press("C-z")
        else:
            in_foreground(shell).send_signal(signal.SIGSTOP)
        shell.wait_for("Stopped")
        shell.press("fg", "Enter")
        shell.wait_for(f"^{re.escape(before)}$")
    shell.press("?")
    shell.wait_for("Keys")
    shell.press("q", "q")
    shell.wait_for("prompt>")
