"""Hot words, language models and formatting through the public door."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.asr.bundle import Decoding, sha256
from tests.command_line import Cli, events, finals, one_sentence
from tests.tiny import silence, speak, tiny_bundle, tone

PIECES = ("", " f", "ree", "reeze", " my", "")
"""What the tones of the tiny model mean here."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that puts words together."""
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny", vocabulary=PIECES).path


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ "my", then something between "free" and "freeze", a little more like "free"."""
    both = (tone("two", 0.2) + 0.4 * tone("three", 0.2)) / 2
    parts = [silence(0.5), speak("four one"), both, silence(1.0)]
    file = tmp_path_factory.mktemp("audio") / "doubtful.wav"
    soundfile.write(file, np.concatenate(parts), 16_000)
    return file


def write(folder: Path, text: str, name: str = "words.txt") -> Path:
    file = folder / name
    file.write_text(text)
    return file


class TestHotWords:
    """`--hotwords`."""

    def test_a_hot_word_appears_in_the_transcript(self, cli: Cli, doubtful: Path) -> None:
        """Where the audio leaves a doubt."""
        assert cli("transcribe", doubtful).stdout == b"my free\n"
        hot = write(cli.home, "# what we expect\nfreeze :2\n")
        assert cli("transcribe", doubtful, "--hotwords", hot).stdout == b"my freeze\n"

    def test_live_hears_it_as_well(self, cli: Cli, doubtful: Path) -> None:
        """From a setting, too."""
        hot = write(cli.home, "freeze\t2")
        result = cli("live", "--input", doubtful, "--fast", "--json", "--hotwords", hot)
        assert finals(events(result.stdout)) == ["my freeze"]
        cli.extra = {"EDGEVOICE_ASR_HOTWORDS": str(hot)}
        assert finals(events(cli("live", "--input", doubtful, "--fast").stdout)) == ["my freeze"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [("fünf", "does not know: ü"), ("", "There are no hot words"), ("my\nfive", "does not know: iv")],
    )
    def test_what_cannot_be_written_is_refused_at_once(self, cli: Cli, doubtful: Path, text: str, message: str) -> None:
        """In one sentence, before any audio."""
        result = cli("transcribe", doubtful, "--hotwords", write(cli.home, text))
        assert result.returncode == 2
        assert message in one_sentence(result)
        assert result.stdout == b""

    def test_the_greedy_decoder_has_no_use_for_them(self, cli: Cli, doubtful: Path) -> None:
        """The setting is named."""
        cli.extra = {"EDGEVOICE_ASR_DECODER": "greedy"}
        result = cli("transcribe", doubtful, "--hotwords", write(cli.home, "freeze"))
        assert result.returncode == 2
        assert "asr.decoder is greedy" in one_sentence(result)


class TestLanguageModel:
    """`--language-model`."""

    def test_a_word_list(self, cli: Cli, doubtful: Path) -> None:
        """What is not on it is not written for a doubt."""
        listed = write(cli.home, "my\nfreeze\n")
        assert cli("transcribe", doubtful, "--language-model", listed).stdout == b"my freeze\n"

    def test_an_n_gram_model(self, cli: Cli, doubtful: Path) -> None:
        """ "freeze" is likelier after "my"."""
        grams = ["-1 my -0.1", "-1 free -0.1", "-1 freeze -0.1"]
        lines = ["\\data\\", "ngram 1=3", "ngram 2=2", "", "\\1-grams:", *grams, "", "\\2-grams:"]
        model = write(cli.home, "\n".join([*lines, "-9 my free", "-0.2 my freeze", "", "\\end\\"]), "small.arpa")
        assert cli("transcribe", doubtful, "--language-model", model).stdout == b"my freeze\n"

    def test_a_broken_one_is_refused_with_its_line(self, cli: Cli, doubtful: Path) -> None:
        """In one sentence."""
        model = write(cli.home, "\\data\\\nngram 1=x\n", "broken.arpa")
        result = cli("transcribe", doubtful, "--language-model", model)
        assert result.returncode == 2
        assert "line 2" in one_sentence(result)

    def test_a_bundle_brings_its_own(self, cli: Cli, doubtful: Path, tmp_path: Path) -> None:
        """A file with a sha256 like any other; the user's goes before it."""
        folder = tmp_path / "own"
        folder.mkdir()
        listed = write(folder, "my\nfreeze\n", "words.txt")
        first = tiny_bundle(tmp_path / "tiny").path
        files = {"model.onnx": sha256(first / "model.onnx"), "words.txt": sha256(listed)}
        model = tiny_bundle(folder, files=files, vocabulary=PIECES, decoding=Decoding(language_model="words.txt")).path
        assert cli("transcribe", doubtful, "--model", model).stdout == b"my freeze\n"
        mine = write(cli.home, "my\nfree\n")
        assert cli("transcribe", doubtful, "--model", model, "--language-model", mine).stdout == b"my free\n"
        listed.write_text("my\nfree\n")
        changed = cli("transcribe", doubtful, "--model", model)
        assert "words.txt does not match its sha256" in one_sentence(changed)


class TestFormat:
    """`--no-format`."""

    def test_captions_begin_with_a_capital_unless_told_otherwise(self, cli: Cli, doubtful: Path) -> None:
        """In every format; words with times stay as they were recognised."""
        cli.extra = {"EDGEVOICE_CAPTIONS_FORMAT": "true"}
        assert cli("transcribe", doubtful).stdout == b"My free\n"
        assert cli("transcribe", doubtful, "--no-format").stdout == b"my free\n"
        assert b"\nMy free\n" in cli("transcribe", doubtful, "--format", "srt").stdout
        result = json.loads(cli("transcribe", doubtful, "--format", "json").stdout)
        assert result["text"] == result["segments"][0]["text"] == "My free"
        assert [word["word"] for word in result["segments"][0]["words"]] == ["my", "free"]

    def test_it_is_on_unless_something_says_so(self, cli: Cli, doubtful: Path) -> None:
        """The default, live."""
        environment = {key: value for key, value in cli.environment.items() if key != "EDGEVOICE_CAPTIONS_FORMAT"}
        command = cli.command(["live", "--input", doubtful, "--fast", "--json"])
        done = subprocess.run(command, capture_output=True, env=environment, check=True, timeout=60)
        assert finals(events(done.stdout)) == ["My free"]
