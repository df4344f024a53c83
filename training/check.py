"""Data is looked at before the first step: every clip is decoded, and whatever would spoil a run is named."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import typing
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError, UsageError
from edgevoice.text import plain
from training import network
from training.config import DataConfig, Task, load_config
from training.manifest import Clip
from training.meter import Meter

if TYPE_CHECKING:
    from training.estimate import Expected

SILENT_DBFS = -60.0
"""A clip whose loudest sample lies below this holds no speech."""
FULL_SCALE, CLIPPED_SHARE = 0.999, 0.002
"""A clip is clipped where more than this share of its samples is at full scale."""
FEW = 8
"""A label with fewer training clips than this is hardly learnt, where nothing else is said."""

Severity = Literal["error", "warning", "note"]
_NOTES_SHOWN = 20
"""A whole data set may be at another rate; what is beyond this is counted here, and listed with `--json`."""


@dataclass(frozen=True)
class Problem:
    """Something that spoils training."""

    severity: Severity
    """ "error": the run would fail or measure nothing; "warning": it would learn less, or look better than it is;
    "note": it is mended while reading."""
    what: str
    where: str
    """File and row, or the label or speaker it is about."""


@dataclass(frozen=True)
class Heard:
    """What decoding a clip showed."""

    clip: Clip
    seconds: float = 0.0
    rate: int = 0
    peak: float = 0.0
    clipped: float = 0.0
    """Share of samples at full scale."""
    not_numbers: int = 0
    """Samples that are NaN or infinite, which a file of floats can hold."""
    digest: str = ""
    """sha256 of the samples."""
    error: str = ""


@dataclass(frozen=True)
class Findings:
    """Everything that was found."""

    problems: tuple[Problem, ...]
    clips: dict[str, int]
    """By split."""
    hours: dict[str, float]
    """By split."""
    durations: dict[str, int]
    """Range of seconds -> clips."""
    labels: dict[str, dict[str, int]]
    """Label -> split -> clips."""
    speakers: dict[str, int]
    """By split; 0 where nobody is named."""
    rates: dict[int, int]
    """Hertz -> clips."""
    characters: str
    """All that the texts are written with."""
    expected: Expected | None = None
    """How long training would take; None where no model was named, or the run would fail."""

    @property
    def errors(self) -> int:
        """How many problems would end a run."""
        return sum(problem.severity == "error" for problem in self.problems)


def check(task: Task, config: DataConfig, seed: int, jobs: int = 2, few: int = FEW) -> Findings:
    """Decodes every clip of the recipe's sources.

    Args:
        task: that they are for.
        config: the sources and their limits.
        seed: of splits that are drawn.
        jobs: threads that decode.
        few: a label with fewer training clips is pointed out.

    Raises:
        ConfigError: a source cannot be read at all.
    """
    from training.corpus import read_sets, usable_clips  # which takes the libraries that the network is decided for

    if config.streaming:
        raise ConfigError("A data set that is streamed is not looked through beforehand", "Leave out data.streaming")
    clips = [clip for each in read_sets(config, seed, measured=False) for clip in each]
    # libsndfile decodes without holding Python's lock
    with ThreadPoolExecutor(jobs) as pool, Meter("clips decoded", len(clips)) as meter:
        heard = []
        for each in pool.map(hear, clips):
            heard.append(each)
            meter.advance()
    problems = [
        *_clip_problems(task, config, heard),
        *_label_problems(task, config.missing_intent, [clip for clip in clips if clip.recorded], few),
        *_leaks(heard),
    ]
    usable = [dataclasses.replace(each.clip, duration_s=each.seconds) for each in heard if not each.error]
    for name in ("train", "dev"):
        if not any(clip.split == name for clip in clips):
            problems.append(Problem("error", f"no clip belongs to the split '{name}'", "all sources"))
        elif not usable_clips(task, config, [clip for clip in usable if clip.split == name]).clips:
            problems.append(Problem("error", f"no clip of the split '{name}' can be used", "all sources"))
    return _findings(problems, heard)


def hear(clip: Clip) -> Heard:
    """Decodes one clip."""
    if not clip.recorded:
        return Heard(clip, error="there is none")
    try:
        samples, rate = soundfile.read(str(clip.path), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        return Heard(clip, error=plain(str(error)))
    if not len(samples):
        return Heard(clip, rate=rate, error="it is empty")
    finite = np.isfinite(samples)
    size = np.where(finite, np.abs(samples), np.float32(0))  # NaN would win every maximum, and pass every comparison
    return Heard(
        clip,
        not_numbers=int(finite.size - np.count_nonzero(finite)),
        seconds=len(samples) / rate,
        rate=rate,
        peak=float(size.max()),
        clipped=float((size >= FULL_SCALE).mean()),
        digest=hashlib.sha256(samples.tobytes()).hexdigest(),
    )


def _clip_problems(task: Task, config: DataConfig, heard: Iterable[Heard]) -> Iterable[Problem]:
    for each in heard:
        where = f"{each.clip.origin or each.clip.path} ({each.clip.path.name})"
        if not each.clip.recorded:
            yield Problem("warning", "the row has no recording; it is left out", each.clip.origin)
        elif each.error:
            yield Problem("error", f"cannot be read: {each.error}", where)
        else:
            for level, what in (*_sound_problems(each, config), *_row_problems(task, config, each.clip)):
                yield Problem(level, what, where)


def _sound_problems(heard: Heard, config: DataConfig) -> Iterable[tuple[Severity, str]]:
    if heard.seconds < config.minimum_s:
        yield "warning", f"{heard.seconds:.2f} s, shorter than data.minimum_s; it is left out"
    if heard.seconds > config.maximum_s:
        yield "warning", f"{heard.seconds:.1f} s, longer than data.maximum_s; it is left out"
    if heard.peak < 10 ** (SILENT_DBFS / 20):
        yield "warning", "silent"
    if heard.not_numbers:
        yield "warning", f"{heard.not_numbers} of its samples are no numbers (NaN or infinite)"
    if heard.rate != SAMPLE_RATE:
        yield "note", f"{heard.rate} Hz, and is resampled to {SAMPLE_RATE} Hz"
    if heard.clipped > CLIPPED_SHARE:
        yield "warning", f"clipped: {100 * heard.clipped:.1f} % of its samples at full scale"
    if abs(heard.seconds - heard.clip.duration_s) > 0.1:  # never of NaN, which is "not said"
        yield "warning", f"lasts {heard.seconds:.2f} s, not {heard.clip.duration_s:.2f} s"


def _row_problems(task: Task, config: DataConfig, clip: Clip) -> Iterable[tuple[Severity, str]]:
    if task == "ctc" and not clip.text:
        yield "warning", "no text; it is left out"
    if task == "intent" and not clip.intent and not config.missing_intent:
        yield "warning", "no intent; it is left out"
    if task == "joint" and not clip.text and not clip.intent:
        yield "warning", "neither text nor intent; it is left out"


def _label_problems(task: Task, missing_intent: str, clips: Sequence[Clip], few: int) -> Iterable[Problem]:
    if task == "ctc":
        return
    counts = Counter(clip.intent for clip in clips if clip.intent and clip.split == "train")
    for label, count in sorted(counts.items()):
        if count < few:
            yield Problem("warning", f"{count} training clips, too few to learn from", f"label '{label}'")
    for label in sorted({clip.intent for clip in clips if clip.intent and clip.split == "dev"} - set(counts)):
        yield Problem("warning", "in dev, but never trained", f"label '{label}'")
    if len(set(counts) | ({missing_intent} - {""})) < 2:
        yield Problem("error", f"the training clips have {len(counts)} labels, and intents need two", "all sources")


def _leaks(heard: Sequence[Heard]) -> Iterable[Problem]:
    """Whoever or whatever is on both sides makes the figures look better than they are."""
    speakers: dict[str, set[str]] = defaultdict(set)
    recordings: dict[str, list[Clip]] = defaultdict(list)
    for each in heard:
        if each.clip.speaker not in ("", "unknown"):
            speakers[each.clip.speaker].add(each.clip.split)
        if each.digest:
            recordings[each.digest].append(each.clip)
    for name, splits in sorted(speakers.items()):
        if len(splits) > 1:
            yield Problem("warning", f"is in the splits {', '.join(sorted(splits))}", f"speaker '{name}'")
    for same in recordings.values():
        splits = {clip.split for clip in same}
        if len(splits) > 1:
            where = " and ".join(clip.origin or str(clip.path) for clip in same[:2])
            yield Problem("warning", f"the same recording is in {', '.join(sorted(splits))}", where)


def _findings(problems: Sequence[Problem], heard: Sequence[Heard]) -> Findings:
    clips, hours = Counter(each.clip.split for each in heard), Counter[str]()
    labels: dict[str, dict[str, int]] = {}
    speakers: dict[str, set[str]] = defaultdict(set)
    durations = Counter(_range(each.seconds) for each in heard if not each.error)
    for each in heard:
        hours[each.clip.split] += each.seconds / 3600  # type: ignore[assignment]
        if each.clip.speaker not in ("", "unknown"):
            speakers[each.clip.split].add(each.clip.speaker)
        if each.clip.intent:
            row = labels.setdefault(each.clip.intent, {})
            row[each.clip.split] = row.get(each.clip.split, 0) + 1
    return Findings(
        problems=tuple(sorted(problems, key=lambda problem: typing.get_args(Severity).index(problem.severity))),
        clips=dict(clips),
        hours={name: round(value, 4) for name, value in hours.items()},
        durations={name: durations[name] for name in _RANGES if durations[name]},
        labels=dict(sorted(labels.items())),
        speakers={name: len(speakers[name]) for name in clips},
        rates=dict(sorted(Counter(each.rate for each in heard if each.rate).items())),
        characters="".join(sorted(set("".join(each.clip.text for each in heard)))),
    )


_BOUNDS = (0.5, 1, 2, 4, 8, 15, 30)
_RANGES = [f"under {_BOUNDS[0]:g} s", *(f"{a:g} to {b:g} s" for a, b in itertools.pairwise(_BOUNDS))]
_RANGES.append(f"over {_BOUNDS[-1]:g} s")


def _range(seconds: float) -> str:
    return _RANGES[int(np.searchsorted(_BOUNDS, seconds, side="right"))]


def report(findings: Findings) -> str:
    """The findings as text."""
    lines = ["split      clips    hours  speakers"]
    for name, count in findings.clips.items():
        named = findings.speakers[name] or "?"
        lines.append(f"{name or '-':10} {count:5d} {findings.hours[name]:8.2f}  {named}")
    lines += ["", "length", *(f"  {name:14} {count}" for name, count in findings.durations.items())]
    if findings.labels:
        lines += ["", "label"]
        for label, row in findings.labels.items():
            counts = ", ".join(f"{name or '-'} {count}" for name, count in row.items())
            lines.append(f"  {label:24} {counts}")
    odd = {rate: count for rate, count in findings.rates.items() if rate != SAMPLE_RATE}
    if odd:
        listed = ", ".join(f"{rate} Hz: {count}" for rate, count in odd.items())
        lines += ["", f"resampled to {SAMPLE_RATE} Hz   {listed}"]
    if findings.characters:
        lines += ["", f"written with   {findings.characters} ({len(findings.characters)} characters)"]
    lines.append("")
    by_severity = Counter(problem.severity for problem in findings.problems)
    spared = max(0, by_severity["note"] - _NOTES_SHOWN)
    shown = findings.problems[: len(findings.problems) - spared]  # notes are the last
    lines += [f"{problem.severity}: {problem.where}: {problem.what}" for problem in shown]
    if spared:
        lines.append(f"note: {spared} more notes are listed with --json")
    lines.append(f"{findings.errors} errors, {by_severity['warning']} warnings in {sum(findings.clips.values())} clips")
    return "\n".join(plain(line) for line in lines)  # names of splits, labels and files come from the data


def run(arguments: Sequence[str]) -> int:
    """`edgevoice train validate`; exit code 1 if the run would fail."""
    parser = argparse.ArgumentParser(
        prog="edgevoice train validate",
        description="Decode every clip and name what would spoil a run.",
        epilog="example:\n  edgevoice train validate intent --model banking-en --data recordings/manifest.csv",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=["ctc", "intent", "joint"])
    parser.add_argument("--data", action="append", metavar="SOURCE", help="as for 'edgevoice train' (repeatable)")
    parser.add_argument("--config", type=Path, help="recipe, for its sources and limits")
    parser.add_argument("--model", help="checkpoint or bundle to train, to find out how long that would take")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override the recipe")
    parser.add_argument("--jobs", type=int, default=2, help="threads that decode (2)")
    parser.add_argument("--few", type=int, default=FEW, help=f"point out labels with fewer training clips ({FEW})")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    config = load_config(options.config, options.set)
    sources = tuple(options.data) if options.data else config.data.sources
    if not sources:
        raise UsageError("There is no data to look at", "Name it with --data, or a recipe with --config")
    model = dataclasses.replace(config.model, checkpoint=options.model or config.model.checkpoint)
    config = dataclasses.replace(config, model=model, data=dataclasses.replace(config.data, sources=sources))
    to_train = bool(model.checkpoint or model.encoder)
    network.allow([model.checkpoint, *sources])
    from training.checkpoint import check_start

    if model.checkpoint:
        check_start(model.checkpoint)
    findings = check(options.task, config.data, config.trainer.seed, max(1, options.jobs), options.few)
    if not options.json:
        print(report(findings))
    if to_train and not findings.errors:
        from training.estimate import expected_time  # which takes PyTorch

        expected = expected_time(options.task, config)
        findings = dataclasses.replace(findings, expected=expected)
        if not options.json:
            print(expected.line())
    if options.json:
        print(json.dumps(dataclasses.asdict(findings), ensure_ascii=False))
    return 1 if findings.errors else 0
