"""`edgevoice config`, as it is typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgevoice.config_text import template
from tests.command_line import Cli, one_sentence


@pytest.fixture
def file(cli: Cli) -> Path:
    """Where the settings are, if there are any."""
    return cli.home / "config" / "edgevoice" / "config.toml"


def test_a_file_is_made_changed_and_shown(cli: Cli, file: Path) -> None:
    """init, path, set, get, show, unset: each does what it says, on one file."""
    assert cli("config", "init").stdout.decode().strip() == str(file)
    assert file.read_text(encoding="utf-8") == template()
    assert cli("config", "path").stdout.decode().strip() == str(file)
    assert cli("config", "set", "asr.word_bonus", "-0.5").returncode == 0
    assert "\nword_bonus = -0.5\n" in file.read_text(encoding="utf-8")
    assert cli("config", "get", "asr.word_bonus").stdout == b"-0.5\n"
    cli.extra = {"EDGEVOICE_VAD_DETECTOR": "silero"}
    shown = json.loads(cli("config", "show", "--json").stdout)
    assert shown["asr.word_bonus"] == {"value": -0.5, "origin": "file", "where": str(file)}
    assert shown["vad.detector"] == {"value": "silero", "origin": "environment", "where": "EDGEVOICE_VAD_DETECTOR"}
    assert shown["asr.threads"] == {"value": 2, "origin": "default", "where": ""}
    lines = cli("config", "show").stdout.decode().splitlines()
    assert len(lines) == len(shown)
    assert any(line.startswith("asr.word_bonus = -0.5 ") and line.endswith(f"# {file}") for line in lines)
    assert cli("config", "unset", "asr.word_bonus").returncode == 0
    assert file.read_text(encoding="utf-8") == template()
    assert cli("config", "unset", "asr.word_bonus").returncode == 1


def test_init_replaces_nothing_by_itself(cli: Cli, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("[asr]\nthreads = 9\n")
    result = cli("config", "init")
    assert result.returncode == 2
    assert "--force" in one_sentence(result)
    assert file.read_text() == "[asr]\nthreads = 9\n"
    assert cli("config", "init", "--force").returncode == 0
    assert file.read_text(encoding="utf-8") == template()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["set", "vad.agressiveness", "2"], "nearest name is 'vad.aggressiveness'"),
        (["set", "vad.aggressiveness", "9"], "between 0 and 3"),
        (["set", "vad.aggressiveness", "high"], "a whole number"),
        (["set", "asr.provider", "gpu"], "one of: auto, cuda"),
        (["set", "files.channel_names", "you"], "'files.channel_names' is 'you', and it must be two different names"),
        (["get", "asr"], "There is no setting 'asr'"),
    ],
)
def test_what_cannot_be_changes_nothing(cli: Cli, file: Path, arguments: list[str], message: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text("# mine\n")
    result = cli("config", *arguments)
    assert result.returncode == 2
    assert message in one_sentence(result)
    assert file.read_text() == "# mine\n"


def test_a_wrong_value_in_the_file_can_be_set_right(cli: Cli, file: Path) -> None:
    """The line is named, and `set` is a way out."""
    file.parent.mkdir(parents=True)
    file.write_text("[vad]\n# strict\naggressiveness = 9 # too strict\n")
    assert f"'vad.aggressiveness' in {file}, line 3, is 9" in one_sentence(cli("config", "show"))
    assert cli("config", "set", "vad.aggressiveness", "3").returncode == 0
    assert file.read_text() == "[vad]\n# strict\naggressiveness = 3 # too strict\n"
    file.write_text("[vad\n")
    assert "line 1" in one_sentence(cli("config", "set", "vad.aggressiveness", "3"))
    assert file.read_text() == "[vad\n"


def test_a_file_of_ones_own_is_made(cli: Cli, tmp_path: Path) -> None:
    """EDGEVOICE_CONFIG may name one that is still to be written."""
    cli.extra = {"EDGEVOICE_CONFIG": str(tmp_path / "desk.toml"), "EDGEVOICE_MODEL": "other"}
    result = cli("config", "set", "model", "des\x1bk")
    assert (tmp_path / "desk.toml").read_text() == 'model = "des\\u001bk"\n'
    assert b"\x1b" not in result.stdout
    assert b"EDGEVOICE_MODEL is set as well" in result.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("[save]\nrecord = true\n", ["live"], "'save.record' in FILE, line 2, has no folder to record into"),
        ("[asr]\nhotwords = '/nope'\n", ["transcribe"], "'asr.hotwords' in FILE, line 2, is '/nope', which cannot be"),
        ("[asr]\nhotwords = '/nope'\n", ["transcribe", "--hotwords", "no"], "--hotwords is 'no', which cannot be read"),
        ("[asr]\nlanguage_model = '/'\n", ["transcribe"], "'asr.language_model' in FILE, line 2, is '/', which cannot"),
        ("[asr]\nremote = 'gpu:8001'\n", ["transcribe"], "'asr.remote' in FILE, line 2, is 'gpu:8001', and it must be"),
        ("\n[[actions]]\nintent = '*'\nrun = ['no-such']\n", ["live"], "which action 1 (FILE, line 2) runs"),
        (
            "[[actions]]\nintent = 'pay'\nrun = ['true']\n[[actions]]\nintent = 'greet'\nrun = ['no-such']\n",
            ["actions", "test", "greet"],
            "which action 2 (FILE, line 4) runs",
        ),
    ],
)
def test_what_the_file_says_is_not_blamed_on_a_flag(
    cli: Cli, file: Path, recording: Path, text: str, arguments: list[str], message: str
) -> None:
    """The setting is named, with the file and the line."""
    file.parent.mkdir(parents=True)
    file.write_text(text)
    where = {"live": ["--input", recording], "transcribe": [recording]}.get(arguments[0], [])
    result = cli(*arguments, *where)
    assert result.returncode == 2
    assert message.replace("FILE", str(file)) in one_sentence(result)


def test_a_variable_is_named_where_it_is_to_blame(cli: Cli, recording: Path) -> None:
    cli.extra = {"EDGEVOICE_SAVE_RECORD": "true"}
    assert "EDGEVOICE_SAVE_RECORD has no folder" in one_sentence(cli("live", "--input", recording))


def test_nobodys_home(cli: Cli) -> None:
    cli.extra = {"EDGEVOICE_CONFIG": "~nobody-here/c.toml"}
    for arguments in (["config", "path"], ["doctor"], ["live"]):
        result = cli(*arguments)
        assert result.returncode == 2
        assert "'~nobody-here/c.toml' names the home of nobody known here" in one_sentence(result)


def test_only_a_file_is_replaced(cli: Cli) -> None:
    """Neither a pipe nor a folder, also not by force."""
    pipe, folder = cli.home / "pipe", cli.home / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for special in (pipe, folder):
        cli.extra = {"EDGEVOICE_CONFIG": str(special)}
        result = cli("config", "init", "--force")
        assert result.returncode == 2
        assert "no regular file" in one_sentence(result)
    assert pipe.is_fifo()
    result = cli("config", "set", "asr.threads", "3")
    assert result.returncode == 2
    assert "--force" not in one_sentence(result)


def test_a_mark_that_some_editors_leave(cli: Cli, file: Path) -> None:
    """The byte order mark of Windows."""
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xef\xbb\xbf[asr]\nthreads = 3\n")
    assert cli("config", "get", "asr.threads").stdout == b"3\n"
    assert cli("config", "set", "asr.threads", "4").returncode == 0
    assert file.read_text() == "[asr]\nthreads = 4\n"
