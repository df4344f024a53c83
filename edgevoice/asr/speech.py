"""Whether somebody speaks in a stretch of audio: Silero VAD over all of it at once.

The graph is `silero_vad_16k_sequence.onnx` of silero-vad 6.2.3 (MIT, https://github.com/snakers4/silero-vad), as it is.
It takes any number of frames of 32 ms, each with the last 4 ms of the one before it. `scripts/silero.py` fetches it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgevoice.asr.session import SessionOptions, open_session

Array = npt.NDArray[np.float32]

FRAME = 512
"""Samples of a frame (32 ms)."""
_CONTEXT = 64
_STATE = (1, 1, 128)
_LEAD = 4_800
"""Silence before the audio, in samples: from a standing start, the first sounds are doubted."""
LOUDEST = 5
"""Frames that decide: a word as short as "six" has no more."""
FILE = Path(__file__).with_name("silero_vad.onnx")


class SpeechDetector:
    """Tells speech from music, noise and tones, for one thread at a time."""

    def __init__(self) -> None:
        self._session = open_session(FILE, "cpu", SessionOptions(threads=1))

    def probabilities(self, samples: Array) -> Array:
        """The probability of speech in each frame of 16 kHz samples [frames], the last one filled up with silence."""
        count = -(-len(samples) // FRAME)
        padded = np.zeros(_CONTEXT + count * FRAME, dtype=np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples
        frames = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + FRAME)[::FRAME]
        state = np.zeros(_STATE, dtype=np.float32)
        outputs = self._session.step({"input": np.ascontiguousarray(frames), "h": state, "c": state})
        return np.asarray(outputs["speech_probs"], dtype=np.float32).reshape(-1)

    def speech(self, samples: Array) -> float:
        """How sure it is that somebody speaks somewhere in the samples: the mean of its surest frames, 0 to 1."""
        if not len(samples):
            return 0.0
        found = self.probabilities(np.concatenate([np.zeros(_LEAD, dtype=np.float32), samples]))
        return float(np.sort(found)[-LOUDEST:].mean())
