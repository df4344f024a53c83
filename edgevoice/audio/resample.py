"""Any sample rate to the model's, piece by piece, with the same result as in one piece."""

from __future__ import annotations

import numpy as np
import soxr

from edgevoice.audio.source import Samples
from edgevoice.config import SAMPLE_RATE


def clean(samples: Samples) -> Samples:
    """Float32 samples within -1..1; NaN and infinities, which would poison every later sum, become silence."""
    samples = np.asarray(samples, dtype=np.float32)
    finite = np.where(np.isfinite(samples), samples, np.float32(0))
    return np.clip(finite, np.float32(-1), np.float32(1))


class Resampler:
    """A soxr stream (HQ). It holds back up to 40 ms, which `flush` returns.

    Args:
        from_rate: hertz of what comes in.
        to_rate: hertz of what goes out. Equal rates pass through unchanged, apart from `clean`.
    """

    def __init__(self, from_rate: int, to_rate: int = SAMPLE_RATE) -> None:
        self.from_rate = from_rate
        self.to_rate = to_rate
        self._stream = self._new_stream()

    def process(self, samples: Samples) -> Samples:
        """Cleans [n] samples and returns those [about n * to_rate / from_rate] that are ready."""
        cleaned = clean(samples)
        return cleaned if self._stream is None else self._resampled(self._stream, cleaned, last=False)

    def flush(self) -> Samples:
        """The samples held back; the next `process` begins a new stream."""
        rest = np.zeros(0, np.float32)
        if self._stream is not None:
            rest = self._resampled(self._stream, rest, last=True)
            self._stream = self._new_stream()
        return rest

    def _new_stream(self) -> soxr.ResampleStream | None:
        if self.from_rate == self.to_rate:
            return None
        return soxr.ResampleStream(self.from_rate, self.to_rate, num_channels=1, dtype="float32", quality="HQ")

    @staticmethod
    def _resampled(stream: soxr.ResampleStream, samples: Samples, *, last: bool) -> Samples:
        return np.asarray(stream.resample_chunk(samples, last=last), dtype=np.float32)
