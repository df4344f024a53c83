"""The published tutorial's recipe against ours: the same checkpoint and clips, judged on speakers never trained on.

python -m bench.recipes --shared ../shared/data --corpus corpus/banking-en --output docs/benchmarks/recipes.md
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevoice.errors import UsageError
from edgevoice.paths import BUNDLED_NAME
from training.config import load_config
from training.decoded import load_audio
from training.loading import Checkpoint, load_checkpoint
from training.manifest import Clip, Columns, read_manifest
from training.run import train
from training.splits import split

RECIPES = {"the tutorial's": "minds14-intent-tutorial", "ours": "minds14-intent"}
DIGITS, BANKING = "spoken digits", "banking corpus"


@dataclass(frozen=True)
class Result:
    """One recipe on one data set."""

    data: str
    recipe: str
    clips: int
    """Trained on."""
    steps: int
    minutes: float
    labels: int
    test_clips: int
    accuracy: float
    """On the test clips, of speakers that were not trained on."""


def digits(shared: Path) -> list[Clip]:
    """Ten spoken digits as intents; of four speakers two are trained on, one chooses, one judges."""
    return split(read_manifest(shared / "fsdd" / "manifest.csv", Columns(intent="text_norm")), "speaker", 0.25, 0.25, 1)


def banking(corpus: Path, at_most: int) -> list[Clip]:
    """The synthetic banking corpus without "none", thinned out for training."""
    clips = [clip for clip in read_manifest(corpus / "manifest.csv") if clip.intent not in ("", "none")]
    trained = [clip for clip in clips if clip.split == "train"]
    return trained[:: max(1, len(trained) // at_most)] + [clip for clip in clips if clip.split in ("dev", "test")]


def compare(data: str, clips: Sequence[Clip], recipe: str, checkpoint: str, folder: Path) -> Result:
    """Trains with a recipe and judges the best checkpoint on the test clips."""
    if folder.exists():
        raise UsageError(f"{folder} is there already", "Delete it, or choose another --work")
    folder.mkdir(parents=True)
    manifest = _write(clips, folder / "clips" / "manifest.csv")
    config = load_config(Path(RECIPES[recipe]), ["data.split_by=column"])
    config = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, checkpoint=checkpoint),
        data=dataclasses.replace(config.data, sources=(str(manifest),)),
    )
    run = folder / "run"
    began = time.monotonic()
    train("intent", config, run)
    minutes = (time.monotonic() - began) / 60
    trained = load_checkpoint(str(run))
    tests = [clip for clip in clips if clip.split == "test"]
    right = [_best(trained, load_audio(clip.path)[: config.data.crop]) == clip.intent for clip in tests]
    steps = max(json.loads(state.read_text())["global_step"] for state in run.glob("checkpoint-*/trainer_state.json"))
    count = sum(clip.split == "train" for clip in clips)
    return Result(data, recipe, count, steps, minutes, len(trained.labels), len(tests), float(np.mean(right)))


def table(results: Iterable[Result]) -> str:
    """The results as a Markdown table."""
    head = "| data | recipe | training clips | steps | minutes | labels | chance | accuracy |"
    rows = (
        f"| {r.data} | {r.recipe} | {r.clips} | {r.steps} | {r.minutes:.1f} | {r.labels} | {100 / r.labels:.0f} % "
        f"| {100 * r.accuracy:.1f} % of {r.test_clips} |"
        for r in results
    )
    return "\n".join([head, "|---" * 8 + "|", *rows])


def _write(clips: Sequence[Clip], file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "text", "intent", "speaker", "split", "duration_s"])
        for clip in clips:
            row = [clip.path.resolve(), clip.text, clip.intent, clip.speaker, clip.split, clip.duration_s]
            writer.writerow(row)
    return file


def _best(checkpoint: Checkpoint, samples: np.ndarray) -> str:
    logits = checkpoint.encode(samples).intent_logits
    assert logits is not None
    return checkpoint.labels[int(logits.argmax())]


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--corpus", type=Path, default=Path("corpus/banking-en"))
    parser.add_argument("--model", default=BUNDLED_NAME)
    parser.add_argument("--clips", type=int, default=3000, help="training clips of the banking corpus")
    parser.add_argument("--work", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/recipes.md"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    sets = {DIGITS: digits(options.shared), BANKING: banking(options.corpus, options.clips)}
    results = []
    for data, clips in sets.items():
        for recipe, name in RECIPES.items():
            folder = options.work / f"{data.split()[-1]}-{name}"
            results.append(compare(data, clips, recipe, options.model, folder))
            print(table(results[-1:]).splitlines()[-1], flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        "# Two recipes, one checkpoint\n\n"
        f"`python -m bench.recipes`: both go on from the encoder of `{options.model}` with a new intent head, on the "
        "same clips, and are judged on the same speakers, none of whom was trained on.\n\n" + table(results) + "\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
