"""Make a corpus of synthetic speech from written sentences: many voices, FLAC files and a manifest.

Every utterance is drawn from its own random generator, seeded by (seed, split, number), so the corpus does not depend
on the number of processes, and a run that was broken off carries on where it stopped.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path

from training import voices
from training.meter import Meter
from training.synthesis.corpus import Row, claim_folder, prune, write_manifest, write_voices
from training.synthesis.plan import SynthesisConfig, SynthesisError, read_sentences, shards, wanted_hours
from training.synthesis.processes import in_order, process_pool
from training.synthesis.production import make_shard
from training.voices import SPLITS, Split

LOG = logging.getLogger(__name__)


def synthesise(config: SynthesisConfig) -> Path:
    """Make the corpus, or finish it, and return its folder: FLAC files, `manifest.csv` and `voices.json`."""
    sentences = read_sentences(config.sentences)
    installed = voices.available()
    if not installed:
        raise SynthesisError("No speech synthesiser is installed", voices.INSTALL_HINT)
    if not any(voice.natural for voice in installed):
        LOG.info("%s", voices.NATURAL_HINT)
    dealt = voices.by_split(installed)
    wanted = wanted_hours(config, sentences, dealt)
    claim_folder(config, dealt)
    started = time.monotonic()
    rows: list[Row] = []
    failures: Counter[str] = Counter()
    with process_pool(config.jobs) as pool:
        for split, hours in wanted.items():
            planned = shards(config, split, sentences, dealt[split])
            made = in_order(make_shard, planned, pool, config.jobs)
            rows += _make_split(config.output, split, hours, made, failures)
    write_manifest(config.output / "manifest.csv", rows)
    write_voices(config.output / "voices.json", dealt, rows, failures)
    _report(rows, failures, time.monotonic() - started)
    return config.output


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
    return main(parser.parse_args(arguments))


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
    taken = 0
    with Meter(f"{split}: {hours:.2f} h of speech", hours * 3600) as meter:
        while seconds < hours * 3600:
            shard_rows, shard_failures = next(results)
            failures += shard_failures
            taken += 1
            if not shard_rows:
                raise SynthesisError(f"No voice managed any sentence of the split '{split}'", voices.INSTALL_HINT)
            for row in shard_rows:
                if seconds < hours * 3600:
                    rows.append(row)
                    seconds += row.duration_s
                    meter.advance(row.duration_s)
    results.close()  # waits for the shards under way, or they would write into what is being pruned
    prune(output, split, taken, {row.path for row in rows})
    return rows


def _report(rows: Sequence[Row], failures: Counter[str], seconds: float) -> None:
    for split in SPLITS:
        chosen = [row for row in rows if row.split == split]
        if chosen:
            hours = sum(row.duration_s for row in chosen) / 3600
            speakers = len({row.speaker for row in chosen})
            LOG.info("%s: %d utterances, %.2f h, %d speakers", split, len(chosen), hours, speakers)
    LOG.info("made in %.0f s; failures: %s", seconds, dict(failures) or "none")
