"""What cannot be read, loaded or opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import Cli, one_sentence
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
