"""What the runtime loads, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tiny import silence, speak, tiny_bundle

FORBIDDEN = (
    "torch",
    "torchaudio",
    "transformers",
    "optimum",
    "datasets",
    "accelerate",
    "evaluate",
    "onnx",
    "training",
    "export",
)


def modules_after(code: str) -> set[str]:
    """Top-level names of all modules that are loaded once `code` has run."""
    probe = f"import sys\n{code}\nprint('\\n'.join({{name.split('.')[0] for name in sys.modules}}), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    return set(result.stderr.split())


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A recording and a model."""
    folder = tmp_path_factory.mktemp("imports")
    soundfile.write(folder / "call.wav", np.concatenate([speak("one two"), silence(1)]), 16_000)
    return folder / "call.wav", tiny_bundle(folder / "tiny").path


def test_the_live_path_never_loads_the_training_stack(arguments: tuple[Path, Path]) -> None:
    """From the command line to the last event."""
    recording, model = arguments
    loaded = modules_after(
        "from edgevoice.cli import main\n"
        f"assert main(['live', '--input', {str(recording)!r}, '--model', {str(model)!r}, '--fast', '--json']) == 0"
    )
    assert "onnxruntime" in loaded
    assert not loaded & set(FORBIDDEN)


@pytest.mark.parametrize("module", ["edgevoice.tui.app", "edgevoice.audio.microphone", "edgevoice.pipeline"])
def test_no_part_loads_the_training_stack(module: str) -> None:
    """The screen and the microphone included, which the run above does not reach."""
    assert not modules_after(f"import {module}") & set(FORBIDDEN)


def test_the_screen_does_not_load_the_engine() -> None:
    """It shows events, whoever makes them."""
    assert not modules_after("import edgevoice.tui.app") & {"onnxruntime", "soundfile", "sounddevice", "webrtcvad"}


def test_telemetry_is_off_before_onnxruntime_is_imported(arguments: tuple[Path, Path], tmp_path: Path) -> None:
    """A whole run leaves nothing in the home folder: onnxruntime would write an identifier of the device there."""
    recording, model = arguments
    home = tmp_path / "home"
    home.mkdir()
    # CI switches telemetry off by itself, which would hide a mistake of ours
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    command = ["-m", "edgevoice", "live", "--fast", "--json", "--input", str(recording), "--model", str(model)]
    subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=True, timeout=60)
    assert list(home.rglob("*")) == []
