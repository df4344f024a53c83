"""Several live streams over one model in one process, in real time: each source gives its audio when it is due.

Run as a program (`python -m bench.live_streams SPEC`, a file of JSON) it measures and prints; `measure` does that in a
process of its own, whose memory and CPU time are then the streams' alone.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.contender import memory
from bench.live_audio import Audio
from bench.live_figures import Spread
from edgevoice.asr.bundle import Bundle, load_bundle
from edgevoice.asr.model import load_model
from edgevoice.audio.pacing import PacedSource
from edgevoice.audio.source import Block
from edgevoice.config import SAMPLE_RATE, AsrSettings, Settings
from edgevoice.errors import EdgeVoiceError
from edgevoice.events import CaptionFinished, CaptionUpdated, Event, PaceChanged
from edgevoice.pipeline import Pipeline
from edgevoice.streams import Streams

SECONDS = 60.0
"""How long they are listened to."""
_BLOCK = 320


def measure(bundle: Bundle, audio: Audio, streams: int, threads: int) -> dict[str, Any]:
    """CPU seconds per second for all streams together, and latencies in seconds, p50 and p95, of so many streams of the
    audio, each begun elsewhere in it.

    Raises:
        EdgeVoiceError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        sound, spec = Path(folder) / "audio.npy", Path(folder) / "spec.json"
        np.save(sound, audio.samples)
        what = {"bundle": str(bundle.path), "audio": str(sound), "streams": streams, "threads": threads}
        spec.write_text(json.dumps(what), encoding="utf-8")
        command = [sys.executable, "-m", "bench.live_streams", str(spec)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EdgeVoiceError(f"{streams} streams failed: {(done.stderr.strip() or 'no reason').splitlines()[-1]}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found


class Sound:
    """Samples as a source, from some place on and then from their beginning.

    Args:
        samples: 16 kHz, mono.
        number: tells it from the others.
        start: where it begins.
        seconds: how long it is.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, samples: npt.NDArray[np.float32], number: int, start: int, seconds: float) -> None:
        self.name = self.channel = f"stream {number}"
        self._samples = np.resize(np.roll(samples, -start), round(seconds * SAMPLE_RATE))
        self._closed = False

    def blocks(self) -> Iterator[Block]:
        """Blocks of 20 ms."""
        for start in range(0, len(self._samples), _BLOCK):
            if self._closed:
                return
            yield Block(self._samples[start : start + _BLOCK])

    def close(self) -> None:
        """Ends `blocks`."""
        self._closed = True


def run(bundle: Path, audio: npt.NDArray[np.float32], streams: int, threads: int, seconds: float) -> dict[str, Any]:
    """Listens to that many streams for so long; what `measure` gives."""
    settings = Settings(asr=AsrSettings(provider="cpu", threads=threads))
    model = load_model(load_bundle(bundle), None, settings.asr)
    begin = range(0, len(audio), -(-len(audio) // streams))
    sources = [PacedSource(Sound(audio, number, start, seconds)) for number, start in enumerate(begin)]
    cpu, wall = time.process_time(), time.monotonic()
    events = list(Streams([Pipeline(source, model, settings) for source in sources]).run())
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    updates = Spread.of([event.latency for event in events if isinstance(event, CaptionUpdated)])
    finals = Spread.of(_over_hangover(events, settings.vad.hangover_s))
    return {
        "streams": streams,
        "seconds": seconds,
        "cpu_per_s": round(cpu / seconds, 4),
        "late_s": round(wall - seconds, 2),
        "update": updates and dataclasses.asdict(updates),
        "over_hangover": finals and dataclasses.asdict(finals),
        "fell_behind": len({each.channel for each in events if isinstance(each, PaceChanged) and not each.keeping_up}),
        "resident_mb": round(memory()["resident_mb"], 1),
    }


def _over_hangover(events: list[Event], hangover_s: float) -> list[float]:
    """How much later than the hangover each final came; those that the end of a stream cut short are left out."""
    waits = [event.latency - hangover_s for event in events if isinstance(event, CaptionFinished)]
    return [wait for wait in waits if wait > -hangover_s / 2]


def main(arguments: list[str]) -> int:
    """Measures what a file asks for."""
    spec = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    seconds = spec.get("seconds", SECONDS)
    found = run(Path(spec["bundle"]), np.load(spec["audio"]), spec["streams"], spec["threads"], seconds)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
