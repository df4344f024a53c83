"""Who speaks a sentence, and how: the draws of a voice, its pitch, its tempo and its vocal tract."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.kokoro.speakers import SPEEDS
from training.voices import Utterance, Voice

NATURAL_SHARE = 0.6
"""Of natural voices, where there are any; the shares below are of the rest."""
RECORDED_SHARE = 0.4
FEMALE_SHARE_RECORDED = 0.4
FEMALE_SHARE_ESPEAK = 0.45
# One person may speak through several engines: the quick ones get more of that person's share.
ENGINE_WEIGHTS: Mapping[str, float] = {"flite": 5.0, "rhvoice": 0.8, "festival": 0.5}

VOCAL_TRACT_RANGE = (0.85, 1.18)
NATURAL_VOCAL_TRACT_RANGE = (0.92, 1.09)  # there are many of them, and they are to stay natural
PITCH_RANGE = (0.78, 1.25)
TEST_PITCH_RANGE = (0.95, 1.05)
TEMPO_MEAN, TEMPO_DEVIATION, TEMPO_RANGE = 14.5, 2.2, (9.5, 19.0)  # characters per second of speech


@dataclass(frozen=True)
class Delivery:
    """How a sentence is spoken: what the engine is asked for, and the factor on the spectrum that comes after it."""

    utterance: Utterance
    vocal_tract: float

    @property
    def voice(self) -> Voice:
        """Who speaks."""
        return self.utterance.voice


def cast(text: str, usable: Sequence[Voice], output: Path, rng: np.random.Generator, *, varied: bool) -> Delivery:
    """Draw a voice and how it speaks; unless `varied` it speaks as it is, but for tempo and a little pitch."""
    voice = pick_voice(usable, rng)
    vocal_tracts = NATURAL_VOCAL_TRACT_RANGE if voice.natural else VOCAL_TRACT_RANGE
    vocal_tract = _log_uniform(rng, vocal_tracts) if varied else 1.0
    if voice.natural:  # at the pitch and about the tempo that are the speaker's
        return Delivery(Utterance(voice, text, _log_uniform(rng, SPEEDS), 1.0, output), vocal_tract)
    pitch = _log_uniform(rng, PITCH_RANGE if varied else TEST_PITCH_RANGE)
    tempo = float(np.clip(rng.normal(TEMPO_MEAN, TEMPO_DEVIATION), *TEMPO_RANGE))
    rate = tempo / (voice.tempo * vocal_tract)  # resampling by the vocal tract factor speeds up or slows down
    return Delivery(Utterance(voice, text, rate, pitch, output), vocal_tract)


def pick_voice(usable: Sequence[Voice], rng: np.random.Generator) -> Voice:
    """Draw a kind, a gender, a speaker and one of the speaker's voices, so that a rich engine cannot drown the rest."""
    natural = [voice for voice in usable if voice.natural]
    others = [voice for voice in usable if not voice.natural]
    if natural and (not others or rng.random() < NATURAL_SHARE):
        return natural[int(rng.integers(len(natural)))]
    kinds = {kind: [voice for voice in others if voice.recorded == kind] for kind in (True, False)}
    recorded = rng.random() < RECORDED_SHARE
    kind = recorded if kinds[recorded] else not recorded
    pool = kinds[kind]
    share = FEMALE_SHARE_RECORDED if kind else FEMALE_SHARE_ESPEAK
    gender = "female" if rng.random() < share else "male"
    pool = [voice for voice in pool if voice.gender == gender] or pool
    speakers = sorted({voice.speaker for voice in pool})
    speaker = speakers[int(rng.integers(len(speakers)))]
    pool = [voice for voice in pool if voice.speaker == speaker]
    weights = np.array([ENGINE_WEIGHTS.get(voice.engine, 1.0) for voice in pool])
    return pool[int(rng.choice(len(pool), p=weights / weights.sum()))]


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
