"""Several live streams over one model in one process, in real time."""

from __future__ import annotations

from typing import Any

from bench.live_audio import Audio
from edgevoice.asr.bundle import Bundle
from edgevoice.errors import EdgeVoiceError


def measure(bundle: Bundle, audio: Audio, streams: int, threads: int) -> dict[str, Any]:
    """CPU seconds per second of audio and stream, and latencies, of so many streams of the audio, each begun elsewhere.

    Raises:
        EdgeVoiceError: there is nothing yet that runs several streams over one session.
    """
    del bundle, audio, threads
    what = f"Not measured: there is no engine for {streams} streams over one session yet"
    raise EdgeVoiceError(what, "Run it again with a version that has one")
