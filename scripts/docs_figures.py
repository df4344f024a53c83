"""Puts what the benchmarks wrote between the marks of docs/training.md: the tables of docs/benchmarks, as they are."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
TARGET = DOCS / "training.md"
TABLES = {
    "from-phrases": ("from-phrases.md", 0),
    "recipes": ("recipes.md", 0),
    "training-speed": ("training.md", 0),
}
"""Mark -> page of docs/benchmarks, and which of its tables belongs there."""


def tables(file: Path) -> list[str]:
    """The tables of a page, in their order."""
    return re.findall(r"^\|.*?\|$(?!\n\|)", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def page() -> str:
    """docs/training.md with the tables as they stand now."""
    text = TARGET.read_text(encoding="utf-8")
    for mark, (name, number) in TABLES.items():
        block = f"<!-- {mark} -->\n{tables(DOCS / 'benchmarks' / name)[number]}\n<!-- /{mark} -->"
        text = re.sub(f"<!-- {mark} -->.*<!-- /{mark} -->", lambda _, block=block: block, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
