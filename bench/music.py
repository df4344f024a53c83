"""Music without words, made from a seed: chords, melodies and drums for several instruments and styles.

It is no good music, but it has what misleads a detector of speech and a recogniser: pitch that moves, harmonics,
beginnings and ends of notes, vibrato, rhythm, and formants where a choir hums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.sounds import Maker, Rng, Samples, add, band, decay, fade, noise_of, peaks, shaped, tone
from edgevoice.config import SAMPLE_RATE

Note = Callable[[Rng, float, int], npt.NDArray[np.floating]]
"""An instrument: a generator, Hz and a number of samples -> that note."""

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PROGRESSIONS = ((0, 4, 5, 3), (0, 3, 4, 0), (5, 3, 0, 4), (1, 4, 0, 0), (0, 5, 1, 4), (0, 0, 3, 4))
"""Degrees of the scale that chords stand on, a bar each."""
_TOP_HZ = 7600.0
"""No partial goes higher."""


@dataclass(frozen=True)
class Style:
    """What plays and how."""

    chords: Note | None = None
    melody: Note | None = None
    bass: Note | None = None
    drums: bool = False
    beats_per_minute: tuple[float, float] = (70.0, 130.0)
    broken: bool = False
    """The notes of a chord one after the other."""
    swing: float = 0.0
    """How much later than even every second half beat comes, in half beats."""


def music(style: Style) -> Maker:
    """A maker of music in a style; key, tempo, chords and tune are drawn."""

    def make(rng: Rng, count: int) -> Samples:
        sound = np.zeros(count, dtype=np.float32)
        beat = 60 / float(rng.uniform(*style.beats_per_minute))
        scale = SCALES[str(rng.choice(list(SCALES)))]
        root = int(rng.integers(45, 57))
        progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
        bars = int(np.ceil(count / SAMPLE_RATE / (4 * beat)))
        place = int(rng.integers(7, 12))
        for bar in range(bars):
            at, degree = bar * 4 * beat, progression[bar % len(progression)]
            _chord(style, rng, sound, at, beat, [_hertz(root, scale, degree + step) for step in (0, 2, 4)])
            if style.bass:
                for half in (0, 2):
                    note = style.bass(rng, _hertz(root - 12, scale, degree), round(1.8 * beat * SAMPLE_RATE))
                    add(sound, 0.8 * note, at + half * beat)
            place = _tune(style, rng, sound, at, beat, (root, scale, place))
            if style.drums:
                _drums(rng, sound, at, beat, style.swing)
        return sound

    return make


def piano(_rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """Struck strings: harmonics a little too high, the higher the sooner gone."""
    return _partials(hertz, count, lambda n: (n * (1 + 0.0004 * n * n), 0.8**n, 1.2 / n)) * fade(count, 0.003, 0.05)


def organ(_rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """Pipes: octaves and fifths that stay."""
    pipes = [tone(hertz * ratio, count) * part for ratio, part in ((0.5, 0.6), (1, 1), (2, 0.7), (3, 0.4), (4, 0.4))]
    return np.asarray(np.sum(pipes, axis=0) * fade(count, 0.03, 0.06))


def strings(rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """Bowed: all harmonics, slow, with vibrato; three players, each a little off."""
    moment = np.arange(count) / SAMPLE_RATE
    sound = np.zeros(count)
    for _ in range(3):
        shake = 1 + 0.004 * np.sin(2 * np.pi * (5.2 * moment + rng.random())) + rng.normal(0, 0.0015)
        sound += np.sum([tone(hertz * shake * n, count) / n for n in _harmonics(hertz, 18)], axis=0)
    return sound * fade(count, 0.15, 0.2)


def plucked(rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """A guitar, by Karplus and Strong: a period of noise that goes round and is smoothed."""
    period = max(2, round(SAMPLE_RATE / hertz))
    line = rng.uniform(-1, 1, period)
    rounds = [line]
    for _ in range(count // period):
        line = 0.498 * (line + np.roll(line, 1))
        rounds.append(line)
    return np.concatenate(rounds)[:count] * fade(count, 0.001, 0.02)


def bells(_rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """A music box."""
    high = min(4 * hertz, 2500.0)
    return np.asarray(
        np.sum([tone(min(high * r, _TOP_HZ), count) * decay(count, 0.5 / r) for r in (1, 2.76, 5.4)], axis=0)
    )


def flute(rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """A sine with breath and vibrato."""
    moment = np.arange(count) / SAMPLE_RATE
    pitch = 2 * hertz * (1 + 0.008 * np.minimum(1, moment / 0.3) * np.sin(2 * np.pi * 5 * moment))
    breath = shaped(rng.normal(size=count), band(1.5 * hertz, 6 * hertz, 1))
    return (tone(pitch, count) + 0.25 * tone(2 * pitch, count) + 0.1 * breath) * fade(count, 0.06, 0.08)


def brass(_rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """Grows brighter as it grows louder."""
    swell = fade(count, 0.07, 0.1)
    return np.asarray(
        np.sum([tone(hertz * n, count) * swell ** (1 + 0.35 * n) / n**0.7 for n in _harmonics(hertz, 14)], axis=0)
    )


def synthesiser(_rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """A square wave that closes."""
    return _partials(hertz, count, lambda n: (n, (n % 2) / n, 2.5 / n)) * fade(count, 0.002, 0.02)


def choir(rng: Rng, hertz: float, count: int) -> npt.NDArray[np.floating]:
    """Voices that hum a vowel: the nearest that music without words comes to speech."""
    moment = np.arange(count) / SAMPLE_RATE
    sound = np.zeros(count)
    for _ in range(4):
        shake = 1 + 0.008 * np.sin(2 * np.pi * (rng.uniform(4.5, 6) * moment + rng.random())) + rng.normal(0, 0.003)
        sound += np.sum([tone(hertz * shake * n, count) / n for n in _harmonics(hertz, 24)], axis=0)
    vowels = (((700, 1150, 2600)), (400, 800, 2500), (320, 2200, 2900))
    low, middle, high = vowels[int(rng.integers(len(vowels)))]
    return shaped(sound, peaks((low, 90, 1), (middle, 110, 0.6), (high, 180, 0.2))) * fade(count, 0.12, 0.15)


STYLES: dict[str, Style] = {
    "piano": Style(piano, piano),
    "piano, slow and broken": Style(piano, None, piano, broken=True, beats_per_minute=(45, 70)),
    "organ": Style(organ, organ, organ, beats_per_minute=(50, 80)),
    "strings": Style(strings, strings, beats_per_minute=(50, 80)),
    "guitar": Style(plucked, plucked, broken=True),
    "music box": Style(None, bells, broken=True),
    "flute and guitar": Style(plucked, flute, broken=True, beats_per_minute=(60, 90)),
    "flute alone": Style(None, flute, beats_per_minute=(60, 100)),
    "brass band": Style(brass, brass, brass, drums=True, beats_per_minute=(90, 120)),
    "band": Style(plucked, piano, plucked, drums=True, beats_per_minute=(100, 140)),
    "dance": Style(synthesiser, synthesiser, synthesiser, drums=True, beats_per_minute=(118, 132)),
    "jazz trio": Style(piano, None, plucked, drums=True, swing=0.33, beats_per_minute=(110, 180)),
    "drums alone": Style(drums=True, beats_per_minute=(80, 160)),
    "hold music": Style(strings, bells, piano, beats_per_minute=(80, 100)),
    "strings and brass": Style(strings, brass, strings, beats_per_minute=(60, 90)),
    "choir that hums": Style(choir, None, None, beats_per_minute=(45, 65)),
    "one voice that hums": Style(None, choir, None, beats_per_minute=(60, 80)),
}


def _hertz(root: int, scale: Sequence[int], degree: int) -> float:
    """Of a degree of a scale that begins at the MIDI number `root`."""
    octave, step = divmod(degree, len(scale))
    return float(440 * 2 ** ((root + 12 * octave + scale[step] - 69) / 12))


def _harmonics(hertz: float, most: int) -> range:
    return range(1, max(2, min(most, int(_TOP_HZ / hertz)) + 1))


def _partials(hertz: float, count: int, of: Callable[[int], tuple[float, float, float]]) -> npt.NDArray[np.floating]:
    """The sum of harmonics; `of` gives the ratio, strength and seconds of decay of each."""
    found = (of(n) for n in _harmonics(hertz, 12))
    parts = [
        tone(min(hertz * ratio, _TOP_HZ), count) * part * decay(count, last) for ratio, part, last in found if part
    ]
    return np.asarray(np.sum(parts, axis=0))


def _chord(style: Style, rng: Rng, sound: Samples, at: float, beat: float, notes: Sequence[float]) -> None:
    if not style.chords:
        return
    if style.broken:
        for half in range(8):
            note = notes[(0, 1, 2, 1)[half % 4]]
            add(sound, 0.5 * style.chords(rng, note, round(1.2 * beat * SAMPLE_RATE)), at + half * beat / 2)
        return
    for note in notes:
        add(sound, 0.35 * style.chords(rng, note, round(3.9 * beat * SAMPLE_RATE)), at)


def _tune(style: Style, rng: Rng, sound: Samples, at: float, beat: float, where: tuple[int, Sequence[int], int]) -> int:
    """A bar of melody that walks up and down the scale; where it ends."""
    root, scale, place = where
    passed = 0.0
    while style.melody and passed < 4:
        long = min(float(rng.choice([0.5, 0.5, 1, 1, 2])), 4 - passed)
        place = int(np.clip(place + rng.choice([-2, -1, -1, 0, 1, 1, 2]), 4, 16))
        late = style.swing / 2 if passed % 1 else 0.0
        if rng.random() > 0.12:
            note = style.melody(rng, _hertz(root, scale, place), round(0.95 * long * beat * SAMPLE_RATE))
            add(sound, rng.uniform(0.7, 1) * note, at + (passed + late) * beat)
        passed += long
    return place


def _drums(rng: Rng, sound: Samples, at: float, beat: float, swing: float) -> None:
    size = round(0.25 * SAMPLE_RATE)
    kick = tone(50 + 120 * decay(size, 0.03), size) * decay(size, 0.08)
    snare = (0.6 * noise_of(0.0)(rng, size) + 0.5 * tone(190, size)) * decay(size, 0.05)
    hat = shaped(rng.normal(size=size), band(5000, 7900, 2)) * decay(size, 0.02)
    for half in range(8):
        when = at + (half + (swing if half % 2 else 0)) * beat / 2
        add(sound, 0.4 * hat, when)
        if half in (0, 4) or (half % 2 and rng.random() < 0.15):
            add(sound, 1.5 * kick, when)
        if half in (2, 6):
            add(sound, snare, when)
