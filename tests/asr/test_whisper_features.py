"""Whisper's log-mel, beside the extractor of Transformers."""

from __future__ import annotations

import numpy as np
import pytest

from edgevoice.asr.whisper_features import whisper_log_mel


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize("seconds", [0.01, 0.5, 7.3, 30.0, 31.0])
def test_it_is_the_extractor_s(bins: int, seconds: float) -> None:
    from transformers import WhisperFeatureExtractor

    rng = np.random.default_rng(1)
    length = round(seconds * 16_000)
    samples = (0.1 * rng.normal(0, 1, length) * (np.arange(length) % 4000 < 2500)).astype(np.float32)
    expected = WhisperFeatureExtractor(feature_size=bins)(samples, sampling_rate=16_000, return_tensors="np")
    found = whisper_log_mel(samples, bins, 480_000)
    assert found.shape == (bins, 3000)
    np.testing.assert_allclose(found, expected["input_features"][0], atol=2e-4)


def test_silence() -> None:
    assert np.allclose(whisper_log_mel(np.zeros(16_000, dtype=np.float32), 80, 480_000), -1.5)
