"""The program as a person has it: `edgevoice demo` in tmux at 80x24, keys in, screen out."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import ENTRY

PATIENCE_S = 90.0
ROOT = Path(__file__).parents[2]


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
        end = time.monotonic() + PATIENCE_S
        while not (code := self("display-message", "-p", "#{pane_dead_status}").strip()):
            assert time.monotonic() < end, f"it goes on: {self.screen}"
            time.sleep(0.1)
            os.kill(int(self("display-message", "-p", "#{pid}")), signal.SIGCHLD)  # tmux 3.3 misses some
        return int(code)

    def press(self, *keys: str) -> None:
        self("send-keys", *keys)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    tmux = Tmux(tmp_path)
    folders = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    folders |= {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    environment = [f"{key}={value}" for key, value in folders.items()]
    program = ["env", "-u", "NO_COLOR", *environment, sys.executable, "-c", ENTRY, "demo", "--fast"]
    tmux("new-session", "-d", "-x", "80", "-y", "24", "bash")
    tmux("set-option", "-g", "set-clipboard", "on")
    tmux("set-option", "-g", "remain-on-exit", "on")
    tmux("respawn-pane", "-k", *program)
    yield tmux
    with contextlib.suppress(subprocess.CalledProcessError):
        tmux("kill-server")


def test_a_setting_is_changed_in_its_file(tmux: Tmux, tmp_path: Path) -> None:
    file = tmp_path / "config" / "edgevoice" / "config.toml"
    tmux.wait_for("space Pause")
    tmux.press("s")
    tmux.wait_for("Settings  .*config.toml")
    tmux.press("/")
    tmux.wait_for("Enter to the list")
    tmux.press("theme")
    tmux.wait_for('theme +"dark" +default')
    tmux.press("Enter")
    tmux.wait_for("Esc close")
    tmux.press("Enter")
    tmux.wait_for('theme +"light" +file')
    tmux.press("s")
    tmux.wait_for("space Pause")
    tmux.press("q")
    assert tmux.exit_code() == 0
    assert file.read_text(encoding="utf-8") == '[screen]\ntheme = "light"\n'


def test_the_sample_call(tmux: Tmux) -> None:
    shown = tmux.wait_for("ended - press q")
    lines = shown.splitlines()
    assert "edgevoice  sample_call.flac" in lines[0]
    assert "space Pause" in lines[23]
    assert re.search(r"\d\d:\d\d  [A-Z]", shown), "captions"
    assert re.search(r"\d+ %", shown), "intents"
    tmux.press("Home")
    tmux.wait_for("not following, End to follow")
    tmux.press("f")
    tmux.wait_for("ended ─")
    tmux.press("/", "e")
    found = re.search(r"(\d+) of \1 ", tmux.wait_for(r"\d+ of \d+ "))
    assert found
    tmux.press("Enter", "n")
    tmux.wait_for(f"{int(found[1]) - 1} of {found[1]} ")
    tmux.press("Escape")
    tmux.wait_for(r"(?s)\A(?!.* of \d+ ).*ended ─")  # a key too soon behind it would be one with Alt
    tmux.press("y")
    copied = int(re.search(r"Copied (\d+) characters", tmux.wait_for("Copied"))[1])  # type: ignore[index]
    assert len(tmux("show-buffer")) == copied
    tmux.press("l")
    tmux.wait_for("[▀▄█]{3}")
    tmux.press("l")
    tmux.wait_for("space Pause")
    tmux.press("?")
    tmux.wait_for("Keys")
    tmux.press("q")
    tmux.wait_for("space Pause")
    tmux.press("q")
    assert tmux.exit_code() == 0
