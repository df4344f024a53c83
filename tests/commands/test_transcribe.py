"""`edgevoice transcribe`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import soundfile

from edgevoice.audio import formats
from edgevoice.audio.formats import Recording
from edgevoice.commands.at_once import at_once
from edgevoice.commands.options import open_model
from edgevoice.commands.transcript import Transcriber
from edgevoice.config import Settings
from edgevoice.events import StreamEnded, StreamStarted
from tests.command_line import Cli, events, finals, one_sentence


class TestTranscribe:
    """`edgevoice transcribe`."""

    def test_one_bad_file_does_not_stop_the_others(self, cli: Cli, recording: Path) -> None:
        """In the order of the arguments; exit code 1 at the end."""
        result = cli("transcribe", "missing.wav", recording)
        assert result.returncode == 1
        assert result.stdout.decode() == "one one one\ntwo three two\n"
        assert "missing.wav" in one_sentence(result)

    def test_names_of_any_bytes(self, cli: Cli, recording: Path) -> None:
        """Linux takes all but two, whatever the locale says."""
        odd = Path(os.fsdecode(os.fsencode(cli.home) + b"/\xff\xfe.wav"))
        odd.write_bytes(recording.read_bytes())
        result = cli("transcribe", odd, recording, "--output", cli.home / "out")
        assert (result.returncode, result.stderr) == (0, b"")
        texts = {os.fsencode(file.name): file.read_text() for file in (cli.home / "out").iterdir()}
        assert texts == dict.fromkeys((b"\xff\xfe.txt", b"call.txt"), "one one one\ntwo three two\n")
        heard = events(cli("live", "--input", odd, "--fast", "--json").stdout)
        assert finals(heard) == ["one one one", "two three two"]

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_what_breaks_inside_is_one_recordings_error(
        self, model: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
    ) -> None:
        """The others are done all the same."""

        def break_for_one(path: Path) -> Recording:
            if path.name == "odd.wav":
                raise ZeroDivisionError("odd")
            return opened(path)

        opened = formats.open_recording
        monkeypatch.setattr(formats, "open_recording", break_for_one)
        settings = Settings(model=str(model))
        transcriber = Transcriber(open_model(settings, reading=False), settings)
        done = dict(at_once(["odd.wav", str(recording)], transcriber, jobs=jobs, ahead=2))
        assert "'odd.wav' cannot be transcribed (ZeroDivisionError: odd)" in done[0].error
        assert [caption.text for caption in done[1].captions] == ["One one one", "Two three two"]

    def test_one_transcript_that_cannot_be_written_does_not_stop_the_others(self, cli: Cli, recording: Path) -> None:
        """A name that is too long, and a file where a folder must be; each is said with what helps."""
        folder, out = cli.home / "calls", cli.home / "out"
        for name in ("a" * 251 + ".wav", "b/call.wav", "c.wav"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(recording.read_bytes())
        out.mkdir()
        (out / "b").write_text("in the way")
        result = cli("transcribe", folder, "--output", out, "--format", "jsonl")
        assert result.returncode == 1
        too_long, in_the_way = result.stderr.decode().splitlines()
        assert "File name too long" in too_long
        assert too_long.endswith("Choose a shorter name.")
        assert "Move away what stands" in in_the_way
        assert {file.name for file in out.iterdir()} == {"b", "c.jsonl"}

    def test_a_full_disk_stops(self, cli: Cli, recording: Path) -> None:
        """The next transcript would find no room either."""
        out = cli.home / "out"
        out.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", out], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("only root may mount a file system")
        try:
            with contextlib.suppress(OSError):
                (out / "ballast").write_bytes(bytes(20_000))
            other = cli.home / "other.wav"
            other.write_bytes(recording.read_bytes())
            result = cli("transcribe", recording, other, "--output", out)
            assert result.returncode == 1
            assert "No space left" in one_sentence(result)
            assert "call.txt" in one_sentence(result)
        finally:
            subprocess.run(["umount", out], check=True)

    def test_json_is_one_object_a_file(self, cli: Cli, recording: Path) -> None:
        """With an error in place of the rest where one failed."""
        result = cli("transcribe", recording, "missing.wav", "--format", "json")
        good, bad = map(json.loads, result.stdout.decode().splitlines())
        assert good["file"] == str(recording)
        assert good["text"] == "one one one two three two"
        assert [intent["label"] for intent in good["intents"]] == ["greet", "pay"]
        first = good["segments"][0]
        assert set(first) == {"start", "end", "text", "words"}
        assert set(first["words"][0]) == {"word", "start", "end", "confidence"}
        assert bad["file"] == "missing.wav"
        assert set(bad) == {"file", "error"}

    @pytest.mark.parametrize("kind", ["txt", "json"])
    def test_a_recording_that_breaks_off_keeps_what_was_said_before(self, cli: Cli, recording: Path, kind: str) -> None:
        """And the break is said."""
        samples, rate = soundfile.read(recording)
        soundfile.write(cli.home / "whole.flac", samples, rate)
        data = bytearray((cli.home / "whole.flac").read_bytes())
        data[len(data) * 6 // 10 :] = bytes(len(data) - len(data) * 6 // 10)
        (cli.home / "broken.flac").write_bytes(data)
        result = cli("transcribe", cli.home / "broken.flac", "--format", kind)
        assert result.returncode == 1
        assert "broken.flac" in one_sentence(result)
        if kind == "txt":
            assert result.stdout.decode().startswith("one one one\n")
        else:
            said = json.loads(result.stdout)
            assert said["segments"][0]["text"] == "one one one"
            assert said["error"] in result.stderr.decode()

    def test_jsonl_is_the_events(self, cli: Cli, recording: Path) -> None:
        """Without those that only matter while they are new."""
        heard = events(cli("transcribe", recording, "-f", "jsonl").stdout)
        assert finals(heard) == ["one one one", "two three two"]
        assert isinstance(heard[0], StreamStarted)
        assert isinstance(heard[-1], StreamEnded)

    @pytest.mark.parametrize(("kind", "head"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n\n00:00:0")])
    def test_subtitles_are_written_beside_each_other(self, cli: Cli, recording: Path, kind: str, head: str) -> None:
        """A file for each recording in --output; nothing on stdout, nothing left over."""
        folder = cli.home / "deep" / "subtitles"
        result = cli("transcribe", recording, "missing.wav", "--format", kind, "--output", folder)
        assert result.returncode == 1
        assert result.stdout == b""
        assert [file.name for file in folder.iterdir()] == [f"call.{kind}"]
        assert (folder / f"call.{kind}").read_text().startswith(head)

    def test_files_are_not_replaced_unless_forced(self, cli: Cli, recording: Path) -> None:
        """Nor written through a link, nor twice under one name."""
        target = cli.home / "call.txt"
        target.write_text("mine")
        kept = cli("transcribe", recording, "--output", cli.home)
        assert kept.returncode == 2
        assert "--force" in one_sentence(kept)
        assert target.read_text() == "mine"
        link = cli.home / "elsewhere.txt"
        target.rename(link)
        target.symlink_to(link)
        assert cli("transcribe", recording, "--output", cli.home, "--force").returncode == 0
        assert link.read_text() == "mine"
        assert target.read_text() == "one one one\ntwo three two\n"
        assert cli("transcribe", recording, recording, "--output", cli.home, "--force").returncode == 2

    def test_standard_input(self, cli: Cli, recording: Path) -> None:
        """`-` is a pipe."""
        result = cli("transcribe", "-", stdin=recording.read_bytes())
        assert result.stdout.decode() == "one one one\ntwo three two\n"

    def test_output_is_utf8_whatever_the_locale(self, cli: Cli, recording: Path) -> None:
        """A file name with an umlaut in a C locale."""
        copy = cli.home / "gespräch.wav"
        copy.write_bytes(recording.read_bytes())
        cli.extra = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
        result = cli("transcribe", copy, "--format", "json")
        assert result.returncode == 0, result.stderr
        json.loads(result.stdout.decode("utf-8"))
