"""Runs the program of an action: an argument list, never a shell, and nobody waits for it longer than it may take.

What was said reaches the program as data only: the event as JSON on standard input, and in variables. It runs in a
process group of its own, which is ended when its first process ends, at the time-out, and when edgevoice ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO

from edgevoice.actions.outcome import CANCELLED, OUTPUT_LIMIT, Outcome
from edgevoice.events import IntentDetected, to_json
from edgevoice.files import why
from edgevoice.text import plain

_TICK_S = 0.05
_CHUNK = 65_536
_MERCY_S = 0.5
"""From asking a program to end (SIGTERM) to ending it (SIGKILL)."""
_LONGEST_VALUE = 16_000
"""Characters of a variable; Linux takes 131,072 bytes."""


class Programs:
    """The programs that run, so that all of them can be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._stopped = threading.Event()

    def run(self, argv: Sequence[str], intent: IntentDetected, timeout_s: float) -> Outcome:
        """Runs a program to its end, at most `timeout_s`, or until `stop`."""
        began = time.monotonic()
        # a file, not a pipe: a program that never reads must not keep us waiting
        with tempfile.TemporaryFile() as stdin:
            stdin.write(to_json(intent).encode("utf-8", "replace") + b"\n")
            stdin.seek(0)
            try:
                process = self._start(argv, intent, stdin)
            except (OSError, ValueError) as error:
                return Outcome(ok=False, seconds=0.0, error=f"cannot be started: {why(error)}")
        with process.stdout as stdout:  # type: ignore[union-attr] # it is a pipe
            reader = _Reader(stdout)
            objection = self._watch(process, reader, began + timeout_s, timeout_s)
            self._end(process, reader, ask=bool(objection) and not self._stopped.is_set())
        seconds, code = time.monotonic() - began, process.returncode or 0
        killed = self._stopped.is_set() and code == -signal.SIGKILL
        wrong = objection or (CANCELLED if killed else _failure(code, reader.output))
        return Outcome(ok=not wrong, seconds=seconds, code=code, error=wrong, output=reader.shown)

    def stop(self) -> None:
        """Ends all programs at once, from any thread; those that would start are not."""
        self._stopped.set()
        with self._lock:
            for group in self._groups:
                _kill(group, signal.SIGKILL)

    def _start(self, argv: Sequence[str], intent: IntentDetected, stdin: IO[bytes]) -> subprocess.Popen[bytes]:
        argv = [os.path.expanduser(argv[0]), *argv[1:]]  # noqa: PTH111 - a Path would lose the ./ before a name
        process = subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | variables(intent),
            start_new_session=True,
        )
        with self._lock:
            self._groups.add(process.pid)
            if self._stopped.is_set():
                _kill(process.pid, signal.SIGKILL)
        return process

    def _watch(self, process: subprocess.Popen[bytes], reader: _Reader, deadline: float, timeout_s: float) -> str:
        """Reads until the program ends; what is wrong if it has to be ended."""
        while not _has_ended(process):
            if self._stopped.is_set():
                return CANCELLED
            if time.monotonic() >= deadline:
                return f"took longer than {timeout_s:g} s"
            reader.read(_TICK_S)
        reader.read(0)
        return ""

    def _end(self, process: subprocess.Popen[bytes], reader: _Reader, *, ask: bool) -> None:
        """Ends what is left of the group. Its first process is reaped last: until then its number is nobody else's."""
        if ask:
            _kill(process.pid, signal.SIGTERM)
            end = time.monotonic() + _MERCY_S
            while not _has_ended(process) and time.monotonic() < end and not self._stopped.is_set():
                reader.read(_TICK_S)
        _kill(process.pid, signal.SIGKILL)
        with self._lock:
            self._groups.discard(process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):  # one of root's, which we may not end
            process.wait(_MERCY_S)


class _Reader:
    """What a program says. The beginning is kept; a flood is read no faster than costs next to nothing."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream.fileno()
        os.set_blocking(self._stream, False)
        self._open = True
        self._lost = 0
        self.output = b""

    @property
    def shown(self) -> bytes:
        """The output, and how much of it is not there."""
        return self.output + (f"\n... and {self._lost} bytes more\n".encode() if self._lost else b"")

    def read(self, seconds: float) -> None:
        """Takes in what there is, or waits for it, for so long."""
        if not self._open:
            time.sleep(min(seconds, 0.01))  # its end comes at once, as a rule
            return
        if not select.select([self._stream], [], [], seconds)[0]:
            return
        if self._lost:
            time.sleep(seconds)
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._stream, _CHUNK)
            self._open = bool(chunk)
            kept = chunk[: OUTPUT_LIMIT - len(self.output)]
            self.output += kept
            self._lost += len(chunk) - len(kept)


def variables(intent: IntentDetected) -> dict[str, str]:
    """What a program finds in its environment."""
    values = {
        "INTENT": intent.label,
        "SCORE": f"{intent.score:.4f}",
        "CHANNEL": intent.channel,
        "WORDS": intent.words,
        "SEGMENT": str(intent.segment),
        "AT": f"{intent.at:.4f}",
    }
    return {f"EDGEVOICE_{name}": plain(value)[:_LONGEST_VALUE] for name, value in values.items()}


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without taking its number away from it."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _failure(code: int, output: bytes) -> str:
    if code == 0:
        return ""
    said = [line for line in output[-1000:].decode("utf-8", "replace").splitlines() if line.strip()]
    reason = f"exit code {code}" if code > 0 else f"ended by {_signal_name(-code)}"
    return f"{reason}: {plain(said[-1]).strip()[:200]}" if said else reason


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
