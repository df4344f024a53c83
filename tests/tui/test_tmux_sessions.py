"""Saved sessions as a person has them: two demos are saved, then browsed in tmux at 80x24."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevoice.paths import bundled_model
from tests.command_line import Cli
from tests.tmux import terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sessions, one of them with audio."""
    cli = Cli(tmp_path, bundled_model())
    for record in ((), ("--record",)):
        result = cli("demo", "--fast", "--json", "--save", tmp_path / "calls", *record, timeout=100)
        assert result.returncode == 0, result.stderr
    return tmp_path / "calls"


def test_browse_filter_open_copy_and_back(folder: Path, tmp_path: Path) -> None:
    newest = max(file.stem for file in folder.glob("*.jsonl"))
    arguments = ("sessions", "open", "--in", folder)
    quiet = {"PULSE_SERVER": "unix:/nowhere"}
    with terminal(tmp_path, *arguments, environment=quiet) as tmux:
        shown = tmux.wait_for(r"00:5\d +\d+ +\d+ *\n(.*\n)*.*/ Search")
        rows = [line for line in shown.splitlines() if line.strip().startswith("20")]
        assert len(rows) == 2
        assert rows[0].split()[0] == newest
        assert rows[0].split()[-1] == "yes"
        assert "2 sessions" in shown.splitlines()[0]
        tmux.press("/", *"card", "Enter")
        assert tmux.wait_for(r"in 2 ").count(" card") >= 2
        tmux.press("Down", "Enter")
        tmux.wait_for(r"'card': 1 of \d")
        tmux.press("n", "y")
        copied = tmux.wait_for(r"Copied \d+ characters")
        assert f"Copied {len(tmux('show-buffer'))} characters" in copied
        tmux.press("Y")
        tmux.wait_for(r"Copied \d{3,} characters")
        assert tmux("show-buffer").startswith("00:0")
        tmux.press("Space")
        tmux.wait_for("This session has no recording")
        tmux.press("?")
        tmux.wait_for("five seconds back")
        tmux.press("Escape")
        tmux.wait_for("q Close")
        tmux.press("q")
        tmux.wait_for("q Quit")
        tmux.press("Up", "Enter")
        tmux.wait_for("q Close")
        tmux.press("Enter")
        tmux.wait_for("loudspeaker|sound|PortAudio")
        tmux.press("q")
        tmux.wait_for("q Quit")
        tmux.press("q")
        assert tmux.exit_code() == 0
