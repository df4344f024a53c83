"""What lies in a checkpoint folder besides weights: its tokenizer, and how audio becomes its input."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.asr.bundle import FeatureSettings, from_plain
from edgevoice.asr.features import log_mel, running_normalise
from edgevoice.errors import ModelError
from training.dataset import load_audio
from training.manifest import Clip

OWN_EXTRACTOR = "EdgeVoiceLogMel"


def save_features(settings: FeatureSettings, folder: Path) -> None:
    """Writes `preprocessor_config.json`: the Transformers extractor where one does the same, else our own settings."""
    folder.mkdir(parents=True, exist_ok=True)
    if settings.kind == "waveform":
        from transformers import Wav2Vec2FeatureExtractor

        Wav2Vec2FeatureExtractor(do_normalize=settings.normalise == "utterance").save_pretrained(folder)
        return
    data = {"feature_extractor_type": OWN_EXTRACTOR, **dataclasses.asdict(settings)}
    (folder / "preprocessor_config.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def load_features(checkpoint: str) -> FeatureSettings:
    """How a checkpoint (folder or hub id) wants its audio.

    Raises:
        ModelError: its feature extractor is of a kind edgevoice cannot compute.
    """
    own = Path(checkpoint) / "preprocessor_config.json"
    if own.is_file():
        data = json.loads(own.read_text(encoding="utf-8"))
        if data.pop("feature_extractor_type", "") == OWN_EXTRACTOR:
            settings: FeatureSettings = from_plain(FeatureSettings, data)
            return settings
    from transformers import AutoFeatureExtractor

    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    name = type(extractor).__name__
    if name == "Wav2Vec2FeatureExtractor":
        return FeatureSettings(kind="waveform", normalise="utterance" if extractor.do_normalize else "none")
    if name == "SeamlessM4TFeatureExtractor":
        bins, stride = extractor.num_mel_bins, extractor.stride
        return FeatureSettings(kind="log_mel", normalise="utterance", mel_bins=bins, stride=stride)
    raise ModelError(
        f"The checkpoint {checkpoint} wants a {name}, which edgevoice cannot compute yet", "Choose another"
    )


def load_tokenizer(checkpoint: str) -> Any:
    """The CTC tokenizer of a checkpoint folder or hub id."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(checkpoint)


def measure(settings: FeatureSettings, clips: Sequence[Clip], *, seed: int, count: int = 400) -> FeatureSettings:
    """The settings with `mean` and `std` of each mel bin measured on a sample of clips, where they are not set yet."""
    if settings.normalise != "running" or settings.mean:
        return settings
    chosen = np.random.default_rng(seed).permutation(len(clips))[:count]
    frames = [log_mel(load_audio(clips[i].path), settings.mel_bins) for i in chosen]
    mean = np.concatenate(frames).mean(axis=0)
    centred = dataclasses.replace(settings, mean=_rounded(mean), std=(1.0,) * settings.mel_bins)
    residual = np.concatenate([running_normalise(f, centred) for f in frames])
    return dataclasses.replace(centred, std=_rounded(residual.std(axis=0)))


def _rounded(values: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
