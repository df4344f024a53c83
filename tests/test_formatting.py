"""Light formatting: by table, and what must hold for any words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.events import Word
from edgevoice.formatting import Style, formatted, is_english

ENGLISH = Style(pause_s=0.8, english=True)


def spoken(text: str, *, start: float = 1.0) -> list[Word]:
    """Words of 0.3 s with 0.1 s between them, and a second more for each "|"."""
    words, at = [], start
    for word in text.split():
        if word == "|":
            at += 1.0
            continue
        words.append(Word(word=word, start=at, end=at + 0.3, confidence=1.0))
        at += 0.4
    return words


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("", ""),
        ("what is my balance", "What is my balance"),
        ("i think i'm late and i'd wait", "I think I'm late and I'd wait"),
        ("it is in italy", "It is in italy"),
        ("hello | can i pay", "Hello\nCan I pay"),
        ("twenty five pounds 25 p", "Twenty five pounds 25 p"),
        ("'cause i said", "'Cause I said"),
        ("25 pounds", "25 pounds"),
        ("ßa ǆ", "Ssa ǆ"),
        ("日本 語", "日本 語"),
    ],
)
def test_english_by_table(said, written):
    assert formatted(spoken(said), ENGLISH) == written


def test_other_languages_keep_their_i():
    assert formatted(spoken("ja i i"), Style(pause_s=0.8)) == "Ja i i"


def test_it_can_be_turned_off():
    assert formatted(spoken("hello | can i pay"), None) == "hello can i pay"


def test_models_that_write_capitals_are_read_more_easily():
    assert formatted(spoken("I SAID HELLO"), Style(pause_s=0.8, english=True, capitals=True)) == "I said hello"


@pytest.mark.parametrize(
    ("before", "written"),
    [(None, "And then"), (0.0, "And then"), (0.19, "And then"), (0.21, "and then"), (1.2, "and then")],
)
def test_a_caption_goes_on_with_the_sentence_of_the_one_before_unless_there_was_a_pause(before, written):
    assert formatted(spoken("and then"), ENGLISH, before) == written


@pytest.mark.parametrize(
    ("language", "english"),
    [
        ("en", True),
        ("en-GB", True),
        ("en_US", True),
        ("EN", True),
        ("English", True),
        ("", False),
        ("enm", False),
        ("de", False),
    ],
)
def test_english_by_name(language, english):
    assert is_english(language) is english


letters = st.text(st.characters(categories=["L", "N", "M"], include_characters="'"), min_size=1, max_size=6)
times = st.lists(st.tuples(letters, st.floats(0, 2), st.floats(0.01, 1)), max_size=20)


@given(times, st.integers(0, 20), st.one_of(st.none(), st.floats(-2, 2)), st.booleans(), st.booleans())
def test_what_was_written_never_changes_and_words_stay_words(spoken, count, before, english, capitals):
    """Text of more words begins with that of fewer, word for word, and says the same."""
    words, at = [], 0.0
    for text, pause, length in spoken:
        words.append(Word(word=text, start=at + pause, end=at + pause + length, confidence=1.0))
        at += pause + length
    style = Style(pause_s=0.8, english=english, capitals=capitals)
    whole, part = formatted(words, style, before), formatted(words[:count], style, before)
    assert whole.startswith(part)
    assert whole[len(part) :][:1] in ("", " ", "\n") or not part
    assert len(whole.split()) == len(words)
    assert same_letters(whole).split() == [same_letters(word.word) for word in words]


def same_letters(text: str) -> str:
    """Without a difference between capitals and others; those of the Turkish i go several ways."""
    return text.casefold().replace("\u0131", "i").replace("i\u0307", "i")
