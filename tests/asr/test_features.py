"""Features are those of the Transformers extractors, and causal where they claim to be."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.asr.features import (
    BLOCK,
    HOP,
    WINDOW,
    RunningLevel,
    log_mel,
    model_input,
    running_normalise,
    stack,
    utterance_normalise,
    utterance_normalise_bins,
)


def audio(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise with a slow envelope and a tone: all bands are busy, some frames are quiet."""
    generator, time = np.random.default_rng(seed), np.arange(int(seconds * 16000)) / 16000
    noise = generator.normal(0, 0.1, len(time)) * (1.2 + np.sin(2 * np.pi * 3 * time)) / 2
    return on_16_bits(noise + 0.2 * np.sin(2 * np.pi * 440 * time))


def on_16_bits(samples: np.ndarray) -> np.ndarray:
    """As a microphone or a file gives them."""
    return (np.rint(samples * 32768) / 32768).astype(np.float32)


def test_features_keep_one_core_busy_and_no_other():
    """BLAS threads that wait for the next piece of work by spinning cost ten times what the features do."""
    probe = (
        "import edgevoice, time, numpy as np; from edgevoice.asr.features import log_mel\n"
        "samples = np.ones(40_960, np.float32); log_mel(samples)\n"
        "ours, everybodys = time.thread_time(), time.process_time()\n"
        "for _ in range(10): log_mel(samples); time.sleep(0.05)\n"
        "print(time.thread_time() - ours, time.process_time() - everybodys)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    printed = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=environment)
    ours, everybodys = map(float, printed.stdout.split())
    assert everybodys < 1.5 * ours


@pytest.fixture(scope="module")
def seamless():
    transformers = pytest.importorskip("transformers")
    return transformers.SeamlessM4TFeatureExtractor()


@pytest.mark.parametrize("seconds", [0.025, 0.04, 0.5, 2.3])
def test_log_mel_is_that_of_the_seamless_extractor(seamless, seconds):
    samples = audio(seconds)
    expected = seamless._extract_fbank_features(samples)
    assert log_mel(samples).shape == expected.shape
    np.testing.assert_allclose(log_mel(samples), expected, atol=2e-4)


def test_the_whole_input_is_that_of_the_seamless_extractor(seamless):
    samples = audio(1.5)
    expected = seamless(samples, sampling_rate=16000, return_tensors="np", padding=False)["input_features"]
    ours = model_input(samples, FeatureSettings(kind="log_mel", normalise="utterance"))
    np.testing.assert_allclose(ours[:, : expected.shape[1]], expected, atol=2e-3)
    np.testing.assert_allclose(
        stack(utterance_normalise_bins(log_mel(samples)), 2), expected[0][: ours.shape[1]], atol=2e-3
    )


def test_a_telephone_line_sounds_the_same_resampled_and_stored():
    """Above 4 kHz a resampled line has next to nothing, whose logarithm would be anything; on 16 bits it has their
    noise, which is what models are trained on."""
    line = soxr.resample(audio(1.0)[::2], 8_000, 16_000).astype(np.float32)
    np.testing.assert_array_equal(log_mel(line), log_mel(on_16_bits(line)))
    assert log_mel(line)[:, -10:].min() > 0  # of some 7 for quiet speech


def test_utterance_normalisation_is_that_of_the_wav2vec2_extractor():
    transformers = pytest.importorskip("transformers")
    samples = 3 * audio(1.0) + 0.1
    expected = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)(samples, sampling_rate=16000)["input_values"][0]
    np.testing.assert_allclose(utterance_normalise(samples.astype(np.float32)), expected, atol=1e-4)


@pytest.mark.parametrize("length", [0, 1, WINDOW - 1])
def test_audio_shorter_than_a_window_has_no_frames(length):
    assert log_mel(np.zeros(length, dtype=np.float32)).shape == (0, 80)


def test_silence_is_finite():
    assert np.isfinite(log_mel(np.zeros(1600, dtype=np.float32))).all()


RUNNING = FeatureSettings(
    kind="log_mel", normalise="running", mean=tuple(np.linspace(5, 9, 80)), std=(2.0,) * 80, prior_frames=50
)


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_running_normalisation_is_causal(cut):
    frames = log_mel(audio(1.0))
    np.testing.assert_allclose(
        running_normalise(frames[:cut], RUNNING), running_normalise(frames, RUNNING)[:cut], atol=1e-5
    )


def test_a_prefix_of_the_samples_has_a_prefix_of_the_features():
    samples = audio(1.0)
    whole = model_input(samples, RUNNING)
    part = model_input(samples[: WINDOW + 39 * HOP], RUNNING)
    assert part.shape == (1, 20, 160)
    np.testing.assert_allclose(part, whole[:, :20], atol=1e-4)


def test_running_normalisation_removes_a_constant_gain_in_time():
    frames = np.full((3000, 80), 4.0, dtype=np.float32)
    normalised = running_normalise(frames, RUNNING)
    assert np.abs(normalised[-1]).max() < 0.1
    assert np.abs(normalised[0]).max() > 1.0


LEVEL = FeatureSettings(kind="waveform", normalise="running", mean=(0.01,), std=(0.05,), prior_frames=25)


def test_the_running_level_is_that_of_all_blocks_before():
    """Against the definition, block by block."""
    samples = 0.3 * audio(0.51) + 0.02
    expected = []
    for begin in range(0, len(samples), BLOCK):
        before, prior = samples[:begin].astype(np.float64), 25 * BLOCK
        mean = (before.sum() + 0.01 * prior) / (begin + prior)
        square = ((before**2).sum() + (0.05**2 + 0.01**2) * prior) / (begin + prior)
        expected.append((samples[begin : begin + BLOCK] - mean) / np.sqrt(square - mean**2 + 1e-7))
    found = model_input(samples.astype(np.float32), LEVEL)[0]
    np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)


@given(cuts=st.lists(st.integers(0, 8_160), max_size=12))
def test_the_running_level_is_the_same_however_the_samples_come(cuts):
    samples = 0.3 * audio(0.51)
    level = RunningLevel(LEVEL)
    found = np.concatenate([level(piece) for piece in np.split(samples, sorted(cuts))])
    np.testing.assert_allclose(found, model_input(samples, LEVEL)[0], atol=1e-6, rtol=0)


def test_the_running_level_comes_to_that_of_the_recording():
    """And neither silence before it nor a digital one blows the first word up."""
    samples = np.concatenate([np.zeros(4800), 0.1 * np.random.default_rng(0).normal(0, 1, 160_000) - 0.05])
    found = model_input(samples.astype(np.float32), LEVEL)[0]
    assert np.abs(found).max() < 15
    assert found[-1600:].mean() == pytest.approx(0, abs=0.15)
    assert found[-1600:].std() == pytest.approx(1, abs=0.15)
    assert np.isfinite(model_input(np.zeros(160_000, np.float32), LEVEL)).all()


def test_waveforms_pass_through():
    samples = audio(0.1)
    assert model_input(samples, FeatureSettings(kind="waveform")).shape == (1, 1600)
