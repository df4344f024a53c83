"""The screen in a real terminal: signals, exit codes, noise, and what is left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from edgevoice.errors import UsageError
from edgevoice.tui.app import run_app
from tests.tui.scripted import ScriptedRun

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0


class Terminal:
    """A program in a terminal of its own; reads what it writes until something appears."""

    def __init__(self, folder: Path, *arguments: str, size: tuple[int, int] = (80, 24), **environment: str) -> None:
        self.saved, self.log = folder / "saved.jsonl", folder / "log" / "screen.log"
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.scripted", str(self.saved), str(self.log), *arguments],
            cwd=ROOT,
            env={**inherited, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **environment},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one thread only
        )
        os.close(slave)
        self.output = b""

    def read_until(self, wanted: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while wanted not in self.output:
            assert time.monotonic() < deadline, f"{wanted!r} is not in {self.output[-2000:]!r}"
            self._read()

    def finish(self) -> int:
        """Reads to the end and gives the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the program hangs"
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 0.05)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def assert_restored(self) -> None:
        assert self.output.rindex(b"\x1b[?1049l") > self.output.rindex(b"\x1b[?1049h"), "left the alternate screen"
        assert self.output.rindex(b"\x1b[?25h") > self.output.rindex(b"\x1b[?25l"), "the cursor is back"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_a_signal_flushes_the_finals_and_restores_the_terminal(tmp_path: Path, number: int, code: int) -> None:
    terminal = Terminal(tmp_path)
    try:
        terminal.read_until(b"there")
        terminal.process.send_signal(number)
        assert terminal.finish() == code
        terminal.assert_restored()
        assert "hello there everybody" in terminal.saved.read_text()
        assert "stream_ended" in terminal.saved.read_text()
    finally:
        terminal.close()


@pytest.mark.parametrize("key", [b"q", b"\x11", b"\x03"], ids=["q", "ctrl+q", "ctrl+c"])
def test_a_key_quits_with_zero_and_noise_of_c_libraries_stays_off_the_screen(tmp_path: Path, key: bytes) -> None:
    terminal = Terminal(tmp_path)
    try:
        terminal.read_until(b"there")
        os.write(terminal.master, key)
        assert terminal.finish() == 0
        terminal.assert_restored()
        assert b"ALSA" not in terminal.output
        assert "ALSA lib: noise" in terminal.log.read_text()
        assert "hello there everybody" in terminal.saved.read_text()
    finally:
        terminal.close()


def test_a_closed_window_ends_the_run_with_its_finals(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    try:
        terminal.read_until(b"there")
        os.close(terminal.master)
        assert terminal.process.wait(PATIENCE_S) == 129
        assert "hello there everybody" in terminal.saved.read_text()
    finally:
        terminal.close()


def test_it_exits_by_itself_at_the_end_if_asked(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "ends")
    try:
        assert terminal.finish() == 0
        terminal.assert_restored()
        assert "stream_ended" in terminal.saved.read_text()
    finally:
        terminal.close()


def test_a_screen_that_breaks_says_so_in_one_sentence_and_restores_the_terminal(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "crash")
    try:
        assert terminal.finish() == 1
        terminal.assert_restored()
        assert b"The screen stopped unexpectedly" in terminal.output
        assert b"NoneType" not in terminal.output
        assert "object is not callable" in terminal.log.read_text()
    finally:
        terminal.close()


def test_no_color_leaves_only_shades_of_grey(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, NO_COLOR="1", COLORTERM="truecolor")
    try:
        terminal.read_until(b"there")
        os.write(terminal.master, b"q")
        terminal.finish()
        colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", terminal.output)
        assert colours
        assert all(red == green == blue for red, green, blue in colours)
        assert re.search(rb"\x1b\[[\d;]*\b3;[\d;]*m there|\x1b\[[\d;]*\b3;[\d;]*m *there", terminal.output), "italics"
    finally:
        terminal.close()


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}])
def test_a_dumb_terminal_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    terminal = Terminal(tmp_path, **environment)
    try:
        terminal.finish()
        assert b"UsageError" in terminal.output
        assert b"\x1b[?1049h" not in terminal.output
    finally:
        terminal.close()


def test_a_terminal_that_is_too_small_is_refused(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, size=(39, 10))
    try:
        terminal.finish()
        assert b"it needs 40x10" in terminal.output
    finally:
        terminal.close()


def test_no_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "isatty", lambda _: False)
    with pytest.raises(UsageError, match="needs a terminal"):
        run_app(ScriptedRun())
