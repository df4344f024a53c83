"""From drafts to waveforms: the engines run, and where one fails another voice takes over."""

from __future__ import annotations

import logging
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ModelError
from training import voices
from training.augment import Audio
from training.kokoro.speakers import speakers
from training.synthesis.casting import Delivery, cast
from training.synthesis.plan import Sentence, Shard
from training.voices import SPLITS, Voice

LOG = logging.getLogger(__name__)

ATTEMPTS = 5
ENGINE_TIMEOUT_S = 20.0
PLAUSIBLE_TEMPO = (3.0, 32.0)  # characters per second; outside it the engine dropped or repeated something
ONE_WORD_S = (0.2, 0.6)  # so much shorter or longer may it be, since a single short word has a tempo of its own


@dataclass
class Draft:
    """An utterance on its way: its generator, who speaks it and how, and the audio once it is there."""

    index: int
    sentence: Sentence
    rng: np.random.Generator
    path: Path
    banned: set[str] = field(default_factory=set)
    delivery: Delivery | None = None
    speech: Audio | None = None

    @property
    def voice(self) -> Voice:
        """Who speaks it at the moment."""
        assert self.delivery is not None
        return self.delivery.voice


def draft_utterance(shard: Shard, place: int) -> Draft:
    """Begin the utterance at a place of the shard, with a random generator of its own."""
    index = shard.first_index + place
    rng = np.random.default_rng([shard.seed, SPLITS.index(shard.split), index])
    path = shard.folder / f"{shard.split}-{index:06d}.flac"
    return Draft(index, shard.sentences[place], rng, path)


def speak(drafts: Sequence[Draft], shard: Shard, scratch: Path, failures: Counter[str]) -> Iterator[Draft]:
    """Give each draft as soon as it has audio; where a voice fails another one tries, and the failure is counted."""
    waiting = list(drafts)
    for _ in range(ATTEMPTS):
        for draft in waiting:
            _cast(draft, shard, scratch)
        _run_festival([draft for draft in waiting if draft.voice.engine == "festival"], scratch)
        failed = []
        for draft in waiting:
            draft.speech = _speech(draft)
            if draft.speech is None:
                failures[draft.voice.name] += 1
                draft.banned.add(draft.voice.name)
                failed.append(draft)
            else:
                yield draft
        waiting = failed
    for draft in waiting:
        failures["given up"] += 1
        LOG.warning("No voice managed %r", draft.sentence.text)


def trim(samples: Audio, below_peak_db: float = 50.0) -> Audio:
    """Cut the silence off both ends, at 10 ms steps with 20 ms to spare, and scale to a peak of 1."""
    step = SAMPLE_RATE // 100
    frames = np.abs(samples[: samples.size // step * step].reshape(-1, step)).max(axis=1, initial=0.0)
    loud = np.flatnonzero(frames > frames.max(initial=0.0) * 10.0 ** (-below_peak_db / 20.0))
    if loud.size == 0:
        return samples[:0]
    kept = samples[max(0, loud[0] - 2) * step : (loud[-1] + 3) * step]
    return np.ascontiguousarray(kept / np.abs(kept).max(), dtype=np.float32)


def is_plausible(text: str, seconds: float) -> bool:
    """Whether speech of that length can be the text, all of it and nothing more."""
    slowest, fastest = (len(text) / tempo for tempo in PLAUSIBLE_TEMPO)
    return fastest - ONE_WORD_S[0] < seconds < slowest + ONE_WORD_S[1]


def _cast(draft: Draft, shard: Shard, scratch: Path) -> None:
    """Draw another voice than those that failed, as long as there is one."""
    usable = [voice for voice in shard.voices if voice.name not in draft.banned] or shard.voices
    output = scratch / f"{draft.index}.wav"
    output.unlink(missing_ok=True)
    draft.delivery = cast(draft.sentence.text, usable, output, draft.rng, varied=shard.split == "train")


def _run_festival(drafts: Sequence[Draft], scratch: Path) -> None:
    """Speak all the festival utterances in one process, as it takes longer to start than to speak."""
    utterances = [draft.delivery.utterance for draft in drafts if draft.delivery is not None]
    if utterances:
        script = scratch / "say.scm"
        script.write_text(voices.festival_script(utterances), encoding="utf-8")
        _run(voices.festival_command(script), ENGINE_TIMEOUT_S + len(utterances))


def _run(command: voices.Command, timeout_s: float) -> None:
    """Run an engine; whether it worked shows in the file it was to write."""
    try:
        subprocess.run(command.argv, input=command.stdin.encode(), capture_output=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        LOG.warning("%s failed: %s", command.argv[0], error)


def say(utterance: voices.Utterance) -> tuple[Audio, int] | None:
    """What the engine says, mono, and its sample rate; None where it gives nothing.

    Of festival, which speaks from a script of many utterances, it is what lies there already.
    """
    if utterance.voice.natural:
        return _say_natural(utterance)
    if utterance.voice.engine != "festival":
        _run(voices.command(utterance), ENGINE_TIMEOUT_S)
    try:
        samples, rate = soundfile.read(utterance.output, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError):
        return None
    finally:
        utterance.output.unlink(missing_ok=True)
    return np.ascontiguousarray(samples[:, 0]), rate


def _say_natural(utterance: voices.Utterance) -> tuple[Audio, int] | None:
    """In this process, where the network is loaded once."""
    from training.kokoro.speech import RATE, kokoro

    try:
        return kokoro().say(utterance.text, speakers()[utterance.voice.selector], utterance.rate), RATE
    except ModelError as error:
        LOG.warning("%s", error)
        return None


def _speech(draft: Draft) -> Audio | None:
    """Get the trimmed speech at 16 kHz and unit peak, or None where the engine gave nothing usable."""
    assert draft.delivery is not None
    spoken = say(draft.delivery.utterance)
    if spoken is None:
        return None
    mono, rate = spoken
    if mono.size < rate // 10 or not np.isfinite(mono).all() or np.sqrt(np.mean(np.square(mono))) < 1e-3:
        return None
    # Claiming another sample rate stretches the spectrum: formants, pitch and tempo all go up by the factor.
    speech = trim(soxr.resample(mono, rate * draft.delivery.vocal_tract, SAMPLE_RATE, quality="HQ"))
    return speech if is_plausible(draft.sentence.text, speech.size / SAMPLE_RATE) else None
