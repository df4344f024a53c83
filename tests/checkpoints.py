"""Checkpoints with random weights, as Transformers saves them: for tests that need a real one and no training."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForAudioClassification, AutoModelForCTC

from edgevoice.asr.bundle import FeatureSettings
from tests.small import TINY_WAV2VEC2
from training.checkpoint import save_features
from training.vocabulary import characters_tokenizer

LETTERS = ("", *" abcdefghijklmnopqrstuvwxyz'")
LABELS = ("pay", "stop")


UTTERANCE = FeatureSettings(kind="waveform", normalise="utterance")
RUNNING = FeatureSettings(kind="waveform", normalise="running", mean=(0.0,), std=(0.05,), prior_frames=25)


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


def _random(auto: type, **options: object):
    table = {**TINY_WAV2VEC2, **options}
    torch.manual_seed(0)
    model = auto.from_config(AutoConfig.for_model(table.pop("model_type"), **table))
    with torch.no_grad():
        for parameter in model.parameters():  # no two alike, as after training: an export keeps one of those that are
            parameter.add_(0.01 * torch.randn_like(parameter))
    return model
