"""A tiny configuration of every architecture that the Transformers guides fine-tune, and what computes its input."""

from __future__ import annotations

from typing import Any

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
        "max_position_embeddings": 700,
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
    "wav2vec2-conformer": {**_NORMED, "conv_depthwise_kernel_size": 5, "max_source_positions": 600},
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
