"""Window streaming over one stream: decodes the newest seconds again at every hop, keeps what is stable, and at the
end of a segment decodes all of it once more.

Windows begin a little before the first word that is not stable, so that the cost of an update does not grow with the
segment. Their lengths are those of `live_lengths`, whole hops, so that few different ones occur: a GPU chooses its
kernels anew for each, and what can be prepared there is prepared for exactly these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.model import Encoding, log_softmax
from edgevoice.asr.opening import live_lengths
from edgevoice.asr.recogniser import Final, Model, Partial, promised_before
from edgevoice.asr.stable import StablePrefix
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.events import Word

Array = npt.NDArray[np.float32]
Encode = Callable[[Array, int, int], Encoding]
"""Encodes what lies between two samples of a segment."""


class WindowRecogniser:
    """One stream's recogniser. Segments follow one another: `open`, then `feed` and `update`, then `finish`."""

    def __init__(self, model: Model, settings: AsrSettings, manifest: Manifest) -> None:
        self._model = model
        lengths = live_lengths(manifest, settings.hop_s)
        self._hop, self._largest = lengths.step, lengths[-1]
        # at least half of a window is for what is not stable yet
        self._context = min(round(settings.context_s * SAMPLE_RATE), self._largest // 2)
        self._newest: LastPass | None = None
        self.open(0, np.zeros(0, dtype=np.float32))

    def open(self, start_sample: int, audio: Array) -> None:
        """Begins a segment at `start_sample` (16 kHz, stream's clock) with the audio from there to now."""
        self._start = start_sample
        self._audio = np.zeros(max(2 * len(audio), 8 * SAMPLE_RATE), dtype=np.float32)
        self._length = 0
        self._encode = _encoder(self._model)
        self._prefix = StablePrefix(promised_before(self._newest, start_sample))
        self._intents = _EarlyIntents()
        self.feed(audio)
        self.skip()  # the first update comes with the first whole hop after the detection

    def feed(self, samples: Array) -> None:
        """Adds the segment's next samples."""
        end = self._length + len(samples)
        if end > len(self._audio):
            self._audio = np.concatenate([self._audio, np.zeros(max(end, len(self._audio)), dtype=np.float32)])
        self._audio[self._length : end] = samples
        self._length = end

    @property
    def due(self) -> bool:
        """Whether a whole hop has come since the last update."""
        return self._now() > self._decoded

    @property
    def words(self) -> tuple[Word, ...]:
        """The segment's words so far, stable and tentative."""
        return (*self._prefix.stable, *self._prefix.tentative)

    def skip(self) -> None:
        """Lets this hop pass without an update."""
        self._decoded = self._now()

    def update(self) -> Partial:
        """Decodes the newest window, which ends at the last whole hop of the segment.

        Raises:
            ModelError: the model failed; the words so far stay as they are.
        """
        now = self._decoded = self._now()
        start = self._window_start(now)
        encoding = self._encode(self._audio, start, now)
        words = self._words(encoding, self._seconds(start), begins=start == 0, final=False)
        self._prefix.update(words, self._seconds(now))
        logits = self._intents.add(encoding.intent_logits, from_start=start == 0)
        return Partial(tuple(self._prefix.stable), tuple(self._prefix.tentative), logits)

    def end(self, end_sample: int) -> LastPass:
        """The last pass of the segment, up to `end_sample` (stream's clock), to be run now or when it can be."""
        audio = self._audio[: min(self._length, max(0, end_sample - self._start))]
        self._newest = LastPass(self._encode, audio, self._prefix, self._words, self._start, end_sample)
        return self._newest

    def _now(self) -> int:
        return self._length // self._hop * self._hop

    def _window_start(self, now: int) -> int:
        """The first sample of the window, relative to the segment, a whole number of hops before `now`."""
        # words that would leave the largest window have had their chance to change
        self._prefix.commit_before(self._seconds(now - self._largest + self._context))
        wanted = max(0, self._first_open() - self._context, now - self._largest)
        return wanted // self._hop * self._hop

    def _first_open(self) -> int:
        """Where the first word that is not stable begins, or may begin; relative to the segment, in samples."""
        if self._prefix.tentative:
            seconds = self._prefix.tentative[0].start
        elif self._prefix.stable:
            seconds = self._prefix.stable[-1].end
        else:
            return 0
        return round(seconds * SAMPLE_RATE) - self._start

    def _words(self, encoding: Encoding, start_s: float, *, begins: bool = True, final: bool = True) -> list[Word]:
        if encoding.log_probs is None:
            return []
        seconds = self._model.frame_seconds
        return self._model.decoder.words(encoding.log_probs, seconds, start_s, begins=begins, final=final)

    def _seconds(self, sample: int) -> float:
        return (self._start + sample) / SAMPLE_RATE


def _encoder(model: Model) -> Encode:
    """Encodes the windows of a segment that is about to begin."""
    front = model.front()
    return front.encode if front else lambda audio, start, end: model.encode(audio[start:end])


class LastPass:
    """The decoding of a whole segment that is over. One that failed can be tried again, later segments or not."""

    def __init__(
        self,
        encode: Encode,
        audio: Array,
        prefix: StablePrefix,
        decode: Callable[[Encoding, float], list[Word]],
        start: int,
        end: int,
    ) -> None:
        self.audio = audio
        """The segment, 16 kHz."""
        self.end = end
        """Where it ends, in samples on the stream's clock."""
        self.words: tuple[Word, ...] = (*prefix.stable, *prefix.tentative)
        """The words so far; once it has run, all."""
        self._encode, self._prefix, self._decode, self._start = encode, prefix, decode, start

    def run(self) -> Final:
        """Decodes the segment; its stable words stay as they are.

        Raises:
            ModelError: the model failed; `words` still holds the words so far.
        """
        encoding = self._encode(self.audio, 0, len(self.audio))
        self.words = tuple(self._prefix.finish(self._decode(encoding, self._start / SAMPLE_RATE)))
        return Final(self.words, encoding.intent_logits, encoding.log_probs)


class _EarlyIntents:
    """Intent logits for the segment so far.

    A window that reaches back to the start of the segment speaks for itself. Later windows see a part only: then the
    answer is the mean of the log-softmax of the last window that saw the start and of all windows since, so that
    neither the first words nor the newest are forgotten.
    """

    def __init__(self) -> None:
        self._sum: Array | None = None
        self._count = 0

    def add(self, logits: Array | None, *, from_start: bool) -> Array | None:
        """Takes a window's logits [labels]; gives those of the segment so far."""
        if logits is None:
            return None
        logs = log_softmax(logits)
        if from_start or self._sum is None:
            self._sum, self._count = logs, 1
        else:
            self._sum, self._count = self._sum + logs, self._count + 1
        return np.asarray(self._sum / self._count, dtype=np.float32)
