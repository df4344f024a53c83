"""`edgevoice bench accuracy BUNDLE`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

EXAMPLE = """example:
  edgevoice bench accuracy models/banking-en --data corpus/banking-en/manifest.csv --split test
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    from bench.accuracy import measure, table
    from edgevoice.errors import UsageError

    if options.output and not options.output.parent.is_dir():  # said now, not after an hour of measuring
        raise UsageError(f"There is no folder {options.output.parent}", "Choose another --output")
    rows = measure(
        options.bundle, options.data, splits=options.split, at_most=options.at_most, live_at_most=options.live
    )
    if not rows:
        raise UsageError("No clip has a text or an intent and one of the splits", "Name others with --split or --data")
    print(table(rows))
    if options.output:
        options.output.write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice bench",
        description="Measure a bundle on recordings with known text and intents, through the runtime that users run.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=["accuracy"], help="what to measure")
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
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    return parser
