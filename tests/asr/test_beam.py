"""Prefix beam search against brute force: all paths of short inputs, summed by what they spell."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.beam import BeamSearch
from edgevoice.asr.ctc import greedy, words
from edgevoice.asr.model import log_softmax

LETTERS = ("", "a", "b", " ")
PIECES = ("", " a", "b", " ba", "")
EXACT = {"width": 10_000, "floor": -math.inf, "margin": math.inf}


class Likes:
    """Likes some words, some pairs and the beginnings of a word, by table; every state is the word before."""

    def start(self, *, begins):
        return "<s>" if begins else ""

    def word(self, state, word):
        return (len(word) * 0.7 - (1.3 if state == word else 0.0) - (0.4 if state == "<s>" else 0)), word

    def partial(self, state, text):
        return 1.1 if text == "a" and state else -0.2 * len(text)

    def end(self, state):
        return 0.9 if state == "ab" else -0.3


def rows(draw_seed: int, frames: int, size: int, sharpness: float = 2.0) -> np.ndarray:
    return log_softmax(np.random.default_rng(draw_seed).normal(0, sharpness, (frames, size)).astype(np.float32))


def collapsed(path, vocabulary, blank=0) -> tuple[str, ...]:
    """The tokens of a path: repeats joined, blanks and special tokens dropped, spaces joined and none at the front."""
    kept = [vocabulary[i] if i != blank else "" for i in path]
    tokens = [piece for piece, _ in itertools.groupby(zip(kept, path, strict=True)) if piece[0]]
    tokens = [text for text, _ in tokens]
    return tuple(text for at, text in enumerate(tokens) if text != " " or (at > 0 and tokens[at - 1] != " "))


def by_brute_force(log_probs, vocabulary, blank=0) -> dict[tuple[str, ...], float]:
    """Label sequence -> log of the summed probabilities of its paths."""
    found = defaultdict(float)
    for path in itertools.product(range(len(vocabulary)), repeat=len(log_probs)):
        # special tokens are blanks: they part what they stand between
        as_blank = [blank if not vocabulary[i] else i for i in path]
        probability = math.exp(sum(float(log_probs[t, i]) for t, i in enumerate(path)))
        found[collapsed(as_blank, vocabulary, blank)] += probability
    return {tokens: math.log(p) for tokens, p in found.items() if p > 0}


def scored(tokens, scorer, *, final: bool, begins: bool = True) -> float:
    """What a scorer says of tokens, spelt out."""
    text = "".join(tokens)
    state, total = scorer.start(begins=begins), 0.0
    *whole, last = text.lstrip(" ").split(" ") if text else [""]
    for word in whole:
        score, state = scorer.word(state, word)
        total += score
    if not final:
        return total + scorer.partial(state, last)
    if last:
        score, state = scorer.word(state, last)
        total += score
    return total + scorer.end(state)


@pytest.mark.parametrize("vocabulary", [LETTERS, PIECES])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(0, 5), sharpness=st.sampled_from([0.5, 2.0, 5.0]))
def test_a_beam_without_limits_sums_all_paths(vocabulary, seed, frames, sharpness):
    log_probs = rows(seed, frames, len(vocabulary), sharpness)
    beams = BeamSearch(vocabulary, 0, **EXACT).open()
    beams.feed(log_probs)
    expected = by_brute_force(log_probs, vocabulary)
    found = beams.hypotheses()
    assert found.keys() == expected.keys()
    for tokens, log_prob in expected.items():
        assert found[tokens] == pytest.approx(log_prob, abs=1e-4)


@pytest.mark.parametrize("vocabulary", [LETTERS, PIECES])
@pytest.mark.parametrize("final", [True, False])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 5), begins=st.booleans())
def test_the_best_words_are_those_of_brute_force_with_a_scorer(vocabulary, final, seed, frames, begins):
    log_probs = rows(seed, frames, len(vocabulary))
    scorer = Likes()
    beams = BeamSearch(vocabulary, 0, scorer, **EXACT).open(begins=begins)
    beams.feed(log_probs)
    # words are what counts at the end, so a space behind them is nothing
    totals = defaultdict(lambda: -math.inf)
    for tokens, log_prob in by_brute_force(log_probs, vocabulary).items():
        key = tokens[:-1] if final and tokens and tokens[-1] == " " else tokens
        totals[key] = np.logaddexp(totals[key], log_prob)
    scores = {tokens: value + scored(tokens, scorer, final=final, begins=begins) for tokens, value in totals.items()}
    found = tuple(token.text for token in beams.tokens(final=final))
    assert scores[found] == pytest.approx(max(scores.values()), abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=8),
    with_scorer=st.booleans(),
)
def test_frames_by_the_piece_give_what_all_at_once_gives(seed, sizes, with_scorer):
    log_probs = rows(seed, sum(sizes), len(LETTERS), 4.0)
    search = BeamSearch(LETTERS, 0, Likes() if with_scorer else None)
    whole, pieces = search.open(), search.open()
    whole.feed(log_probs)
    place = 0
    for size in sizes:
        pieces.feed(log_probs[place : place + size])
        place += size
    assert pieces.tokens(final=True) == whole.tokens(final=True)
    assert pieces.hypotheses() == pytest.approx(whole.hypotheses())


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.integers(0, len(LETTERS) - 1), min_size=1, max_size=40))
def test_without_doubt_it_is_the_greedy_path_with_its_times(ids):
    log_probs = log_softmax(np.eye(len(LETTERS), dtype=np.float32)[ids] * 12)
    beams = BeamSearch(LETTERS, 0).open()
    beams.feed(log_probs)
    found, expected = words(beams.tokens(final=True), 0.02, 1.0), words(greedy(log_probs, LETTERS, 0), 0.02, 1.0)
    assert [(word.word, word.start, word.end) for word in found] == [(w.word, w.start, w.end) for w in expected]
    assert [word.confidence for word in found] == pytest.approx([word.confidence for word in expected])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(1, 40), sharpness=st.sampled_from([1.0, 3.0]))
def test_times_are_in_order_and_within_the_audio(seed, frames, sharpness):
    beams = BeamSearch(LETTERS, 0, Likes()).open()
    beams.feed(rows(seed, frames, len(LETTERS), sharpness))
    found = beams.tokens(final=True)
    assert all(0 <= token.start_frame < token.end_frame <= frames for token in found)
    assert all(one.end_frame <= other.start_frame for one, other in itertools.pairwise(found))
    assert all(0 < token.probability <= 1 for token in found)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.integers(2, 40), cut=st.integers(1, 39))
def test_what_is_settled_never_changes(seed, frames, cut):
    log_probs = rows(seed, frames, len(LETTERS), 3.0)
    beams = BeamSearch(LETTERS, 0, Likes()).open()
    beams.feed(log_probs[:cut])
    settled = [token.text for token in beams.tokens()[: beams.settled()]]
    beams.feed(log_probs[cut:])
    assert [token.text for token in beams.tokens(final=True)][: len(settled)] == settled


def test_a_sum_of_paths_beats_the_best_path():
    """The classical case in which greedy is wrong: no single path of "a" is the best, all of them together are."""
    log_probs = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], dtype=np.float32))
    assert greedy(log_probs, ("", "a"), 0) == []
    beams = BeamSearch(("", "a"), 0).open()
    beams.feed(log_probs)
    assert [token.text for token in beams.tokens(final=True)] == ["a"]


def test_no_frames_are_no_tokens():
    beams = BeamSearch(LETTERS, 0).open()
    beams.feed(np.zeros((0, len(LETTERS)), dtype=np.float32))
    assert beams.tokens(final=True) == []
    assert beams.settled() == 0


def test_a_frame_without_any_likely_token_is_no_end():
    """Thousands of pieces, all of them below the floor."""
    vocabulary = ("", *(f" {number}" for number in range(5000)))
    beams = BeamSearch(vocabulary, 0).open()
    beams.feed(np.full((3, len(vocabulary)), -math.log(len(vocabulary)), dtype=np.float32))
    assert len(beams.tokens(final=True)) <= 3


def test_tokens_that_cannot_be_are_never_said():
    """A model may put out -inf."""
    log_probs = np.full((4, len(LETTERS)), -np.inf, dtype=np.float32)
    log_probs[np.arange(4), [1, 0, 2, 3]] = 0
    beams = BeamSearch(LETTERS, 0, **EXACT).open()
    beams.feed(log_probs)
    assert [token.text for token in beams.tokens(final=True)] == ["a", "b", " "]
