"""Recordings through a loudspeaker, which is a sink whose monitor is recorded."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.audio.player import Player, _mixed
from edgevoice.errors import AudioError
from tests.rig import MICROPHONE, RATE, PulseRig, best_correlation

RNG = np.random.default_rng(0)
SPEECH = (np.cumsum(RNG.normal(0, 0.01, RATE * 3)) % 0.4 - 0.2).astype(np.float32)
CODE = (
    "import sys, time; from pathlib import Path; from edgevoice.audio.player import Player\n"
    "player = Player([Path(sys.argv[1])]); player.play(float(sys.argv[2])); end = time.monotonic() + 60\n"
    "while player.position is not None and time.monotonic() < end: time.sleep(0.05)\n"
    "print(player.problem)"
)


def play(file: Path, at: float, environment: dict[str, str] | None = None) -> str:
    """Plays in a process of its own; gives what went wrong."""
    command = [sys.executable, "-c", CODE, str(file), str(at)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=100)
    return done.stdout.strip()


def test_a_session_without_a_recording() -> None:
    with pytest.raises(AudioError, match="no recording"):
        Player([]).play(0.0)


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"fLaC but not really")
    player = Player([tmp_path / "a.flac"])
    player.play(1.0)
    end = time.monotonic() + 30
    while player.position is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert "'a.flac' cannot be played" in player.problem
    player.stop()
    assert player.problem == ""


def test_channels_are_added_up(tmp_path: Path) -> None:
    for name, level, size in (("mic", 0.25, 3000), ("call", 0.5, 5000)):
        soundfile.write(tmp_path / f"{name}.flac", np.full(size, level), RATE)
    sounds = [soundfile.SoundFile(tmp_path / f"{name}.flac") for name in ("mic", "call")]
    mixed = _mixed(sounds, 4000)
    assert mixed.tolist() == [0.75] * 3000 + [0.5] * 1000
    assert len(_mixed(sounds, 4000)) == 1000
    assert len(_mixed(sounds, 4000)) == 0


def test_a_machine_without_loudspeakers_says_so(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", SPEECH, RATE)
    nowhere = {"PATH": "/usr/bin:/bin", "PULSE_SERVER": "unix:/nowhere", "XDG_RUNTIME_DIR": str(tmp_path)}
    problem = play(tmp_path / "a.flac", 0.0, nowhere)
    assert problem.endswith(".")
    assert problem.count("\n") == 0


@pytest.mark.sound
def test_what_is_heard_is_the_recording_from_that_position(tmp_path: Path, pulse: PulseRig) -> None:
    soundfile.write(tmp_path / "a.flac", SPEECH, RATE)
    record = ["pacat", "--record", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=20"]
    with (tmp_path / "heard.raw").open("wb") as heard:
        recorder = subprocess.Popen([*record, "-d", MICROPHONE], stdout=heard, env=pulse.environment())
        try:
            end = time.monotonic() + 30
            while not (tmp_path / "heard.raw").stat().st_size and time.monotonic() < end:
                time.sleep(0.02)
            assert play(tmp_path / "a.flac", 1.0, pulse.environment()) == ""
            time.sleep(0.5)
        finally:
            recorder.terminate()
            recorder.wait()
    samples = np.fromfile(tmp_path / "heard.raw", "<i2").astype(np.float32) / 32768
    assert best_correlation(samples, SPEECH[RATE : RATE * 2]) > 0.95
