"""The microphone, at a real PulseAudio server through real PortAudio. Every use is a process with a time limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from tests.rig import PIPE, PulseRig, best_correlation

pytestmark = pytest.mark.sound

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("record.py")


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = {**environment, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)


def finish(process: subprocess.Popen[str], limit_s: float = 30.0) -> dict[str, Any]:
    try:
        output, _ = process.communicate(timeout=limit_s)
    finally:
        process.kill()
        process.wait()
    return json.loads(output.splitlines()[-1])


def chirp(seconds: float = 2.0, rate: int = 16_000) -> np.ndarray:
    """A sweep over the band of speech: it fits itself at one place only."""
    time = np.arange(int(seconds * rate)) / rate
    return (0.4 * np.sin(2 * np.pi * (200 * time + 1500 * time**2 / seconds))).astype(np.float32)


def at_16_khz(recording: Path, rate: int) -> np.ndarray:
    return soxr.resample(np.load(recording), rate, 16_000)


def test_records_exactly_what_is_played(pulse: PulseRig, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "played.wav", chirp(), 16_000, subtype="PCM_16")
    process = start(pulse.environment(), "pulse", "4", str(tmp_path / "recorded.npy"))
    assert process.stdout
    assert process.stdout.readline() == "listening\n"
    pulse.play(tmp_path / "played.wav")
    result = finish(process)
    assert result["lost"] == 0
    assert best_correlation(at_16_khz(tmp_path / "recorded.npy", result["rate"]), chirp()) > 0.99


def test_records_what_is_written_to_the_pipe(pulse: PulseRig, tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(48_000, np.int16), (chirp() * 32767).astype(np.int16)])
    with pulse.feeder(samples):
        result = finish(start(pulse.environment(PIPE), "", "6", str(tmp_path / "recorded.npy")))
    assert result["lost"] == 0
    assert best_correlation(at_16_khz(tmp_path / "recorded.npy", result["rate"]), chirp()) > 0.99


def test_lists_devices_and_marks_the_default(pulse: PulseRig) -> None:
    devices = finish(start(pulse.environment(), "--devices"))["devices"]
    assert "pulse" in [name for name, _, _ in devices]
    assert sum(is_default for _, is_default, _ in devices) == 1


def test_unknown_device_names_the_known_ones(pulse: PulseRig) -> None:
    result = finish(start(pulse.environment(), "Nonesuch", "1", "unused"))
    assert result["error"] == "DeviceNotFoundError"
    assert "'nonesuch'" in result["message"]
    assert "'pulse'" in result["message"]


@pytest.mark.skipif(Path("/dev/snd").exists(), reason="this machine has sound devices")
def test_no_device_at_all(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": f"unix:{tmp_path}/none"}
    result = finish(start(environment, "", "1", "unused"))
    assert result["error"] == "AudioError"
    assert result["message"].startswith("There is no microphone.")


def test_closes_at_once_while_the_source_is_stalled(pulse: PulseRig) -> None:
    result = finish(start(pulse.environment(PIPE), "--stall", "pulse"), limit_s=15)
    assert result["closing"] < 1


def test_a_source_that_never_delivers_is_an_error(pulse: PulseRig) -> None:
    result = finish(start(pulse.environment(PIPE), "--watchdog", "pulse"), limit_s=15)
    assert result == {"error": "AudioError", "message": result["message"]}
    assert "delivers no audio" in result["message"]


def test_a_source_that_stops_delivering_is_an_error(pulse: PulseRig) -> None:
    with pulse.feeder():
        process = start(pulse.environment(PIPE), "--watchdog", "pulse")
        assert process.stdout
        assert process.stdout.readline() == "listening\n"
    assert "delivers no audio" in finish(process, limit_s=15)["message"]
