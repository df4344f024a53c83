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
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ConfigError
from edgevoice.paths import BUNDLED_NAME
from training import calibrate
from training.augment import coloured_noise, gain
from training.checkpoint import load_features
from training.config import load_config
from training.decoded import load_audio
from training.manifest import Clip, read_manifest
from training.meter import Meter, spoken_time
from training.phrases import Intents, expand, read_intents
from training.sources import read_source
from training.splits import split
from training.synthesis.plan import SynthesisConfig
from training.warm_start import checkpoint_folder

logger = logging.getLogger(__name__)

NONE = "none"
SENTENCES_PER_INTENT = 60
OTHERS = Path(__file__).parent / "banking_en" / "sentences.csv"
"""Sentences of all kinds, in splits; those that resemble the user's own are left out."""
OTHER_SPEECH = Path(__file__).parent / "other_speech" / "manifest.csv"
"""Recordings of people who say something else: synthetic voices alone do not teach what a real one is like."""
LONGEST_S, PIECE_S = 10.0, 5.0
"""Recordings of over so many seconds are cut into pieces of so many."""
OTHER_SHARE = 0.45
"""How much of the corpus means none of the intents: most of what a microphone hears all day."""
RESEMBLANCE = 0.5
"""A sentence that shares this much of its words of meaning with a phrase may well mean the same."""
NOISES = {"train": 80, "dev": 20, "test": 40}
_EMPTY_WORDS = frozenset(
    "a an the i i'd i'm i've me my mine you your it its it's is are am was be been do does did to of in on at for from "
    "by with and or but if so as this that there here can could would will may might should please how what when where "
    "which who why want need like get have has had some any not no now just about up out".split()
)
_SPEECH, _NOISE, _RECORDED, _RUN = "speech", "noise", "recorded", "run"


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
    false_accept_rate: float = 0.03
    """Share of speech that means none of the intents and may be taken for one."""
    others: tuple[str, ...] = ()
    """Sources (see `training.sources`) of the user's own recordings without a command, beside those that come along."""
    seed: int = 1
    jobs: int = 2
    replace: bool = False


@dataclass(frozen=True)
class Judgement:
    """How the bundle does on voices and other sentences that it never heard, clip by clip."""

    commands: int
    voices: int
    """That spoke them, none of them trained on."""
    accuracy: float
    """Share of the commands that are detected as what they mean."""
    confused: float
    """Share of the commands that are taken for another."""
    others: int
    """Sentences that mean none of the intents."""
    false_accepts: float
    """Share of them that are taken for one."""
    people: int
    """Recordings of real people who say none of the intents."""
    people_accepts: float
    """Share of them that are taken for one."""
    noises: int
    """Recordings without speech."""
    noise_accepts: float
    """Share of them that are taken for an intent."""

    def lines(self) -> list[str]:
        """What a person is told."""
        commands = f"{self.commands} commands in {self.voices} voices that were not trained on"
        accepts = (
            f"{self.false_accepts:.1%} of {self.others} other sentences in the same voices",
            f"{self.people_accepts:.1%} of {self.people} recordings of other people",
            f"{self.noise_accepts:.1%} of {self.noises} noises",
        )
        return [
            f"right\t{self.accuracy:.1%} of {commands} ({self.confused:.1%} were taken for another intent)",
            f"false accepts\t{', '.join(accepts)}",
        ]


def from_phrases(config: PhrasesConfig) -> Judgement:
    """Makes the bundle.

    Raises:
        EdgeVoiceError: the phrases, the voices or the folders do not allow it.
    """
    from export.build import ExportOptions, check_output, export, move_bundle

    began = time.monotonic()
    intents = read_intents(config.phrases)
    check_output(config.output, replace=config.replace)  # said now, not after twenty minutes
    with tempfile.TemporaryDirectory() as scratch:
        load_features(checkpoint_folder(config.checkpoint, Path(scratch)))  # so is this
    config.work.mkdir(parents=True, exist_ok=True)
    said = {name: intents.sentences(name, SENTENCES_PER_INTENT, config.seed) for name in intents.phrases}
    _step(1, f"{sum(map(len, said.values()))} sentences for {len(said)} intents, and others that mean none of them")
    write_sentences(config.work / "sentences.csv", said, intents, config.seed)
    _claim(config)
    _step(2, f"a corpus of {config.hours:g} h in all voices that are installed")
    own = [text for texts in said.values() for text in texts]
    manifests = [*_corpus(config), *recorded(config, own)]
    _step(3, f"training, going on from {config.checkpoint}")
    run = config.work / _RUN
    _train(config, manifests, run)
    _step(4, "thresholds")
    found = calibrate.calibrate_run(run, NONE, config.false_accept_rate)
    logger.info("on %d dev clips: %.1f %% detected", found.clips, 100 * (found.accepted or 0))
    _step(5, "export and proof")
    bundle = config.work / "bundle"  # the output is not there before all of it is
    export([str(run)], bundle, ExportOptions(name=intents.name, replace=True, reject_label=NONE))
    _step(6, "judgement on voices and other sentences that were not trained on")
    judgement = judge(bundle, [clip for file in manifests for clip in read_manifest(file)])
    _write_card(bundle, intents, judgement)
    move_bundle(bundle, config.output)
    logger.info("done in %s", spoken_time(time.monotonic() - began))
    return judgement


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


def _claim(config: PhrasesConfig) -> None:
    """Notes what the work folder is made from; where that has changed, what was made there is made anew."""
    sentences = (config.work / "sentences.csv").read_bytes()
    made_from = {
        "sentences": hashlib.sha256(sentences).hexdigest(),
        "hours": config.hours,
        "seed": config.seed,
        "checkpoint": config.checkpoint,
        "steps": config.steps,
        "others": list(config.others),
    }
    note = config.work / "made-from.json"
    text = json.dumps(made_from, indent=1) + "\n"
    if note.is_file() and note.read_text(encoding="utf-8") != text:
        logger.info("%s was made from something else, and is made anew", config.work)
        for name in (_SPEECH, _NOISE, _RECORDED, _RUN):
            shutil.rmtree(config.work / name, ignore_errors=True)
    note.write_text(text, encoding="utf-8")


def write_sentences(file: Path, said: dict[str, list[str]], intents: Intents, seed: int) -> None:
    """The sentences file of the synthesiser. The intents' own are in every split, since it is the voices that are held
    out; of the others each is in one. Every intent has as many rows, however few sentences it has."""
    own = [text for texts in said.values() for text in texts]
    rows = [
        (text, name, split)
        for name, texts in said.items()
        for text in itertools.islice(itertools.cycle(texts), SENTENCES_PER_INTENT)
        for split in NOISES
    ]
    others = _other_sentences(own)
    given = expand(intents.reject, 400, seed)
    count = max(150, round(len(said) * SENTENCES_PER_INTENT * OTHER_SHARE / (1 - OTHER_SHARE)))
    rng = np.random.default_rng(seed)
    for name, texts in others.items():
        chosen = [texts[i] for i in rng.permutation(len(texts))[:count]]
        known = given if name != "test" else []  # what is judged by was not trained on
        rows += [(text, NONE, name) for text in dict.fromkeys([*chosen, *known])]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "intent", "split"])
        writer.writerows(rows)


def resembles(one: str, other: str) -> bool:
    """Whether two sentences share so many words of meaning that they may mean the same."""
    first, second = (set(text.split()) - _EMPTY_WORDS for text in (one, other))
    smaller = min(len(first), len(second))
    return smaller > 0 and len(first & second) / smaller >= RESEMBLANCE


def judge(bundle: Path, clips: Iterable[Clip]) -> Judgement:
    """Runs the test clips through the bundle as `edgevoice` runs them."""
    from edgevoice.asr.bundle import load_bundle
    from edgevoice.asr.intent import rank
    from edgevoice.asr.model import load_model

    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    manifest = model.manifest
    heard: list[tuple[Clip, str]] = []
    tests = [clip for clip in clips if clip.split == "test"]
    with Meter("clips to judge by", len(tests)) as meter:
        for clip in tests:
            logits = model.encode(load_audio(clip.path)).intent_logits
            assert logits is not None
            best = rank(logits, manifest)[0]
            heard.append((clip, best.label if best.score >= manifest.threshold(best.label) else NONE))
            meter.advance()
    return tally(heard)


def tally(heard: Sequence[tuple[Clip, str]]) -> Judgement:
    """The figures of test clips and the labels they were taken for, `NONE` included."""
    commands = [(clip.intent, label) for clip, label in heard if clip.intent != NONE]
    taken = [label != NONE for clip, label in heard if clip.intent == NONE]
    of = [clip.dataset.rstrip("0123456789") for clip, _ in heard if clip.intent == NONE]
    people, noises, others = (
        [hit for hit, name in zip(taken, of, strict=True) if name == each] for each in (_RECORDED, _NOISE, _SPEECH)
    )
    return Judgement(
        commands=len(commands),
        voices=len({clip.speaker for clip, _ in heard if clip.intent != NONE}),
        accuracy=_share(meant == label for meant, label in commands),
        confused=_share(label not in (NONE, meant) for meant, label in commands),
        others=len(others),
        false_accepts=_share(others),
        people=len(people),
        people_accepts=_share(people),
        noises=len(noises),
        noise_accepts=_share(noises),
    )


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return sum(counted) / max(1, len(counted))


def _other_sentences(own: Sequence[str]) -> dict[str, list[str]]:
    from training.synthesis.plan import read_sentences

    found: dict[str, list[str]] = {split: [] for split in NOISES}
    for sentence in read_sentences(OTHERS):
        if sentence.split in found and not any(resembles(sentence.text, text) for text in own):
            found[sentence.split].append(sentence.text)
    return found


def _corpus(config: PhrasesConfig) -> list[Path]:
    from training.synthesise import synthesise

    speech = synthesise(
        SynthesisConfig(
            sentences=config.work / "sentences.csv",
            output=config.work / _SPEECH,
            hours=config.hours,
            dev_hours=max(0.05, config.hours / 6),
            test_hours=max(0.05, config.hours / 4),
            other_engines_hours=0.0,
            seed=config.seed,
            jobs=config.jobs,
        )
    )
    return [speech / "manifest.csv", _noises(config.work / _NOISE, config.seed)]


def recorded(config: PhrasesConfig, own: Sequence[str]) -> Iterator[Path]:
    """Manifests of recordings in which nobody says a command: those that come along, and the user's. Where a source
    has no splits, a sixth of it is kept for the thresholds."""
    for number, source in enumerate([str(OTHER_SPEECH), *config.others]):
        folder = config.work / f"{_RECORDED}{number or ''}"
        folder.mkdir(exist_ok=True)
        clips = [piece for clip in read_source(source, labelled=False) for piece in _pieces(clip, folder)]
        with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["path", "text", "intent", "speaker", "split", "duration_s"])
            for clip in split(clips, "auto", 1 / 6, 0.0, config.seed):
                if not any(resembles(clip.text, text) for text in own):
                    row = [clip.path.resolve(), clip.text, NONE, clip.speaker, clip.split, clip.duration_s]
                    writer.writerow(row)
        yield folder / "manifest.csv"


def _pieces(clip: Clip, folder: Path) -> Iterator[Clip]:
    """A recording, such as that of a whole call, in pieces as long as sentences; of short ones, all."""
    if clip.duration_s <= LONGEST_S:
        yield dataclasses.replace(clip, intent=NONE)
        return
    samples, size = load_audio(clip.path), round(PIECE_S * SAMPLE_RATE)
    for number, start in enumerate(range(0, len(samples) - size + 1, size)):
        path = folder / f"{clip.path.stem}-{number:04d}.flac"
        soundfile.write(path, samples[start : start + size], SAMPLE_RATE, subtype="PCM_16")
        yield dataclasses.replace(clip, path=path, text="", intent=NONE, duration_s=PIECE_S)


def _noises(folder: Path, seed: int) -> Path:
    """Recordings without any speech, which mean nothing: hiss, rumble, hum, clicks and silence."""
    rng = np.random.default_rng([seed, 77])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "text", "intent", "speaker", "split", "duration_s"])
        for split, count in NOISES.items():
            for number in range(count):
                samples = _noise(rng)
                name = f"{split}-{number:03d}.flac"
                soundfile.write(folder / name, samples, SAMPLE_RATE, subtype="PCM_16")
                writer.writerow([name, "", NONE, "", split, round(len(samples) / SAMPLE_RATE, 3)])
    return folder / "manifest.csv"


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


def _train(config: PhrasesConfig, manifests: Sequence[Path], run: Path) -> None:
    from training.run import train

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
    parser.add_argument("--work", type=Path, help="folder for corpus and checkpoints (runs/NAME)")
    parser.add_argument("--model", default=BUNDLED_NAME, help=f"bundle or checkpoint to go on from ({BUNDLED_NAME})")
    parser.add_argument("--hours", type=float, default=1.5, help="hours of training audio (1.5)")
    parser.add_argument("--max-steps", type=int, default=0, help="optimiser steps (the recipe's)")
    parser.add_argument(
        "--others",
        action="append",
        metavar="SOURCE",
        help="recordings without a command, such as your own room or calls: a folder or a manifest; may be given again",
    )
    parser.add_argument("--false-accept-rate", type=float, default=0.03, help="of other speech, at most (0.03)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes that synthesise (2)")
    parser.add_argument("--force", action="store_true", help="replace the bundle if there is one")
    options = parser.parse_args(arguments)
    if not 0 < options.false_accept_rate < 1:
        raise ConfigError(f"--false-accept-rate {options.false_accept_rate} is no rate", "Choose from 0 to 1")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    result = from_phrases(
        PhrasesConfig(
            phrases=options.phrases,
            output=options.output,
            work=options.work or Path("runs") / options.output.name,
            checkpoint=options.model,
            hours=options.hours,
            steps=options.max_steps,
            false_accept_rate=options.false_accept_rate,
            others=tuple(options.others or ()),
            seed=options.seed,
            jobs=options.jobs,
            replace=options.force,
        )
    )
    print("\n".join(result.lines()))
    print(f"run it\tedgevoice live --model {options.output}")
    return 0
