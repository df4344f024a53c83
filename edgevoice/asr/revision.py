"""What becomes of a sentence that is over: read once more, compared with what was first heard, and put right or left.

A sequence model writes sentences over noise, and what it does not know it repeats. So a reading counts where somebody
speaks, where it is no loop and no rush, and where the reader is fairly sure of it; of a word or two, which such models
guess, the surer of both readings stands. The limits on probability and compression are those of Whisper's own
transcription (openai/whisper, transcribe.py).
"""

from __future__ import annotations

import math
import re
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.asr.alignment import Alignment, TextAligner
from edgevoice.asr.bundle import Manifest, ReaderSpec
from edgevoice.asr.reader import Reading
from edgevoice.config import SAMPLE_RATE
from edgevoice.events import Word
from edgevoice.text import plain, primary_language

Array = npt.NDArray[np.float32]

SPEECH = 0.8
"""Below this, nobody spoke."""
CLEAR_SPEECH = 0.99
"""From this on somebody did, whatever the reader makes of it; single digits on a telephone, and flutes, are below."""
LIKELY_SPEECH = 0.95
"""From this on a reader may be unsure of it."""
DOUBTFUL_LOG_PROB = -0.5
"""Where it is not clear that somebody spoke, a reading must be surer than this to count."""
MINIMUM_LOG_PROB = -1.0
"""A reading is less sure than this only where the reader guesses."""
LARGEST_COMPRESSION = 2.4
"""Text that zlib makes so many times smaller says the same again and again."""
REPEATS = (5, 4, 3, 3, 3, 3)
"""A phrase of one word, of two and so on that comes so often in a row is a loop; people say "no" three times, and four
fours in a telephone number."""
SLOWEST = 0.5
"""Words a second; who speaks at all says more, but a reader says "you" to ten seconds of a flute."""
ODDEST, ODD_FROM_S = 2.5, 1.3
"""The misfit of a text, for each of its tokens, above which it is not what the captions' model heard, and the seconds
of audio from which on that counts: sentences have 0 to 2, what is read in music 2.6 to 5; single digits that model does
not hear at all."""
FASTEST = 7.0
"""Words a second; the fastest speakers say five or six."""
FEW = 2
"""Words of an utterance for which a reader lacks context."""
SURE = -0.1
"""A reading surer than this is not tried again."""
ROOMS = ((0.3, 0.3), (0.15, 0.5), (0.5, 0.5))
"""Seconds of silence before and after the audio. A reader of inputs of any length hears better with some, and what it
is unsure of it hears differently with more: the surest of these readings has a tenth fewer wrong words."""
POOR_FIT = 6.0
"""A text that fits worse than this, for each of its tokens, has no place in what the captions' model heard."""
LARGEST_MISFIT = 12.0
"""A word that fits worse than this does not fit at all."""
_EDGE = 1e-6


class Reads(Protocol):
    """What is needed of `edgevoice.asr.reader.Reader`."""

    spec: ReaderSpec

    @property
    def batches(self) -> bool:
        """Whether several clips are read at once."""
        ...

    def read(self, clips: Sequence[Array], *, language: str = "", prompt: str = "") -> list[Reading]:
        """What is said in clips."""
        ...


class HearsSpeech(Protocol):
    """What is needed of `edgevoice.asr.speech.SpeechDetector`."""

    def speech(self, samples: Array) -> float:
        """How sure it is that somebody speaks, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A segment that is over, as it was first heard."""

    audio: Array
    """16 kHz, with a little of what follows."""
    start_s: float
    end_s: float
    """Seconds on the stream's clock."""
    words: tuple[Word, ...]
    log_probs: Array | None
    """[frames, vocabulary] from its start, natural logarithms; None if they are not known."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What takes the place of the words that were first heard; no words if nothing was said."""

    words: tuple[Word, ...]
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class WordEvidence:
    """A word that was read, and what speaks for it."""

    text: str
    start_s: float
    end_s: float
    """Seconds on the stream's clock."""
    log_prob: float
    """Mean of its tokens', by the reader."""
    sentence_log_prob: float
    misfit: float
    """See `PlacedWord.misfit`; 0 where the sound was not compared."""

    @property
    def logit(self) -> float:
        """The log-odds that the reader gives it."""
        p = min(max(math.exp(self.log_prob), _EDGE), 1 - _EDGE)
        return math.log(p / (1 - p))


NOTHING_SAID = Revision((), 1.0)


class Reviser:
    """Reads sentences once more. Streams in threads of their own may share it; they take turns.

    Args:
        reader: reads.
        detector: tells whether somebody speaks.
        manifest: of the captions.
        frame_seconds: from one of its CTC frames to the next.
        prompt: words to expect, for a reader that takes a prompt.
    """

    def __init__(
        self, reader: Reads, detector: HearsSpeech, manifest: Manifest, frame_seconds: float, prompt: str = ""
    ) -> None:
        self.name = reader.spec.name
        """Who reads."""
        self._reader, self._detector, self._prompt = reader, detector, prompt
        self._language = primary_language(manifest.language)
        self._frame_seconds = frame_seconds
        self._aligner = TextAligner(manifest.vocabulary, manifest.blank)
        self._free = threading.Lock()

    @property
    def batches(self) -> bool:
        """Whether several sentences are read at once."""
        return self._reader.batches

    def revise(self, sentences: Sequence[Sentence]) -> list[Revision | None]:
        """The sentences as they are read; None for one that stays as it was first heard.

        Raises:
            ModelError: the reader failed.
        """
        with self._free:
            return self._revise(sentences)

    def _revise(self, sentences: Sequence[Sentence]) -> list[Revision | None]:
        speech = [self._detector.speech(each.audio) for each in sentences]
        spec = self._reader.spec
        room = 0.0 if spec.window_s else max(map(sum, ROOMS))
        longest = (spec.longest_s - room) * SAMPLE_RATE
        wanted = [
            number for number, each in enumerate(sentences) if speech[number] >= SPEECH and len(each.audio) <= longest
        ]
        readings = dict(zip(wanted, self._read([sentences[number].audio for number in wanted]), strict=True))
        return [self._judged(each, speech[number], readings.get(number)) for number, each in enumerate(sentences)]

    def _read(self, clips: Sequence[Array]) -> list[Reading]:
        """The surest reading of each clip."""
        if self._reader.spec.window_s:
            return self._once(clips)
        best = self._once([_in_room(clip, *ROOMS[0]) for clip in clips])
        for room in ROOMS[1:]:
            unsure = [number for number, reading in enumerate(best) if not _is_sure(reading)]
            again = self._once([_in_room(clips[number], *room) for number in unsure])
            for number, reading in zip(unsure, again, strict=True):
                best[number] = max(best[number], reading, key=lambda each: (each.ended, each.log_prob))
        return best

    def _once(self, clips: Sequence[Array]) -> list[Reading]:
        return self._reader.read(clips, language=self._language, prompt=self._prompt)

    def _judged(self, sentence: Sentence, speech: float, reading: Reading | None) -> Revision | None:
        if speech < SPEECH:
            return _withdrawn(sentence)
        if reading is None:
            return None
        seconds = len(sentence.audio) / SAMPLE_RATE
        if not words_of(reading) or (speech < CLEAR_SPEECH and self._is_doubtful(sentence, speech, reading)):
            return _withdrawn(sentence)
        if not is_plausible(reading, seconds):
            return None if speech >= CLEAR_SPEECH else _withdrawn(sentence)
        revision = self._revision(sentence, reading)
        return None if _first_is_surer(sentence.words, revision) else revision

    def _is_doubtful(self, sentence: Sentence, speech: float, reading: Reading) -> bool:
        """Whether a reading says too little, too unsurely, or something too far from what was first heard, to make
        speech of what may be none."""
        seconds = len(sentence.audio) / SAMPLE_RATE
        if len(words_of(reading)) < SLOWEST * seconds:
            return True
        if speech < LIKELY_SPEECH and reading.log_prob < DOUBTFUL_LOG_PROB:
            return True
        heard = sentence.log_probs
        if heard is None or seconds < ODD_FROM_S:
            return False
        alignment = self._aligner.align([text for text, _ in words_of(reading)], heard)
        return alignment is None or alignment.misfit > ODDEST

    def evidence(self, sentence: Sentence) -> list[WordEvidence]:
        """The words of a sentence as it is read, whatever they are worth."""
        with self._free:
            reading = self._read([sentence.audio])[0]
        return self._evidence(sentence, reading)

    def _evidence(self, sentence: Sentence, reading: Reading) -> list[WordEvidence]:
        written = words_of(reading)
        texts = [text for text, _ in written]
        heard = sentence.log_probs
        alignment = None if heard is None or not len(heard) else self._aligner.align(texts, heard)
        misfits = [each.misfit for each in alignment.words] if alignment else [0.0] * len(texts)
        times = self._times(sentence, texts, alignment)
        return [
            WordEvidence(text, start, end, log_prob, reading.log_prob, misfit)
            for (text, log_prob), (start, end), misfit in zip(written, times, misfits, strict=True)
        ]

    def _revision(self, sentence: Sentence, reading: Reading) -> Revision:
        """A reading with times and confidences."""
        words = tuple(
            Word(word=each.text, start=each.start_s, end=each.end_s, confidence=self._confidence(each))
            for each in self._evidence(sentence, reading)
        )
        return Revision(words, _together(words))

    def _times(
        self, sentence: Sentence, texts: Sequence[str], alignment: Alignment | None
    ) -> list[tuple[float, float]]:
        if alignment is None or alignment.misfit > POOR_FIT:
            return _spread(texts, sentence.start_s, sentence.end_s)
        seconds = self._frame_seconds
        latest = sentence.end_s
        places = [(each.start_frame * seconds, each.end_frame * seconds) for each in alignment.words]
        return [(min(sentence.start_s + start, latest), min(sentence.start_s + end, latest)) for start, end in places]

    def _confidence(self, word: WordEvidence) -> float:
        """How likely a word is right; see `ReaderSpec.confidence_slope`."""
        spec = self._reader.spec
        exponent = (
            spec.confidence_slope * word.logit
            + spec.confidence_sentence * word.sentence_log_prob
            - spec.confidence_misfit * min(word.misfit, LARGEST_MISFIT)
            + spec.confidence_offset
        )
        return 1 / (1 + math.exp(-min(max(exponent, -60.0), 60.0)))


def is_plausible(reading: Reading, seconds: float) -> bool:
    """Whether a reading can be what somebody said in so many seconds."""
    words = reading.text.split()
    return (
        reading.ended
        and reading.log_prob >= MINIMUM_LOG_PROB
        and len(words) <= FASTEST * seconds + 1
        and not is_loop(reading.text)
    )


def is_loop(text: str) -> bool:
    """Whether a text says the same again and again."""
    letters = "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")
    data = letters.encode()
    if len(data) > 40 and len(data) / len(zlib.compress(data)) > LARGEST_COMPRESSION:
        return True
    words = letters.split()
    return any(_repeats(words, length) >= often for length, often in enumerate(REPEATS, 1))


def _repeats(words: Sequence[str], length: int) -> int:
    """How often a phrase of so many words comes in a row, at most."""
    most = 1
    for start in range(len(words) - length + 1):
        phrase, count = words[start : start + length], 1
        while words[start + count * length : start + (count + 1) * length] == phrase:
            count += 1
        most = max(most, count)
    return most


def _is_sure(reading: Reading) -> bool:
    return reading.ended and reading.log_prob >= SURE


def _in_room(clip: Array, before_s: float, after_s: float) -> Array:
    silence = [np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32) for seconds in (before_s, after_s)]
    return np.concatenate([silence[0], clip, silence[1]])


def _withdrawn(sentence: Sentence) -> Revision | None:
    """Nothing was said; which is no news where nothing was heard."""
    return NOTHING_SAID if sentence.words else None


def _first_is_surer(first: Sequence[Word], revision: Revision) -> bool:
    if not 0 < len(first) <= FEW or len(revision.words) > FEW:
        return False
    return _together(first) > revision.confidence


def _together(words: Sequence[Word]) -> float:
    """The confidence of words as one: their geometric mean."""
    return math.exp(sum(math.log(max(word.confidence, _EDGE)) for word in words) / len(words))


def words_of(reading: Reading) -> list[tuple[str, float]]:
    """The words of a reading, safe to show, and the mean log-probability of the tokens of each. What has no letter and
    no digit, a note for music or the dash before somebody's words, is none."""
    groups: list[tuple[str, list[float]]] = []
    begins = True
    for piece in reading.pieces:
        for number, part in enumerate(re.split(r"\s", piece.text)):
            begins = begins or number > 0
            if part and begins:
                groups.append((part, [piece.log_prob]))
                begins = False
            elif part:
                text, logs = groups[-1]
                groups[-1] = text + part, [*logs, piece.log_prob]
    written = [(plain(text).strip(), sum(logs) / len(logs)) for text, logs in groups]
    return [(text, log_prob) for text, log_prob in written if any(letter.isalnum() for letter in text)]


def _spread(texts: Sequence[str], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Words along a stretch of time, by their letters."""
    sizes = np.cumsum([0, *map(len, texts)])
    edges = start_s + (end_s - start_s) * sizes / max(1, sizes[-1])
    return [(float(edges[number]), float(edges[number + 1])) for number in range(len(texts))]
