"""What lies in a checkpoint folder besides weights: its tokenizer, and how audio becomes its input."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.asr.bundle import FeatureSettings, from_plain
from edgevoice.asr.extractor import make_extractor
from edgevoice.asr.features import log_mel, running_normalise
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ModelError
from edgevoice.paths import known_models
from training import network
from training.decoded import load_audio
from training.features import described
from training.folders import beside
from training.manifest import Clip

OWN_EXTRACTOR = "EdgeVoiceLogMel"
WAVEFORM_PRIOR = 25
"""Blocks (half a second) that the level of the training data weighs: enough for the silence before the first word, and
little against the voice of whoever speaks."""
_TOKENIZERS = ("vocab.json", "tokenizer.json")
"""What a tokenizer's pieces lie in, of characters or of subwords."""
_NAME_ONE = "Name a folder that 'edgevoice train' wrote, or the hub id OWNER/NAME of a checkpoint"


def save_features(settings: FeatureSettings, folder: Path) -> None:
    """Writes `preprocessor_config.json`: the Transformers extractor where one does the same, else our own settings."""
    folder.mkdir(parents=True, exist_ok=True)
    if settings.kind == "waveform" and settings.normalise != "running":
        from transformers import Wav2Vec2FeatureExtractor

        Wav2Vec2FeatureExtractor(do_normalize=settings.normalise == "utterance").save_pretrained(folder)
        return
    if settings.kind == "extractor":
        make_extractor(settings.extractor).save_pretrained(folder)
        return
    data = {"feature_extractor_type": OWN_EXTRACTOR, **dataclasses.asdict(settings)}
    (folder / "preprocessor_config.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def check_name(checkpoint: str) -> None:
    """Raises ModelError for what is no folder and cannot be a hub id, before anything asks the hub for it."""
    place = Path(checkpoint)
    if place.is_dir():
        return
    if place.is_file():
        raise ModelError(f"'{checkpoint}' is a file, and a checkpoint is a folder", _NAME_ONE)
    if ":" in checkpoint or not network.could_be_of_hub(checkpoint):
        raise ModelError(f"There is no checkpoint '{checkpoint}', since there is no such folder", _NAME_ONE)


def check_start(checkpoint: str) -> None:
    """Raises ModelError for what is neither a model that is here, nor a checkpoint, nor to be had from the hub."""
    if checkpoint in known_models():
        return
    check_name(checkpoint)
    if network.off() and not Path(checkpoint).is_dir() and stored_file(checkpoint, "config.json") is None:
        raise unreadable(checkpoint, "configuration (config.json)", FileNotFoundError())


def load_features(checkpoint: str) -> FeatureSettings:
    """How a checkpoint (folder or hub id) wants its audio.

    Raises:
        ModelError: it is not there, or has no feature extractor.
    """
    from transformers import AutoFeatureExtractor

    check_name(checkpoint)
    place = str(beside(Path(checkpoint), "preprocessor_config.json"))
    try:
        own = stored_file(place, "preprocessor_config.json")
        data = json.loads(own.read_text(encoding="utf-8")) if own else {}
        _check_rate(checkpoint, data)
        if data.pop("feature_extractor_type", "") == OWN_EXTRACTOR:
            settings: FeatureSettings = from_plain(FeatureSettings, data)
            return settings
        extractor = AutoFeatureExtractor.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(checkpoint, "feature extractor (preprocessor_config.json)", error) from None
    name = type(extractor).__name__
    if name == "Wav2Vec2FeatureExtractor":
        return FeatureSettings(kind="waveform", normalise="utterance" if extractor.do_normalize else "none")
    if name == "SeamlessM4TFeatureExtractor":
        bins, stride = extractor.num_mel_bins, extractor.stride
        return FeatureSettings(kind="log_mel", normalise="utterance", mel_bins=bins, stride=stride)
    return described(extractor)


def _check_rate(checkpoint: str, options: dict[str, Any]) -> None:
    """All audio is heard at 16 kHz, whatever rate a checkpoint asks for: one of another rate would hear it too slow or
    too fast, and the comparison with PyTorch would not tell, since both hear the same."""
    rate = options.get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise ModelError(
            f"The checkpoint '{checkpoint}' hears audio of {rate} Hz (preprocessor_config.json), and only "
            f"{SAMPLE_RATE} Hz can be run",
            "Choose a checkpoint for 16000 Hz, or train this one further on such audio with 16000 in that file",
        )


def load_tokenizer(checkpoint: str) -> Any:
    """The CTC tokenizer of a checkpoint folder or hub id.

    Raises:
        ModelError: there is none.
    """
    from transformers import AutoTokenizer

    place = beside(Path(checkpoint), "tokenizer_config.json")
    try:
        return AutoTokenizer.from_pretrained(str(place), trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if place.is_dir() and not any((place / name).is_file() for name in _TOKENIZERS):
            raise ModelError(
                f"The checkpoint '{checkpoint}' has no tokenizer: {place} holds no {' and no '.join(_TOKENIZERS)}",
                "Copy the tokenizer's files there from the checkpoint that it was trained from",
            ) from None
        raise unreadable(checkpoint, "tokenizer", error) from None


def stored_file(checkpoint: str, name: str) -> Path | None:
    """A file of a checkpoint folder or hub id, fetched where there is a network; None where it has none, or where that
    cannot be known."""
    from transformers.utils.hub import cached_file

    if Path(checkpoint).is_dir():
        file = Path(checkpoint) / name
        return file if file.is_file() else None
    missing = {f"_raise_exceptions_for_{what}": False for what in ("missing_entries", "connection_errors")}
    try:
        found = cached_file(checkpoint, name, **missing)
    except OSError:
        return None
    return Path(found) if found else None


def unreadable(checkpoint: str, what: str, error: Exception) -> ModelError:
    """What is said of a checkpoint that lacks a part; the libraries' own messages run over many lines."""
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    if Path(checkpoint).is_dir():
        remedy = "Name a folder that 'edgevoice train' wrote, or the hub id of a whole checkpoint"
        return ModelError(f"The checkpoint '{checkpoint}' has no {what} that can be read: {reason}", remedy)
    folder = Path(checkpoint)
    if folder.name in known_models() and network.off():
        return ModelError(f"There is no folder '{checkpoint}' here", f"The model that comes along is '{folder.name}'")
    if folder.parent.is_dir() and network.off():
        return ModelError(f"There is no folder '{folder.name}' in '{folder.parent}'", _NAME_ONE)
    fetch = f"Where there is a network, fetch it with 'hf download {checkpoint}'; or name a checkpoint's folder"
    if network.off():
        return ModelError(
            f"There is no folder '{checkpoint}' here; and if it is a hub id, the {what} of '{checkpoint}' is not in "
            "the cache, and the hub cannot be reached",
            fetch,
        )
    return ModelError(
        f"There is no folder '{checkpoint}' here, and no {what} of that name can be had from the hub: {reason}", fetch
    )


def measure(settings: FeatureSettings, clips: Sequence[Clip], *, seed: int, count: int = 400) -> FeatureSettings:
    """The settings with `mean` and `std` of each mel bin, or of the samples, measured on a sample of clips, where they
    are not set yet."""
    if settings.normalise != "running" or settings.mean:
        return settings
    chosen = np.random.default_rng(seed).permutation(len(clips))[:count]
    if settings.kind == "waveform":
        samples = np.concatenate([load_audio(clips[i].path) for i in chosen])
        mean, std = _rounded([samples.mean(dtype=np.float64)]), _rounded([samples.std(dtype=np.float64)])
        return dataclasses.replace(settings, mean=mean, std=std)
    frames = [log_mel(load_audio(clips[i].path), settings.mel_bins) for i in chosen]
    mean = np.concatenate(frames).mean(axis=0)
    centred = dataclasses.replace(settings, mean=_rounded(mean), std=(1.0,) * settings.mel_bins)
    residual = np.concatenate([running_normalise(f, centred) for f in frames])
    return dataclasses.replace(centred, std=_rounded(residual.std(axis=0)))


def causal(settings: FeatureSettings) -> FeatureSettings:
    """The settings for a model that hears live: what was normalised over the whole recording is normalised over what
    was heard so far, to which training adapts the model."""
    if settings.normalise != "utterance":
        return settings
    prior = WAVEFORM_PRIOR if settings.kind == "waveform" else settings.prior_frames
    return dataclasses.replace(settings, normalise="running", prior_frames=prior)


def _rounded(values: Any) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
