"""Models that hear in chunks: nothing after a frame's chunk changes it, and nothing too long before it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.errors import ConfigError
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.checkpoint import load_features
from training.chunked import Chunks, chunk_mask, chunks_of, hear_in_chunks
from training.config import StreamingConfig, load_config
from training.loading import load_checkpoint
from training.models import JointConfig, JointModel
from training.run import train

MEL = FeatureSettings(kind="log_mel", stride=4)
WAVE = FeatureSettings(kind="waveform")


def tiny(encoder: dict[str, object]) -> JointModel:
    """A joint model with random weights."""
    torch.manual_seed(1)
    return JointModel(JointConfig(encoder=dict(encoder), vocab_size=8, classifier_size=8, num_labels=3)).eval()


def test_what_a_frame_sees() -> None:
    """Chunks of two frames, three more to the left."""
    seen = chunk_mask(6, 2, 3, torch.zeros(1))[0, 0] == 0
    expected = ["110000", "110000", "111100", "111100", "011111", "011111"]
    assert ["".join(str(int(each)) for each in row) for row in seen] == expected


def test_seconds_become_frames() -> None:
    assert chunks_of(StreamingConfig(), 480) == Chunks((5, 11, 21), 80)
    assert chunks_of(StreamingConfig(chunks_s=(0.01, 0.02), left_s=1.0), 320) == Chunks((1,), 50)
    assert Chunks((5, 11, 21), 80).usual == 11


@pytest.mark.parametrize(
    ("encoder", "features", "step", "reach"),
    [(TINY_BERT, MEL, 1, 1), (TINY_WAV2VEC2, WAVE, 320, 720)],
    ids=["bert", "wav2vec2"],
)
@pytest.mark.parametrize("size", [2, 5])
def test_later_sound_changes_nothing(encoder, features, step, reach, size) -> None:
    """The frames of a chunk are the same whatever comes after it; without chunks they are not."""
    model = tiny(encoder)
    frames = 20
    shape = (1, frames, 320) if step == 1 else (1, step * (frames - 1) + reach)
    name = model.main_input_name
    heard = torch.randn(shape)
    other = heard.clone()
    cut = step * (2 * size - 1) + reach  # what the first two chunks hear
    other[:, cut:] = torch.randn_like(other[:, cut:])

    def frames_of(inputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return model(**{name: inputs}).ctc_logits[0]

    assert not torch.allclose(frames_of(heard)[: 2 * size], frames_of(other)[: 2 * size], atol=1e-4)
    chunking = hear_in_chunks(model, features, StreamingConfig(chunks_s=(0.08, 0.2), left_s=0.1))
    assert chunking is not None
    chunking.size = size
    torch.testing.assert_close(frames_of(heard)[: 2 * size], frames_of(other)[: 2 * size], atol=1e-6, rtol=0)
    assert not torch.allclose(frames_of(heard)[2 * size :], frames_of(other)[2 * size :], atol=1e-4)


def test_padding_stays_padding() -> None:
    """A clip in a batch with a longer one gives what it gives alone."""
    model = tiny(TINY_BERT)
    hear_in_chunks(model, MEL, StreamingConfig(chunks_s=(0.2,), left_s=0.3))
    inputs, mask = torch.randn(2, 30, 320), torch.ones(2, 30, dtype=torch.long)
    mask[1, 17:] = 0
    with torch.no_grad():
        together = model(input_features=inputs, attention_mask=mask)
        alone = model(input_features=inputs[1:, :17])
    torch.testing.assert_close(together.ctc_logits[1, :17], alone.ctc_logits[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(together.intent_logits[1], alone.intent_logits[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"feat_extract_norm": "group", "do_stable_layer_norm": False}, "normalised over the whole recording"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'"),
        ({"model_type": "hubert"}, "A hubert cannot be trained for streaming"),
    ],
)
def test_what_cannot_be_cut_is_refused(changes, said) -> None:
    with pytest.raises(ConfigError, match=said):
        hear_in_chunks(tiny({**TINY_WAV2VEC2, **changes}), WAVE, StreamingConfig())


def test_what_is_normalised_over_the_whole_recording_is_refused() -> None:
    """Live there is no whole recording."""
    with pytest.raises(ConfigError, match="normalised over the whole recording cannot hear in chunks"):
        hear_in_chunks(tiny(TINY_WAV2VEC2), FeatureSettings(kind="waveform", normalise="utterance"), StreamingConfig())


@pytest.mark.slow
def test_a_pretrained_model_that_hears_whole_utterances_becomes_one_that_hears_live(tmp_path) -> None:
    """Its checkpoint normalises over the utterance; trained for streaming, it begins with the level of the data."""
    corpus = small_corpus(tmp_path)
    train("joint", tiny_recipe(corpus, TINY_WAV2VEC2, "trainer.max_steps=2"), tmp_path / "before")
    assert load_features(str(tmp_path / "before")).normalise == "utterance"
    recipe = tiny_recipe(
        corpus, {}, "trainer.max_steps=2", f"model.checkpoint={tmp_path / 'before'}", "model.streaming={}"
    )
    train("joint", recipe, tmp_path / "run")
    features = load_features(str(tmp_path / "run"))
    assert (features.kind, features.normalise, features.prior_frames) == ("waveform", "running", 25)
    assert 0.01 < features.std[0] < 0.2
    loaded = load_checkpoint(str(tmp_path / "run"))
    assert loaded.chunking is not None
    assert loaded.features == features


@pytest.mark.parametrize("chunks", ["[]", "[0.3, 0.1]", "[0.0, 0.1]", "[0.1, 0.1]"])
def test_chunks_that_are_none(chunks) -> None:
    with pytest.raises(ConfigError, match="chunks_s"):
        load_config(None, [f"model.streaming.chunks_s={chunks}"])


@pytest.mark.slow
def test_a_run_for_streaming_is_loaded_as_one(tmp_path) -> None:
    """Trained with every chunk size; the checkpoint says so, and whoever loads it hears in chunks too."""
    recipe = tiny_recipe(small_corpus(tmp_path), TINY_BERT, "model.streaming={chunks_s=[0.16, 0.32], left_s=0.8}")
    train("joint", recipe, tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert stored["streaming"] == {"sizes": [4, 8], "left": 20}
    loaded = load_checkpoint(str(tmp_path / "run"))
    sound = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)
    whole, beginning = loaded.encode(sound).log_probs, loaded.encode(sound[:16_000]).log_probs
    assert whole is not None
    assert beginning is not None
    np.testing.assert_allclose(whole[:16], beginning[:16], atol=1e-5)
