"""A small corpus of real speech and a tiny model, for tests that train and export for real."""

from __future__ import annotations

import csv
from pathlib import Path

from export.parity import CLIPS
from training.config import TrainConfig, load_config
from training.manifest import Clip, read_manifest

TINY_BERT = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "feature_projection_input_dim": 320,
    "conv_depthwise_kernel_size": 5,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}
TINY_WAV2VEC2 = {
    "model_type": "wav2vec2",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [32, 32, 32],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [10, 8, 4],
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}


def small_clips() -> list[Clip]:
    """Thirteen of the parity clips, of 0.35 to 15 s."""
    return read_manifest(CLIPS)[:13]


def small_corpus(folder: Path) -> Path:
    """A manifest over `small_clips`, every clip in train and dev, with two intents."""
    file = folder / "small" / "manifest.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "text", "intent", "speaker", "split"])
        for number, clip in enumerate(small_clips()):
            for split in ("train", "dev"):
                writer.writerow([clip.path, clip.text, "short" if number < 6 else "long", clip.speaker, split])
    return file


def tiny_recipe(manifest: Path, encoder: dict[str, object], *assignments: str) -> TrainConfig:
    """Ten quick steps."""
    mel = encoder.get("model_type") == "wav2vec2-bert"
    features = ("model.features.kind=log_mel", "model.features.normalise=running", "model.features.stride=4")
    config = load_config(
        None,
        [
            f'data.sources=["{manifest}"]',
            "data.minimum_s=0.5",
            "trainer.max_steps=10",
            "trainer.batch_seconds=20",
            "trainer.warmup_steps=2",
            "trainer.learning_rate=0.003",
            "trainer.evaluate_every=5",
            "trainer.precision=fp32",
            "model.classifier_size=16",
            *(features if mel else ()),
            *assignments,
        ],
    )
    config.model.encoder.update(encoder)
    return config
