"""`edgevoice bench steady BUNDLE`: how soon the engine is there, what it holds, and whether it stays as it is.

What runs is the command that users run, `edgevoice live --json --input -`, in a process of its own with a pipe on
either side, and its memory and CPU time are read from /proc (Linux).

Start: from the start of the process, audio waiting in the pipe, to the first event, and to the first event that says
that audio was heard (`level_measured`), which is when it is ready. Idle: CPU time while silence comes in real time.
Steady: a loop of real speech with pauses, fed faster than it was spoken; memory, and for each update and each final the
seconds from the arrival of its newest audio to its event, which is what computing took.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any, Self

import numpy as np

from bench.live_audio import Samples, make_audio, usual_sets
from bench.live_figures import Spread
from bench.model import machine
from bench.script import script
from edgevoice.asr.bundle import load_bundle
from edgevoice.config import SAMPLE_RATE, VadSettings
from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.paths import find_model
from edgevoice.vad.segmenter import MARGIN_S

EXAMPLE = """examples:
  edgevoice bench steady banking-en --output docs/benchmarks/steady-banking-en.md
  edgevoice bench steady models/mine --minutes 3 --idle 5 --json
"""
_READY_S = 60.0
"""How long a start may take."""
_LOOP_MINUTES = 5.0
_FRAME_S = 0.02
"""A frame of the detector: the hangover is counted in these."""
_WRITE = SAMPLE_RATE // 50
"""Samples written at a time."""
_DEFINITIONS = """Starts: {times}, the median and the range. Ready: the first event that says that audio was heard,
which waits in the pipe. Memory: resident, what is mapped from files included; of a minute, the median. What an update
or a final takes: from the arrival of its newest audio to its event, p50 / p95."""


class Engine:
    """`edgevoice live` on a pipe, and what it says."""

    def __init__(self, bundle: Path, home: Path, errors: IO[str]) -> None:
        self.events: list[tuple[float, dict[str, Any]]] = []
        """When, in seconds since the start, and what."""
        self._errors = errors
        kept = {key: value for key, value in os.environ.items() if not key.startswith("EDGEVOICE_")}
        places = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache")}
        command = [sys.executable, "-m", "edgevoice", "live", "--json", "--input", "-", "--model", str(bundle)]
        self._heard = threading.Condition()
        self._over = False
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env={**kept, **places}
        )
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, samples: Samples) -> None:
        """Gives it audio; waits while the pipe is full.

        Raises:
            EdgeVoiceError: it has ended.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def wait_for(self, *names: str) -> float:
        """Seconds from its start to its first event of such a name; to its first at all without one.

        Raises:
            EdgeVoiceError: there was none.
        """
        with self._heard:
            self._heard.wait_for(lambda: self._over or self._first(names) is not None, timeout=_READY_S)
            found = self._first(names)
        if found is None:
            raise self._ended()
        return found

    def end(self) -> None:
        """No more audio comes; waits until it has finished."""
        assert self._process.stdin
        self._process.stdin.close()
        with self._heard:
            self._heard.wait_for(lambda: self._over, timeout=_READY_S)

    @property
    def resident_mb(self) -> float:
        """Megabytes that it holds now, what is mapped from files included."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) / 976.5625 for line in lines if line.startswith("VmRSS")), 0.0)

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU time that it took, of all threads, user and system."""
        after = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            moment = time.monotonic() - self.started
            event = json.loads(line)
            with self._heard:
                if event["event"] != "level_measured" or self._first(("level_measured",)) is None:
                    self.events.append((moment, event))  # of the levels only the first: there are ten a second
                self._heard.notify_all()
        with self._heard:
            self._over = True
            self._heard.notify_all()

    def _first(self, names: Sequence[str]) -> float | None:
        return next((moment for moment, event in self.events if not names or event["event"] in names), None)

    def _ended(self) -> EdgeVoiceError:
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        return EdgeVoiceError(f"The engine ended: {said[-1]}" if said else "The engine ended or hangs")


@dataclass(frozen=True)
class Minute:
    """One minute of the audio."""

    resident_mb: float
    """The median of what was held in it."""
    updates: list[float]
    """Seconds that each update took."""
    finals: list[float]


def starts(bundle: Path, times: int, home: Path) -> dict[str, Any]:
    """Seconds to the first event and to ready, of so many starts one after the other, and what is held then."""
    first, ready, held = [], [], []
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)
    for _ in range(times):
        with _engine(bundle, home) as engine:
            engine.write(silence)
            first.append(engine.wait_for())
            ready.append(engine.wait_for("level_measured"))
            held.append(engine.resident_mb)
    return {
        "times": times,
        "first_event_s": [round(each, 3) for each in first],
        "ready_s": [round(each, 3) for each in ready],
        "first_event_median_s": round(median(first), 3),
        "ready_median_s": round(median(ready), 3),
        "resident_mb": round(median(held), 1),
    }


def idle(bundle: Path, seconds: float, home: Path) -> dict[str, Any]:
    """Share of one core while faint noise comes in real time."""
    noise = np.random.default_rng(0).normal(0, 3e-4, SAMPLE_RATE).astype(np.float32)
    with _engine(bundle, home) as engine:
        engine.write(noise)
        engine.wait_for("level_measured")
        list(_feed(engine, noise, 1.0, 2.0))  # what a start leaves behind is over then
        before, began = engine.cpu_s, time.monotonic()
        list(_feed(engine, noise, 1.0, seconds))
        passed, spent = time.monotonic() - began, engine.cpu_s - before
        return {"seconds": round(passed, 1), "share_of_a_core": round(spent / passed, 4)}


def hour(bundle: Path, audio: Samples, minutes: float, speed: float, home: Path) -> tuple[dict[str, Any], list[Minute]]:
    """The loop of audio for so many minutes at so many times the speed: what it took, and each minute."""
    with _engine(bundle, home) as engine:
        engine.write(audio[:_WRITE])  # a pipe's engine begins with its first bytes
        engine.wait_for()
        before, began = engine.cpu_s, time.monotonic()
        held: list[list[float]] = [[] for _ in range(int(np.ceil(minutes)))]
        for heard in _feed(engine, audio, speed, minutes * 60):
            held[min(len(held) - 1, int(heard / 60))].append(engine.resident_mb)
        passed, spent = time.monotonic() - began, engine.cpu_s - before
        engine.end()
        found = [event for _, event in engine.events]
    by_minute = [Minute(median(each) if each else 0.0, [], []) for each in held]
    for event in found:
        minute = by_minute[min(len(by_minute) - 1, int(event["at"] / 60))]
        if event["event"] == "caption_updated":
            minute.updates.append(event["latency"])
        elif event["event"] == "caption_finished":
            minute.finals.append(took(event))
    names = [event["event"] for event in found]
    figures = {
        "minutes": minutes,
        "asked_speed": speed,
        "speed": round(minutes * 60 / passed, 2),
        "cpu_per_s": round(spent / (minutes * 60), 4),
        "finals": names.count("caption_finished"),
        "updates": names.count("caption_updated"),
        "failures": names.count("failed"),
        "audio_lost": names.count("audio_lost"),
    }
    return figures, by_minute


def took(finished: Mapping[str, Any]) -> float:
    """Seconds that a final took to compute: its latency counts from the end of speech, and what passed since then in
    the audio is no computing. A segment that ended in silence has a little of it; one that was cut has none."""
    passed = max(0.0, finished["at"] - finished["end"])
    ended_in_silence = abs(passed + MARGIN_S - VadSettings().hangover_s) < 2 * _FRAME_S
    return float(finished["latency"]) - passed - (MARGIN_S if ended_in_silence else 0.0)


def steadiness(by_minute: Sequence[Minute], edge: int = 10) -> dict[str, Any]:
    """Memory after the first minute and at the end, and what updates and finals took in the first and the last ten
    minutes; of less than half an hour, in its first and its last third."""
    count = min(edge, max(1, len(by_minute) // 3))

    def spread(minutes: Sequence[Minute], kind: str) -> Any:
        found = Spread.of([each for minute in minutes for each in getattr(minute, kind)])
        return None if found is None else {"count": found.count, "p50": found.p50, "p95": found.p95}

    held = [each.resident_mb for each in by_minute]
    after = held[min(1, len(held) - 1)]
    return {
        "resident_mb_by_minute": [round(each, 2) for each in held],
        "after_first_minute_mb": round(after, 2),
        "end_mb": round(held[-1], 2),
        "growth_mb": round(held[-1] - after, 2),
        "edge_minutes": count,
        "updates": {"first": spread(by_minute[:count], "updates"), "last": spread(by_minute[-count:], "updates")},
        "finals": {"first": spread(by_minute[:count], "finals"), "last": spread(by_minute[-count:], "finals")},
    }


def page(report: dict[str, Any]) -> str:
    """The figures as a page of Markdown."""
    start, still, ran, same = report["start"], report["idle"], report["run"], report["steady"]
    packages = ", ".join(f"{name} {number}" for name, number in report["machine"]["packages"].items())
    where = f"{report['machine']['cores']} cores ({report['machine']['processor']})"
    speed = f"at {ran['speed']:.1f} times the speed ({ran['asked_speed']:g} asked)"
    did = f"{ran['finals']} finals, {ran['updates']} updates, {speed}, {ran['cpu_per_s']:.3f} CPU s a second"
    held = f"{same['after_first_minute_mb']:.1f} MB, {same['end_mb']:.1f} MB: {same['growth_mb']:+.1f} MB"
    cells = {
        "start to the first event": f"{start['first_event_median_s']:.2f} s ({_range(start['first_event_s'])})",
        "start to ready": f"{start['ready_median_s']:.2f} s ({_range(start['ready_s'])})",
        "memory when ready": f"{start['resident_mb']:.0f} MB",
        "silence": f"{still['share_of_a_core']:.1%} of one core",
        f"{ran['minutes']:g} minutes of speech with pauses": did,
        "audio lost, failures": f"{ran['audio_lost']}, {ran['failures']}",
        "memory after the first minute, at the end": held,
    }
    for kind, name in (("updates", "an update takes"), ("finals", "a final takes")):
        took = f"{_took(same[kind]['first'])}, {_took(same[kind]['last'])}"
        cells[f"{name}, first and last {same['edge_minutes']} minutes"] = took
    lines = [
        "# Start, size and an hour of audio",
        "",
        f"`{report['command']}`: {report['model']} on {where}, `edgevoice live --json` on a pipe. {packages}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in cells.items()),
        "",
        _DEFINITIONS.format(times=start["times"]),
    ]
    return "\n".join(lines)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    _check(options)
    bundle = load_bundle(find_model(options.bundle))
    audio = make_audio(options.data or usual_sets(), min(options.minutes, _LOOP_MINUTES))
    with tempfile.TemporaryDirectory() as home:
        place = Path(home)
        start = starts(bundle.path, options.starts, place)
        still = idle(bundle.path, options.idle, place)
        figures, by_minute = hour(bundle.path, audio.samples, options.minutes, options.speed, place)
    report = {
        "model": bundle.manifest.name,
        "command": f"edgevoice bench steady {bundle.manifest.name}",
        "machine": machine(),
        "start": start,
        "idle": still,
        "run": figures,
        "steady": steadiness(by_minute),
    }
    text = page(report)
    print(json.dumps(report) if options.json else text)
    if options.output:
        options.output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.output and options.output.suffix == ".md":
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


@contextmanager
def _engine(bundle: Path, home: Path) -> Iterator[Engine]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, Engine(bundle, home, errors) as engine:
        yield engine


def _feed(engine: Engine, audio: Samples, speed: float, seconds: float) -> Iterator[float]:
    """Writes the audio over and over, at so many times its speed; yields how many seconds of it are written, about
    four times a second."""
    began, looked, position = time.monotonic(), 0.0, 0
    while position < seconds * SAMPLE_RATE:
        place = position % len(audio)
        piece = audio[place : place + _WRITE]
        engine.write(piece)
        position += len(piece)
        due = began + position / SAMPLE_RATE / speed
        time.sleep(max(0.0, due - time.monotonic()))
        if time.monotonic() - looked > 0.25:
            looked = time.monotonic()
            yield position / SAMPLE_RATE


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def _took(value: dict[str, float] | None) -> str:
    return "-" if value is None else f"{1000 * value['p50']:.1f} / {1000 * value['p95']:.1f} ms"


def _check(options: argparse.Namespace) -> None:
    if not Path("/proc/self/stat").is_file():
        raise UsageError("Memory and CPU time are read from /proc, which is not here", "Measure on Linux")
    if options.output and not options.output.parent.is_dir():  # said now, not after minutes of measuring
        raise UsageError(f"There is no folder {options.output.parent}", "Choose another --output")
    if options.output and options.output.suffix not in (".json", ".md"):
        raise UsageError(f"{options.output} is neither .json nor .md", "Name it after what it shall be")
    if not 0 < options.minutes <= 24 * 60 or not 0 < options.idle <= 3600:
        raise UsageError("--minutes and --idle make no sense", "Leave them out")
    if options.starts < 1 or not 0 < options.speed <= 1000:
        raise UsageError("--starts and --speed make no sense", "Leave them out")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice bench steady",
        description="Start, memory and idle load of 'edgevoice live', and whether memory and speed stay the same over "
        "an hour of audio, fed faster than it was spoken.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", help="folder or name of the bundle")
    parser.add_argument("--minutes", type=float, default=60.0, help="of audio (60)")
    parser.add_argument("--speed", type=float, default=20.0, help="times as fast as it was spoken (20)")
    parser.add_argument("--starts", type=int, default=5, help="how often it is started (5)")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of silence (20)")
    parser.add_argument("--data", type=Path, metavar="CSV", action="append", help="manifests of the speech to hear")
    parser.add_argument("--json", action="store_true", help="JSON on stdout in place of the page")
    parser.add_argument("--output", type=Path, help="write the figures as JSON; named .md, as a page too")
    return parser


if __name__ == "__main__":
    sys.exit(script(run))
