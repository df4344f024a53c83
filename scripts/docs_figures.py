"""Puts what the benchmarks wrote between the marks of other pages: the tables of docs/benchmarks, as they are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "docs" / "benchmarks"
TABLES = {
    "README.md": {
        "live-cost": ("live-banking-en.md", 0),
        "live-base-size": ("live-base-size.md", 1),
        "peers": ("peers.md", 0),
    },
    "docs/training.md": {
        "from-phrases": ("from-phrases.md", 0),
        "recipes": ("recipes.md", 0),
        "training-speed": ("training.md", 0),
    },
    "docs/streaming.md": {
        "live-words": ("live-banking-en.md", 1),
        "steady": ("steady-banking-en.md", 0),
    },
}
"""Page -> mark -> page of docs/benchmarks, and which of its tables belongs there."""


def tables(file: Path) -> list[str]:
    """The tables of a page, in their order."""
    return re.findall(r"^\|.*?\|$(?!\n\|)", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def page(name: str) -> str:
    """A page with its tables as they stand now."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for mark, (source, number) in TABLES[name].items():
        block = f"<!-- {mark} -->\n{tables(BENCHMARKS / source)[number]}\n<!-- /{mark} -->"
        text, found = re.subn(f"<!-- {mark} -->.*<!-- /{mark} -->", lambda _, block=block: block, text, flags=re.DOTALL)
        assert found == 1, f"{name} has no place for '{mark}'"
    return text


if __name__ == "__main__":
    for each in TABLES:
        (ROOT / each).write_text(page(each), encoding="utf-8")
