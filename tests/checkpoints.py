"""Checkpoints with random weights, as Transformers saves them: for tests that need a real one and no training."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForAudioClassification, AutoModelForCTC

from edgevoice.asr.bundle import FeatureSettings
from tests.small import TINY_WAV2VEC2
from training.attention import use_fast_relative_key
from training.checkpoint import save_features
from training.chunked import hear_in_chunks
from training.config import StreamingConfig
from training.loading import Checkpoint
from training.models import JointConfig, JointModel
from training.vocabulary import characters_tokenizer

LETTERS = ("", *" abcdefghijklmnopqrstuvwxyz'")
LABELS = ("pay", "stop")


UTTERANCE = FeatureSettings(kind="waveform", normalise="utterance")
RUNNING = FeatureSettings(kind="waveform", normalise="running", mean=(0.0,), std=(0.05,), prior_frames=25)

MEL = FeatureSettings(kind="log_mel", stride=4)
WAVE = FeatureSettings(kind="waveform")


def captions(folder: Path, *, sure: float = 0.0, features: FeatureSettings = UTTERANCE, **changes: object) -> Path:
    """One for captions. Its tokenizer has a token more than its head, as many of the hub do.

    Args:
        folder: where.
        sure: added to the logit of the blank, so that rounding does not change what it hears.
        features: how it wants its audio.
        changes: to the configuration of its encoder.
    """
    model = _random(AutoModelForCTC, vocab_size=len(LETTERS), pad_token_id=0, **changes)
    with torch.no_grad():
        model.lm_head.bias[0] += sure
    model.save_pretrained(folder)
    characters_tokenizer(LETTERS, 0, folder)
    save_features(features, folder)
    return folder


def intents(folder: Path, *, features: FeatureSettings = UTTERANCE) -> Path:
    """One for two intents."""
    maps = {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}
    _random(AutoModelForAudioClassification, classifier_proj_size=16, **maps).save_pretrained(folder)
    save_features(features, folder)
    return folder


def in_chunks(encoder: dict[str, object], features: FeatureSettings, task: str = "joint") -> Checkpoint:
    """One with random weights that hears in chunks."""
    torch.manual_seed(1)
    options = dict(encoder)
    if task == "joint":
        model = JointModel(JointConfig(encoder=options, vocab_size=8, classifier_size=8, num_labels=3)).eval()
    else:
        auto = AutoModelForCTC if task == "ctc" else AutoModelForAudioClassification
        config = AutoConfig.for_model(options.pop("model_type"), **options, vocab_size=8, num_labels=3)
        model = auto.from_config(config, attn_implementation="eager").eval()
    for parameter in model.parameters():  # zeros and ones would hide what is left out or mixed up
        torch.nn.init.normal_(parameter, std=0.3)
    use_fast_relative_key(model)
    chunking = hear_in_chunks(model, features, StreamingConfig(chunks_s=(0.08, 0.2), left_s=0.24))
    return Checkpoint("tiny", task, model, features, tuple("abcdefgh"), 0, ("x", "y", "z"), chunking)


def _random(auto: type, **options: object):
    table = {**TINY_WAV2VEC2, **options}
    torch.manual_seed(0)
    model = auto.from_config(AutoConfig.for_model(table.pop("model_type"), **table))
    with torch.no_grad():
        for parameter in model.parameters():  # no two alike, as after training: an export keeps one of those that are
            parameter.add_(0.01 * torch.randn_like(parameter))
    return model
