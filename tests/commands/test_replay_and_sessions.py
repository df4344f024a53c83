"""`edgevoice replay` and `edgevoice sessions`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from edgevoice.events import Failed, from_json
from tests.command_line import Cli, events, finals, one_sentence, read_until, terminal


@pytest.fixture
def folder(cli: Cli, recording: Path) -> Path:
    """A folder with one session."""
    folder = cli.home / "calls"
    result = cli("live", "--input", recording, "--fast", "--save", folder, "--record")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def saved(folder: Path) -> Path:
    """Its events."""
    return next(folder.glob("*.jsonl"))


class TestReplay:
    """`edgevoice replay`."""

    def test_it_gives_the_same_events(self, cli: Cli, saved: Path) -> None:
        """From a file and from a pipe."""
        expected = [from_json(line) for line in saved.read_text().splitlines()]
        assert events(cli("replay", saved, "--fast").stdout) == expected
        piped = cli("replay", "-", "--fast", "--json", stdin=saved.read_bytes())
        assert piped.returncode == 0
        assert events(piped.stdout) == expected

    def test_it_takes_its_time(self, cli: Cli, saved: Path) -> None:
        """As long as it took when it was said."""
        began = time.monotonic()
        cli("replay", saved)
        assert time.monotonic() - began > 4

    def test_damage_is_said_and_the_rest_is_played(self, cli: Cli, saved: Path) -> None:
        """A sentence each."""
        lines = saved.read_bytes().splitlines(keepends=True)
        damaged = [*lines[:2], b'{"event":"speaker_changed"}\n', b"\x00\xff\n", *lines[2:-1], lines[-1][:20]]
        saved.write_bytes(b"".join(damaged))
        result = cli("replay", saved, "--fast")
        assert result.returncode == 0
        heard = events(result.stdout)
        assert finals(heard) == ["one one one", "two three two"]
        assert sum(isinstance(event, Failed) for event in heard) == 3
        said = result.stderr.decode().splitlines()
        assert len(said) == 3
        assert "Line 3 " in said[0]
        assert "'speaker_changed'" in said[0]
        assert "Line 4 " in said[1]
        assert "breaks off" in said[2]

    @pytest.mark.parametrize("content", [None, b"", b"hello\n", b"\x00" * 100])
    def test_what_is_no_session(self, cli: Cli, content: bytes | None) -> None:
        """One sentence with the name."""
        if content is not None:
            (cli.home / "a.jsonl").write_bytes(content)
        result = cli("replay", cli.home / "a.jsonl", "--fast")
        assert result.returncode == 1
        assert "a.jsonl" in one_sentence(result)

    def test_on_the_screen(self, cli: Cli, saved: Path) -> None:
        """With the words that were said; q quits."""
        with terminal(columns=100, lines=30) as (controller, inner):
            process = cli.in_terminal(inner, "replay", saved, "--fast")
            shown = read_until(controller, b"three", 60)
            assert b"one one one" in shown
            os.write(controller, b"q")
            read_until(controller, b"\x1b[?1049l", 60)
            assert process.wait(timeout=60) == 0


class TestSessions:
    """`edgevoice sessions`."""

    def test_they_are_listed(self, cli: Cli, folder: Path, saved: Path) -> None:
        """With what is in them; files of others are not."""
        (folder / "other.jsonl").write_text('{"a": 1}\n' * 50)
        (folder / "empty.jsonl").write_text("")
        result = cli("sessions", folder)
        assert result.returncode == 0, result.stderr
        (row,) = result.stdout.decode().splitlines()
        assert row.split()[0] == saved.stem
        for part in ("6 words", "2 intents", "0:05", "file.flac jsonl srt txt vtt"):
            assert part in row
        (session,) = json.loads(cli("sessions", folder, "--json").stdout)
        assert session["words"] == 6
        assert session["length"] == pytest.approx(5.0, abs=0.5)
        assert session["started"].startswith(saved.stem[:10])
        assert str(saved) in session["files"]

    def test_the_folder_of_the_settings_is_the_default(self, cli: Cli, folder: Path) -> None:
        """Or a sentence, where there is none."""
        assert "save.folder" in one_sentence(cli("sessions"))
        cli.extra |= {"EDGEVOICE_SAVE_FOLDER": str(folder)}
        assert len(json.loads(cli("sessions", "--json").stdout)) == 1

    def test_a_killed_session_is_listed_too(self, cli: Cli, folder: Path, saved: Path) -> None:
        """As far as it went."""
        lines = saved.read_bytes().splitlines(keepends=True)
        saved.write_bytes(b"".join(lines[:-3]) + lines[-3][:30])
        (session,) = json.loads(cli("sessions", folder, "--json").stdout)
        assert 0 < session["words"] <= 6

    @pytest.mark.parametrize(
        "arguments",
        [
            ["sessions", "missing"],
            ["sessions", "open"],
            ["sessions", "open", "x"],
            ["sessions", "open", "x", "--in", "missing"],
            ["sessions", "open", "--in", "missing"],
        ],
    )
    def test_what_is_not_there(self, cli: Cli, arguments: list[str]) -> None:
        """A sentence, and 2."""
        result = cli(*arguments)
        assert result.returncode == 2
        one_sentence(result)

    def test_a_file_that_is_not_there_is_named(self, cli: Cli) -> None:
        """And not a folder that is not known."""
        result = cli("sessions", "open", "k/nosuch.jsonl")
        assert result.returncode == 2
        assert "There is no file 'k/nosuch.jsonl'" in one_sentence(result)

    def test_an_empty_folder(self, cli: Cli, tmp_path: Path) -> None:
        """No failure, and how to fill it."""
        (tmp_path / "none").mkdir()
        result = cli("sessions", tmp_path / "none")
        assert result.returncode == 0
        assert "--save" in one_sentence(result)

    def test_one_is_opened_on_the_screen(self, cli: Cli, folder: Path, saved: Path) -> None:
        """Its lines are there; Enter says why nothing is heard on a machine without loudspeakers."""
        with terminal(columns=100, lines=30) as (controller, inner):
            cli.extra |= {"PULSE_SERVER": "unix:/nowhere"}
            process = cli.in_terminal(inner, "sessions", "open", saved.stem, "--in", folder)
            shown = read_until(controller, b"three", 60)
            assert b"one one one" in shown
            os.write(controller, b"\r")
            assert b"loudspeaker" in read_until(controller, b"loudspeaker", 60)
            os.write(controller, b"q")
            read_until(controller, b"\x1b[?1049l", 60)
            assert process.wait(timeout=60) == 0

    def test_all_of_a_folder_are_opened_on_the_screen(self, cli: Cli, folder: Path, saved: Path) -> None:
        """The list says how; Enter opens the newest, q goes back, q leaves."""
        with terminal(columns=100, lines=30) as (controller, inner):
            assert cli.in_terminal(inner, "sessions", folder).wait(timeout=60) == 0
            assert b"sessions open --in" in read_until(controller, b"searches them.", 10)
            cli.extra |= {"EDGEVOICE_SAVE_FOLDER": str(folder)}
            process = cli.in_terminal(inner, "sessions", "open")
            assert b"1 session" in read_until(controller, b"00:05", 60)
            os.write(controller, b"\r")
            assert b"one one one" in read_until(controller, b"three", 60)
            os.write(controller, b"q")
            read_until(controller, b"intents", 60)
            os.write(controller, b"q")
            read_until(controller, b"\x1b[?1049l", 60)
            assert process.wait(timeout=60) == 0

    @pytest.mark.parametrize("named", ["other", "other.jsonl"])
    def test_what_is_no_session_is_said_before_anything_is_drawn(self, cli: Cli, folder: Path, named: str) -> None:
        """With its name."""
        (folder / "other.jsonl").write_text('{"a": 1}\n' * 50)
        with terminal(columns=100, lines=30) as (controller, inner):
            name = folder / named if named.endswith("l") else named
            process = cli.in_terminal(inner, "sessions", "open", name, "--in", folder)
            assert process.wait(timeout=60) == 1
            assert b"'other.jsonl': Nothing in it" in read_until(controller, b"sessions'", 10)

    def test_no_folder_is_known(self, cli: Cli) -> None:
        """The way out."""
        with terminal(columns=300, lines=30) as (controller, inner):
            assert cli.in_terminal(inner, "sessions", "open").wait(timeout=60) == 2
            assert b"config set save.folder DIR" in read_until(controller, b"save.folder DIR", 10)

    def test_an_empty_folder_is_said_and_not_drawn(self, cli: Cli, tmp_path: Path) -> None:
        """And how to fill it."""
        with terminal(columns=300, lines=30) as (controller, inner):
            (tmp_path / "none").mkdir()
            assert cli.in_terminal(inner, "sessions", "open", "--in", tmp_path / "none").wait(timeout=60) == 0
            assert b"--save" in read_until(controller, b"saves one.", 10)

    def test_one_that_is_not_there(self, cli: Cli, folder: Path) -> None:
        """Said before anything is drawn."""
        with terminal(columns=100, lines=30) as (controller, inner):
            process = cli.in_terminal(inner, "sessions", "open", "2001-01-01_00-00-00", "--in", folder)
            assert process.wait(timeout=60) == 2
            assert b"There is no session" in read_until(controller, b"sessions", 10)
