"""`edgevoice classify`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from tests.command_line import Cli, one_sentence
from tests.tiny import LABELS, silence, speak, tiny_bundle


class TestClassify:
    """`edgevoice classify`."""

    @pytest.fixture
    def utterance(self, tmp_path: Path) -> Path:
        """One utterance."""
        soundfile.write(tmp_path / "pay.flac", speak("two two two two"), 16_000)
        return tmp_path / "pay.flac"

    def test_json_is_what_the_hugging_face_pipeline_gives(self, cli: Cli, utterance: Path) -> None:
        """A list of score and label, best first."""
        result = cli("classify", utterance, "--top-k", "2", "--json")
        best, second = json.loads(result.stdout)
        assert set(best) == {"score", "label"}
        assert best["label"] == "pay"
        assert 1 >= best["score"] > second["score"] >= 0

    def test_text_has_a_line_for_each_label(self, cli: Cli, utterance: Path) -> None:
        """All of them, if there are fewer than --top-k."""
        lines = cli("classify", utterance).stdout.decode().splitlines()
        assert lines[0].split()[-1] == "pay"
        assert {line.split()[-1] for line in lines} == set(LABELS)

    def test_a_model_without_intents(self, cli: Cli, utterance: Path, tmp_path: Path) -> None:
        """It says so."""
        captions_only = tiny_bundle(tmp_path / "ctc", "ctc").path
        result = cli("classify", utterance, "--model", captions_only)
        assert result.returncode == 1
        assert "no intents" in one_sentence(result)

    def test_a_long_recording_is_sent_to_transcribe(self, cli: Cli, tmp_path: Path) -> None:
        """Attention over an hour would take all memory."""
        soundfile.write(tmp_path / "long.flac", silence(61), 16_000)
        result = cli("classify", tmp_path / "long.flac")
        assert result.returncode == 2
        assert "transcribe" in one_sentence(result)

    def test_hardly_any_audio(self, cli: Cli, tmp_path: Path) -> None:
        """Ten milliseconds are no utterance."""
        soundfile.write(tmp_path / "click.wav", silence(0.01), 16_000)
        result = cli("classify", tmp_path / "click.wav")
        assert result.returncode == 1
        assert "too short" in one_sentence(result)
