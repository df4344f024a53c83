"""A tiny configuration of every architecture that the Transformers guides fine-tune, and what computes its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from edgevoice.asr.bundle import FeatureSettings
from training.checkpoint import save_features
from training.config import ModelConfig, Task, load_config
from training.features import complete
from training.models import build_model
from training.vocabulary import canonical, characters_tokenizer

_LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
_CONVOLUTIONS = {
    **_LAYERS,
    "conv_dim": [32, 32, 32],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [10, 8, 4],
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
_NORMED = {
    **_CONVOLUTIONS,
    "feat_extract_norm": "layer",
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
_STABLE = {**_NORMED, "do_stable_layer_norm": True}
_GROUPED = {**_NORMED, "feat_extract_norm": "group"}


def _without(table: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != key}


ENCODERS: dict[str, dict[str, Any]] = {
    "audio-spectrogram-transformer": {**_LAYERS, "max_length": 256, "num_mel_bins": 64},
    "data2vec-audio": {
        **_without(_CONVOLUTIONS, "apply_spec_augment"),
        "mask_time_prob": 0.0,
        "num_conv_pos_embedding_groups": 4,
        "conv_pos_kernel_size": 7,
    },
    "hubert": _STABLE,
    "mctct": {
        **_LAYERS,
        "attention_head_dim": 16,
        "max_position_embeddings": 400,
        "layerdrop": 0.0,
    },
    "sew": {**_GROUPED, "squeeze_factor": 2},
    "sew-d": {
        **_without(_GROUPED, "layerdrop"),
        "squeeze_factor": 2,
        "position_buckets": 32,
        "max_position_embeddings": 64,
    },
    "unispeech": _GROUPED,
    "unispeech-sat": _STABLE,
    "wav2vec2": _GROUPED,
    "wav2vec2-bert": {
        **_LAYERS,
        "feature_projection_input_dim": 320,
        "conv_depthwise_kernel_size": 5,
        "layerdrop": 0.0,
        "mask_time_prob": 0.0,
    },
    "wav2vec2-conformer": {**_NORMED, "conv_depthwise_kernel_size": 5, "max_source_positions": 1200},
    "wavlm": {**_STABLE, "num_buckets": 32, "max_bucket_distance": 80},
    "whisper": {
        "d_model": 32,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 48,
        "decoder_layers": 1,
        "decoder_attention_heads": 2,
        "decoder_ffn_dim": 48,
        "num_mel_bins": 80,
        "max_source_positions": 750,
    },
}
"""Model type -> configuration. Every key is one of that type's Transformers configuration."""

EXTRACTORS: dict[str, dict[str, Any]] = {
    "audio-spectrogram-transformer": {"max_length": 256, "num_mel_bins": 64},
    "mctct": {},
    "whisper": {"chunk_length": 15},
}
"""Model types whose input a Transformers extractor computes -> its options."""

CTC = sorted(set(ENCODERS) - {"audio-spectrogram-transformer", "whisper"})
INTENT = sorted(set(ENCODERS) - {"mctct"})


def encoder(model_type: str) -> dict[str, Any]:
    """The table `model.encoder` of a recipe."""
    return {"model_type": model_type, **ENCODERS[model_type]}


def features(model_type: str) -> list[str]:
    """Assignments to `model.features` that fit it."""
    if model_type not in EXTRACTORS:
        return []
    options = ", ".join(f"{key} = {value}" for key, value in EXTRACTORS[model_type].items())
    return ["model.features.kind=extractor", f"model.features.extractor={{{options}}}"]


def random_checkpoint(folder: Path, task: Task, model_type: str) -> Path:
    """A checkpoint of that architecture with random weights, as `edgevoice train` would leave it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ("", *"abcdefghijklmnopqrstuvwxyz' ")
    config = load_config(None, ["data.sources=[]", *features(model_type)])
    table = encoder(model_type)
    settings = config.model.features
    if "feature_projection_input_dim" in table:
        settings = FeatureSettings(kind="log_mel", normalise="utterance", stride=4)
    model_config = ModelConfig(encoder=table, features=complete(settings, model_type))
    torch.manual_seed(1)
    if task != "intent":
        vocabulary = canonical(characters_tokenizer(vocabulary, 0, folder))[0]
    sizes = {"vocabulary_size": len(vocabulary), "blank": 0, "labels": ["freeze", "none", "pay"], "intent_weight": 1.0}
    model = build_model(task, model_config, **sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1.5)  # random weights of the usual size give almost the same logits for everything
    model.save_pretrained(folder)
    save_features(model_config.features, folder)
    return folder
