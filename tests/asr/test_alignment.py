"""Where the words of a text lie in log-probabilities, against all alignments there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.alignment import TextAligner
from edgevoice.asr.ctc import greedy

VOCABULARY = ("", " ", "a", "b", "'")
PIECES = ("", " ab", " a", "b", "c")


def log_probs(rows: list[list[float]] | np.ndarray) -> np.ndarray:
    logits = np.asarray(rows, dtype=np.float32)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def said(text: str, *, frames: int = 2, sure: float = 6.0) -> np.ndarray:
    """Each letter of the text for so many frames, with a blank between."""
    rows = []
    for letter in text:
        for token in (*[VOCABULARY.index(letter)] * frames, 0):
            row = [0.0] * len(VOCABULARY)
            row[token] = sure
            rows.append(row)
    return log_probs(rows)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=3), st.integers(0, 2**31))
def test_the_score_is_the_sum_over_all_alignments(letters: list[str], seed: int) -> None:
    frames = 5
    scores = log_probs(np.random.default_rng(seed).normal(0, 2, (frames, len(VOCABULARY))))
    wanted = tuple(VOCABULARY.index(letter) for letter in letters)
    paths = [p for p in itertools.product(range(len(VOCABULARY)), repeat=frames) if collapsed(p) == wanted]
    found = TextAligner(VOCABULARY, 0).align(["".join(letters)], scores)
    if not paths:
        assert found is None
        return
    total = np.logaddexp.reduce([sum(float(scores[at, token]) for at, token in enumerate(path)) for path in paths])
    expected = max(0.0, float(scores.max(axis=1).astype(np.float64).sum()) - float(total)) / len(wanted)
    assert found is not None
    assert found.misfit == pytest.approx(expected, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=4), st.integers(1, 4))
def test_what_was_said_fits_and_lies_where_it_was_said(words: list[str], frames: int) -> None:
    scores = said(" ".join(words), frames=frames)
    found = TextAligner(VOCABULARY, 0).align(words, scores)
    assert found is not None
    assert found.misfit < 0.2
    tokens = greedy(scores, VOCABULARY, 0)
    starts = [token.start_frame for at, token in enumerate(tokens) if at == 0 or tokens[at - 1].text == " "]
    assert [word.start_frame for word in found.words] == starts
    assert all(one.end_frame <= other.start_frame for one, other in itertools.pairwise(found.words))


def test_what_was_not_said_does_not_fit() -> None:
    right = TextAligner(VOCABULARY, 0).align(["ab", "b"], said("ab b"))
    wrong = TextAligner(VOCABULARY, 0).align(["ba", "a"], said("ab b"))
    assert right is not None
    assert wrong is not None
    assert wrong.misfit > right.misfit + 1
    assert wrong.words[0].misfit > right.words[0].misfit + 1


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (["AB,", "b!"], [True, True]),
        (["ab", "25"], [True, False]),
        (["a25b", "b"], [True, True]),
        (["ß", "b"], [False, True]),
        (["?", "b"], [False, True]),
        (["ab", "\u0301"], [True, False]),
    ],
    ids=["case and punctuation", "digits", "digits within", "another letter", "a mark alone", "a combining mark"],
)
def test_what_cannot_be_written_stands_for_anything(words: list[str], known: list[bool]) -> None:
    found = TextAligner(VOCABULARY, 0).align(words, said("ab b"))
    assert found is not None
    assert [word.known for word in found.words] == known
    assert all(word.misfit == 0 for word in found.words if not word.known)


def test_pieces_of_words_are_tokens_too() -> None:
    rows = np.full((6, len(PIECES)), -8.0, dtype=np.float32)
    for at, token in enumerate((1, 0, 2, 3, 0, 4)):  # ab / ab c
        rows[at, token] = 0
    found = TextAligner(PIECES, 0).align(["ab", "ac"], log_probs(rows))
    assert found is not None
    assert [(word.start_frame, word.end_frame) for word in found.words] == [(0, 1), (2, 6)]


@pytest.mark.parametrize(("words", "frames"), [(["abab"], 3), (["aa"], 2), ([], 5), (["a"], 0)])
def test_too_few_frames_or_nothing_to_place(words: list[str], frames: int) -> None:
    assert TextAligner(VOCABULARY, 0).align(words, np.zeros((frames, len(VOCABULARY)), dtype=np.float32)) is None


def test_a_text_of_many_tokens() -> None:
    words = ["abba"] * 60
    found = TextAligner(VOCABULARY, 0).align(words, said(" ".join(words)))
    assert found is not None
    assert len(found.words) == 60
