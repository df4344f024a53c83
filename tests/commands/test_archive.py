"""Many recordings: folders, the two sides of calls, several at once, and runs that go on where they were stopped."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile
import webvtt

from edgevoice.events import StreamEnded, StreamStarted
from tests.command_line import Cli, events, finals, one_sentence, read_until, terminal
from tests.tiny import silence, speak

RATE = 16_000
LEFT, RIGHT = ["one one one", "two three two"], ["three three", "one two"]


def call(*, between: float = 1.2) -> np.ndarray:
    """Two people who take turns, on two channels."""
    turns = [(side, text) for pair in zip(LEFT, RIGHT, strict=True) for side, text in enumerate(pair)]
    sides: list[list[np.ndarray]] = [[silence(0.4)], [silence(0.4, seed=1)]]
    for side, text in turns:
        words = speak(text)
        sides[side] += [words, silence(between)]
        sides[1 - side] += [silence((len(words)) / RATE + between, seed=2)]
    length = min(sum(map(len, side)) for side in sides)
    return np.stack([np.concatenate(side)[:length] for side in sides], axis=1)


@pytest.fixture
def archive(tmp_path: Path, recording: Path) -> Path:
    """Recordings in folders, with what else lies in folders."""
    folder = tmp_path / "calls"
    for place in ("a/call.wav", "b/c/call.wav", "b/call.FLAC"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        samples, rate = soundfile.read(recording)
        soundfile.write(folder / place, samples, rate, format=Path(place).suffix[1:].upper())
    (folder / "b" / "notes.txt").write_text("no recording")
    (folder / "a" / "._call.wav").write_bytes(b"what a file manager left")
    (folder / "b" / "c" / "up").symlink_to(folder)
    return folder


def below(folder: Path) -> dict[str, str]:
    """Path -> content of every file."""
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


class TestFolders:
    """`edgevoice transcribe FOLDER`."""

    def test_all_recordings_in_it_in_order(self, cli: Cli, archive: Path, recording: Path) -> None:
        """Of folders in folders too, but no other files, none twice, and links that lead back are harmless. On stdout
        in the order of the arguments however many run at once."""
        result = cli("transcribe", recording, archive, "--format", "json", "--jobs", "3")
        assert result.returncode == 0, result.stderr
        said = [json.loads(line) for line in result.stdout.decode().splitlines()]
        places = ["a/call.wav", "b/c/call.wav", "b/call.FLAC"]
        assert [each["file"] for each in said] == [str(recording), *(str(archive / place) for place in places)]
        assert {each["text"] for each in said} == {"one one one two three two"}

    def test_output_keeps_the_folders(self, cli: Cli, archive: Path) -> None:
        """One bad recording is said and leaves no file; --resume goes on with what is missing, changed or bad."""
        (archive / "b" / "bad.wav").write_text("no audio")
        out = cli.home / "out"
        result = cli("transcribe", archive, "--output", out, "--jobs", "2")
        assert result.returncode == 1
        assert "bad.wav" in one_sentence(result)
        text = "one one one\ntwo three two\n"
        assert below(out) == {"a/call.txt": text, "b/c/call.txt": text, "b/call.txt": text}

        (archive / "b" / "bad.wav").unlink()
        (out / "a" / "call.txt").write_text("mine")
        (out / "b" / "c" / "call.txt").unlink()
        os.utime(archive / "b" / "call.FLAC", (time.time() + 10, time.time() + 10))
        (out / "b" / "call.txt").write_text("old")
        assert cli("transcribe", archive, "--output", out).returncode == 2
        result = cli("transcribe", archive, "--output", out, "--resume")
        assert result.returncode == 0
        assert one_sentence(result) == "edgevoice: 1 of 3 transcripts are already there.\n"
        assert below(out) == {"a/call.txt": "mine", "b/c/call.txt": text, "b/call.txt": text}

    @pytest.mark.parametrize("kind", ["srt", "jsonl"])
    def test_a_recording_that_breaks_off_is_tried_again(self, cli: Cli, recording: Path, kind: str) -> None:
        """What was heard of it is kept under a name that is no transcript's, until there is a whole one."""
        samples, rate = soundfile.read(recording)
        whole, out = cli.home / "whole.flac", cli.home / "out"
        soundfile.write(whole, samples, rate)
        data = whole.read_bytes()
        half = len(data) * 6 // 10
        cut = cli.home / "cut.flac"
        cut.write_bytes(data[:half] + bytes(len(data) - half))
        for _ in range(2):
            result = cli("transcribe", cut, "--output", out, "--format", kind, "--resume")
            assert result.returncode == 1
            broken, kept = result.stderr.decode().splitlines()
            assert "cannot be decoded after" in broken
            assert f"cut.{kind}.partial" in kept
            assert [file.name for file in out.iterdir()] == [f"cut.{kind}.partial"]
            assert "one one one" in (out / f"cut.{kind}.partial").read_text()
        cut.write_bytes(data)
        assert cli("transcribe", cut, "--output", out, "--format", kind, "--resume").returncode == 0
        assert [file.name for file in out.iterdir()] == [f"cut.{kind}"]

    def test_what_resume_needs(self, cli: Cli, recording: Path) -> None:
        """A folder to look into, and no order to begin anew."""
        assert "--output" in one_sentence(cli("transcribe", recording, "--resume"))
        both = cli("transcribe", recording, "--resume", "--force", "--output", cli.home / "out")
        assert both.returncode == 2
        assert "--force" in one_sentence(both)

    def test_a_run_that_is_killed_goes_on(self, cli: Cli, recording: Path) -> None:
        """What was written is whole, and is not done again."""
        samples, rate = soundfile.read(recording)
        folder, out = cli.home / "calls", cli.home / "out"
        folder.mkdir()
        for number in range(12):
            soundfile.write(folder / f"{number:02}.wav", np.tile(samples, 1 if number < 3 else 6), rate)
        process = cli.start("transcribe", folder, "--output", out, "--format", "json")
        while not (out / "01.json").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        done = {name: (out / name).stat().st_mtime_ns for name in below(out) if name.endswith(".json")}
        assert 2 <= len(done) < 12
        for name in done:
            json.loads((out / name).read_text())
        result = cli("transcribe", folder, "--output", out, "--format", "json", "--resume", "--jobs", "2", timeout=120)
        assert result.returncode == 0, result.stderr
        assert f"{len(done)} of 12 transcripts" in result.stderr.decode()
        assert len([name for name in below(out) if name.endswith(".json")]) == 12
        assert all((out / name).stat().st_mtime_ns == at for name, at in done.items())

    def test_ctrl_c_ends_all_that_run(self, cli: Cli, recording: Path) -> None:
        """Soon, and with nothing that is half a transcript."""
        samples, rate = soundfile.read(recording)
        folder, out = cli.home / "calls", cli.home / "out"
        folder.mkdir()
        for number in range(3):
            soundfile.write(folder / f"{number}.flac", np.tile(samples, 1 if number == 0 else 600), rate)
        process = cli.start("transcribe", folder, "--output", out, "--jobs", "2")
        while not (out / "0.txt").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (130, b"")
        assert list(below(out)) == ["0.txt"]


class TestChannels:
    """`--channels`."""

    @pytest.fixture
    def stereo(self, tmp_path: Path) -> Path:
        soundfile.write(tmp_path / "stereo.flac", call(), RATE)
        return tmp_path / "stereo.flac"

    def test_calls_are_labelled_by_themselves(self, cli: Cli, stereo: Path) -> None:
        """Interleaved, each line with its speaker; a mono recording beside them has none."""
        result = cli("transcribe", stereo, "--channel-names", "you, them\x1b[31m")
        you = [f"you: {text}" for text in LEFT]
        them = [f"them[31m: {text}" for text in RIGHT]
        assert result.stdout.decode().splitlines() == [you[0], them[0], you[1], them[1]]

    def test_json_says_whose_words_they_are(self, cli: Cli, stereo: Path, recording: Path) -> None:
        """In the order in which they were said, on one time line."""
        result = cli("transcribe", stereo, recording, "--format", "json", "--jobs", "2")
        said, mono = map(json.loads, result.stdout.decode().splitlines())
        assert [each["channel"] for each in said["segments"]] == ["left", "right"] * 2
        starts = [each["start"] for each in said["segments"]]
        assert starts == sorted(starts)
        assert {each["channel"] for each in said["intents"]} == {"left", "right"}
        assert "channel" not in mono["segments"][0]

    def test_jsonl_is_one_line_of_events(self, cli: Cli, stereo: Path) -> None:
        """Of both channels, by time, each in its order, and always the same."""
        heard = events(cli("transcribe", stereo, "--format", "jsonl", "--channels", "split").stdout)
        assert [event.at for event in heard] == sorted(event.at for event in heard)
        assert sum(isinstance(event, StreamStarted) for event in heard) == 2
        assert sum(isinstance(event, StreamEnded) for event in heard) == 2
        assert finals([event for event in heard if event.channel == "left"]) == LEFT
        assert finals([event for event in heard if event.channel == "right"]) == RIGHT

    def test_subtitles_say_who_speaks(self, cli: Cli, stereo: Path) -> None:
        """Read back by well-kept parsers."""
        srt = cli("transcribe", stereo, "--format", "srt").stdout.decode()
        vtt = cli("transcribe", stereo, "--format", "vtt").stdout.decode()
        shown = [line.plaintext for line in pysubs2.SSAFile.from_string(srt, format_="srt")]
        assert [text.split(":")[0] for text in shown] == ["left", "right"] * 2
        assert all("left" in cue.raw_text or "right" in cue.raw_text for cue in webvtt.from_string(vtt))

    def test_one_voice_on_two_channels_is_not_two_people(self, cli: Cli, recording: Path) -> None:
        """Unless asked for; and what cannot be heard apart is refused, by name."""
        samples, rate = soundfile.read(recording)
        soundfile.write(cli.home / "both.wav", np.stack([samples, 0.5 * samples], axis=1), rate)
        soundfile.write(cli.home / "surround.wav", np.stack([samples] * 6, axis=1), rate)
        plain = "one one one\ntwo three two\n"
        assert cli("transcribe", cli.home / "both.wav", cli.home / "surround.wav").stdout.decode() == 2 * plain
        result = cli("transcribe", cli.home / "both.wav", cli.home / "surround.wav", recording, "--channels", "split")
        lines = result.stdout.decode().splitlines()
        assert (
            lines
            == [f"{side}: {text}" for text in plain.splitlines() for side in ("left", "right")] + plain.split("\n")[:2]
        )
        assert result.returncode == 1
        assert "'--channels mix" not in one_sentence(result)
        assert "6 channels" in one_sentence(result)
        assert "--channels mix" in one_sentence(result)

    @pytest.mark.parametrize("names", ["you", "you,", "you,you", "a,b,c"])
    def test_names_that_are_not_two(self, cli: Cli, recording: Path, names: str) -> None:
        """Before a model is looked for."""
        result = cli("transcribe", recording, "--channel-names", names, "--model", "no-such-model")
        assert result.returncode == 2
        assert "two different names" in one_sentence(result)


class TestProgress:
    """A bar, where somebody sees it."""

    def test_a_terminal_gets_a_bar_and_a_clean_transcript(self, cli: Cli, recording: Path) -> None:
        """Files, seconds, speed; names of files are shown plainly; the bar is away when the text is printed."""
        named = cli.home / "call[red] 1.wav"
        samples, rate = soundfile.read(recording)
        soundfile.write(named, np.tile(samples, 40), rate)
        with terminal(100, 24) as (ours, inner):
            process = cli.in_terminal(inner, "transcribe", named, recording)
            shown = read_until(ours, b"2/2 files", 60) + read_until(ours, b"never", 1.5)
            assert process.wait(60) == 0
        assert b"of audio" in shown
        assert b"call[red] 1.wav" in shown
        assert shown.count(b"one one one\r\n") == 41

    def test_nobody_else_does(self, cli: Cli, recording: Path) -> None:
        """Nothing on a pipe, and nothing with --quiet."""
        assert cli("transcribe", recording).stderr == b""
        with terminal(100, 24) as (ours, inner):
            process = cli.in_terminal(inner, "transcribe", recording, "--quiet")
            shown = read_until(ours, b"two three two", 60)
            assert process.wait(60) == 0
        assert shown.decode().replace("\r\n", "\n") == "one one one\ntwo three two\n"
