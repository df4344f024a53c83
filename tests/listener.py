"""`edgevoice live --json` as a process whose events a test can wait for."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from edgevoice.events import Event, StreamStarted, from_json


class Listener:
    """A running `edgevoice live --json`; a context manager that leaves no process behind.

    Args:
        arguments: what follows `live --json`.
        environment: of the process.
        stdin: what to read, for `--input -`.
        heard: WAV file to write down what the microphone delivers.
    """

    def __init__(
        self,
        *arguments: str | Path,
        environment: Mapping[str, str],
        stdin: int | None = None,
        heard: Path | None = None,
    ) -> None:
        pipe = subprocess.PIPE
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            live(*arguments, heard=heard),
            env=environment,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=pipe,
            stderr=pipe,
        )
        self._error = b""
        self._readers = [threading.Thread(target=each, daemon=True) for each in (self._read_events, self._read_error)]
        for reader in self._readers:
            reader.start()

    def wait_for(self, condition: Callable[[Sequence[Event]], object], what: str, limit_s: float = 60.0) -> None:
        """Waits until the events so far satisfy a condition."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self.events) or self._gone, limit_s):
                raise AssertionError(f"{what}: not within {limit_s} s; {self}")
            assert condition(self.events), f"{what}: the process ended before; {self}"

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def end(self, limit_s: float = 20.0) -> int:
        """Waits for the exit code; `events` is complete then."""
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {limit_s} s; {self}") from None
        for reader in self._readers:
            reader.join(5)
        return code

    @property
    def error(self) -> str:
        """Standard error, complete after `end`."""
        return self._error.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def __str__(self) -> str:
        return f"exit code {self._process.poll()}, stderr {self.error!r}, last events {self.events[-5:]}"

    @property
    def _gone(self) -> bool:
        return not self._readers[0].is_alive() and self._process.poll() is not None

    def _read_events(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._changed:
                self.events.append(from_json(line.decode()))
                self._changed.notify_all()

    def _read_error(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._error += line


def live(*arguments: str | Path, heard: Path | None = None) -> list[str]:
    """The command line of `edgevoice live --json`; see `Listener` for `heard`."""
    program = ["-m", "edgevoice"] if heard is None else [str(Path(__file__).with_name("tap.py")), str(heard)]
    return [sys.executable, *program, "live", "--json", *map(str, arguments)]


def captioned(recording: Path, model: Path, environment: Mapping[str, str]) -> list[Event]:
    """The events of `edgevoice live --json --fast --input RECORDING`."""
    command = live("--fast", "--input", recording, "--model", model)
    result = subprocess.run(command, env=dict(environment), capture_output=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (0, b"")
    return [from_json(line) for line in result.stdout.decode().splitlines()]


def timeless(events: Sequence[Event]) -> list[Event]:
    """Events without what another source of the same samples changes: its name, and what the wall clock says."""
    return [dataclasses.replace(event, **_same(event)) for event in events]


def _same(event: Event) -> dict[str, object]:
    same: dict[str, object] = {"channel": ""}
    if isinstance(event, StreamStarted):
        same["source"] = ""
    return same | ({"latency": 0.0} if hasattr(event, "latency") else {})


def alone(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """An environment without the settings of the person who runs the tests, and without a reader: tones are no
    speech."""
    kept = {key: value for key, value in environment.items() if not key.startswith("EDGEVOICE_")}
    folders = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "STATE", "CACHE")}
    return kept | folders | {"HOME": str(home), "EDGEVOICE_ASR_READER": "off"}
