"""`edgevoice bench accuracy|alarms|early|model|live|steady BUNDLE`."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

EXAMPLE = """examples:
  edgevoice bench accuracy models/banking-en --data corpus/banking-en/manifest.csv --split test
  edgevoice bench alarms models/desk --data recordings/meetings/manifest.csv
  edgevoice bench early models/banking-en --data corpus/banking-en/manifest.csv --split test
  edgevoice bench model models/desk
  edgevoice bench live models/desk --minutes 1
  edgevoice bench steady models/desk --minutes 5
"""
OWN = ("model", "live", "steady")
"""Those that need no recordings with --data, and have options of their own; the modules of these names."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    if arguments and arguments[0] in OWN:
        return int(importlib.import_module(f"bench.{arguments[0]}").run(arguments[1:]))
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from edgevoice.errors import UsageError

    if options.output and not options.output.parent.is_dir():  # said now, not after an hour of measuring
        raise UsageError(f"There is no folder {options.output.parent}", "Choose another --output")
    found, figures = {"accuracy": _accuracy, "alarms": _alarms, "early": _early}[options.what](options)
    print(found)
    if options.output:
        options.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def _accuracy(options: argparse.Namespace) -> tuple[str, list[dict[str, object]]]:
    from bench.accuracy import measure, table
    from edgevoice.errors import UsageError

    rows = measure(
        options.bundle, options.data, splits=options.split, at_most=options.at_most, live_at_most=options.live
    )
    if not rows:
        raise UsageError("No clip has a text or an intent and one of the splits", "Name others with --split or --data")
    return table(rows), [row.as_dict() for row in rows]


def _alarms(options: argparse.Namespace) -> tuple[str, list[dict[str, object]]]:
    from bench.alarms import measure, table

    rows = measure(options.bundle, options.data, minutes=options.minutes)
    return table(rows), [row.as_dict() for row in rows]


def _early(options: argparse.Namespace) -> tuple[str, list[dict[str, object]]]:
    from bench.early import rows, table
    from edgevoice.errors import UsageError

    found = rows(options.bundle, options.data, splits=options.split, at_most=options.at_most)
    if not found:
        raise UsageError(
            "No clip has an intent that the bundle knows and one of the splits", "Name others with --split"
        )
    return table(found), [row.as_dict() for row in found]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice bench",
        description="Measure a bundle on recordings with known text and intents, through the runtime that users run.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what",
        choices=["accuracy", "alarms", "early", *OWN],
        help="error rates and intents on recordings that say theirs; false alarms per hour on speech without commands; "
        "how much of an utterance is heard when its intent is announced; speed, memory and size; cost, latency and "
        "stability of live captions beside other ways; or start, memory and an hour of audio (the last three have a "
        "--help of their own)",
    )
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--data", type=Path, action="append", required=True, help="manifest CSV (repeatable)")
    parser.add_argument("--split", action="append", help="splits to measure (dev, test and test-other-engines)")
    parser.add_argument("--at-most", type=int, default=400, help="clips of a set, taken evenly (400)")
    parser.add_argument(
        "--live",
        type=int,
        default=0,
        metavar="CLIPS",
        help="also through detector, segmenter and windows; clips of a set",
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="of each set for alarms, from all over it (30)")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    return parser
