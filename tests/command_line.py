"""The command line as its user meets it: a process with arguments, streams, signals and an exit code."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
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

from edgevoice.events import CaptionFinished, Event, from_json

ENTRY = "import sys; from edgevoice.__main__ import main; sys.exit(main())"


@dataclass
class Cli:
    """Runs `edgevoice` in a home of its own, with words as they are recognised; `extra` changes that."""

    home: Path
    model: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str | Path, stdin: bytes = b"", timeout: float = 60, **more: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs to the end."""
        return subprocess.run(
            self.command(arguments),
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=timeout,
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
        settings = {
            "EDGEVOICE_MODEL": str(self.model),
            "EDGEVOICE_CAPTIONS_FORMAT": "false",
            "EDGEVOICE_ASR_READER": "off",  # the words of most tests are tones, which no reader takes for speech
        }
        return kept | folders | settings | {"HOME": str(self.home), "COLUMNS": "100"} | self.extra


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
