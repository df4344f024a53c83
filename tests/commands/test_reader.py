"""Readers through the command line: the bundled one on the recorded call, and what can be wrong with one."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from edgevoice.events import CaptionFinished, CaptionRevised, StreamEnded, StreamStarted
from edgevoice.paths import bundled_model, bundled_reader, sample_call
from edgevoice.text import normalise
from tests.command_line import Cli, events, one_sentence

SENTENCES = Path(__file__).parents[2] / "training" / "banking_en" / "sample_call.csv"
"""What is said in the recorded call."""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """With the bundled model and its reader."""
    return Cli(tmp_path, bundled_model(), {"EDGEVOICE_ASR_READER": "auto", "EDGEVOICE_CAPTIONS_FORMAT": "true"})


class TestTheRecordedCall:
    def test_every_final_is_read_once_more(self, cli: Cli) -> None:
        said = events(cli("live", "--input", sample_call(), "--fast", "--json").stdout)
        finished = [event for event in said if isinstance(event, CaptionFinished)]
        revised = [event for event in said if isinstance(event, CaptionRevised)]
        started = next(event for event in said if isinstance(event, StreamStarted))
        assert started.reader == "moonshine-tiny"
        assert started.note == ""
        assert len(finished) >= 10
        assert [event.segment for event in revised] == [event.segment for event in finished]
        for event in revised:
            assert " ".join(word.word for word in event.words) == " ".join(event.text.split())
            edges = [edge for word in event.words for edge in (word.start, word.end)]
            assert edges == sorted(edges)
            assert event.start <= edges[0]
            assert edges[-1] <= event.end
        ended = said[-1]
        assert isinstance(ended, StreamEnded)
        assert ended.words == sum(len(event.words) for event in revised)

    def test_it_is_read_without_a_wrong_word(self, cli: Cli) -> None:
        """Every sentence begins with a capital and ends as sentences do."""
        with SENTENCES.open(newline="", encoding="utf-8") as stream:
            said = [normalise(row["text"]) for row in csv.DictReader(stream) if row["side"] == "caller"]
        told = json.loads(cli("transcribe", sample_call(), "--format", "json").stdout)
        texts = [segment["text"] for segment in told["segments"]]
        assert [normalise(text) for text in texts] == said
        assert all(text[0].isupper() and text[-1] in ".!?" for text in texts), texts

    def test_off_leaves_it_out(self, cli: Cli) -> None:
        said = events(cli("live", "--input", sample_call(), "--fast", "--json", "--reader", "off").stdout)
        assert not any(isinstance(event, CaptionRevised) for event in said)
        assert next(event for event in said if isinstance(event, StreamStarted)).reader == ""

    def test_a_transcript_holds_what_was_read(self, cli: Cli) -> None:
        told = json.loads(cli("transcribe", sample_call(), "--format", "json").stdout)
        first = told["segments"][0]
        assert first["text"].startswith("Hello")
        assert first["text"][-1] in ".!?"
        assert [word["word"] for word in first["words"]] == first["text"].split()


class TestChoosing:
    def test_by_name_and_by_folder(self, cli: Cli, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        shutil.copytree(bundled_reader(), folder)
        for name in ("moonshine-tiny", str(folder)):
            said = events(cli("live", "--input", sample_call(), "--fast", "--json", "--reader", name).stdout)
            assert any(isinstance(event, CaptionRevised) for event in said)

    def test_one_that_is_not_there(self, cli: Cli) -> None:
        result = cli("transcribe", sample_call(), "--reader", "nobody")
        assert result.returncode == 1
        assert "There is no model 'nobody'" in one_sentence(result)

    def test_a_model_without_one(self, cli: Cli) -> None:
        result = cli("transcribe", sample_call(), "--reader", "banking-en")
        assert result.returncode == 2
        assert "a model without a reader" in one_sentence(result)

    def test_one_of_another_language(self, cli: Cli, tmp_path: Path) -> None:
        folder = tmp_path / "german"
        shutil.copytree(bundled_reader(), folder)
        manifest = json.loads((folder / "edgevoice.json").read_text())
        manifest["reader"]["language"] = "de"
        (folder / "edgevoice.json").write_text(json.dumps(manifest))
        result = cli("transcribe", sample_call(), "--reader", folder)
        assert result.returncode == 2
        assert "does not read 'en'" in one_sentence(result)

    def test_one_that_was_changed(self, cli: Cli, tmp_path: Path) -> None:
        folder = tmp_path / "changed"
        shutil.copytree(bundled_reader(), folder)
        file = folder / "reader.tiktoken"
        file.write_bytes(file.read_bytes() + b"eA== 99999\n")
        result = cli("transcribe", sample_call(), "--reader", folder)
        assert result.returncode == 1
        assert "is damaged" in one_sentence(result)

    def test_one_that_is_damaged_and_was_not_asked_for_is_left_out(self, tmp_path: Path) -> None:
        """In this process: the bundled one lies where it lies."""
        from edgevoice.commands import readers
        from edgevoice.commands.options import open_model
        from edgevoice.config import AsrSettings, Settings

        folder = tmp_path / "changed"
        shutil.copytree(bundled_reader(), folder)
        (folder / "reader.tiktoken").write_bytes(b"eA== 9\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(readers, "bundled_reader", lambda: folder)
            model = open_model(Settings(asr=AsrSettings(provider="cpu")))
        assert model.reviser is None
        assert "is damaged" in model.reader_note
        assert model.reader_note.endswith("Sentences stay as they were first heard.")

    def test_captions_of_another_language_have_none_by_themselves(self, cli: Cli, tmp_path: Path) -> None:
        folder = tmp_path / "french"
        shutil.copytree(bundled_model(), folder)
        manifest = json.loads((folder / "edgevoice.json").read_text())
        manifest["language"] = "fr"
        (folder / "edgevoice.json").write_text(json.dumps(manifest))
        said = events(cli("live", "--input", sample_call(), "--fast", "--json", "--model", folder).stdout)
        assert next(event for event in said if isinstance(event, StreamStarted)).reader == ""

    def test_a_machine_that_is_too_slow_says_so(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        """In this process: no machine is slow on demand."""
        from edgevoice.asr.reader import Reader
        from edgevoice.commands.options import open_model
        from edgevoice.config import AsrSettings, Settings

        monkeypatch.setattr(Reader, "trial", lambda _: 1.25)
        model = open_model(Settings(asr=AsrSettings(provider="cpu")))
        assert model.reviser is None
        assert model.reader_note.startswith("This machine takes 1.2 s to read a second of speech once more")
        assert "--reader moonshine-tiny" in model.reader_note
        named = open_model(Settings(asr=AsrSettings(provider="cpu", reader="moonshine-tiny")))
        assert named.reviser is not None


def test_a_killed_run_leaves_one_reading_of_each_sentence(cli: Cli, tmp_path: Path) -> None:
    import signal
    import time

    process = cli.start("live", "--input", sample_call(), "--json", "--save", tmp_path / "saved")
    deadline = time.monotonic() + 40
    folder = tmp_path / "saved"
    while time.monotonic() < deadline:
        found = list(folder.glob("*.txt"))
        if found and "breakfast" in found[0].read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines = found[0].read_text().splitlines()
    assert sum("good morning" in line.lower() for line in lines) == 1
    assert sum("breakfast" in line for line in lines) == 1
