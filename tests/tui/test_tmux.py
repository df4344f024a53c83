"""The program as a person has it: `edgevoice demo` in tmux at 80x24, keys in, screen out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tmux import Tmux, terminal


def test_what_is_saved_is_marked_and_said_at_the_end(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    with terminal(tmp_path, "demo", "--save", calls, "--record") as tmux:
        tmux.wait_for("listening  saving  ● rec")
        tmux.press("q")
        said = tmux.wait_for(r"Saved: ")
        assert tmux.exit_code() == 0
    name = next(calls.glob("*.txt")).stem
    assert f"Saved: {calls}/{name}.*" in said.replace("\n", "")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    with terminal(tmp_path, "demo", "--fast") as tmux:
        yield tmux


def test_a_setting_is_changed_in_its_file(tmux: Tmux, tmp_path: Path) -> None:
    file = tmp_path / "config" / "edgevoice" / "config.toml"
    tmux.wait_for("space Pause")
    tmux.press("s")
    tmux.wait_for("Settings  .*config.toml")
    tmux.press("/")
    tmux.wait_for("Enter to the list")
    tmux.press("theme")
    tmux.wait_for('theme +"dark" +default')
    tmux.press("Enter")
    tmux.wait_for("Esc close")
    tmux.press("Enter")
    tmux.wait_for('theme +"light" +file')
    tmux.press("s")
    tmux.wait_for("space Pause")
    tmux.press("q")
    assert tmux.exit_code() == 0
    assert file.read_text(encoding="utf-8") == '[screen]\ntheme = "light"\n'


def test_the_sample_call(tmux: Tmux) -> None:
    shown = tmux.wait_for("ended - press q")
    lines = shown.splitlines()
    assert "edgevoice  sample_call.flac" in lines[0]
    assert "space Pause" in lines[23]
    assert re.search(r"\d\d:\d\d  [A-Z]", shown), "captions"
    assert re.search(r"\d+ %", shown), "intents"
    tmux.press("Home")
    tmux.wait_for(r"not following ─+ 00:00 · \d+ % sure")
    tmux.press("f")
    tmux.wait_for("ended ─")
    tmux.press("/", "e")
    found = re.search(r"(\d+) of \1 ", tmux.wait_for(r"\d+ of \d+ "))
    assert found
    tmux.press("Enter", "n")
    tmux.wait_for(f"{int(found[1]) - 1} of {found[1]} ")
    tmux.press("Escape")
    tmux.wait_for(r"(?s)\A(?!.* of \d+ ).*ended ─")  # a key too soon behind it would be one with Alt
    tmux.press("y")
    copied = int(re.search(r"Copied (\d+) characters", tmux.wait_for("Copied"))[1])  # type: ignore[index]
    assert len(tmux("show-buffer")) == copied
    tmux.press("l")
    tmux.wait_for("[▀▄█]{3}")
    tmux.press("l")
    tmux.wait_for("space Pause")
    tmux.press("?")
    tmux.wait_for("Keys")
    tmux.press("q")
    tmux.wait_for("space Pause")
    tmux.press("q")
    assert tmux.exit_code() == 0
