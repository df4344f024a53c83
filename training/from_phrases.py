"""Intents from nothing but phrases: `edgevoice train from-phrases intents.toml --output BUNDLE`.

Phrases -> sentences -> a corpus in many synthetic voices, with speech and noise that mean none of the intents -> a
model that goes on from a trained encoder -> calibrated thresholds -> a verified bundle, judged on unheard voices.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import itertools
import json
import logging
import shlex
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevoice.errors import ConfigError, UsageError
from edgevoice.paths import BUNDLED_NAME
from training import calibrate, others
from training.calibrate import NONE
from training.checkpoint import load_features
from training.config import load_config
from training.judgement import NOISES, PEOPLE, SPEECH, Judgement, judge, unheard_clips
from training.language_model import read_sentences, write_arpa
from training.manifest import Clip
from training.meter import spoken_time
from training.models import check_joint
from training.phrases import Intents, expand, read_intents
from training.synthesis.plan import SynthesisConfig
from training.voices import available
from training.warm_start import checkpoint_folder

logger = logging.getLogger(__name__)

SENTENCES_PER_INTENT = 60
OTHER_SHARE = 0.45
"""How much of the sentences means none of the intents: most of what a microphone hears all day."""
LONGEST_H = 1000.0
_RUN = "run"
_NOTE = "made-from.json"
"""What the work folder is made from; a folder without it is somebody else's."""


SentenceRow = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class PhrasesConfig:
    """One run."""

    phrases: Path
    output: Path
    work: Path
    """Where the corpus and the checkpoints go; a run that was broken off goes on there."""
    checkpoint: str = BUNDLED_NAME
    hours: float = 1.5
    """Hours of training audio."""
    steps: int = 0
    """Optimiser steps; 0 for those of the recipe."""
    false_accept_rate: float = 0.01
    """Share of speech that means none of the intents and may be taken for one."""
    others: tuple[str, ...] = ()
    """Sources (see `training.sources`) of the user's own recordings without a command, beside those that come along."""
    seed: int = 1
    jobs: int = 2
    replace: bool = False


def from_phrases(config: PhrasesConfig) -> Judgement:
    """Makes the bundle.

    Raises:
        EdgeVoiceError: the phrases, the voices or the folders do not allow it.
    """
    from export.build import ExportOptions, check_output, export, move_bundle
    from export.words import Words

    began = time.monotonic()
    # whatever can be wrong is said now, not after twenty minutes
    _check(config)
    intents = read_intents(config.phrases)
    check_output(config.output, replace=config.replace)
    with tempfile.TemporaryDirectory() as scratch:
        start = checkpoint_folder(config.checkpoint, Path(scratch))
        check_joint(start)
        load_features(start)
    _check_work(config)
    said = {name: intents.sentences(name, SENTENCES_PER_INTENT, config.seed) for name in intents.phrases}
    _step(1, f"{sum(map(len, said.values()))} sentences for {len(said)} intents, and others that mean none of them")
    own = [text for texts in said.values() for text in texts]
    people = others.recordings(config.others, own)
    rows = sentence_rows(said, intents, config.seed)
    _claim(config, rows, people)
    _write_sentences(config.work / "sentences.csv", rows)
    _step(2, f"a corpus of {config.hours:g} h in all voices that are installed")
    manifests = _corpus(config, people)
    _step(3, f"training, going on from {config.checkpoint}")
    run = config.work / _RUN
    _train(config, manifests, run)
    _step(4, "thresholds")
    found = calibrate.calibrate_run(run, NONE, config.false_accept_rate)
    logger.info("on %d dev clips: %.1f %% detected", found.clips, 100 * (found.accepted or 0))
    _step(5, "export and proof")
    bundle = config.work / "bundle"  # the output is not there before all of it is
    words = config.work / "words.arpa.gz"  # captions are to expect what the phrases say
    write_arpa(read_sentences(config.work / "sentences.csv", "train"), words)
    export([str(run)], bundle, ExportOptions(name=intents.name, replace=True, reject_label=NONE, words=Words(words)))
    _step(6, "judgement on voices and other sentences that were not trained on")
    judgement = judge(bundle, unheard_clips(config.work))
    _write_card(bundle, intents, judgement)
    move_bundle(bundle, config.output)
    logger.info("done in %s", spoken_time(time.monotonic() - began))
    return judgement


def _check(config: PhrasesConfig) -> None:
    """Raises ConfigError for numbers that make no sense."""
    calibrate.check_rate(config.false_accept_rate)
    if not 0 < config.hours < LONGEST_H:
        raise ConfigError(f"{config.hours:g} hours of audio cannot be made", f"Choose up to {LONGEST_H:g}, such as 1.5")
    for name, number, least in (("steps", config.steps, 0), ("seed", config.seed, 0), ("jobs", config.jobs, 1)):
        if number < least:
            raise ConfigError(f"{number} {name} make no sense", f"Choose {least} or more")


def _check_work(config: PhrasesConfig) -> None:
    """Makes the work folder; raises UsageError where it cannot be one, or holds what somebody else put there."""
    work, output = config.work.resolve(), config.output.resolve()
    if work.is_relative_to(output) or output.is_relative_to(work):
        raise UsageError(
            f"The bundle {config.output} and the work folder {config.work} overlap", "Choose another --work"
        )
    try:
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work):
            pass
    except OSError as error:
        raise UsageError(f"{config.work} cannot be written: {error.strerror}", "Choose another --work") from None
    if any(work.iterdir()) and not (work / _NOTE).is_file():
        raise UsageError(f"{config.work} holds files of something else", "Choose another --work")


def _write_card(bundle: Path, intents: Intents, judgement: Judgement) -> None:
    """The bundle's README.md, and the figures in its manifest."""
    from edgevoice.asr.bundle import read_manifest as read_bundle_manifest
    from export.build import seal

    figures = "\n".join(f"- {line.replace(chr(9), ': ')}" for line in judgement.lines())
    (bundle / "README.md").write_text(
        f"# {intents.name}\n\nIntents: {', '.join(intents.phrases)}.\n\nMade from phrases alone with `edgevoice train "
        f"from-phrases`: trained on synthetic voices, judged on others.\n\n{figures}\n\nRun it: `edgevoice live "
        "--model THIS`\n",
        encoding="utf-8",
    )
    manifest = read_bundle_manifest(bundle)
    training = {**manifest.training, "judgement": dataclasses.asdict(judgement)}
    seal(bundle, dataclasses.replace(manifest, training=training))


def _claim(config: PhrasesConfig, sentences: Sequence[SentenceRow], people: Sequence[Sequence[Clip]]) -> None:
    """Notes what the work folder is made from; where that has changed, what was made there is made anew."""
    note, text = config.work / _NOTE, made_from(config, sentences, people)
    if note.is_file() and note.read_text(encoding="utf-8") != text:
        logger.info("%s was made from something else, and is made anew", config.work)
        for name in (SPEECH, PEOPLE, NOISES, _RUN):
            shutil.rmtree(config.work / name, ignore_errors=True)
    note.write_text(text, encoding="utf-8")


def made_from(config: PhrasesConfig, sentences: Sequence[SentenceRow], people: Sequence[Sequence[Clip]]) -> str:
    """All that what lies in the work folder depends on, as JSON."""
    files = [(str(clip), clip.path.stat().st_size, clip.path.stat().st_mtime_ns) for clips in people for clip in clips]
    return (
        json.dumps(
            {
                "sentences": hashlib.sha256(json.dumps(sentences).encode()).hexdigest(),
                "recordings": hashlib.sha256(json.dumps(files).encode()).hexdigest(),
                "voices": [voice.name for voice in available()],
                "hours": config.hours,
                "seed": config.seed,
                "checkpoint": config.checkpoint,
                "steps": config.steps,
            },
            indent=1,
        )
        + "\n"
    )


def sentence_rows(said: dict[str, list[str]], intents: Intents, seed: int) -> list[SentenceRow]:
    """What is spoken: text, intent and split. The intents' own are in every split, since it is the voices that are held
    out; of the others each is in one. Every intent has as many rows, however few sentences it has."""
    own = [text for texts in said.values() for text in texts]
    rows = [
        (text, name, split)
        for name, texts in said.items()
        for text in itertools.islice(itertools.cycle(texts), SENTENCES_PER_INTENT)
        for split in ("train", "dev", "test")
    ]
    given = expand(intents.reject, 400, seed)
    count = max(150, round(len(said) * SENTENCES_PER_INTENT * OTHER_SHARE / (1 - OTHER_SHARE)))
    rng = np.random.default_rng(seed)
    for name, texts in others.sentences(own).items():
        chosen = [texts[i] for i in rng.permutation(len(texts))[:count]]
        known = given if name != "test" else []  # what is judged by was not trained on
        rows += [(text, NONE, name) for text in dict.fromkeys([*chosen, *known])]
    return rows


def _write_sentences(file: Path, rows: Sequence[SentenceRow]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "intent", "split"), *rows])


def _corpus(config: PhrasesConfig, people: Sequence[Sequence[Clip]]) -> list[Path]:
    """The manifests of all that is trained on; those that are there already are taken as they are."""
    from training.synthesise import synthesise

    speech = synthesise(
        SynthesisConfig(
            sentences=config.work / "sentences.csv",
            output=config.work / SPEECH,
            hours=config.hours,
            dev_hours=max(0.05, config.hours / 6),
            test_hours=max(0.05, config.hours / 4),
            other_engines_hours=0.0,
            seed=config.seed,
            jobs=config.jobs,
        )
    )
    recorded, noises = (config.work / name / "manifest.csv" for name in (PEOPLE, NOISES))
    if not recorded.is_file():
        others.cut(people, recorded.parent, config.seed)
    if not noises.is_file():
        others.noises(noises.parent, config.seed)
    return [speech / "manifest.csv", recorded, noises]


def _train(config: PhrasesConfig, manifests: Sequence[Path], run: Path) -> None:
    """Trains, unless that is done: of a run that ended only the best checkpoint is left, from which it would go on."""
    from training.run import METRICS, train

    if (run / METRICS).is_file():
        return
    steps = [f"trainer.max_steps={config.steps}"] if config.steps else []
    recipe = load_config(Path("from-phrases"), [*steps, f"trainer.seed={config.seed}"])
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, checkpoint=config.checkpoint),
        data=dataclasses.replace(recipe.data, sources=tuple(map(str, manifests))),
    )
    train("joint", recipe, run)


def _step(number: int, what: str) -> None:
    logger.info("%d of 6: %s", number, what)


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="edgevoice train from-phrases",
        description="Make a model that recognises intents, from nothing but phrases.",
        epilog="example:\n  edgevoice train from-phrases intents.toml --output models/desk\n\n"
        'intents.toml:\n  [intents]\n  freeze = ["block|freeze my (debit|credit) card", "i lost my card [in {city}]"]\n'
        '  balance = ["what is my balance"]\n  [slots]\n  city = ["Paris", "Rome"]',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("phrases", type=Path, help="TOML file of intents and their phrases")
    parser.add_argument("--output", "-o", type=Path, required=True, help="folder for the bundle")
    parser.add_argument("--work", type=Path, help="folder for corpus and checkpoints (runs/NAME-phrases)")
    parser.add_argument("--model", default=BUNDLED_NAME, help=f"bundle or checkpoint to go on from ({BUNDLED_NAME})")
    parser.add_argument("--hours", type=float, default=1.5, help="hours of training audio (1.5)")
    parser.add_argument("--max-steps", type=int, default=0, help="optimiser steps (the recipe's)")
    parser.add_argument(
        "--others",
        action="append",
        metavar="SOURCE",
        help="recordings without a command, such as your own room or calls: a folder or a manifest; may be given again",
    )
    parser.add_argument("--false-accept-rate", type=float, default=0.01, help="of other speech, at most (0.01)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes that synthesise (2)")
    parser.add_argument("--force", action="store_true", help="replace the bundle if there is one")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    config = PhrasesConfig(
        phrases=options.phrases,
        output=options.output,
        work=options.work or Path("runs") / f"{options.output.resolve().name}-phrases",
        checkpoint=options.model,
        hours=options.hours,
        steps=options.max_steps,
        false_accept_rate=options.false_accept_rate,
        others=tuple(options.others or ()),
        seed=options.seed,
        jobs=options.jobs,
        replace=options.force,
    )
    try:
        result = from_phrases(config)
    except KeyboardInterrupt:
        logger.info("stopped; the same command goes on with what there is in %s", config.work)
        raise
    print("\n".join(result.lines()))
    print(f"run it\tedgevoice live --model {shlex.quote(str(options.output))}")
    return 0
