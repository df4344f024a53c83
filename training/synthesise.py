"""Make a corpus of synthetic speech from written sentences: many voices, FLAC files and a manifest.

Every utterance is drawn from its own random generator, seeded by (seed, split, number), so the corpus does not depend
on the number of processes, and a run that was broken off carries on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import logging
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from multiprocessing import connection
from pathlib import Path
from threading import Thread

import numpy as np
import soundfile
import soxr

from edgevoice.errors import ConfigError, EdgeVoiceError
from training import voices
from training.augment import (
    PEAK_LIMIT,
    SAMPLE_RATE,
    Audio,
    Augmentation,
    add_noise,
    coloured_noise,
    gain,
    limit,
    telephone,
)
from training.voices import SPLITS, Split, Utterance, Voice

LOG = logging.getLogger(__name__)

MANIFEST_COLUMNS = ("path", "text", "intent", "speaker", "split", "voice", "duration_s", "augmentation")
SENTENCE_SPLIT: Mapping[Split, str] = {"train": "train", "dev": "dev", "test": "test", "test-other-engines": "test"}
PLAN_VERSION = 1  # raise it whenever the same seed would give other audio
SHARD_SIZE = 100
ATTEMPTS = 5
ENGINE_TIMEOUT_S = 20.0

RECORDED_SHARE = 0.4
FEMALE_SHARE_RECORDED = 0.4
FEMALE_SHARE_ESPEAK = 0.45
# One person may speak through several engines: the quick ones get more of that person's share.
ENGINE_WEIGHTS: Mapping[str, float] = {"flite": 5.0, "rhvoice": 0.8, "festival": 0.5}

VOCAL_TRACT_RANGE = (0.85, 1.18)
PITCH_RANGE = (0.78, 1.25)
TEMPO_MEAN, TEMPO_DEVIATION, TEMPO_RANGE = 14.5, 2.2, (9.5, 19.0)  # characters per second of speech
RMS_RANGE_DBFS = (-32.0, -18.0)
SILENCE_RANGE_S = (0.1, 0.5)
FLOOR_RANGE_DBFS = (-78.0, -62.0)  # no microphone gives digital zeros
TEST_SNR_RANGE = (10.0, 25.0)
PLAUSIBLE_TEMPO = (3.0, 32.0)  # outside it the engine dropped or repeated something
TRAIN_AUGMENTATION = Augmentation(
    speed_probability=0.0,
    equalise_probability=0.25,
    room_probability=0.35,
    noise_probability=0.35,
    snr_range=(12.0, 35.0),
    telephone_probability=0.3,
    gain_range=(0.0, 0.0),
)


class SynthesisError(EdgeVoiceError):
    """Speech could not be synthesised."""


@dataclass(frozen=True)
class Sentence:
    """A line of the sentences file."""

    text: str
    intent: str
    split: str


@dataclass(frozen=True)
class SynthesisConfig:
    """What to make; hours are of audio per split, and zero leaves a split out."""

    sentences: Path
    output: Path
    hours: float = 20.0
    dev_hours: float = 0.15
    test_hours: float = 0.5
    other_engines_hours: float = 0.2
    seed: int = 1
    jobs: int = 2

    def split_hours(self) -> dict[Split, float]:
        """Hours of audio for each split."""
        return {
            "train": self.hours,
            "dev": self.dev_hours,
            "test": self.test_hours,
            "test-other-engines": self.other_engines_hours,
        }


@dataclass(frozen=True)
class Row:
    """One line of the manifest; `path` is relative to the corpus folder."""

    path: str
    text: str
    intent: str
    speaker: str
    split: str
    voice: str
    duration_s: float
    augmentation: str


@dataclass(frozen=True)
class Shard:
    """A numbered handful of utterances that one process makes."""

    output: Path
    split: Split
    number: int
    first_index: int
    seed: int
    sentences: tuple[Sentence, ...]  # one for each utterance
    voices: tuple[Voice, ...]

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.output / self.split / f"{self.number:04d}"


@dataclass
class _Draft:
    """An utterance on its way: its generator, its current voice and settings, and the audio once it is there."""

    index: int
    sentence: Sentence
    rng: np.random.Generator
    path: Path
    banned: set[str] = field(default_factory=set)
    utterance: Utterance | None = None
    vocal_tract: float = 1.0
    speech: Audio | None = None


def synthesise(config: SynthesisConfig) -> Path:
    """Make the corpus, or finish it, and return its folder: FLAC files, `manifest.csv` and `voices.json`."""
    sentences = read_sentences(config.sentences)
    installed = voices.available()
    if not installed:
        raise SynthesisError("No speech synthesiser is installed", voices.INSTALL_HINT)
    dealt = voices.by_split(installed)
    wanted = _check(config, sentences, dealt)
    _claim_folder(config, dealt)
    started = time.monotonic()
    rows: list[Row] = []
    failures: Counter[str] = Counter()
    with _pool(config.jobs) as pool:
        for split, hours in wanted.items():
            shards = _shards(config, split, sentences, dealt[split])
            rows += _make_split(config.output, split, hours, _in_order(shards, pool, config.jobs), failures)
    _write_manifest(config.output / "manifest.csv", rows)
    _write_voices(config.output / "voices.json", dealt, rows, failures)
    _report(rows, failures, time.monotonic() - started)
    return config.output


def read_sentences(path: Path) -> tuple[Sentence, ...]:
    """Read a CSV with the columns text, intent and split; other columns are passed over."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = {"text", "intent", "split"} - set(reader.fieldnames or ())
            if missing:
                raise ConfigError(
                    f"{path} has no column {', '.join(sorted(missing))}", "Give it the header text,intent,split"
                )
            found = tuple(Sentence(row["text"].strip(), row["intent"], row["split"]) for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"The sentences in {path} cannot be read: {error}", "Name a UTF-8 CSV file with --sentences"
        ) from error
    return tuple(sentence for sentence in found if sentence.text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `edgevoice train synthesise`."""
    parser.add_argument("--sentences", type=Path, required=True, help="CSV with the columns text, intent and split")
    parser.add_argument("--output", type=Path, required=True, help="folder for the corpus; an unfinished one goes on")
    parser.add_argument("--hours", type=float, default=20.0, help="hours of training audio (20)")
    parser.add_argument("--dev-hours", type=float, default=0.15, help="hours for choosing a model (0.15)")
    parser.add_argument("--test-hours", type=float, default=0.5, help="hours of unheard voices and sentences (0.5)")
    parser.add_argument(
        "--other-engines-hours", type=float, default=0.2, help="hours of test audio from engines not trained on (0.2)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same corpus (1)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at work (2)")


def main(args: argparse.Namespace) -> int:
    """Carry out parsed arguments and return the exit code."""
    config = SynthesisConfig(
        sentences=args.sentences,
        output=args.output,
        hours=args.hours,
        dev_hours=args.dev_hours,
        test_hours=args.test_hours,
        other_engines_hours=args.other_engines_hours,
        seed=args.seed,
        jobs=args.jobs,
    )
    print(synthesise(config) / "manifest.csv")
    return 0


def run(arguments: Sequence[str]) -> int:
    """Parse the arguments, make the corpus and return the exit code."""
    parser = argparse.ArgumentParser(prog="edgevoice train synthesise", description=__doc__)
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return main(parser.parse_args(arguments))
    except EdgeVoiceError as error:
        print(f"edgevoice: {error}", file=sys.stderr)
        return error.exit_code


def _check(
    config: SynthesisConfig, sentences: Sequence[Sentence], dealt: Mapping[Split, Sequence[Voice]]
) -> dict[Split, float]:
    """Return the hours of the splits to make, after checking that each has sentences and voices."""
    hours = {split: length for split, length in config.split_hours().items() if length > 0}
    if not hours or config.jobs < 1:
        raise ConfigError("Nothing to do: no hours of audio or no job is asked for", "Raise --hours or --jobs")
    if not dealt["test-other-engines"]:
        hours.pop("test-other-engines", None)  # an extra for machines that have the non-free engines
    for split in hours:
        flag = "--hours" if split == "train" else f"--{split.removeprefix('test-')}-hours"
        if not any(sentence.split == SENTENCE_SPLIT[split] for sentence in sentences):
            raise ConfigError(
                f"{config.sentences} has no sentence of the split '{SENTENCE_SPLIT[split]}'",
                f"Add some, or leave the split out with {flag} 0",
            )
        if not dealt[split]:
            raise SynthesisError(
                f"No installed voice belongs to the split '{split}'",
                f"{voices.INSTALL_HINT}, or leave the split out with {flag} 0",
            )
    return hours


def _claim_folder(config: SynthesisConfig, dealt: Mapping[Split, Sequence[Voice]]) -> None:
    """Note what the folder is made from, and refuse to mix two corpora in one; only the hours may change."""
    made_from = {
        "plan": PLAN_VERSION,
        "seed": config.seed,
        "sentences_sha256": hashlib.sha256(config.sentences.read_bytes()).hexdigest(),
        "voices": {split: [voice.name for voice in listed] for split, listed in dealt.items()},
    }
    note = config.output / "corpus.json"
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != made_from:
        raise ConfigError(
            f"{config.output} holds a corpus of another seed, sentences file or set of voices",
            "Delete it, or name another folder with --output",
        )
    config.output.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(made_from, indent=1) + "\n", encoding="utf-8")


def _make_split(
    output: Path,
    split: Split,
    hours: float,
    results: Generator[tuple[list[Row], Counter[str]], None, None],
    failures: Counter[str],
) -> list[Row]:
    """Take shards in order until the hours are full; what the processes made beyond that is removed."""
    rows: list[Row] = []
    seconds = 0.0
    shards = 0
    while seconds < hours * 3600:
        shard_rows, shard_failures = next(results)
        failures += shard_failures
        shards += 1
        if not shard_rows:
            raise SynthesisError(f"No voice managed any sentence of the split '{split}'", voices.INSTALL_HINT)
        for row in shard_rows:
            if seconds < hours * 3600:
                rows.append(row)
                seconds += row.duration_s
        if shards % 20 == 0:
            LOG.info("%s: %.2f of %.2f h", split, seconds / 3600, hours)
    results.close()  # waits for the shards under way, or they would write into what is being pruned
    _prune(output / split, shards, {row.path for row in rows}, output)
    return rows


def _prune(folder: Path, shards: int, kept: set[str], output: Path) -> None:
    """Remove shards from number `shards` on, and every audio file that is not in the manifest."""
    for shard in sorted(folder.iterdir()):
        if int(shard.name) >= shards:
            shutil.rmtree(shard)
    for path in folder.glob("*/*.flac"):
        if path.relative_to(output).as_posix() not in kept:
            path.unlink()


def _shards(
    config: SynthesisConfig, split: Split, sentences: Sequence[Sentence], usable: tuple[Voice, ...]
) -> Iterator[Shard]:
    """Give shards without end; every sentence comes once before any comes again, each time in another order."""
    chosen = [sentence for sentence in sentences if sentence.split == SENTENCE_SPLIT[split]]
    order = _sentence_order(config.seed, split, chosen)
    number = 0
    while True:
        batch = tuple(next(order) for _ in range(SHARD_SIZE))
        yield Shard(config.output, split, number, number * SHARD_SIZE, config.seed, batch, usable)
        number += 1


def _sentence_order(seed: int, split: Split, chosen: Sequence[Sentence]) -> Iterator[Sentence]:
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    while True:
        for place in rng.permutation(len(chosen)):
            yield chosen[place]


def _pool(jobs: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Start the processes, or none where one is enough."""
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    if jobs == 1:
        return nullcontext()
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_die_with_parent)


def _die_with_parent() -> None:
    """End this process when its parent ends: an orphan would go on writing into a corpus that another run has begun."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        Thread(target=lambda: (connection.wait([sentinel]), os._exit(1)), daemon=True).start()


def _in_order(
    shards: Iterator[Shard], pool: ProcessPoolExecutor | None, jobs: int
) -> Generator[tuple[list[Row], Counter[str]], None, None]:
    """Make the shards, a few ahead of what is asked for, and give their results in the order of the shards."""
    if pool is None:
        yield from map(_make_shard, shards)
        return
    ahead: deque[Future[tuple[list[Row], Counter[str]]]] = deque()
    try:
        for shard in shards:
            ahead.append(pool.submit(_make_shard, shard))
            if len(ahead) > jobs:
                yield ahead.popleft().result()
    finally:
        wait([future for future in ahead if not future.cancel()])


def _make_shard(shard: Shard) -> tuple[list[Row], Counter[str]]:
    """Speak, damage and write the utterances of a shard that are not there yet; return all its rows and failures."""
    shard.folder.mkdir(parents=True, exist_ok=True)
    drafts = [_draft(shard, place) for place in range(len(shard.sentences))]
    planned = {(_relative(shard, draft), draft.sentence.text) for draft in drafts}
    done = {path: row for path, row in _rows_on_disk(shard).items() if (path, row.text) in planned}
    missing = [draft for draft in drafts if _relative(shard, draft) not in done]
    failures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch, _rows_file(shard).open("a", newline="") as file:
        writer = csv.writer(file)
        for draft in _speak(missing, shard, Path(scratch), failures):
            row = _finish(draft, shard)
            done[row.path] = row
            writer.writerow(asdict(row).values())
            file.flush()
    return [done[path] for path in sorted(done)], failures


def _draft(shard: Shard, place: int) -> _Draft:
    index = shard.first_index + place
    rng = np.random.default_rng([shard.seed, SPLITS.index(shard.split), index])
    path = shard.folder / f"{shard.split}-{index:06d}.flac"
    return _Draft(index, shard.sentences[place], rng, path)


def _relative(shard: Shard, draft: _Draft) -> str:
    return draft.path.relative_to(shard.output).as_posix()


def _rows_file(shard: Shard) -> Path:
    return shard.folder / "rows.csv"


def _rows_on_disk(shard: Shard) -> dict[str, Row]:
    """Read the rows of an earlier run whose audio is there; a line cut off by a crash is passed over."""
    if not _rows_file(shard).exists():
        return {}
    found: dict[str, Row] = {}
    with _rows_file(shard).open(newline="", encoding="utf-8") as file:
        for cells in csv.reader(file):
            if len(cells) == len(MANIFEST_COLUMNS) and cells[-1] and (shard.output / cells[0]).is_file():
                values = dict(zip(MANIFEST_COLUMNS, cells, strict=True))
                found[cells[0]] = Row(**{**values, "duration_s": float(values["duration_s"])})  # type: ignore[arg-type]
    return found


def _scratch() -> str | None:
    """Name a folder in memory for the engines' files where there is one."""
    memory = "/dev/shm"  # noqa: S108 - only a folder with a random name is made in it
    return memory if Path(memory).is_dir() else None


def _speak(drafts: Sequence[_Draft], shard: Shard, scratch: Path, failures: Counter[str]) -> Iterator[_Draft]:
    """Give each draft as soon as it has audio; where a voice fails another one tries, and the failure is counted."""
    waiting = list(drafts)
    for _ in range(ATTEMPTS):
        for draft in waiting:
            _choose(draft, shard, scratch)
        _run_festival([draft for draft in waiting if _voice(draft).engine == "festival"], scratch)
        failed = []
        for draft in waiting:
            draft.speech = _speech(draft)
            if draft.speech is None:
                failures[_voice(draft).name] += 1
                draft.banned.add(_voice(draft).name)
                failed.append(draft)
            else:
                yield draft
        waiting = failed
    for draft in waiting:
        failures["given up"] += 1
        LOG.warning("No voice managed %r", draft.sentence.text)


def _choose(draft: _Draft, shard: Shard, scratch: Path) -> None:
    """Draw a voice and how it speaks; test voices speak as they are, but for tempo and a little pitch."""
    rng = draft.rng
    voice = pick_voice([voice for voice in shard.voices if voice.name not in draft.banned] or shard.voices, rng)
    varied = shard.split == "train"
    draft.vocal_tract = _log_uniform(rng, VOCAL_TRACT_RANGE) if varied else 1.0
    pitch = _log_uniform(rng, PITCH_RANGE if varied else (0.95, 1.05))
    tempo = float(np.clip(rng.normal(TEMPO_MEAN, TEMPO_DEVIATION), *TEMPO_RANGE))
    rate = tempo / (voice.tempo * draft.vocal_tract)  # resampling by the vocal tract factor speeds up or slows down
    output = scratch / f"{draft.index}.wav"
    output.unlink(missing_ok=True)
    draft.utterance = Utterance(voice, draft.sentence.text, rate, pitch, output)


def pick_voice(usable: Sequence[Voice], rng: np.random.Generator) -> Voice:
    """Draw a kind, a gender, a speaker and one of the speaker's voices, so that a rich engine cannot drown the rest."""
    kinds = {kind: [voice for voice in usable if voice.recorded == kind] for kind in (True, False)}
    recorded = rng.random() < RECORDED_SHARE
    kind = recorded if kinds[recorded] else not recorded
    pool = kinds[kind]
    share = FEMALE_SHARE_RECORDED if kind else FEMALE_SHARE_ESPEAK
    gender = "female" if rng.random() < share else "male"
    pool = [voice for voice in pool if voice.gender == gender] or pool
    speakers = sorted({voice.speaker for voice in pool})
    speaker = speakers[int(rng.integers(len(speakers)))]
    pool = [voice for voice in pool if voice.speaker == speaker]
    weights = np.array([ENGINE_WEIGHTS.get(voice.engine, 1.0) for voice in pool])
    return pool[int(rng.choice(len(pool), p=weights / weights.sum()))]


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))


def _voice(draft: _Draft) -> Voice:
    assert draft.utterance is not None
    return draft.utterance.voice


def _run_festival(drafts: Sequence[_Draft], scratch: Path) -> None:
    """Speak all the festival utterances in one process, as it takes longer to start than to speak."""
    utterances = [draft.utterance for draft in drafts if draft.utterance is not None]
    if utterances:
        script = scratch / "say.scm"
        script.write_text(voices.festival_script(utterances), encoding="utf-8")
        _run(voices.festival_command(script), ENGINE_TIMEOUT_S + len(utterances))


def _run(command: voices.Command, timeout_s: float) -> None:
    """Run an engine; whether it worked shows in the file it was to write."""
    try:
        subprocess.run(command.argv, input=command.stdin.encode(), capture_output=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        LOG.warning("%s failed: %s", command.argv[0], error)


def _speech(draft: _Draft) -> Audio | None:
    """Get the trimmed speech at 16 kHz and unit peak, or None where the engine gave nothing usable."""
    assert draft.utterance is not None
    if draft.utterance.voice.engine != "festival":
        _run(voices.command(draft.utterance), ENGINE_TIMEOUT_S)
    try:
        samples, rate = soundfile.read(draft.utterance.output, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError):
        return None
    finally:
        draft.utterance.output.unlink(missing_ok=True)
    mono = np.ascontiguousarray(samples[:, 0])
    if mono.size < rate // 10 or not np.isfinite(mono).all() or np.sqrt(np.mean(np.square(mono))) < 1e-3:
        return None
    # Claiming another sample rate stretches the spectrum: formants, pitch and tempo all go up by the factor.
    speech = trim(soxr.resample(mono, rate * draft.vocal_tract, SAMPLE_RATE, quality="HQ"))
    tempo = len(draft.sentence.text) / (speech.size / SAMPLE_RATE + 0.2)  # 0.2 s: one short word is no fault
    return speech if PLAUSIBLE_TEMPO[0] < tempo < PLAUSIBLE_TEMPO[1] else None


def trim(samples: Audio, below_peak_db: float = 50.0) -> Audio:
    """Cut the silence off both ends, at 10 ms steps with 20 ms to spare, and scale to a peak of 1."""
    step = SAMPLE_RATE // 100
    frames = np.abs(samples[: samples.size // step * step].reshape(-1, step)).max(axis=1, initial=0.0)
    loud = np.flatnonzero(frames > frames.max(initial=0.0) * 10.0 ** (-below_peak_db / 20.0))
    if loud.size == 0:
        return samples[:0]
    kept = samples[max(0, loud[0] - 2) * step : (loud[-1] + 3) * step]
    return np.ascontiguousarray(kept / np.abs(kept).max(), dtype=np.float32)


def _finish(draft: _Draft, shard: Shard) -> Row:
    """Add silence and damage, set the level, write the file and return its row."""
    assert draft.speech is not None
    samples, damage = _damage(draft, shard.split)
    soundfile.write(draft.path, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return Row(
        path=_relative(shard, draft),
        text=draft.sentence.text,
        intent=draft.sentence.intent,
        speaker=_voice(draft).speaker,
        split=shard.split,
        voice=_voice(draft).name,
        duration_s=round(samples.size / SAMPLE_RATE, 3),
        augmentation="+".join(damage) or "clean",
    )


def _damage(draft: _Draft, split: Split) -> tuple[Audio, tuple[str, ...]]:
    """Set the recording in silence, a room or a telephone line; every other test clip stays clean."""
    assert draft.speech is not None
    rng = draft.rng
    before, after = (int(rng.uniform(*SILENCE_RANGE_S) * SAMPLE_RATE) for _ in range(2))
    samples = np.pad(draft.speech, (before, after))
    damage: tuple[str, ...] = ()
    if split == "train":
        samples, damage = TRAIN_AUGMENTATION.apply_named(samples, rng)
    elif draft.index % 2:
        noise = coloured_noise(samples.size, rng.uniform(0.0, 2.0), rng)
        samples = telephone(add_noise(samples, noise, rng.uniform(*TEST_SNR_RANGE)), mu_law=True)
        damage = ("noise", "telephone")
    level = 20.0 * math.log10(float(np.sqrt(np.mean(np.square(samples)))))
    samples = gain(samples, rng.uniform(*RMS_RANGE_DBFS) - level)
    floor = gain(coloured_noise(samples.size, 1.0, rng), rng.uniform(*FLOOR_RANGE_DBFS))
    return limit(samples + floor, PEAK_LIMIT), damage


def _write_manifest(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, MANIFEST_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _write_voices(
    path: Path, dealt: Mapping[Split, Sequence[Voice]], rows: Sequence[Row], failures: Mapping[str, int]
) -> None:
    """Write who speaks in which split, how often, and under which licence."""
    spoken = Counter((row.split, row.voice) for row in rows)
    listing = {
        split: [
            {
                "name": voice.name,
                "engine": voice.engine,
                "speaker": voice.speaker,
                "gender": voice.gender,
                "licence": voice.licence,
                "shippable": voice.shippable,
                "utterances": spoken[split, voice.name],
                "failures": failures.get(voice.name, 0),
            }
            for voice in listed
        ]
        for split, listed in dealt.items()
    }
    path.write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")


def _report(rows: Sequence[Row], failures: Counter[str], seconds: float) -> None:
    for split in SPLITS:
        chosen = [row for row in rows if row.split == split]
        if chosen:
            hours = sum(row.duration_s for row in chosen) / 3600
            speakers = len({row.speaker for row in chosen})
            LOG.info("%s: %d utterances, %.2f h, %d speakers", split, len(chosen), hours, speakers)
    LOG.info("made in %.0f s; failures: %s", seconds, dict(failures) or "none")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
