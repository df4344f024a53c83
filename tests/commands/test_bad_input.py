"""What cannot be read, loaded or opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import Cli, events, finals, one_sentence
from tests.tiny import tiny_bundle


class TestBadInput:
    """One clear sentence, exit code 1, no traceback, nothing half written."""

    def test_unreadable_audio(self, cli: Cli, tmp_path: Path) -> None:
        """Missing, empty, a folder, no audio, cut off in its header."""
        (tmp_path / "empty.wav").write_bytes(b"")
        (tmp_path / "text.wav").write_text("this is no audio\n" * 100)
        (tmp_path / "cut.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfm")
        for name in ("missing.wav", "empty.wav", "text.wav", "cut.wav", "."):
            result = cli("live", "--input", tmp_path / name, "--json", "--fast")
            assert result.returncode == 1, name
            assert result.stdout == b"", name
            one_sentence(result)

    def test_a_missing_model(self, cli: Cli, recording: Path, tmp_path: Path) -> None:
        """Neither a known name nor a folder with a manifest."""
        for name in ("no-such-model", str(tmp_path), "~no-such-user/model", "x" * 300):
            result = cli("live", "--input", recording, "--fast", "--json", "--model", name)
            assert result.returncode == 1
            assert result.stdout == b""
            assert "model" in one_sentence(result)
            assert "went wrong" not in one_sentence(result)

    def test_a_model_changed_by_one_byte(self, cli: Cli, recording: Path, tmp_path: Path) -> None:
        """It is not run; verify says which file."""
        bundle = tiny_bundle(tmp_path / "damaged")
        file = bundle.path / "model.onnx"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
        for arguments in (["transcribe", recording, "--model", bundle.path], ["models", "verify", bundle.path]):
            result = cli(*arguments)
            assert result.returncode == 1
            assert result.stdout == b""
            assert "model.onnx" in one_sentence(result)

    def test_no_microphone(self, cli: Cli) -> None:
        """Exit code 1 where there is none at all, 2 where only the one asked for is missing."""
        cli.extra = {"PULSE_SERVER": "unix:/nonexistent"}
        result = cli("live", "--json", "--device", "no such microphone")
        assert result.returncode in (1, 2)
        assert result.stdout == b""
        assert "--input" in one_sentence(result) or "Choose one of these" in one_sentence(result)

    def test_no_portaudio(self, cli: Cli) -> None:
        """The sentence holds the command that installs it; recordings need none of it."""
        code = (
            "import sys\n"
            "class Finder:\n"
            "    def find_spec(self, name, *rest):\n"
            "        if name == 'sounddevice': raise OSError('PortAudio library not found')\n"
            "sys.meta_path.insert(0, Finder()); from edgevoice.cli import main; sys.exit(main(sys.argv[1:]))"
        )
        for command in ("live", "devices"):
            result = subprocess.run(
                [sys.executable, "-c", code, command], capture_output=True, env=cli.environment, check=False
            )
            assert result.returncode == 1
            assert "apt install libportaudio2" in one_sentence(result)

    def test_cuda_that_is_not_there_is_an_error_when_asked_for(self, cli: Cli, recording: Path) -> None:
        """A named provider never falls back."""
        onnxruntime = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("CUDA is there")
        result = cli("transcribe", recording, "--provider", "cuda")
        assert result.returncode == 1
        assert "--provider cpu" in one_sentence(result)

    def test_a_traceback_only_with_debug(self, cli: Cli) -> None:
        """Wherever --debug stands."""
        assert b"Traceback" not in cli("classify", "missing.wav").stderr
        assert b"Traceback" in cli("classify", "missing.wav", "--debug").stderr
        assert b"Traceback" in cli("--debug", "classify", "missing.wav").stderr


class TestImpossibleSettings:
    """Refused at the start, by name, with exit code 2, before a model is looked for."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("ASR_HOP_S", "0"),
            ("ASR_HOP_S", "-0.32"),
            ("ASR_HOP_S", "nan"),
            ("ASR_HOP_S", "11"),
            ("ASR_THREADS", "0"),
            ("ASR_THREADS", "-2"),
            ("ASR_CONTEXT_S", "-1"),
            ("ASR_BEAM_WIDTH", "0"),
            ("VAD_HANGOVER_S", "-0.5"),
            ("VAD_THRESHOLD", "inf"),
            ("AUDIO_QUEUE_SECONDS", "0"),
            ("INTENT_THRESHOLD", "1.5"),
        ],
    )
    def test_numbers_that_make_no_sense(self, cli: Cli, recording: Path, name: str, value: str) -> None:
        """The variable, its value, and what it must be."""
        cli.extra = {f"EDGEVOICE_{name}": value}
        result = cli("live", "--input", recording, "--fast", "--model", "no-such-model")
        assert result.returncode == 2
        assert result.stdout == b""
        assert f"EDGEVOICE_{name} is {value}, and it must be between" in one_sentence(result)

    @pytest.mark.parametrize("command", ["live", "transcribe", "demo"])
    def test_a_hop_that_makes_no_sense_is_called_as_it_was_given(self, cli: Cli, recording: Path, command: str) -> None:
        """By flag and in the file."""
        more = {"live": ["--input", recording], "transcribe": [recording], "demo": []}[command]
        assert "--hop is -1, and it must be between" in one_sentence(cli(command, *more, "--hop", "-1"))
        file = cli.home / "config" / "edgevoice" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[asr]\nhop_s = nan\n")
        result = cli(command, *more)
        assert result.returncode == 2
        assert "'asr.hop_s' in" in one_sentence(result)

    def test_durations_that_contradict_each_other(self, cli: Cli, recording: Path) -> None:
        """A segment that is over before it can begin."""
        cli.extra = {"EDGEVOICE_VAD_MAXIMUM_S": "1", "EDGEVOICE_VAD_PREROLL_S": "2"}
        result = cli("transcribe", recording, "--model", "no-such-model")
        assert result.returncode == 2
        assert "vad.maximum_s is 1.0, too short for vad.preroll_s and vad.minimum_speech_s" in one_sentence(result)

    def test_what_no_window_of_the_model_can_hold(self, cli: Cli, recording: Path) -> None:
        """A hop, or what is kept before it, longer than the longest window."""
        result = cli("live", "--input", recording, "--fast", "--hop", "5")
        assert result.returncode == 2
        sentence = "asr.hop_s is 5, and the longest window of the model 'tiny-shared' is 4 s. Choose 4 or less."
        assert sentence in one_sentence(result)
        cli.extra = {"EDGEVOICE_ASR_CONTEXT_S": "4.5"}
        assert "asr.context_s is 4.5, and the longest window" in one_sentence(cli("transcribe", recording))

    def test_chunks_that_the_model_was_not_trained_for(self, cli: Cli, recording: Path, tmp_path: Path) -> None:
        """Refused with the list; each length on the list can be chosen."""
        cli.model = tiny_bundle(tmp_path / "chunked", chunks=(8, 16, 32)).path
        result = cli("live", "--input", recording, "--fast", "--hop", "0.5")
        assert result.returncode == 2
        assert result.stdout == b""
        assert "trained for chunks of that length. Choose one of 0.16, 0.32, 0.64 with --hop" in one_sentence(result)
        for hop in ("0.16", "0.32", "0.64"):
            heard = events(cli("live", "--input", recording, "--fast", "--hop", hop).stdout)
            assert finals(heard) == ["one one one", "two three two"]
        info = cli("models", "info", cli.model).stdout.decode()
        assert "each frame once, in chunks of 0.16 s, 0.32 s, 0.64 s" in info

    def test_a_mode_that_this_version_does_not_know(self, cli: Cli, recording: Path, tmp_path: Path) -> None:
        """Its name, and the version that knows it."""
        bundle = tiny_bundle(tmp_path / "later")
        file = bundle.path / "edgevoice.json"
        data = json.loads(file.read_text()) | {"streaming": "telepathy", "made_by": "9.9.0"}
        file.write_text(json.dumps(data))
        result = cli("live", "--input", recording, "--fast", "--model", bundle.path)
        assert result.returncode == 1
        assert "'telepathy'" in one_sentence(result)
        assert "Install edgevoice 9.9.0" in one_sentence(result)
