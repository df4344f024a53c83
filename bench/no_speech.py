"""An hour in which nobody says a word: music, noises, signals, typing, coughs, engines and silence, made from a seed.

    python -m bench.no_speech --output /tmp/no-speech

writes `hour.flac` (16 kHz, mono) and `manifest.csv`, which says what each minute is. Whatever a recogniser writes down
of it is invented. The same seed makes the same hour, sample by sample as far as numpy's arithmetic is the same; the
recorded noises are those of ../shared/data, and where these are not, made ones take their place.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from bench import sounds
from bench.live_audio import SHARED
from bench.music import STYLES, music
from bench.script import script
from bench.sounds import Maker, Rng, Samples
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import UsageError
from training.decoded import load_audio

SEED = 16
MINUTE = 60 * SAMPLE_RATE
"""Samples."""
HOUR_NAME = "hour.flac"
MANIFEST_NAME = "manifest.csv"
RECORDED = ("noise/*noise*.flac", "rir-noise/noise/*.flac")
"""Recordings of ../shared/data in which nobody speaks; in dude_miaowing a man imitates a cat."""
_LOUD_DBFS, _USUAL_DBFS, _SOFT_DBFS = -14.0, -26.0, -42.0
_KNEE = 0.7
"""Samples over it are pressed down."""
_EDGE = SAMPLE_RATE // 4
"""Samples that a minute takes to begin and to end."""


@dataclass(frozen=True)
class Minute:
    """What fills a minute."""

    kind: str
    """ "music", "noise", "recorded noise", "silence", "signals", "typing", "bursts" or "machines"."""
    name: str
    make: Maker
    dbfs: float
    """How loud, root mean square of the whole minute."""


@dataclass(frozen=True)
class Part:
    """A part of a recording in which nobody speaks, as its manifest says."""

    start: float
    """Seconds."""
    end: float
    kind: str
    name: str


def plan(data: Path = SHARED) -> list[Minute]:
    """The sixty minutes, those of a kind together."""
    levels = (_USUAL_DBFS, _LOUD_DBFS, _USUAL_DBFS)
    tunes = [Minute("music", name, music(style), levels[i % 3]) for i, (name, style) in enumerate(STYLES.items())]
    return [*tunes, *_noises(), *_recorded(data), *_silences(), *_signals(), *_hands(), *_machines()]


def hour(minutes: int = 60, seed: int = SEED, data: Path = SHARED) -> Iterator[tuple[Minute, Samples]]:
    """Each minute and its sound, in an order drawn from the seed; the first so many of them."""
    whole = plan(data)
    order = np.random.default_rng(seed).permutation(len(whole))
    for place in order[:minutes]:
        minute = whole[int(place)]
        sound = minute.make(np.random.default_rng((seed, int(place))), MINUTE)
        yield minute, _levelled(sound, minute.dbfs)


def write(folder: Path, minutes: int = 60, seed: int = SEED, data: Path = SHARED) -> Path:
    """Makes the hour and its manifest; the path of the recording."""
    folder.mkdir(parents=True, exist_ok=True)
    recording = folder / HOUR_NAME
    rows: list[tuple[int, int, str, str, float]] = []
    with soundfile.SoundFile(recording, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
        for number, (minute, sound) in enumerate(hour(minutes, seed, data)):
            file.write(sound)
            rows.append((60 * number, 60 * number + 60, minute.kind, minute.name, minute.dbfs))
    with (folder / MANIFEST_NAME).open("w", encoding="utf-8", newline="") as table:
        lines = csv.writer(table)
        lines.writerow(("start", "end", "kind", "name", "dbfs"))
        lines.writerows(rows)
    return recording


def read_parts(folder: Path) -> list[Part]:
    """What each part of a recording without speech is.

    Raises:
        UsageError: the folder has no such manifest.
    """
    file = folder / MANIFEST_NAME
    if not file.is_file() or not (folder / HOUR_NAME).is_file():
        raise UsageError(f"{folder} has no {HOUR_NAME} and {MANIFEST_NAME}", "Make one with python -m bench.no_speech")
    with file.open(encoding="utf-8", newline="") as table:
        return [Part(float(row["start"]), float(row["end"]), row["kind"], row["name"]) for row in csv.DictReader(table)]


def _noises() -> list[Minute]:
    white, pink, brown = (sounds.noise_of(slope) for slope in (0.0, 1.0, 2.0))
    table: list[tuple[str, Maker, float]] = [
        ("white, loud", white, _LOUD_DBFS),
        ("white, soft", white, _SOFT_DBFS),
        ("pink, loud", pink, _LOUD_DBFS),
        ("pink, soft", pink, _SOFT_DBFS),
        ("brown", brown, _USUAL_DBFS),
        ("wind", sounds.wind, _USUAL_DBFS),
        ("rain", sounds.rain, _USUAL_DBFS),
    ]
    return [Minute("noise", *row) for row in table]


def _recorded(data: Path) -> list[Minute]:
    """Ten minutes: every long recording alone, the short ones one after the other, loud and soft."""
    files = sorted(file for pattern in RECORDED for file in data.glob(pattern))
    if not files:
        made = [(f"pink {n + 1}, in place of a recording", sounds.noise_of(1.0), _USUAL_DBFS - n) for n in range(10)]
        return [Minute("noise", *row) for row in made]
    alone = [file for file in files if file.parent.name == "noise" and file.parent.parent.name == "rir-noise"]
    rooms = [file for file in files if file not in alone]
    found = [
        Minute("recorded noise", f"{file.stem}{how}", partial(_looped, [file]), level)
        for file in alone
        for how, level in ((", loud", _LOUD_DBFS), (", soft", _SOFT_DBFS + 6))
    ]
    return found + [
        Minute("recorded noise", f"rooms{how}", partial(_looped, rooms), level)
        for how, level in ((", loud", _LOUD_DBFS), (", soft", _SOFT_DBFS))
    ]


def _silences() -> list[Minute]:
    hum = sounds.noise_of(1.0)
    table: list[tuple[str, Maker, float]] = [
        ("digital", sounds.silence, -120.0),
        ("room tone at -60 dB", hum, -60.0),
        ("room tone at -70 dB", hum, -70.0),
    ]
    return [Minute("silence", *row) for row in table]


def _signals() -> list[Minute]:
    table: list[tuple[str, Maker, float]] = [
        ("ring-back, US", sounds.cadence((440.0, 480.0), 2.0, 4.0), _USUAL_DBFS),
        ("ring-back, Europe", sounds.cadence((425.0,), 1.0, 4.0), _USUAL_DBFS),
        ("busy", sounds.cadence((480.0, 620.0), 0.5, 0.5), _USUAL_DBFS),
        ("dial tone", sounds.cadence((350.0, 440.0), 60.0, 0.0), _USUAL_DBFS),
        ("hold beep", sounds.cadence((1400.0,), 0.4, 9.6), _USUAL_DBFS),
        ("DTMF", sounds.dialling, _USUAL_DBFS),
        ("modem", sounds.modem, _USUAL_DBFS),
        ("fax", sounds.fax, _USUAL_DBFS),
        ("alarms", sounds.alarms, _LOUD_DBFS),
        ("sweeps", sounds.sweeps, _USUAL_DBFS),
    ]
    return [Minute("signals", *row) for row in table]


def _hands() -> list[Minute]:
    table: list[tuple[str, str, Maker, float]] = [
        ("typing", "fast, flat", sounds.typing(9.0, 0.1), _SOFT_DBFS + 4),
        ("typing", "fast, loud switches", sounds.typing(8.0, 1.0), _USUAL_DBFS),
        ("typing", "two fingers", sounds.typing(3.0, 0.5), _USUAL_DBFS),
        ("typing", "very fast, near", sounds.typing(13.0, 0.6), _LOUD_DBFS - 4),
        ("bursts", "coughs", sounds.coughs, _USUAL_DBFS),
        ("bursts", "coughs, near", sounds.coughs, _LOUD_DBFS - 4),
        ("bursts", "taps", sounds.taps, _USUAL_DBFS),
        ("bursts", "claps", sounds.claps, _USUAL_DBFS),
        ("bursts", "steps and doors", sounds.steps, _USUAL_DBFS),
        ("bursts", "glasses", sounds.glasses, _USUAL_DBFS),
    ]
    return [Minute(*row) for row in table]


def _machines() -> list[Minute]:
    table: list[tuple[str, Maker, float]] = [
        ("fan", sounds.fan, _USUAL_DBFS),
        ("engine", sounds.engine, _LOUD_DBFS),
        ("wheels on rails", sounds.train_wheels, _USUAL_DBFS),
    ]
    return [Minute("machines", *row) for row in table]


def _looped(files: Sequence[Path], rng: Rng, count: int) -> Samples:
    """Recordings one after the other, each as loud as the next, over and over."""
    pieces, length = [], 0
    while length < count:
        for place in rng.permutation(len(files)):
            piece = _levelled(load_audio(files[int(place)]), _USUAL_DBFS)
            pieces.append(piece)
            length += len(piece)
    return np.concatenate(pieces)[:count]


def _levelled(sound: Samples, dbfs: float) -> Samples:
    """So loud, without clicks at its ends; peaks over full scale are pressed down softly."""
    power = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    if power == 0:
        return sound.astype(np.float32)
    scaled = sound * (10 ** (dbfs / 20) / power)
    edge = min(_EDGE, len(scaled) // 2)
    scaled[:edge] *= np.linspace(0, 1, edge)
    scaled[len(scaled) - edge :] *= np.linspace(1, 0, edge)
    over = np.maximum(np.abs(scaled) - _KNEE, 0)
    pressed = _KNEE + (0.99 - _KNEE) * np.tanh(over / (0.99 - _KNEE))
    return np.where(over > 0, np.sign(scaled) * pressed, scaled).astype(np.float32)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.no_speech", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder for the recording and its manifest")
    parser.add_argument("--minutes", type=int, default=60, help="how many of the sixty (60)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"another hour ({SEED})")
    options = parser.parse_args(arguments)
    if not 1 <= options.minutes <= 60:
        raise UsageError(f"An hour has no {options.minutes} minutes", "Choose 1 to 60")
    print(write(options.output, options.minutes, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(script(run))
