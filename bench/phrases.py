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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import alarms
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import load_model
from edgevoice.audio.file import FileSource
from edgevoice.config import AsrSettings, Settings
from edgevoice.errors import UsageError
from edgevoice.events import IntentDetected
from edgevoice.pipeline import Pipeline
from training.from_phrases import NONE, OTHER_SPEECH, Judgement, PhrasesConfig, from_phrases
from training.manifest import Clip, read_manifest
from training.meter import Meter
from training.phrases import Intents, read_intents
from training.voices import available, by_split

TALK = ("speechocean762", "librispeech-test-other", "vctk-p239", "coffee-orders")
"""Recordings without any of the intents: read sentences, digits, orders in a cafe."""


@dataclass(frozen=True)
class Live:
    """What the live path announces of commands."""

    commands: int
    right: float
    """Share of which their own intent is announced, and no other."""
    wrong: float
    """Share of which another is."""
    early: float
    """Share of the right ones that are announced before the command ends."""


def live(bundle: Path, clips: Sequence[Clip]) -> Live:
    """Runs commands through the live path, one after another."""
    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    outcomes = []
    with Meter("commands, live", len(clips)) as meter:
        for clip in clips:
            events = Pipeline(FileSource(clip.path), model, Settings()).run()
            heard = [event for event in events if isinstance(event, IntentDetected)]
            wrong = any(event.label != clip.intent for event in heard)
            outcomes.append((bool(heard) and not wrong, wrong, any(event.early for event in heard)))
            meter.advance()
    right = [early for hit, _, early in outcomes if hit]
    count = max(1, len(outcomes))
    return Live(
        commands=len(outcomes),
        right=len(right) / count,
        wrong=sum(wrong for _, wrong, _ in outcomes) / count,
        early=sum(right) / max(1, len(right)),
    )


def page(
    intents: Intents, minutes: float, judged: Judgement, announced: Live, talk: Sequence[alarms.Row], command: str
) -> str:
    """What was done, how, and what it gave, as Markdown."""
    dealt = by_split(available())
    engines = ", ".join(sorted({voice.engine for voice in dealt["train"]}))
    speakers = {name: len({voice.speaker for voice in dealt[name]}) for name in ("train", "test")}
    how = (
        f"`{command}`: {len(intents.phrases)} intents, {sum(map(len, intents.phrases.values()))} phrases, "
        f"**{minutes:.0f} minutes** on {os.cpu_count()} CPU cores, with the voices of {engines} "
        f"({speakers['train']} speakers to train on, {speakers['test']} others to judge by). Commands are judged in "
        "voices that were not trained on, whole and as the live path announces them, which looks at the scores every "
        "320 ms while a command is spoken. What is no command: other sentences in the same voices and recordings of "
        "people, neither the sentences nor the people trained on, and noises."
    )
    cells = {
        "commands": judged.commands,
        "right": f"{judged.accuracy:.1%}",
        "taken for another": f"{judged.confused:.1%}",
        "right, live": f"{announced.right:.1%}",
        "another, live": f"{announced.wrong:.1%}",
        "of the right, before the end": f"{announced.early:.0%}",
    }
    accepts = {
        "other sentences": f"{judged.false_accepts:.1%} of {judged.others}",
        "people": f"{judged.people_accepts:.1%} of {judged.people}",
        "noises": f"{judged.noise_accepts:.1%} of {judged.noises}",
    }
    hours = (
        "False alarms of the live path on people who say none of the intents, none of whom the intents were trained "
        "on. (The bundled model, whose encoder they go on from, was trained on some of them, as speech without an "
        "intent.)"
    )
    blocks = ["# From phrases alone", how, _table(cells), "Taken for a command:", _table(accepts), hours]
    return "\n\n".join([*blocks, alarms.table(talk)]) + "\n"


def _table(cells: Mapping[str, object]) -> str:
    rows = [list(cells), ["---"] * len(cells), [str(value) for value in cells.values()]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phrases", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("runs/bench-phrases"))
    parser.add_argument("--minutes", type=float, default=20.0, help="of each set of recordings (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/from-phrases.md"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if options.work.exists() and not (options.work / "bundle" / "edgevoice.json").is_file():
        raise UsageError(f"{options.work} is there already", "Delete it, or choose another --work")
    shutil.rmtree(options.work, ignore_errors=True)
    began = time.monotonic()
    bundle, work = options.work / "bundle", options.work / "work"
    judged = from_phrases(PhrasesConfig(phrases=options.phrases, output=bundle, work=work, seed=options.seed))
    minutes = (time.monotonic() - began) / 60
    spoken = read_manifest(work / "speech" / "manifest.csv")
    announced = live(bundle, [clip for clip in spoken if clip.split == "test" and clip.intent != NONE])
    manifests = [options.shared / name / "manifest.csv" for name in TALK]
    met = {clip.speaker for clip in read_manifest(OTHER_SPEECH)}
    talk = alarms.measure(bundle, manifests, minutes=options.minutes, without=met)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    command = f"python -m bench.phrases {options.phrases}" + (f" --seed {options.seed}" if options.seed != 1 else "")
    text = page(read_intents(options.phrases), minutes, judged, announced, talk, command)
    options.output.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
