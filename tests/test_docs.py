"""Pages that are made from the code are as the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def script(name: str):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_events_is_current():
    """docs/events.md is what scripts/events_table.py writes."""
    table = script("events_table")
    assert table.TARGET.read_text(encoding="utf-8") == table.page(), "run: python scripts/events_table.py"


def test_the_figures_of_training_are_those_that_were_measured():
    """docs/training.md shows the tables of docs/benchmarks."""
    figures = script("docs_figures")
    assert figures.TARGET.read_text(encoding="utf-8") == figures.page(), "run: python scripts/docs_figures.py"
