"""What comes piece by piece is what comes at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.bundle import FeatureSettings, Graph
from edgevoice.asr.feature_stream import feature_stream
from edgevoice.asr.features import model_input

MEL = FeatureSettings(
    kind="log_mel", normalise="running", mel_bins=8, stride=3, mean=(9.0,) * 8, std=(2.0,) * 8, prior_frames=20
)
GRAPHS = {
    "mel": Graph(
        architecture="wav2vec2-bert",
        features=MEL,
        input="input_features",
        outputs={"ctc": "ctc"},
        frame_samples=480,
        minimum_samples=1200,
        variants={},
    ),
    "wave": Graph(
        architecture="wav2vec2",
        features=FeatureSettings(kind="waveform"),
        input="input_values",
        outputs={"ctc": "ctc"},
        frame_samples=320,
        minimum_samples=720,
        variants={},
    ),
    "level": Graph(
        architecture="wav2vec2",
        features=FeatureSettings(kind="waveform", normalise="running", mean=(0.0,), std=(0.05,), prior_frames=5),
        input="input_values",
        outputs={"ctc": "ctc"},
        frame_samples=320,
        minimum_samples=720,
        variants={},
    ),
}


@pytest.mark.parametrize("kind", GRAPHS)
@given(cuts=st.lists(st.integers(0, 16_000), max_size=12), takes=st.lists(st.integers(1, 9), max_size=20))
def test_any_cuts_give_the_whole(kind: str, cuts: list[int], takes: list[int]) -> None:
    """However the samples come and the frames are taken."""
    graph = GRAPHS[kind]
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    stream = feature_stream(graph)
    found = []
    for begin, end in pairwise([0, *sorted(cuts), len(sound)]):
        stream.feed(sound[begin:end])
        while takes and stream.ready >= takes[0]:
            found.append(stream.look(takes[0])[0])
            stream.drop(takes.pop(0))
    found.append(
        stream.look(stream.ready)[0] if stream.ready else np.zeros_like(model_input(sound, graph.features)[0, :0])
    )
    whole = model_input(sound, graph.features)[0]
    if kind == "mel":
        np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-4)
        return
    place = 0
    for piece in found:
        if len(piece):
            frames = (len(piece) - 400) // 320 + 1
            expected = whole[place * 320 : (place + frames - 1) * 320 + 400]
            np.testing.assert_allclose(piece, expected, atol=0 if kind == "wave" else 1e-6, rtol=0)
            place += frames
    assert place == (len(sound) - 400) // 320 + 1
