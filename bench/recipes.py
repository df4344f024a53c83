"""The published tutorial's recipe against ours: the same checkpoint and clips, judged on speakers never trained on.

python -m bench.recipes --shared ../shared/data --output docs/benchmarks/recipes.md

Two data sets, since there is no MInDS-14 here: ten spoken digits by four people, each of whom judges what was trained
on the other three; and the banking intents of MInDS-14 in synthetic voices, about as many clips as MInDS-14 has in one
language.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.script import script
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import UsageError
from edgevoice.paths import BUNDLED_NAME
from training.config import CONFIGS, load_config
from training.decoded import load_audio
from training.loading import Checkpoint, load_checkpoint
from training.manifest import Clip, Columns, read_manifest, write_manifest
from training.run import train
from training.splits import split
from training.synthesis.plan import SynthesisConfig, read_sentences
from training.synthesise import synthesise

RECIPES = {"the tutorial's": "minds14-intent-tutorial", "ours": "minds14-intent"}
DIGITS, BANKING = "spoken digits", "banking intents"
SENTENCES = Path(__file__).parents[1] / "training" / "banking_en" / "sentences.csv"
SENTENCES_KNOWN, SENTENCES_NEW = 25, 8
"""Of each intent: those that are trained on, and those that are heard in the test only."""
KNOWN, NEW = "unheard voices", "unheard voices and sentences"
CUT, SURROUNDED = "unheard voices, as cut", "unheard voices, near-silence around"
AROUND_S, AROUND_DBFS = 0.15, -70.0
"""Before and behind digits that are cut to the word: less than what the live segmenter leaves around speech."""


@dataclass(frozen=True)
class Result:
    """One recipe on one data set."""

    data: str
    judge: str
    """The speaker who was not trained on; empty where there are many."""
    recipe: str
    clips: int
    """Trained on."""
    steps: int
    labels: int
    heard: dict[str, tuple[int, float]]
    """What is judged -> clips, and the share that was recognised; all in voices that were not trained on."""


def digits(shared: Path, seed: int = 1) -> dict[str, list[Clip]]:
    """Ten spoken digits as intents: for each of the four speakers, a corpus in which that one is the test split."""
    clips = read_manifest(shared / "fsdd" / "manifest.csv", Columns(intent="text_norm"))
    corpora = {}
    for speaker in sorted({clip.speaker for clip in clips}):
        others = [dataclasses.replace(clip, split="") for clip in clips if clip.speaker != speaker]
        judging = [dataclasses.replace(clip, split="test") for clip in clips if clip.speaker == speaker]
        corpora[speaker.removeprefix("fsdd-")] = split(others, "fraction", 0.15, 0.0, seed) + judging
    return corpora


def banking(folder: Path, hours: float) -> list[Clip]:
    """A corpus of the fourteen intents of MInDS-14, made in `folder`.

    The voices of the test split are in no other; half of what they say is said in training too, half is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sentences = [each for each in read_sentences(SENTENCES) if each.intent != "none"]
    rows = []
    for intent in sorted({each.intent for each in sentences}):
        known, new = (
            [each.text for each in sentences if each.intent == intent and each.split == name][:count]
            for name, count in (("train", SENTENCES_KNOWN), ("test", SENTENCES_NEW))
        )
        rows += [(text, intent, name) for text in known for name in ("train", "dev")]
        rows += [(text, intent, "test") for text in [*known[: len(new)], *new]]
    with (folder / "sentences.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "intent", "split"), *rows])
    config = SynthesisConfig(
        sentences=folder / "sentences.csv",
        output=folder / "speech",
        hours=hours,
        dev_hours=hours / 8,
        test_hours=hours / 3,
        other_engines_hours=0.0,
    )
    return read_manifest(synthesise(config) / "manifest.csv")


def compare(data: str, judge: str, clips: Sequence[Clip], recipe: str, checkpoint: str, folder: Path) -> Result:
    """Trains with a recipe and judges the best checkpoint on the test clips; what is done already is not done again."""
    done, recipe_text = folder / "result.json", (CONFIGS / f"{RECIPES[recipe]}.toml").read_text(encoding="utf-8")
    if done.is_file():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept.pop("recipe_text", "") == recipe_text:
            return Result(**kept)
    if folder.exists():
        raise UsageError(f"{folder} holds a run that was broken off", "Delete it, or choose another --work")
    (folder / "clips").mkdir(parents=True)
    manifest = write_manifest(folder / "clips" / "manifest.csv", clips)
    # the test clips are judged below, in more than one way
    config = load_config(Path(RECIPES[recipe]), ["data.split_by=column", "data.judge=false"])
    config = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, checkpoint=checkpoint),
        data=dataclasses.replace(config.data, sources=(str(manifest),)),
    )
    run = folder / "run"
    train("intent", config, run)
    trained = load_checkpoint(str(run))
    said = {clip.text for clip in clips if clip.split == "train"}
    right: dict[str, list[bool]] = {}
    for clip in clips:
        if clip.split == "test":
            samples = load_audio(clip.path)
            kinds = {KNOWN if clip.text in said else NEW: samples}
            if data == DIGITS:
                kinds = {CUT: samples, SURROUNDED: _surrounded(samples)}
            for kind, audio in kinds.items():
                right.setdefault(kind, []).append(_best(trained, audio[: config.data.crop]) == clip.intent)
    steps = max(json.loads(state.read_text())["global_step"] for state in run.glob("checkpoint-*/trainer_state.json"))
    count = sum(clip.split == "train" for clip in clips)
    heard = {kind: (len(hits), float(np.mean(hits))) for kind, hits in sorted(right.items())}
    result = Result(data, judge, recipe, count, steps, len(trained.labels), heard)
    kept = {**dataclasses.asdict(result), "recipe_text": recipe_text}
    done.write_text(json.dumps(kept), encoding="utf-8")
    return result


def table(results: Sequence[Result]) -> str:
    """The results as a Markdown table: all runs of a recipe on a data set together, and each by its judge."""
    rows = ["| data | recipe | steps | chance | judged on | right | of which |", "|---" * 7 + "|"]
    for data, recipe in dict.fromkeys((result.data, result.recipe) for result in results):
        runs = [result for result in results if (result.data, result.recipe) == (data, recipe)]
        for kind in runs[0].heard:
            counts, shares = zip(*(run.heard[kind] for run in runs), strict=True)
            all_of_them = f"{100 * np.average(shares, weights=counts):.1f} % of {sum(counts)}"
            each = ", ".join(f"{run.judge} {100 * run.heard[kind][1]:.1f} %" for run in runs if run.judge) or "-"
            chance = f"{100 / runs[0].labels:.0f} %"
            rows.append(f"| {data} | {recipe} | {runs[0].steps} | {chance} | {kind} | {all_of_them} | {each} |")
    return "\n".join(rows)


def _surrounded(samples: np.ndarray) -> np.ndarray:
    """A closely cut clip with near-silence around it."""
    rng, count = np.random.default_rng(len(samples)), round(AROUND_S * SAMPLE_RATE)
    before, behind = 10 ** (AROUND_DBFS / 20) * rng.standard_normal((2, count))
    return np.concatenate([before, samples, behind]).astype(np.float32)


def _best(checkpoint: Checkpoint, samples: np.ndarray) -> str:
    logits = checkpoint.encode(samples).intent_logits
    assert logits is not None
    return checkpoint.labels[int(logits.argmax())]


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default=BUNDLED_NAME)
    parser.add_argument("--hours", type=float, default=0.7, help="training audio of the banking intents (0.7)")
    parser.add_argument("--only", action="append", choices=[DIGITS, BANKING], help="one of the data sets")
    parser.add_argument(
        "--speaker", action="append", help="this judge of the digits only, and no page; may be repeated"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/recipes.md"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    results = []
    for data in options.only or (DIGITS, BANKING):
        corpora = digits(options.shared) if data == DIGITS else {"": banking(options.work / "corpus", options.hours)}
        for judge, clips in corpora.items():
            if options.speaker and judge not in options.speaker:
                continue
            for recipe, name in RECIPES.items():
                folder = options.work / "-".join(filter(None, (data.split()[-1], judge, name)))
                results.append(compare(data, judge, clips, recipe, options.model, folder))
                print("\n".join(table(results[-1:]).splitlines()[2:]), flush=True)
    if options.speaker:
        return 0
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        "# Two recipes, one checkpoint\n\n"
        f"`python -m bench.recipes`: both go on from the encoder of `{options.model}` with a new intent head, on the "
        "same clips, and are judged on the same speakers, none of whom was trained on. `spoken digits`: real people, "
        "8 kHz; each of the four judges what was trained on the other three, on clips as they were cut, without any "
        f"silence, and with {AROUND_S:g} s of near-silence around, as less than that nothing is heard live. Our "
        "settings were chosen while looking at jackson, nicolas and yweweler. `banking intents`: the fourteen of "
        "MInDS-14 in synthetic voices, about as many clips as one of its languages has.\n\n" + table(results) + "\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(script(main))
