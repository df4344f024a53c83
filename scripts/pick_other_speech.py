"""Picks the recorded speech of `training/other_speech`: many people, few seconds of each, anything but commands.

python scripts/pick_other_speech.py ../shared/data
"""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from edgevoice.config import SAMPLE_RATE
from training.decoded import load_audio
from training.manifest import Clip, read_manifest

TARGET = Path(__file__).parents[1] / "training" / "other_speech"
LONGEST_S = 8.0
QUALITY = 0.92
"""Of Opus in libsndfile, as `compression_level`: 0 is the largest file, 1 the smallest."""


def picked(shared: Path, rng: np.random.Generator) -> Iterable[Clip]:
    """Clips with the split they are for; those of one speaker are all in one."""
    adults = [clip for clip in _read(shared, "speechocean762") if clip.split == "train"]
    yield from _some(adults, rng, speakers=58, each=2, held_out=10)
    # the larger set has more clips of the same adults, who must stay on one side
    met = {clip.speaker for clip in adults}
    more = [clip for clip in _read(shared, "speechocean762-more") if clip.speaker not in met]
    yield from _some(more, rng, speakers=80, each=2, held_out=14)
    yield from _some(_read(shared, "an4-mini"), rng, speakers=27, each=2, held_out=5)
    # one voice, or nobody knows whose: trained on only
    yield from _some([clip for clip in _read(shared, "ljspeech-32") if clip.split == "train"], rng, each=8)
    yield from _some([clip for clip in _read(shared, "wake-words") if clip.split == "train"], rng, each=24)


def _read(shared: Path, name: str) -> list[Clip]:
    return [clip for clip in read_manifest(shared / name / "manifest.csv") if clip.duration_s <= LONGEST_S]


def _some(
    clips: list[Clip], rng: np.random.Generator, *, each: int, speakers: int = 1, held_out: int = 0
) -> Iterable[Clip]:
    """So many clips of so many speakers; of these, `held_out` are for the split dev and as many for test."""
    splits = ["dev"] * held_out + ["test"] * held_out
    names = sorted({clip.speaker for clip in clips})
    for number, index in enumerate(rng.permutation(len(names))[:speakers]):
        own = [clip for clip in clips if clip.speaker == names[index]]
        for chosen in rng.permutation(len(own))[:each]:
            yield dataclasses.replace(own[chosen], split=splits[number] if number < len(splits) else "train")


def main(shared: Path) -> None:
    """Writes recordings and manifest."""
    TARGET.mkdir(exist_ok=True)
    for old in TARGET.glob("*.ogg"):
        old.unlink()
    with (TARGET / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "text", "speaker", "split", "duration_s"])
        for number, clip in enumerate(picked(shared, np.random.default_rng(1))):
            name = f"{number:03d}-{clip.dataset.removesuffix('-more')}.ogg"
            samples = load_audio(clip.path)
            soundfile.write(
                TARGET / name, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=QUALITY
            )
            writer.writerow([name, clip.text, clip.speaker, clip.split, round(len(samples) / SAMPLE_RATE, 3)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
