"""The names that programs import, and the page that tells of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgevoice
from edgevoice.events import Event, IntentDetected

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_of_the_page_run(capsys: pytest.CaptureFixture[str]) -> None:
    """As they stand there, one after another, on the sample call with the bundled model."""
    live, at_the_end = EXAMPLES
    names = {"__name__": "example"}
    exec(compile(live, str(PAGE), "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if re.match(r" +\d+\.\d  \w", line)]) > 5
    assert any(re.match(r" +-> \w+ \d+%", line) for line in lines)
    exec(compile(at_the_end, str(PAGE), "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if re.match(r" +\d+\.\d-\d+\.\d  \w", line)]) > 5


def test_every_name_is_there_and_in_the_page() -> None:
    for name in edgevoice.__all__:
        assert getattr(edgevoice, name)
        assert name in dir(edgevoice)
        assert name.startswith("__") or f"`{name}" in PAGE.read_text(encoding="utf-8")


def test_other_names_are_no_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pipelines'"):
        edgevoice.pipelines  # noqa: B018 - the look-up is the point


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = "import sys, edgevoice; dir(edgevoice); print([each for each in ('numpy', 'soxr') if each in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_submodules_are_not_hidden() -> None:
    """`from edgevoice import events` goes on to mean the module."""
    assert issubclass(IntentDetected, Event)
    assert edgevoice.events.__name__ == "edgevoice.events"
