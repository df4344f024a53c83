"""Pages that are made from the code are as the code says."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from edgevoice.asr import bundle
from edgevoice.cli import app
from edgevoice.commands.extensions import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
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


def test_the_page_of_settings_is_current():
    """docs/settings.md is what scripts/settings_table.py writes: every setting, with its meaning."""
    table = script("settings_table")
    assert table.TARGET.read_text(encoding="utf-8") == table.page(), "run: python scripts/settings_table.py"


def commands() -> dict[str, set[str]]:
    """Each command of the runtime, as typed, with its flags."""
    top = typer.main.get_command(app)
    found = {}
    for name, command in top.commands.items():
        if name not in EXTRAS:
            below = {f"{name} {each}": item for each, item in getattr(command, "commands", {}).items()}
            found |= {key: flags(item) for key, item in (below or {name: command}).items()}
    return found


def flags(command) -> set[str]:
    """Long ones, but for --help."""
    return {flag for param in command.params for flag in param.opts if flag.startswith("--")} - {"--help"}


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Title and text of each section of a page."""
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield title, body


@pytest.mark.parametrize("command", commands())
def test_every_flag_is_on_the_page_of_commands(command: str):
    """In the section of its command."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    name = command.split(maxsplit=1)[0]
    body = "".join(body for title, body in sections(page) if name in title.split(", "))
    assert f"edgevoice {command}" in body
    missing = [flag for flag in sorted(commands()[command]) if flag not in re.findall(r"--[a-z][a-z-]*", body)]
    assert missing == []


def test_every_flag_on_the_page_of_commands_is_one():
    """In the tables of the commands of the runtime."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for title, body in sections(page):
        known = {flag for name, each in commands().items() if name.split()[0] in title.split(", ") for flag in each}
        tables = "\n".join(line.split(" | ")[0] for line in body.splitlines() if line.startswith("| `--"))
        if known:
            assert set(re.findall(r"--[a-z][a-z-]*", tables)) <= known, title


def typed(page: Path) -> Iterator[str]:
    """What the reader of a page is told to type."""
    text = page.read_text(encoding="utf-8")
    yield from re.findall(r"^(?: {4}|\$ )(edgevoice .*)$", text, flags=re.MULTILINE)
    yield from re.findall(r"`(edgevoice [^`\n]*)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_says_to_type_exists(page: Path):
    """Commands of the runtime, and their flags."""
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    for line in typed(page):
        words = re.split(r"\s#|[|<>\[]", line)[0].split()
        name = next((word for word in words[1:] if not word.startswith("-")), "")
        if not name or name in EXTRAS or not name.islower():
            continue
        assert name in groups | known.keys(), line
        full = " ".join(words[1:3]) if name in groups and len(words) > 2 else name
        if full in known:
            used = {word.split("=")[0] for word in words if word.startswith("--")}
            assert used <= known[full] | {"--help", "--version", "--debug"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    """Files and folders of the repository; and titles on the pages."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], target
