"""Greedy CTC against a brute force collapse, and words by table."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.ctc import Token, greedy, words

VOCABULARY = ("", "a", "b", " ", "")
BLANK = 0


def log_probs(ids: list[int], probability: float = 0.9) -> np.ndarray:
    rest = (1 - probability) / (len(VOCABULARY) - 1)
    rows = np.full((len(ids), len(VOCABULARY)), math.log(rest), dtype=np.float32)
    rows[np.arange(len(ids)), ids] = math.log(probability)
    return rows


def by_brute_force(ids: list[int]) -> list[tuple[str, int, int]]:
    """One run after the other, as a person would do it."""
    found, place = [], 0
    for index, run in itertools.groupby(ids):
        length = len(list(run))
        if index != BLANK and VOCABULARY[index]:
            found.append((VOCABULARY[index], place, place + length))
        place += length
    return found


@given(st.lists(st.integers(0, len(VOCABULARY) - 1), max_size=40))
def test_greedy_equals_a_brute_force_collapse(ids):
    tokens = greedy(log_probs(ids).reshape(-1, len(VOCABULARY)), VOCABULARY, BLANK)
    assert [(token.text, token.start_frame, token.end_frame) for token in tokens] == by_brute_force(ids)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([], ""),
        ([0, 0, 0], ""),
        ([1], "a"),
        ([1, 1, 0, 1], "aa"),
        ([1, 4, 1], "aa"),  # a special token parts what it stands between, and vanishes
        ([1, 2, 2, 3, 1], "ab a"),
        ([3, 3, 0, 3], "  "),
    ],
)
def test_greedy_by_table(ids, text):
    tokens = greedy(log_probs(ids).reshape(-1, len(VOCABULARY)), VOCABULARY, BLANK)
    assert "".join(token.text for token in tokens) == text


def test_the_probability_of_a_token_is_its_best_frame():
    rows = np.concatenate([log_probs([1], 0.5), log_probs([1], 0.8)])
    assert greedy(rows, VOCABULARY, BLANK)[0].probability == pytest.approx(0.8, abs=1e-6)


def token(text: str, start: int, end: int, probability: float = 1.0) -> Token:
    return Token(text, start, end, probability)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], []),
        ([token(" ", 0, 1), token(" ", 3, 4)], []),
        ([token("a", 1, 2), token("b", 4, 6)], [("ab", 1.02, 1.12)]),
        ([token("a", 0, 1), token(" ", 1, 2), token("b", 3, 4)], [("a", 1.0, 1.02), ("b", 1.06, 1.08)]),
        (
            [token(" bal", 5, 6), token("ance", 8, 9), token(" due", 20, 25)],
            [("balance", 1.1, 1.18), ("due", 1.4, 1.5)],
        ),
        ([token(" ", 0, 1), token(" b", 2, 3)], [("b", 1.04, 1.06)]),
    ],
)
def test_words_by_table(tokens, expected):
    found = [(word.word, round(word.start, 6), round(word.end, 6)) for word in words(tokens, 0.02, 1.0)]
    assert found == expected


def test_the_confidence_of_a_word_is_the_geometric_mean_of_its_tokens():
    (word,) = words([token(" ", 0, 1, 0.01), token("a", 1, 2, 0.4), token("b", 2, 3, 0.9)], 0.02, 0.0)
    assert word.confidence == pytest.approx(0.6)


@given(st.lists(st.integers(0, len(VOCABULARY) - 1), max_size=40))
def test_words_are_the_text_split_at_spaces_and_their_times_are_in_order(ids):
    tokens = greedy(log_probs(ids).reshape(-1, len(VOCABULARY)), VOCABULARY, BLANK)
    found = words(tokens, 0.02, 0.0)
    assert [word.word for word in found] == "".join(token.text for token in tokens).split()
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert all(word.start < word.end for word in found)
