"""Extractors of Transformers: only those that are known, and only with settings they take."""

from __future__ import annotations

import numpy as np
import pytest

from edgevoice.asr.extractor import MODULES, extract, make_extractor
from edgevoice.errors import ModelError


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_known_ones_are_there(name: str) -> None:
    found = make_extractor({"feature_extractor_type": name})
    assert type(found).__name__ == name


@pytest.mark.parametrize("name", ["pipeline", "AutoModel", "WhisperForCTC", "", "os.system"])
def test_no_other_name_of_transformers_is_looked_up(name: str) -> None:
    """`transformers.pipeline` would load, and run, whatever its arguments name."""
    with pytest.raises(ModelError, match="does not hear through a feature extractor"):
        make_extractor({"feature_extractor_type": name, "task": "text-generation", "model": "nowhere"})


@pytest.mark.parametrize("options", [{"chunk_length": "x"}, {"feature_size": -3}, {"hop_length": 0}])
def test_settings_that_do_not_fit_are_said_in_a_sentence(options: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="WhisperFeatureExtractor"):
        extract(np.zeros(16_000, dtype=np.float32), {"feature_extractor_type": "WhisperFeatureExtractor", **options})
