"""A command line with a model and a recording of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.command_line import Cli
from tests.tiny import silence, speak, tiny_bundle


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that hears tones as words."""
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny").path


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two utterances, at a rate that must be converted."""
    parts = [silence(0.5), speak("one one one"), silence(1.5), speak("two three two"), silence(1.0)]
    file = tmp_path_factory.mktemp("audio") / "call.wav"
    soundfile.write(file, np.concatenate(parts), 16_000)
    return file


@pytest.fixture
def cli(tmp_path: Path, model: Path) -> Cli:
    """The command line with the tiny model as its default."""
    return Cli(tmp_path, model)
