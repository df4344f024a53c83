"""From phrases alone to a model: the time it takes and what it then hears, and mishears.

python -m bench.phrases docs/examples/desk.toml --output docs/benchmarks/from-phrases.md

Runs `edgevoice train from-phrases` from nothing, then listens to recordings of people who say none of the intents,
through the live path; and to people who say them, where there are recordings of that.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import alarms
from bench.script import script
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import load_model
from edgevoice.audio.file import FileSource
from edgevoice.config import AsrSettings, Settings
from edgevoice.errors import UsageError
from edgevoice.events import IntentDetected
from edgevoice.pipeline import Pipeline
from training.calibrate import NONE
from training.from_phrases import PhrasesConfig, from_phrases
from training.judgement import Judgement, judge, tally, unheard_clips
from training.manifest import Clip, read_manifest
from training.meter import Meter
from training.others import COME_ALONG
from training.phrases import Intents, read_intents
from training.spoken import spoken
from training.voices import available, by_split

TALK = ("speechocean762", "librispeech-test-other", "vctk-p239", "coffee-orders")
"""Recordings without any of the intents: read sentences, digits, orders in a cafe."""
MANY = 100_000
"""Sentences of an intent, for whom one of them is looked up; most grammars have fewer."""


def live(bundle: Path, clips: Sequence[Clip]) -> tuple[Judgement, float]:
    """What the live path announces of test clips, and the share of the right commands that it announces before they
    end. A clip of which anything wrong is announced is wrong."""
    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    heard, early = [], []
    with Meter("clips, live", len(clips)) as meter:
        for clip in clips:
            events = Pipeline(FileSource(clip.path), model, Settings()).run()
            announced = {event.label: event.early for event in events if isinstance(event, IntentDetected)}
            label = min(set(announced) - {clip.intent}, default=clip.intent if clip.intent in announced else NONE)
            heard.append((clip, label))
            if label == clip.intent != NONE:
                early.append(announced[label])
            meter.advance()
    return tally(heard), sum(early) / max(1, len(early))


def said_by_people(intents: Intents, manifest: Path) -> list[Clip]:
    """The recordings in which somebody says a command word for word, with what it means."""
    meanings = {text: name for name in intents.phrases for text in intents.sentences(name, MANY, 1)}
    clips = read_manifest(manifest)
    return [replace(clip, intent=meanings[text]) for clip in clips if (text := spoken(clip.text)) in meanings]


def page(
    intents: Intents,
    minutes: float,
    judged: Mapping[str, Judgement],
    early: float,
    people: Mapping[str, tuple[Judgement, Judgement]],
    talk: Sequence[alarms.Row],
    command: str,
) -> str:
    """What was done, how, and what it gave, as Markdown."""
    dealt = by_split(available())
    engines = ", ".join(sorted({voice.engine for voice in dealt["train"]}))
    took = f"**{minutes:.0f} minutes** on {os.cpu_count()} CPU cores, " if minutes else ""
    speakers = {name: len({voice.speaker for voice in dealt[name]}) for name in ("train", "test")}
    how = (
        f"`{command}`: {len(intents.phrases)} intents, {sum(map(len, intents.phrases.values()))} phrases, "
        f"{took}with the voices of {engines} "
        f"({speakers['train']} speakers to train on, {speakers['test']} others to judge by). Commands are judged in "
        "voices that were not trained on. What should not be taken for a command: other sentences in the same voices, "
        "recordings of people, and noises; neither the sentences nor the people were trained on. The live path looks "
        f"at the scores every 320 ms while somebody speaks: of the commands it got right, {early:.0%} were announced "
        "before half a second of silence had told that they were over."
    )
    head = ["judged", "right", "taken for another", "other sentences taken for one", "people", "noises"]
    rows = [head, ["---"] * len(head), *([name, *_cells(each)] for name, each in judged.items())]
    hours = (
        "False alarms of the live path on people who say none of the intents, none of whom the intents were trained "
        "on. (The bundled model, whose encoder they go on from, was trained on some of them, as speech without an "
        "intent.)"
    )
    shown = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    parts = ["# From phrases alone", how, shown, *_said_by_people(people), hours, alarms.table(talk)]
    return "\n\n".join(parts) + "\n"


def _said_by_people(people: Mapping[str, tuple[Judgement, Judgement]]) -> list[str]:
    if not people:
        return []
    rows = [
        "| recordings | commands | right, whole | taken for another | right, live | taken for another |",
        "|---" * 6 + "|",
        *(
            f"| {name} | {whole.commands} | {whole.accuracy:.1%} | {whole.confused:.1%} | {live.accuracy:.1%} | "
            f"{live.confused:.1%} |"
            for name, (whole, live) in people.items()
        ),
    ]
    return ["Real people who say the commands; the model has heard synthetic voices say them.", "\n".join(rows)]


def _manifest(shared: Path, name: str) -> Path:
    file = shared / name / "manifest.csv"
    if not file.is_file():
        raise UsageError(f"There is no {file}", "Name the folder of the recordings with --shared")
    return file


def _cells(judged: Judgement) -> list[str]:
    return [
        f"{judged.accuracy:.1%} of {judged.commands}",
        f"{judged.confused:.1%}",
        f"{judged.false_accepts:.1%} of {judged.others}",
        f"{judged.people_accepts:.1%} of {judged.people}",
        f"{judged.noise_accepts:.1%} of {judged.noises}",
    ]


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phrases", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--commands", action="append", default=[], metavar="SET", help="recordings in which people say the commands"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench-phrases"))
    parser.add_argument(
        "--resume", action="store_true", help="go on in --work, with the corpus and the weights that there are"
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="of each set of recordings (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/from-phrases.md"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    intents = read_intents(options.phrases)
    spoken_commands = {name: said_by_people(intents, _manifest(options.shared, name)) for name in options.commands}
    for name, clips in spoken_commands.items():
        if not clips:
            raise UsageError(f"Nobody says one of the commands in {name}", "Leave it out of --commands")
    talk = [_manifest(options.shared, name) for name in TALK]
    if options.work.exists() and not options.resume:
        raise UsageError(f"{options.work} is there already", "Delete it, choose another --work, or add --resume")
    began = time.monotonic()
    bundle, work = options.work / "bundle", options.work / "work"
    config = PhrasesConfig(phrases=options.phrases, output=bundle, work=work, seed=options.seed, replace=options.resume)
    judged = from_phrases(config)
    taken = options.work / "minutes"  # from nothing
    if not options.resume:
        taken.write_text(f"{(time.monotonic() - began) / 60:.1f}\n", encoding="utf-8")
    minutes = float(taken.read_text(encoding="utf-8")) if taken.is_file() else 0.0
    announced, early = live(bundle, unheard_clips(work))
    people = {name: (judge(bundle, clips), live(bundle, clips)[0]) for name, clips in spoken_commands.items()}
    met = {clip.speaker for clip in read_manifest(COME_ALONG)} - {"unknown"}
    false_alarms = alarms.measure(bundle, talk, minutes=options.minutes, without=met)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    chosen = [*(f"--commands {name}" for name in options.commands), *([f"--seed {options.seed}"] * (options.seed != 1))]
    command = " ".join(["python -m bench.phrases", str(options.phrases), *chosen])
    text = page(intents, minutes, {"whole": judged, "live": announced}, early, people, false_alarms, command)
    options.output.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(script(main))
