"""The program as a person has it: `edgevoice demo` in tmux at 80x24, keys in, screen out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgevoice.events import Event, to_json
from tests.tmux import Tmux, terminal
from tests.tui.scripted import ended, final, revised, started

HEARD = "i would like to no the balance of the account i share with my wife"
UNDERLINED = "\x1b[1;4m"
"""Bold, too."""
READ = "I would like to know the balance of the account I share with my wife."


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


def test_sentences_that_are_put_right_while_a_session_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    numbers = range(5)
    events: list[Event] = [started(), *(final(n, HEARD, 0.0) for n in numbers), final(5, "thank you", 0.0)]
    events += [replace(revised(n, READ, 0.0), at=5.0 + n) for n in numbers]  # one a second, so that marks overlap
    events += [replace(revised(5, "", 0.0), at=12.0), replace(ended(), at=12.0)]
    file.write_text("".join(f"{to_json(event)}\n" for event in events), encoding="utf-8")
    with terminal(tmp_path, "replay", file) as tmux:
        heard = tmux.wait_for("thank you").splitlines()
        tmux.wait_for("to know")
        assert UNDERLINED in tmux("capture-pane", "-p", "-e")
        tmux.wait_for(r"(?s)(to know.*){5}thank you")
        rows = [number for number, row in enumerate(heard) if "the account" in row]
        read = tmux.screen.splitlines()
        assert rows == [number for number, row in enumerate(read) if "the account" in row], "nothing jumps"
        tmux.wait_for(r"(?s)\A(?!.*thank you).*ended - press q")
        assert UNDERLINED not in tmux("capture-pane", "-p", "-e")
        tmux.press("Y")
        tmux.wait_for("Copied")
        assert tmux("show-buffer").splitlines() == [f"00:00  {READ}"] * 5
        tmux.press("q")
        assert tmux.exit_code() == 0
