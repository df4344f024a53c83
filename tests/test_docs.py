"""Pages that are made from the code are as the code says."""

from __future__ import annotations

import dataclasses
import importlib.util
import typing
from pathlib import Path

from edgevoice.asr import bundle

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


def test_the_figures_on_other_pages_are_those_that_were_measured():
    """They show the tables of docs/benchmarks."""
    figures = script("docs_figures")
    for name in figures.TABLES:
        current = (figures.ROOT / name).read_text(encoding="utf-8")
        assert current == figures.page(name), "run: python scripts/docs_figures.py"


def test_the_page_of_the_bundle_is_current():
    """docs/bundle.md is what scripts/bundle_fields.py writes: every field of the manifest, with its meaning."""
    fields = script("bundle_fields")
    assert fields.TARGET.read_text(encoding="utf-8") == fields.page(), "run: python scripts/bundle_fields.py"


def test_the_page_of_the_bundle_has_every_dataclass_of_the_manifest():
    """One that is added to the schema, and not to the page, is noticed."""
    titles, waiting = script("bundle_fields").TITLES, [bundle.Manifest]
    found = set()
    while waiting:
        found.add(each := waiting.pop())
        hints = typing.get_type_hints(each).values()
        parts = [part for hint in hints for part in (hint, *typing.get_args(hint))]
        waiting += [part for part in parts if dataclasses.is_dataclass(part) and part not in found]
    assert found == set(titles)
