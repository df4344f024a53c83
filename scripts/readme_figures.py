"""Puts the bundled model's figures, as its manifest holds them, between the marks in README.md."""

from __future__ import annotations

import re
from pathlib import Path

from bench.accuracy import Row, table
from edgevoice.asr.bundle import read_manifest
from edgevoice.paths import bundled_model

FEWEST = 50
"""Clips of a set worth a line there; the card of the model has them all."""
README = Path(__file__).resolve().parent.parent / "README.md"


def main() -> None:
    """Rewrites the block between `<!-- figures -->` and `<!-- /figures -->`."""
    figures = [Row(**row) for row in read_manifest(bundled_model()).training["figures"]]
    rows = [row for row in figures if row.path == "live" and row.clips >= FEWEST]
    block = f"<!-- figures -->\n{table(rows)}\n<!-- /figures -->"
    text = README.read_text(encoding="utf-8")
    README.write_text(re.sub(r"<!-- figures -->.*<!-- /figures -->", lambda _: block, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
