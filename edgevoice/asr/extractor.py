"""Inputs that only a feature extractor of Transformers computes: those of AST, Whisper and M-CTC-T.

The one place where the runtime may load Transformers, and only for such a model; PyTorch it never needs. They come with
the extra `mel`.
"""

from __future__ import annotations

import functools
import importlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import EdgeVoiceError, MissingExtraError, ModelError

Array = npt.NDArray[np.float32]


class MissingExtractorError(MissingExtraError):
    """Transformers is not installed."""

    def __init__(self, name: str) -> None:
        EdgeVoiceError.__init__(
            self,
            f"The model hears through Transformers' {name}, which is not installed",
            "Install it: pip install 'edgevoice[mel]', or choose another model",
        )


def make_extractor(options: dict[str, Any]) -> Any:
    """The Transformers extractor that these options describe, as `preprocessor_config.json` does.

    Raises:
        MissingExtractorError: Transformers is not installed.
        ModelError: there is no extractor of that name.
    """
    settings = dict(options)
    name = str(settings.pop("feature_extractor_type", ""))
    try:
        # by name, so that nothing else of the runtime can come to depend on it
        auto: Any = importlib.import_module("transformers.models.auto.feature_extraction_auto")
    except ImportError:
        raise MissingExtractorError(name) from None
    made = auto.feature_extractor_class_from_name(name) if name else None
    if made is None:
        raise ModelError(f"There is no feature extractor '{name}'", "See the checkpoint's preprocessor_config.json")
    return made(**settings)


def extract(samples: Array, options: dict[str, Any]) -> Array:
    """What the extractor makes of mono samples in -1..1 at 16 kHz: [1, ...]; its shape is the extractor's.

    Raises:
        MissingExtractorError: Transformers is not installed.
        ModelError: there is no extractor of that name.
    """
    extractor = _kept(json.dumps(options, sort_keys=True))
    made = extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="np")
    return np.asarray(made[extractor.model_input_names[0]], dtype=np.float32)


@functools.lru_cache(maxsize=4)
def _kept(options: str) -> Any:
    """Filter banks take a second to compute."""
    return make_extractor(json.loads(options))
