"""Which clips are trained on and which are measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.errors import ConfigError
from training.manifest import Clip
from training.splits import split


def clip(number: int, intent: str = "a", speaker: str = "", name: str = "") -> Clip:
    return Clip(
        path=Path(f"{number}.wav"),
        text="",
        intent=intent,
        speaker=speaker,
        split=name,
        duration_s=1,
        dataset="x",
        origin=f"row {number}",
    )


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    shares=st.tuples(st.floats(0.05, 0.3), st.floats(0, 0.3)),
    seed=st.integers(0, 99),
)
def test_a_fraction_keeps_every_intent_in_training(counts, shares, seed):
    """And every clip, once; the shares hold for each intent; a seed always deals the same."""
    clips = [clip(100 * i + n, intent=str(i)) for i, count in enumerate(counts) for n in range(count)]
    dealt = split(clips, "fraction", *shares, seed)
    assert sorted(c.path for c in dealt) == sorted(c.path for c in clips)
    assert {c.intent for c in dealt if c.split == "train"} == {c.intent for c in clips}
    for i, count in enumerate(counts):
        dev = sum(c.split == "dev" and c.intent == str(i) for c in dealt)
        assert dev == (max(1, round(count * shares[0])) if count > 2 else 0)
    assert dealt == split(clips, "fraction", *shares, seed)


@given(voices=st.integers(3, 30), seed=st.integers(0, 99))
def test_no_speaker_is_in_two_splits(voices, seed):
    clips = [clip(n, speaker=f"s{n % voices}", intent=str(n % 3)) for n in range(5 * voices)]
    dealt = split(clips, "speaker", 0.2, 0.2, seed)
    assert all(len({c.split for c in dealt if c.speaker == f"s{n}"}) == 1 for n in range(voices))
    assert {c.split for c in dealt} == {"train", "dev", "test"}


def test_what_the_data_says_is_kept():
    """Also where only the test split is given: dev is then drawn from the rest."""
    clips = [clip(n, name="test" if n < 5 else "train") for n in range(25)]
    assert Counter(c.split for c in split(clips, "auto", 0.2, 0.1, 1)) == {"test": 5, "dev": 4, "train": 16}
    given_ = [clip(n, name=("train", "dev")[n % 2]) for n in range(4)]
    assert split(given_, "auto", 0.2, 0.1, 1) == given_


def test_ten_named_speakers_are_kept_apart_by_themselves():
    clips = [clip(n, speaker=f"s{n % 10}") for n in range(50)]
    dealt = split(clips, "auto", 0.1, 0.1, 1)
    assert Counter(c.split for c in dealt) == {"train": 40, "dev": 5, "test": 5}


def test_speakers_asked_for_are_kept_apart_whatever_the_data_says():
    clips = [clip(n, speaker=f"s{n % 4}", name=("train", "test")[n % 2]) for n in range(40)]
    dealt = split(clips, "speaker", 0.25, 0.25, 1)
    assert Counter(c.split for c in dealt) == {"train": 20, "dev": 10, "test": 10}


def test_too_few_speakers():
    with pytest.raises(ConfigError, match="2 speakers are named, too few"):
        split([clip(1, speaker="a"), clip(2, speaker="b"), clip(3, speaker="unknown")], "speaker", 0.1, 0.1, 1)


def test_a_row_without_a_split_is_named():
    with pytest.raises(ConfigError, match="row 2 says no split"):
        split([clip(1, name="train"), clip(2)], "column", 0.1, 0.1, 1)
