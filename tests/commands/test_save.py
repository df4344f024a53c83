"""`--save`, `--record` and `--last-lines`, as their user meets them."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.events import PASSING, AudioLost, CaptionFinished, Event, from_json
from edgevoice.sinks.subtitles import to_srt, to_vtt
from edgevoice.sinks.text import to_text
from tests.command_line import Cli, events, finals, one_sentence, wait_for


def saved(folder: Path) -> dict[str, Path]:
    """The files of the only session in a folder, by their ending."""
    assert len({file.name.split(".")[0] for file in folder.iterdir()}) == 1
    return {file.name.split(".", 1)[1]: file for file in folder.iterdir()}


def assert_whole(files: dict[str, Path], heard: list[Event]) -> None:
    """The files are what the events say."""
    assert files["srt"].read_bytes().decode() == to_srt(heard)
    assert files["vtt"].read_bytes().decode() == to_vtt(heard)
    assert files["txt"].read_bytes().decode() == to_text(heard, timed=True)


def test_a_session_leaves_its_files(cli: Cli, recording: Path) -> None:
    """All that was said, in each format, and the audio sample by sample."""
    folder, last = cli.home / "deep" / "calls", cli.home / "last.txt"
    arguments = ["--save", folder, "--record", "--last-lines", last]
    result = cli("live", "--input", recording, "--fast", *arguments)
    assert result.returncode == 0, result.stderr
    heard = events(result.stdout)
    files = saved(folder)
    assert result.stderr.decode() == f"edgevoice: Saved: {files['txt'].with_suffix('')}.*\n"
    assert set(files) == {"txt", "srt", "vtt", "jsonl", "file.flac"}
    kept = [from_json(line) for line in files["jsonl"].read_text().splitlines()]
    assert kept == [event for event in heard if not isinstance(event, PASSING)]
    assert_whole(files, heard)
    assert files["txt"].read_text().splitlines()[0].endswith("  one one one")
    assert last.read_text() == "one one one\ntwo three two\n"
    audio, rate = soundfile.read(files["file.flac"], dtype="int16")
    assert rate == 16_000
    assert np.array_equal(audio, soundfile.read(recording, dtype="int16")[0])


def test_a_killed_process_leaves_every_final_so_far(cli: Cli, recording: Path) -> None:
    """In the middle of the second sentence."""
    folder = cli.home / "calls"
    process = cli.start("live", "--input", recording, "--json", "--save", folder, "--record")
    lines = wait_for(process, "caption_finished")
    lines += wait_for(process, "caption_updated")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    heard = events(b"".join(lines))
    assert finals(heard) == ["one one one"]
    files = saved(folder)
    kept = [from_json(line) for line in files["jsonl"].read_text().splitlines()]
    assert [event for event in kept if isinstance(event, CaptionFinished)] == [
        event for event in heard if isinstance(event, CaptionFinished)
    ]
    assert_whole(files, kept)
    audio, _ = soundfile.read(files["file.flac"], dtype="int16")
    said, _ = soundfile.read(recording, dtype="int16")
    assert len(audio) > 1.5 * 16_000, "all but less than a second"
    assert np.array_equal(audio, said[: len(audio)])


def test_a_folder_that_is_removed_meanwhile_comes_back(cli: Cli, recording: Path) -> None:
    """With all that was said and heard, and one sentence for each thing that was gone."""
    folder = cli.home / "calls"
    arguments = ["--save", folder, "--record", "--last-lines", folder / "last.txt"]
    folder.mkdir()
    process = cli.start("live", "--input", recording, "--json", *arguments)
    lines = wait_for(process, "caption_finished")
    shutil.rmtree(folder)
    rest, error = process.communicate(timeout=60)
    assert process.returncode == 0
    heard = events(b"".join(lines) + rest)
    files = {file.name.split(".", 1)[1]: file for file in folder.iterdir() if file.name != "last.txt"}
    assert_whole(files, heard)
    assert finals([from_json(line) for line in files["jsonl"].read_text().splitlines()]) == finals(heard)
    audio, _ = soundfile.read(files["file.flac"], dtype="int16")
    assert np.array_equal(audio, soundfile.read(recording, dtype="int16")[0])
    assert (folder / "last.txt").read_text() == "one one one\ntwo three two\n"
    said = error.decode()
    assert "Files of the session" in said
    assert "The recording" in said
    assert "space" not in said


def test_settings_say_the_same_as_flags(cli: Cli, recording: Path) -> None:
    cli.extra |= {"EDGEVOICE_SAVE_FOLDER": "~/calls"}
    assert cli("live", "--input", recording, "--fast").returncode == 0
    assert set(saved(cli.home / "calls")) == {"txt", "srt", "vtt", "jsonl"}
    result = cli("live", "--input", recording, "--fast", "--save", "")
    assert result.returncode == 0
    assert "nothing is saved" in one_sentence(result), "it may be a variable of a script that is not set"
    assert len(list((cli.home / "calls").iterdir())) == 4, "a flag without a folder saves nothing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--save", "/proc/nothing"], "Nothing can be saved in the folder '/proc/nothing'"),
        (["--record"], "--record has no folder"),
        (["--last-lines", "/proc/nothing/last.txt"], "'/proc/nothing/last.txt'"),
        (["--save", "~nobody-here/calls"], "~nobody-here"),
    ],
)
def test_what_cannot_be_saved_is_said_before_the_model_is_loaded(
    cli: Cli, recording: Path, arguments: list[str], said: str
) -> None:
    result = cli("live", "--input", recording, "--model", "missing", *arguments)
    assert result.returncode == 2
    assert said in one_sentence(result)


def test_a_model_that_cannot_be_loaded_leaves_no_files(cli: Cli, recording: Path) -> None:
    result = cli("live", "--input", recording, "--model", "missing", "--save", cli.home / "calls", "--record")
    assert result.returncode == 1
    assert list((cli.home / "calls").iterdir()) == []


def test_the_demo_saves_too(cli: Cli) -> None:
    """Only that it takes the flags: its model takes a while."""
    result = cli("demo", "--save", "/proc/nothing", "--record", "--last-lines", "x")
    assert result.returncode == 2
    assert "/proc/nothing" in one_sentence(result)


def test_nothing_is_lost_from_a_recording(cli: Cli, recording: Path) -> None:
    """A file loses nothing, so positions of words are positions in the recording."""
    result = cli("live", "--input", recording, "--fast", "--save", cli.home / "calls", "--record")
    heard = events(result.stdout)
    assert not any(isinstance(event, AudioLost) for event in heard)
    audio, rate = soundfile.read(saved(cli.home / "calls")["file.flac"])
    for final in (event for event in heard if isinstance(event, CaptionFinished)):
        inside = audio[round(final.words[0].start * rate) : round(final.words[-1].end * rate)]
        before = audio[: round((final.words[0].start - 0.2) * rate)][-1600:]
        assert np.abs(inside).mean() > 10 * np.abs(before).mean()
