"""From samples to what a model takes: our own features, which the runtime computes too, or a Transformers extractor.

Raw audio and log-mel frames are computed by `edgevoice.asr.features`. The extractors of AST, Whisper and M-CTC-T are
Transformers' own; a checkpoint carries their settings, and so does the bundle made of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING_NAMES

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.asr.extractor import check_extractor, make_extractor
from edgevoice.asr.features import HOP, WINDOW, model_input

Array = npt.NDArray[np.float32]


class Features:
    """Computes a model's input.

    Args:
        settings: as a checkpoint or a recipe has them.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self.settings = settings
        self._extractor = make_extractor(settings.extractor) if settings.kind == "extractor" else None

    @property
    def input_name(self) -> str:
        """The argument of the model's forward."""
        if self._extractor is not None:
            return str(self._extractor.model_input_names[0])
        return "input_values" if self.settings.kind == "waveform" else "input_features"

    def __call__(self, samples: Array) -> Array:
        """The input for mono samples in -1..1 at 16 kHz, without a batch: [samples] or [frames, values]."""
        return model_input(samples, self.settings)[0]

    def lengths(self, samples: torch.Tensor) -> torch.Tensor:
        """How long the inputs for so many samples each are: [clips]."""
        if self.settings.kind == "waveform":
            return samples
        if self._extractor is None:
            return _frames(samples, WINDOW, HOP) // self.settings.stride
        size, hop = (getattr(self._extractor, name, 0) for name in ("sample_size", "sample_stride"))
        # the others make every input equally long
        return _frames(samples, size, hop) if hop else torch.full_like(samples, len(self(np.zeros(1, np.float32))))


def complete(settings: FeatureSettings, model_type: str) -> FeatureSettings:
    """The settings with every option of the extractor, that of `model_type` where none is named."""
    if settings.kind != "extractor":
        return settings
    named = {"feature_extractor_type": FEATURE_EXTRACTOR_MAPPING_NAMES.get(model_type, ""), **settings.extractor}
    return described(make_extractor(named))


def described(extractor: Any) -> FeatureSettings:
    """The settings of a Transformers extractor; raises ModelError for one that the runtime does not know."""
    check_extractor(type(extractor).__name__)
    options = {key: value for key, value in extractor.to_dict().items() if key not in ("mel_filters", "window")}
    return FeatureSettings(kind="extractor", extractor=options)


def _frames(samples: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    return (samples - size).div(hop, rounding_mode="floor").add(1).clamp(min=0)
