"""Inputs that only a feature extractor of Transformers computes: those of AST, Whisper and M-CTC-T.

The one place where the runtime may load Transformers, and only for such a model; PyTorch it never needs. They come with
the extra `mel`.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import EdgeVoiceError, MissingExtraError, ModelError
from edgevoice.text import plain

Array = npt.NDArray[np.float32]


MODULES = {
    "ASTFeatureExtractor": "transformers.models.audio_spectrogram_transformer"
    ".feature_extraction_audio_spectrogram_transformer",
    "MCTCTFeatureExtractor": "transformers.models.deprecated.mctct.feature_extraction_mctct",
    "WhisperFeatureExtractor": "transformers.models.whisper.feature_extraction_whisper",
}
"""The extractors that a model may name, and where they are. No others: Transformers would look up any name, that of a
function that runs a stranger's code too, and a bundle is data."""


class MissingExtractorError(MissingExtraError):
    """Transformers is not installed."""

    def __init__(self, name: str) -> None:
        EdgeVoiceError.__init__(
            self,
            f"The model hears through Transformers' {name}, which is not installed",
            "Install it: pip install 'edgevoice[mel]', or choose another model",
        )


def make_extractor(options: Mapping[str, Any]) -> Any:
    """The Transformers extractor that these options describe, as `preprocessor_config.json` does.

    Raises:
        MissingExtractorError: Transformers is not installed.
        ModelError: it is none of `MODULES`, or does not take these options.
    """
    settings = dict(options)
    name = str(settings.pop("feature_extractor_type", ""))
    check_extractor(name)
    try:
        # by name, so that nothing else of the runtime can come to depend on it
        module = importlib.import_module(MODULES[name])
    except ImportError:
        raise MissingExtractorError(name) from None
    try:
        return getattr(module, name)(**settings)
    except Exception as error:  # noqa: BLE001 - whatever strange options make it raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{name} does not take the model's settings: {reason}", "Export the model again") from None


def check_extractor(name: str) -> None:
    """Raises ModelError for an extractor that is none of `MODULES`."""
    if name not in MODULES:
        raise ModelError(
            f"edgevoice does not hear through a feature extractor '{plain(name)}'",
            f"Choose a model with raw audio, our log-mel features, or one of {', '.join(MODULES)}",
        )


def extract(samples: Array, options: Mapping[str, Any]) -> Array:
    """What the extractor makes of mono samples in -1..1 at 16 kHz: [1, ...]; its shape is the extractor's.

    Raises:
        MissingExtractorError: Transformers is not installed.
        ModelError: it cannot be made, or fails.
    """
    extractor = _kept(json.dumps(dict(options), sort_keys=True))
    try:
        made = extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")
        return np.asarray(made[extractor.model_input_names[0]], dtype=np.float32)
    except Exception as error:  # settings that are no sizes come to light here
        raise ModelError(f"{type(extractor).__name__} failed: {error}", "Export the model again") from error


@functools.lru_cache(maxsize=4)
def _kept(options: str) -> Any:
    """Filter banks take a second to compute."""
    return make_extractor(json.loads(options))
