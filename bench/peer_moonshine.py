"""Moonshine's own tool on recordings, as its users run it; a script for the environment that it is installed in.

`bench.peers` makes that environment and starts this file there by its path, so it imports the standard library, numpy
and moonshine_voice, and nothing of edgevoice. Recordings are files of raw 16-bit samples at 16 kHz, one a line of
standard input:

    python bench/peer_moonshine.py fast < list    each one a stream of its own, fed as fast as it takes it
    python bench/peer_moonshine.py live < list    the same through its microphone transcriber, at the pace of the audio

Out comes one JSON object a line: what it said, with `moment`, seconds since the audio began, and for each recording
`{"event": "done", ...}` with what it took. Updates come every 0.5 s and segments are those of its own detector, as it is
set when it is installed.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path

import numpy as np
from moonshine_voice import MicTranscriber, ModelArch, Transcriber
from moonshine_voice.utils import get_model_path

RATE = 16000
MODEL = "tiny-en"
CHUNK = RATE // 10
"""Samples that its own example for recordings hands over at a time."""


class Paced(MicTranscriber):
    """Its microphone transcriber, with a recording in place of the microphone: blocks arrive when they were spoken."""

    samples = np.zeros(0, dtype=np.float32)
    began = 0.0

    def _start_listening(self) -> None:
        self.began = time.monotonic()
        self._sd_stream = threading.Thread(target=self._speak, daemon=True)
        self._sd_stream.start()

    def _speak(self) -> None:
        for start in range(0, len(self.samples), self._blocksize):
            block = self.samples[start : start + self._blocksize]
            time.sleep(max(0.0, self.began + (start + len(block)) / RATE - time.monotonic()))
            self._audio_queue.put((block, RATE))

    def wait(self) -> None:
        """Until all was spoken."""
        self._sd_stream.join()


class Told:
    """Writes down what a stream says."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.updates = 0

    def __call__(self, event: object) -> None:
        """A listener of Moonshine's."""
        moment = round(time.monotonic() - self.began, 4)
        line = getattr(event, "line", None)
        name = type(event).__name__
        if line is None:
            said = {"event": "error", "moment": moment, "text": str(getattr(event, "error", event))}
        else:
            what = {"LineCompleted": "completed", "LineTextChanged": "changed"}.get(name)
            if not what:
                return
            end = line.start_time + line.duration
            said = {"event": what, "moment": moment, "line": line.line_id, "text": line.text}
            said |= {"start": round(line.start_time, 3), "end": round(end, 3)}
        print(json.dumps(said), flush=True)


def fast(samples: np.ndarray, transcriber: Transcriber) -> None:
    """One recording through a stream of its own."""
    stream = transcriber.create_stream()
    stream.add_listener(Told())
    stream.start()
    for start in range(0, len(samples), CHUNK):
        stream.add_audio(samples[start : start + CHUNK], RATE)
    stream.stop()
    stream.close()


def live(samples: np.ndarray, microphone: Paced) -> None:
    """One recording in real time."""
    told = Told()
    microphone.samples = samples
    microphone.add_listener(told)
    microphone.start()
    told.began = microphone.began
    microphone.wait()
    microphone.stop()


def cpu_s() -> float:
    """Seconds of CPU time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Runs what the first argument says over the recordings of standard input."""
    paced = sys.argv[1] == "live"
    path = str(get_model_path(MODEL))
    microphone = Paced(path, ModelArch.TINY) if paced else None
    transcriber = None if paced else Transcriber(path, ModelArch.TINY)
    print(json.dumps({"event": "ready", "cpu_s": round(cpu_s(), 3), "pid": os.getpid()}), flush=True)
    for name in sys.stdin.read().splitlines():
        samples = np.frombuffer(Path(name).read_bytes(), dtype="<i2").astype(np.float32) / 32768
        before, began = cpu_s(), time.monotonic()
        if microphone:
            live(samples, microphone)
        else:
            fast(samples, transcriber)
        took = {"cpu_s": round(cpu_s() - before, 3), "wall_s": round(time.monotonic() - began, 3)}
        print(json.dumps({"event": "done", "file": name, **took}), flush=True)


if __name__ == "__main__":
    main()
