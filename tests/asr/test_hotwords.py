"""Hot words: the file, what it may not hold, the bonus that comes by the letter and goes when a phrase breaks off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.beam import BeamSearch
from edgevoice.asr.hotwords import HotWords, Phrase, read_hotwords
from edgevoice.asr.model import log_softmax
from edgevoice.asr.spelling import Spelling
from edgevoice.errors import ConfigError

LETTERS = ("", "", " ", "'", *"abcdefghijklmnopqrstuvwxyz")
ENGLISH = Spelling(LETTERS)


def bonus(scorer: HotWords, text: str) -> float:
    """Of words that may go on."""
    state, total = scorer.start(begins=True), 0.0
    *whole, last = text.split(" ")
    for word in whole:
        score, state = scorer.word(state, word)
        total += score
    return total + scorer.partial(state, last)


def final(scorer: HotWords, text: str) -> float:
    """Of words that are over."""
    state, total = scorer.start(begins=True), 0.0
    for word in text.split():
        score, state = scorer.word(state, word)
        total += score
    return total + scorer.end(state)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("f", 2),
        ("freez", 10),
        ("freeze", 12),
        ("freezer", 0),  # the word goes on, and was another
        ("freeze ", 12),
        ("freeze my", 12 + 0),
        ("please freeze", 12),
        ("afreeze", 0),  # it begins within a word
        ("joint", 5),
        ("joint acc", 8),
        ("joint accident", 0),
        ("joint account", 12),
        ("joint account ", 12),
        ("joint joint account ", 12),
        ("freeze joint accounts", 12),
        ("a joint", 5),
    ],
)
def test_the_bonus_by_table(text, expected):
    scorer = HotWords([Phrase("freeze", 2.0), Phrase("joint account", 1.0)])
    assert bonus(scorer, text) == pytest.approx(expected)


def test_what_is_not_whole_at_the_end_is_taken_back():
    scorer = HotWords([Phrase("joint account", 1.0), Phrase("joint", 1.0)])
    assert final(scorer, "joint") == pytest.approx(5)
    assert final(scorer, "joint account") == pytest.approx(12)
    assert final(scorer, "my joint accident") == pytest.approx(5)
    assert final(HotWords([Phrase("joint account", 1.0)]), "joint") == 0


def test_a_phrase_within_a_longer_one_that_breaks_off_still_counts():
    scorer = HotWords([Phrase("a card lost", 1.0), Phrase("card", 1.0)])
    assert bonus(scorer, "a card lo") == pytest.approx(7)
    assert bonus(scorer, "a card lamp ") == pytest.approx(4)
    assert final(scorer, "a card") == pytest.approx(4)


def test_a_long_phrase_of_little_weight_does_not_hide_a_short_one_of_much():
    scorer = HotWords([Phrase("a card lost", 0.1), Phrase("card", 5.0)])
    for text in ("a card", "a card lo", "a card lost", "a card lamp"):
        assert bonus(scorer, text) == pytest.approx(20)
        assert final(scorer, text) == pytest.approx(20)


def test_where_phrases_share_a_beginning_the_larger_weight_holds():
    for phrases in ([Phrase("ab", 1.0), Phrase("ac", 3.0)], [Phrase("ac", 3.0), Phrase("ab", 1.0)]):
        assert bonus(HotWords(phrases), "ab") == pytest.approx(4)
        assert bonus(HotWords(phrases), "ac") == pytest.approx(6)


phrases = st.lists(
    st.tuples(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3), st.floats(0.1, 3)),
    min_size=1,
    max_size=4,
)


def by_brute_force(listed: list[Phrase], words: list[str]) -> float:
    """The worth of the phrases that are there; each word belongs to one at most, and no phrase of these overlaps."""
    return sum(
        phrase.weight * len(phrase.text.replace(" ", ""))
        for phrase in listed
        for at in range(len(words))
        if words[at : at + len(phrase.text.split())] == phrase.text.split()
    )


@given(st.lists(st.sampled_from(["aa", "ab", "b", "ba"]), max_size=8), st.floats(0.1, 3))
def test_single_words_are_counted_one_by_one(words, weight):
    listed = [Phrase("ab", weight), Phrase("b", weight)]
    assert final(HotWords(listed), " ".join(words)) == pytest.approx(by_brute_force(listed, words))


@given(phrases, st.lists(st.text("ab", min_size=1, max_size=3), max_size=6))
def test_the_bonus_is_never_negative_and_whole_phrases_have_all_of_it(listed, words):
    made = [Phrase(" ".join(text), weight) for text, weight in listed]
    scorer = HotWords(made)
    assert final(scorer, " ".join(words)) >= 0
    for phrase in made:
        alone = phrase.weight * len(phrase.text.replace(" ", ""))
        assert final(scorer, phrase.text) >= alone - 1e-6 or len(made) > 1


def test_a_search_writes_the_hot_word_where_the_audio_leaves_a_doubt():
    """ "free" is a little likelier than "freeze" without."""
    vocabulary = ("", " ", *"ferz")
    ids = [vocabulary.index(letter) for letter in "fre"] + [0, vocabulary.index("e"), vocabulary.index("z")] + [0, 0]
    logits = np.full((len(ids), len(vocabulary)), -6.0)
    logits[np.arange(len(ids)), ids] = 4.0
    logits[5] = [4.0, -6, -6, -6, -6, 1.0]
    logits[6, vocabulary.index("e")] = 2.0
    logits[6, 0] = 4.0
    rows = log_softmax(logits.astype(np.float32))

    def heard(*hot: Phrase) -> str:
        beams = BeamSearch(vocabulary, 0, HotWords(hot) if hot else None).open()
        beams.feed(rows)
        return "".join(token.text for token in beams.tokens(final=True))

    assert heard() == "free"
    assert heard(Phrase("freeze", 1.5)) == "freeze"
    assert heard(Phrase("zebra", 1.5)) == "free"


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "hot.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_the_file_has_phrases_weights_and_comments(tmp_path):
    text = "\ufeff# names\nZoe Smith\n\n  Krankl-Müller \t 2.5\nfreeze :0.5\nB&B\n# :3\nI'd\n"
    spelling = Spelling((*LETTERS, "ü"))
    assert read_hotwords(write(tmp_path, text), spelling, 1.0) == [
        Phrase("zoe smith", 1.0),
        Phrase("krankl müller", 2.5),
        Phrase("freeze", 0.5),
        Phrase("b b", 1.0),
        Phrase("i'd", 1.0),
    ]


def test_models_that_know_capitals_only_get_capitals(tmp_path):
    assert read_hotwords(write(tmp_path, "Zoe"), Spelling(("", " ", *"ZOE")), 1.0) == [Phrase("ZOE", 1.0)]


def test_pieces_are_put_together(tmp_path):
    spelling = Spelling(("", " bal", "ance", " due"))
    assert read_hotwords(write(tmp_path, "balance due"), spelling, 1.0) == [Phrase("balance due", 1.0)]
    with pytest.raises(ConfigError, match=r"'cedu'.*cannot be put together from the pieces"):
        read_hotwords(write(tmp_path, "cedu"), spelling, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("freeze\nZoë", r"'Zoë' \(line 2 of .*hot.txt'\) cannot be written by the model, which does not know: ë"),
        ("25 pounds", "does not know: 25"),
        ("freeze\t", "weight of a hot word .*line 1.* is ''"),
        ("freeze :much", "is 'much'"),
        ("freeze :-1", "is '-1'"),
        ("freeze :nan", "is 'nan'"),
        ("freeze\t1e9", "is '1e9'"),
        ("...", r"'...' \(line 1 .* has no letter"),
        (" :3", "has no letter"),
        ("# nothing\n\n", "There are no hot words"),
        ("", "There are no hot words"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_hotwords(write(tmp_path, text), ENGLISH, 1.0)
    assert caught.value.remedy


def test_a_file_that_is_not_there_or_no_file(tmp_path):
    for file in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_hotwords(file, ENGLISH, 1.0)
