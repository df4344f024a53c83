"""From phrases alone to a model: the time it takes and what it then hears, and mishears.

python -m bench.phrases docs/examples/desk.toml --output docs/benchmarks/from-phrases.md

Runs `edgevoice train from-phrases` from nothing, then listens to recordings of people who say none of the intents,
through the live path.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import alarms
from edgevoice.errors import UsageError
from training.from_phrases import Judgement, PhrasesConfig, from_phrases
from training.phrases import Intents, read_intents
from training.voices import available, by_split

TALK = ("speechocean762", "librispeech-test-other", "ljspeech-32", "vctk-p239", "coffee-orders", "wake-words")
"""Recordings without any of the intents: read sentences, orders in a cafe, single words."""


def page(intents: Intents, minutes: float, judgement: Judgement, talk: Sequence[alarms.Row], phrases: Path) -> str:
    """What was done, how, and what it gave, as Markdown."""
    count = sum(map(len, intents.phrases.values()))
    dealt = by_split(available())
    engines = ", ".join(sorted({voice.engine for voice in dealt["train"]}))
    speakers = {name: len({voice.speaker for voice in dealt[name]}) for name in ("train", "test")}
    head = "| intents | phrases | minutes | right | taken for another | false accepts, speech | false accepts, noise |"
    cells = [
        len(intents.phrases),
        count,
        f"{minutes:.0f}",
        f"{judgement.accuracy:.1%} of {judgement.commands}",
        f"{judgement.confused:.1%}",
        f"{judgement.false_accepts:.1%} of {judgement.others}",
        f"{judgement.noise_accepts:.1%} of {judgement.noises}",
    ]
    how = (
        f"`python -m bench.phrases {phrases}` on {os.cpu_count()} CPU cores, with the voices of {engines} "
        f"({speakers['train']} speakers to train on, {speakers['test']} others to judge by). The first table is on "
        "whole clips: commands, other sentences and noises, all in voices that were not trained on; the other "
        "sentences were not trained on either."
    )
    live = (
        "People who say none of the intents, through the live path, which looks at the scores every 320 ms. The "
        "intents were not trained on any of these recordings; the bundled model, where they began, was, on most of "
        "them."
    )
    row = f"| {' | '.join(map(str, cells))} |"
    blocks = ["# From phrases alone", how, "\n".join([head, "|---" * 7 + "|", row]), live, alarms.table(talk)]
    return "\n\n".join(blocks) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phrases", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/bench-phrases"))
    parser.add_argument("--minutes", type=float, default=20.0, help="of each set of recordings (20)")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/from-phrases.md"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if options.work.exists() and not (options.work / "bundle" / "edgevoice.json").is_file():
        raise UsageError(f"{options.work} is there already", "Delete it, or choose another --work")
    shutil.rmtree(options.work, ignore_errors=True)
    began = time.monotonic()
    bundle = options.work / "bundle"
    judgement = from_phrases(PhrasesConfig(phrases=options.phrases, output=bundle, work=options.work / "work"))
    minutes = (time.monotonic() - began) / 60
    manifests = [options.shared / name / "manifest.csv" for name in TALK]
    talk = alarms.measure(bundle, manifests, minutes=options.minutes)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    text = page(read_intents(options.phrases), minutes, judgement, talk, options.phrases)
    options.output.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
