"""Moonshine's own tool on recordings, as its users run it; a script for the environment that it is installed in.

`bench.peers` makes that environment and starts this file there by its path, so it imports the standard library, numpy
and moonshine_voice, and nothing of edgevoice. Recordings are 16-bit mono WAV at 16 kHz, one a line of standard input:

    python bench/peer_moonshine.py files < list     whole recordings, as fast as it can, without updates
    python bench/peer_moonshine.py stream < list    each one a stream of its own, fed as fast as it takes it
    python bench/peer_moonshine.py live < list      through its microphone transcriber, at the pace of the audio

Out comes one JSON object a line: what it said, with `moment`, seconds since the audio began, and for each recording
`{"event": "done", ...}`. Updates come every 0.5 s and segments are those of its own detector of speech: everything is
as it is when it is installed.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import wave

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

    def __call__(self, event: object) -> None:
        """A listener of Moonshine's."""
        line = getattr(event, "line", None)
        if line is None:
            tell(event="error", text=str(getattr(event, "error", event)))
            return
        what = {"LineCompleted": "completed", "LineTextChanged": "changed"}.get(type(event).__name__)
        if what == "completed" or (what == "changed" and not line.is_complete):
            moment = round(time.monotonic() - self.began, 4)
            place = {"start": round(line.start_time, 3), "end": round(line.start_time + line.duration, 3)}
            tell(event=what, moment=moment, line=line.line_id, **place, text=line.text)


def files(samples: np.ndarray, transcriber: Transcriber) -> str:
    """A whole recording at once; its text."""
    lines = transcriber.transcribe_without_streaming(samples.tolist(), RATE).lines
    return " ".join(line.text for line in lines)


def stream(samples: np.ndarray, transcriber: Transcriber) -> None:
    """A recording through a stream of its own."""
    listened = transcriber.create_stream()
    listened.add_listener(Told())
    listened.start()
    for start in range(0, len(samples), CHUNK):
        listened.add_audio(samples[start : start + CHUNK], RATE)
    listened.stop()
    listened.close()


def live(samples: np.ndarray, microphone: Paced) -> None:
    """A recording in real time."""
    told = Told()
    microphone.samples = samples
    microphone.add_listener(told)
    microphone.start()
    told.began = microphone.began
    microphone.wait()
    microphone.stop()


def read(name: str) -> np.ndarray:
    """The samples of a recording."""
    with wave.open(name, "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768


def tell(**said: object) -> None:
    """One line."""
    print(json.dumps(said), flush=True)


def main() -> None:
    """Runs what the first argument says over the recordings of standard input."""
    how = sys.argv[1]
    path = str(get_model_path(MODEL))
    tool = Paced(path, ModelArch.TINY) if how == "live" else Transcriber(path, ModelArch.TINY)
    tell(event="ready")
    for name in sys.stdin.read().splitlines():
        text = {"files": files, "stream": stream, "live": live}[how](read(name), tool)
        tell(event="done", file=name, text=text or "")


if __name__ == "__main__":
    main()
