"""Ways of running a model that take turns on one machine, each in a process of its own.

Processes of their own, so that memory is their own. They take turns, window by window, and begin with another one each
round: a machine that grows slower meanwhile favours none of them, and a ratio is the median of those of single rounds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np

from edgevoice.errors import EdgeVoiceError

_ENDED = "It ended before it was done"


@dataclass(frozen=True)
class Contender:
    """One way of running a model."""

    way: str
    """A key of `bench.contender.WAYS`."""
    path: Path
    """A bundle for "edgevoice", a checkpoint for the others."""
    provider: str
    precision: str
    disk_mb: float
    """Megabytes of the files with the weights."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        names = {"transformers": "Transformers pipeline", "pytorch": "PyTorch", "optimum": "Optimum ORTModel"}
        return names.get(self.way, f"edgevoice {self.precision}") + (
            "" if self.provider == "cpu" else f", {self.provider}"
        )

    def command(self, threads: int) -> list[str]:
        """What starts it."""
        options = ["--provider", self.provider, "--precision", self.precision, "--threads", str(threads)]
        return [sys.executable, "-m", "bench.contender", self.way, str(self.path), *options]


@dataclass
class Row:
    """What was measured of one contender."""

    contender: Contender
    error: str = ""
    """Why there is nothing; one sentence."""
    load_first_s: float | None = None
    """Seconds to load the model for the first time on this machine, nothing kept of it yet; edgevoice only."""
    load_s: float | None = None
    """Seconds to load it, without the check of its sha256."""
    verify_s: float | None = None
    """Seconds to check the sha256 of the bundle's files; edgevoice only."""
    first_call_ms: float | None = None
    resident_mb: float | None = None
    """Memory after everything was run."""
    peak_mb: float | None = None
    rounds: dict[float, list[list[float]]] = field(default_factory=dict)
    """Seconds of a window -> for each round the seconds that each call took."""

    def percentile(self, window: float, percent: float) -> float:
        """Milliseconds of a call."""
        return 1000 * float(np.percentile([t for turn in self.rounds[window] for t in turn], percent))

    def faster_than(self, other: Row, window: float) -> float:
        """How many times as fast as another it is: the median over rounds."""
        pairs = zip(other.rounds[window], self.rounds[window], strict=True)
        return median(median(slow) / median(fast) for slow, fast in pairs)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, rounded."""
        plain = {"name": self.contender.name, "way": self.contender.way, "provider": self.contender.provider}
        figures = ("load_first_s", "load_s", "verify_s", "first_call_ms", "resident_mb", "peak_mb")
        windows = {
            f"{window:g}": {
                "p50_ms": round(self.percentile(window, 50), 2),
                "p95_ms": round(self.percentile(window, 95), 2),
            }
            for window in self.rounds
        }
        return {
            **plain,
            "precision": self.contender.precision,
            "disk_mb": round(self.contender.disk_mb, 1),
            **{name: _rounded(getattr(self, name)) for name in figures},
            "windows": windows,
            "error": self.error,
        }


class Worker:
    """A contender in its process."""

    def __init__(self, contender: Contender, threads: int, cache: Path) -> None:
        self.contender = contender
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "XDG_CACHE_HOME": str(cache),
        }
        self._process = subprocess.Popen(
            contender.command(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )

    def answer(self) -> dict[str, Any]:
        """The next line it writes.

        Raises:
            EdgeVoiceError: it failed.
        """
        assert self._process.stdout
        line = self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": _ENDED}
        if "error" in found:
            raise EdgeVoiceError(found["error"])
        return found

    def ask(self, **request: Any) -> dict[str, Any]:
        """Its answer to a request.

        Raises:
            EdgeVoiceError: it failed.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EdgeVoiceError(_ENDED) from None
        return self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def measure(
    contenders: Sequence[Contender], windows: Sequence[float], *, threads: int, rounds: int, calls: int
) -> list[Row]:
    """One row for each contender; of those that fail it says why.

    Args:
        contenders: in the order of the table.
        windows: seconds of audio.
        threads: of each.
        rounds: how often each has its turn with each window.
        calls: timed calls of a turn, after one that is not.
    """
    rows = [Row(each) for each in contenders]
    with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
        for row in rows:
            _load_for_the_first_time(row, threads, Path(cache))
        running: list[tuple[Row, Worker]] = []
        for row in rows:  # one after the other, so that none loads while another does
            worker = stack.enter_context(Worker(row.contender, threads, Path(cache)))
            running.append((row, worker))
            with _noting(row):
                figures = worker.answer()
                row.load_s, row.verify_s = figures["load_s"], figures.get("verify_s")
                row.first_call_ms = 1000 * worker.ask(seconds=windows[0], calls=1, warm=0)["times"][0]
        for _ in range(rounds):
            running = [(row, worker) for row, worker in running if not row.error]
            for window in windows:
                for row, worker in running:
                    _take_turn(row, worker, window, calls)
            running = [*running[1:], *running[:1]]
        for row, worker in running:
            with _noting(row):
                found = worker.ask(memory=True)
                row.resident_mb, row.peak_mb = found["resident_mb"], found["peak_mb"]
    return rows


def _take_turn(row: Row, worker: Worker, window: float, calls: int) -> None:
    """One call that does not count, for what the one before it left in the caches, and some that do."""
    if row.error:
        return
    with _noting(row):
        row.rounds.setdefault(window, []).append(worker.ask(seconds=window, calls=calls, warm=1)["times"])


def _load_for_the_first_time(row: Row, threads: int, cache: Path) -> None:
    if row.contender.way == "edgevoice":
        with Worker(row.contender, threads, cache) as worker, _noting(row):
            row.load_first_s = worker.answer()["load_s"]


@contextmanager
def _noting(row: Row) -> Iterator[None]:
    """Within it the failure of one contender ends in its row."""
    try:
        yield
    except EdgeVoiceError as error:
        row.error = error.what


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
