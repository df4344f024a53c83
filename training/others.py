"""What means none of the intents, where a model is made from phrases: sentences, people who talk, and noises."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError
from training.augment import coloured_noise, gain
from training.calibrate import NONE
from training.corpus import check_recordings
from training.manifest import Clip, write_manifest
from training.meter import Meter
from training.sources import read_source
from training.splits import split
from training.synthesis.plan import read_sentences

SENTENCES = Path(__file__).parent / "banking_en" / "sentences.csv"
"""Sentences of all kinds, in splits; those that resemble the user's own are left out."""
COME_ALONG = Path(__file__).parent / "other_speech" / "manifest.csv"
"""Recordings of people who say something else: synthetic voices alone do not teach what a real one is like."""
DEV_SHARE = 1 / 6
"""Of a source without splits, what is kept for the thresholds."""
LONGEST_S, PIECE_S = 10.0, 5.0
"""Recordings of over so many seconds are cut into pieces of so many."""
RESEMBLANCE = 0.5
"""A sentence that shares this much of its words of meaning with a phrase may well mean the same."""
NOISE_CLIPS = {"train": 80, "dev": 20, "test": 40}
_EMPTY_WORDS = frozenset(
    "a an the i i'd i'm i've me my mine you your it its it's is are am was be been do does did to of in on at for from "
    "by with and or but if so as this that there here can could would will may might should please how what when where "
    "which who why want need like get have has had some any not no now just about up out".split()
)


def resembles(one: str, other: str) -> bool:
    """Whether two sentences are equal, or share so many words of meaning that they may mean the same."""
    first, second = (set(text.split()) - _EMPTY_WORDS for text in (one, other))
    smaller = min(len(first), len(second))
    return one == other or (smaller > 0 and len(first & second) / smaller >= RESEMBLANCE)


def sentences(own: Sequence[str]) -> dict[str, list[str]]:
    """Split -> sentences that resemble none of the user's."""
    found: dict[str, list[str]] = {name: [] for name in ("train", "dev", "test")}
    for sentence in read_sentences(SENTENCES):
        if sentence.split in found and not any(resembles(sentence.text, text) for text in own):
            found[sentence.split].append(sentence.text)
    return found


def recordings(sources: Sequence[str], own: Sequence[str]) -> list[list[Clip]]:
    """Recordings in which nobody says a command: those that come along, and the user's, source by source.

    Args:
        sources: the user's, as `training.sources.read_source` has them. They need no labels.
        own: what the user's commands say; a recording whose text resembles one is left out.

    Raises:
        ConfigError: a source is missing, or a recording cannot be read.
    """
    read = [read_source(source, labelled=False) for source in (str(COME_ALONG), *sources)]
    fit = [
        [clip for clip in clips if clip.recorded and not any(resembles(clip.text, text) for text in own)]
        for clips in read
    ]
    check_recordings(itertools.chain.from_iterable(fit))
    return [[dataclasses.replace(clip, intent=NONE) for clip in clips] for clips in fit]


def cut(sources: Sequence[Sequence[Clip]], folder: Path, seed: int) -> Path:
    """Makes a manifest of recordings in `folder`, with those that are long, such as that of a whole call, in pieces.
    Each source is split by itself, where it has no splits, since it may be a single recording."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers, cuts = itertools.count(), []
    with Meter("recordings", math.fsum(clip.duration_s for clips in sources for clip in clips)) as meter:
        for clips in sources:
            pieces: list[Clip] = []
            for clip in clips:
                stem = folder / f"{next(numbers):06d}"
                pieces += _pieces(clip, stem) if clip.duration_s > LONGEST_S else [clip]
                meter.advance(clip.duration_s)
            cuts += split(pieces, "auto", DEV_SHARE, 0.0, seed)
    return write_manifest(folder / "manifest.csv", cuts)


def noises(folder: Path, seed: int) -> Path:
    """Makes recordings without any speech, and their manifest: hiss, rumble, hum, clicks and silence."""
    rng = np.random.default_rng([seed, 77])
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for name, number in ((name, number) for name, count in NOISE_CLIPS.items() for number in range(count)):
        samples, path = _noise(rng), folder / f"{name}-{number:03d}.flac"
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
        seconds = round(len(samples) / SAMPLE_RATE, 3)
        clips.append(
            Clip(path=path, text="", intent=NONE, speaker="", split=name, duration_s=seconds, dataset=folder.name)
        )
    return write_manifest(folder / "manifest.csv", clips)


def _pieces(clip: Clip, stem: Path) -> Iterator[Clip]:
    """A recording of any length in pieces; what is left at its end is too short to be one."""
    try:
        for number, samples in enumerate(_blocks(clip.path, round(PIECE_S * SAMPLE_RATE))):
            path = stem.with_name(f"{stem.name}-{number:04d}.flac")
            soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
            yield dataclasses.replace(clip, path=path, text="", duration_s=PIECE_S)
    except (soundfile.SoundFileError, RuntimeError) as error:
        reason = getattr(error, "error_string", error)
        raise ConfigError(f"{clip.origin or clip.path} cannot be read: {reason}", "Mend or remove it") from None


def _blocks(path: Path, size: int) -> Iterator[npt.NDArray[np.float32]]:
    """A recording in blocks of [size] samples, read bit by bit: that of a day does not fit into memory."""
    kept = np.zeros(0, np.float32)
    with soundfile.SoundFile(path) as sound:
        stream = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, num_channels=1, dtype="float32")
        while True:
            read = sound.read(sound.samplerate, dtype="float32", always_2d=True).mean(axis=1)
            kept = np.concatenate([kept, stream.resample_chunk(read, last=not len(read))])
            while len(kept) >= size:
                yield kept[:size]
                kept = kept[size:]
            if not len(read):
                return


def _noise(rng: np.random.Generator) -> np.ndarray:
    length = int(rng.uniform(0.8, 4.0) * SAMPLE_RATE)
    noise = gain(coloured_noise(length, rng.uniform(0, 2), rng), rng.uniform(-60, -25))
    kind = rng.integers(4)
    if kind == 1:  # the mains, with overtones
        time_s = np.arange(length) / SAMPLE_RATE
        hum = sum(np.sin(2 * np.pi * 50 * k * time_s + rng.uniform(0, 6)) / k for k in (1, 2, 3, 5))
        noise = noise + 10 ** (rng.uniform(-45, -25) / 20) * hum
    elif kind == 2:  # keys and doors
        for start in rng.integers(0, length, rng.integers(1, 12)):
            click = rng.standard_normal(400) * np.exp(-np.arange(400) / rng.uniform(10, 80))
            end = min(length, start + 400)
            noise[start:end] += 10 ** (rng.uniform(-30, -10) / 20) * click[: end - start]
    elif kind == 3:
        noise = noise * (rng.random() < 0.5)
    return np.clip(noise, -1, 1).astype(np.float32)
