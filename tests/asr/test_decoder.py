"""Which decoder is chosen, what is refused, and words fed piece by piece."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.beam import BeamSearch
from edgevoice.asr.bundle import Bundle, Decoding, Manifest
from edgevoice.asr.confidence import ConfidenceMap
from edgevoice.asr.ctc import GreedySearch, greedy
from edgevoice.asr.decoder import Decoder, greedy_decoder, make_decoder
from edgevoice.asr.model import log_softmax
from edgevoice.asr.scorer import WordList
from edgevoice.config import AsrSettings
from edgevoice.errors import ConfigError

LETTERS = ("", "a", "b", " ", "")
PIECES = ("", " a", "b", " ba", "c")


def rows(seed: int, frames: int, size: int, sharpness: float = 3.0) -> np.ndarray:
    return log_softmax(np.random.default_rng(seed).normal(0, sharpness, (frames, size)).astype(np.float32))


def cut(log_probs: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    return np.split(log_probs, list(itertools.accumulate(sizes)))


sizes = st.lists(st.integers(0, 7), min_size=1, max_size=8)


@given(seed=st.integers(0, 10**6), sizes=sizes, sharpness=st.sampled_from([0.5, 4.0]))
def test_greedy_by_the_piece_is_greedy_at_once(seed, sizes, sharpness):
    log_probs = rows(seed, 30, len(LETTERS), sharpness)
    stream = GreedySearch(LETTERS, 0).open()
    settled: list[str] = []
    for piece in cut(log_probs, sizes):
        stream.feed(piece)
        texts = [token.text for token in stream.tokens()]
        assert texts[: len(settled)] == settled
        settled = texts[: stream.settled()]
    assert stream.tokens(final=True) == greedy(log_probs, LETTERS, 0)


@pytest.mark.parametrize("vocabulary", [LETTERS, PIECES])
@pytest.mark.parametrize("search", [GreedySearch, BeamSearch])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), sizes=sizes)
def test_settled_words_are_a_promise(vocabulary, search, seed, sizes):
    """Words that are settled are in the final text, and in every one on the way there."""
    words = Decoder(search(vocabulary, 0), ConfidenceMap()).open(0.02, 5.0)
    promised: list[str] = []
    for piece in cut(rows(seed, 40, len(vocabulary)), sizes):
        words.feed(piece)
        now = [word.word for word in words.words()]
        assert now[: len(promised)] == promised
        promised = now[: words.settled()]
    assert [word.word for word in words.words(final=True)][: len(promised)] == promised


def test_words_have_their_place_on_the_streams_clock():
    log_probs = log_softmax(np.eye(5, dtype=np.float32)[[0, 1, 1, 3, 2, 0]] * 12)
    for search in (GreedySearch(LETTERS, 0), BeamSearch(LETTERS, 0)):
        found = Decoder(search, ConfidenceMap()).words(log_probs, 0.02, 3.0)
        assert [(word.word, round(word.start, 3), round(word.end, 3)) for word in found] == [
            ("a", 3.02, 3.06),
            ("b", 3.08, 3.1),
        ]


def test_a_word_with_silence_behind_it_is_judged_as_a_whole_one():
    """ "a" begins the only word there is, "ab", and is a little likelier than it."""
    log_probs = np.log(np.array([[0.01, 0.97, 0.01, 0.005, 0.005], [0.5, 0.1, 0.38, 0.01, 0.01]], dtype=np.float32))
    silence = np.log(np.array([[0.996, 0.001, 0.001, 0.001, 0.001]] * 11, dtype=np.float32))
    words = Decoder(BeamSearch(LETTERS, 0, WordList(["ab"])), ConfidenceMap()).open(0.02, 0.0)
    words.feed(log_probs)
    words.feed(silence[:8])
    assert [word.word for word in words.words()] == ["a"]
    words.feed(silence[8:])
    assert [word.word for word in words.words()] == ["ab"]


@pytest.mark.parametrize("p", [0.0, 0.2, 0.9, 1.0])
def test_confidences_are_mapped_and_keep_their_order(p):
    assert ConfidenceMap()(p) == p
    wary = ConfidenceMap(slope=0.5, offset=-1.0)
    assert 0 <= wary(p) <= 1
    assert wary(0.5) == pytest.approx(1 / (1 + np.e))
    assert wary(0.2) < wary(0.3)


@pytest.mark.parametrize("slope", [1e300, 1e-300])
def test_no_map_overflows(slope):
    assert 0 <= ConfidenceMap(slope=slope, offset=-1e300)(0.3) <= 1


MANIFEST = Manifest(name="m", graphs={}, files={}, vocabulary=LETTERS)


@pytest.fixture
def bundle(tmp_path) -> Bundle:
    (tmp_path / "words.txt").write_text("ab\n")
    (tmp_path / "hot.txt").write_text("ab\n")
    return Bundle(tmp_path, MANIFEST)


def kind(decoder: Decoder) -> str:
    return type(decoder._search).__name__


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "GreedySearch"),
        ({"decoder": "greedy"}, "GreedySearch"),
        ({"decoder": "beam"}, "BeamSearch"),
        ({"hotwords": "hot.txt"}, "BeamSearch"),
        ({"language_model": "words.txt"}, "BeamSearch"),
        ({"hotwords": "hot.txt", "language_model": "words.txt", "decoder": "beam"}, "BeamSearch"),
    ],
)
def test_the_search_comes_with_what_needs_it(bundle, monkeypatch, changes, expected):
    monkeypatch.chdir(bundle.path)
    assert kind(make_decoder(bundle, AsrSettings(**changes))) == expected


def test_a_bundle_brings_its_own_words_unless_the_user_decides_otherwise(bundle):
    own = dataclasses.replace(
        bundle, manifest=dataclasses.replace(MANIFEST, decoding=Decoding(language_model="words.txt"))
    )
    assert kind(make_decoder(own, AsrSettings())) == "BeamSearch"
    assert kind(make_decoder(own, AsrSettings(decoder="greedy"))) == "GreedySearch"
    (bundle.path / "mine.txt").write_text("ba\n")
    mine = make_decoder(own, AsrSettings(language_model=str(bundle.path / "mine.txt")))
    # "ab", though "ba" is what is listed, would cost too much
    log_probs = np.log(np.array([[0.01, 0.5, 0.47, 0.01, 0.01], [0.01, 0.47, 0.5, 0.01, 0.01]], dtype=np.float32))
    assert [word.word for word in mine.words(log_probs, 1.0, 0.0)] == ["ba"]
    assert [word.word for word in make_decoder(own, AsrSettings()).words(log_probs, 1.0, 0.0)] == ["ab"]


@pytest.mark.parametrize("name", ["hotwords", "language_model"])
def test_greedy_with_words_to_expect_is_refused(bundle, name):
    with pytest.raises(ConfigError, match=rf"asr\.decoder is greedy.*asr\.{name} is set"):
        make_decoder(bundle, AsrSettings(decoder="greedy", **{name: "x.txt"}))


def test_a_bundle_may_say_what_its_confidences_are_worth(bundle):
    log_probs = np.log(np.array([[0.3, 0.6, 0.05, 0.04, 0.01]], dtype=np.float32))
    wary = dataclasses.replace(MANIFEST, decoding=Decoding(confidence_slope=0.5, confidence_offset=-0.5))
    (plain,) = greedy_decoder(MANIFEST).words(log_probs, 1.0, 0.0)
    (word,) = greedy_decoder(wary).words(log_probs, 1.0, 0.0)
    assert plain.confidence == pytest.approx(0.6)
    assert word.confidence == pytest.approx(ConfidenceMap(slope=0.5, offset=-0.5)(0.6))
