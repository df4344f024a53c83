"""A tool as a process of its own: what it prints and when, and what it takes, its children included (Linux)."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edgevoice.errors import EdgeVoiceError

_LOOK_S = 0.1
"""Between two looks at its memory."""


Line = Mapping[str, Any]
"""One that a tool printed."""


def _always(_line: Line) -> bool:
    return True


def _never(_line: Line) -> bool:
    return False


@dataclass(frozen=True)
class Measured:
    """What a process did, from its start to its end."""

    lines: list[tuple[float, dict[str, Any]]]
    """Seconds since its start, and the JSON object that it printed then."""
    cpu_s: float
    """Of all its threads and children, user and system, start included."""
    start_cpu_s: float
    """How much of it was spent when it was ready."""
    wall_s: float
    start_s: float
    peak_mb: float
    """The most that it and its children held at once; files mapped into memory count."""
    steady_mb: float
    """The median of what they held in the second half of the time."""
    others: float
    """Cores that everything else on the machine kept busy meanwhile."""

    def cost(self, seconds: float) -> dict[str, float]:
        """What a recording that lasts so long took."""
        return {
            "cpu_per_s": round(self.cpu_s / seconds, 4),
            "cpu_per_s_without_start": round((self.cpu_s - self.start_cpu_s) / seconds, 4),
            "start_s": round(self.start_s, 2),
            "wall_s": round(self.wall_s, 1),
            "peak_mb": round(self.peak_mb, 1),
            "steady_mb": round(self.steady_mb, 1),
            "others": round(self.others, 2),
        }


def measured(
    command: Sequence[str],
    *,
    given: str = "",
    ready: Callable[[Line], bool] = _always,
    left_out: Callable[[Line], bool] = _never,
) -> Measured:
    """Runs a program that prints JSON objects, one a line, to its end.

    Args:
        command: what to run.
        given: on its standard input.
        ready: whether a line says that it is loaded; the first such line counts.
        left_out: lines that are not kept.

    Raises:
        EdgeVoiceError: it cannot be run, or failed.
    """
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        began, worked = time.monotonic(), _worked_s()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(Path(home)),
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise EdgeVoiceError(f"{command[0]} cannot be run: {error.strerror}") from None
        memory = _Memory(process.pid)
        lines: list[tuple[float, dict[str, Any]]] = []
        start = None
        assert process.stdin
        assert process.stdout
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(given)
        for text in process.stdout:
            line = json.loads(text)
            moment = time.monotonic() - began
            if start is None and ready(line):
                start = (moment, _cpu_s(process.pid))
            if not left_out(line):
                lines.append((moment, line))
        memory.stop()  # while it is there
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().strip().splitlines()
            raise EdgeVoiceError(f"{Path(command[0]).name} failed: {said[-1] if said else process.returncode}")
    start = start or (0.0, 0.0)
    wall_s, cpu_s = time.monotonic() - began, used.ru_utime + used.ru_stime
    return Measured(
        lines=lines,
        cpu_s=cpu_s,
        start_cpu_s=start[1],
        wall_s=wall_s,
        start_s=start[0],
        peak_mb=max(memory.held, default=0.0),
        steady_mb=median(memory.held[len(memory.held) // 2 :] or [0.0]),
        others=max(0.0, _worked_s() - worked - cpu_s) / wall_s,
    )


class _Memory:
    """Looks at what a process and its children hold, again and again."""

    def __init__(self, process: int) -> None:
        self.held: list[float] = []
        """Megabytes."""
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            held = sum(_resident_mb(each) for each in _family(self._process))
            if held:
                self.held.append(held)


def _family(process: int) -> list[int]:
    """A process and its children, and theirs."""
    found, waiting = [], [process]
    while waiting:
        found.append(each := waiting.pop())
        for file in Path(f"/proc/{each}/task").glob("*/children"):
            with suppress(OSError):
                waiting += map(int, file.read_text(encoding="ascii").split())
    return found


def _resident_mb(process: int) -> float:
    with suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next((int(line.split()[1]) / 976.5625 for line in lines if line.startswith("VmRSS")), 0.0)
    return 0.0


def _cpu_s(process: int) -> float:
    """Seconds of CPU time of a process and of its children that ended."""
    with suppress(OSError):
        after = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return sum(map(int, after[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _worked_s() -> float:
    """Seconds that all cores have worked since the machine began, this process left out."""
    own = sum(os.times()[:2])
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    worked = sum(map(int, fields[:3])) + sum(map(int, fields[5:8]))
    return worked / os.sysconf("SC_CLK_TCK") - own


def _environment(home: Path) -> dict[str, str]:
    """Without the user's settings, so that everybody measures the same."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("EDGEVOICE_")}
    return {**kept, "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
