"""Puts what the benchmarks wrote between the marks of docs/training.md: the tables of docs/benchmarks, as they are."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
TARGET = DOCS / "training.md"
TABLES = {"from-phrases": "from-phrases.md", "recipes": "recipes.md"}
"""Mark -> page of docs/benchmarks whose first table belongs there."""


def page() -> str:
    """docs/training.md with the tables as they stand now."""
    text = TARGET.read_text(encoding="utf-8")
    for mark, name in TABLES.items():
        lines = (DOCS / "benchmarks" / name).read_text(encoding="utf-8").splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("|"))
        end = next((number for number in range(start, len(lines)) if not lines[number].startswith("|")), len(lines))
        table = "\n".join(lines[start:end])
        block = f"<!-- {mark} -->\n{table}\n<!-- /{mark} -->"
        text = re.sub(f"<!-- {mark} -->.*<!-- /{mark} -->", lambda _, block=block: block, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
