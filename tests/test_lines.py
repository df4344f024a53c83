"""Lines end where phrases end, and no line is too wide."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, split_graphemes

from edgevoice.lines import Line, broken, cut, filled


def lines(text: str, width: int = 42, pauses: tuple[float, ...] = ()) -> list[str]:
    return [line.text for line in broken(text, width, pauses)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short enough", ["short enough"]),
        ("", []),
        ("   ", []),
        (
            "I would like to know the balance of the account I share with my wife",
            ["I would like to know the balance", "of the account I share with my wife"],
        ),
        (
            "my card was stolen yesterday and I want to freeze it at once",
            ["my card was stolen yesterday", "and I want to freeze it at once"],
        ),
        (
            "Well, good morning. How can I help you today my friend?",
            ["Well, good morning.", "How can I help you today my friend?"],
        ),
        (
            'He said "my card is gone." Then he left without any of it',
            ['He said "my card is gone."', "Then he left without any of it"],
        ),
        (
            "please show me all of our customers' accounts",
            ["please show me all", "of our customers' accounts"],
        ),
        (
            "Yesterday I talked to a man called Dr. Smith about it",
            ["Yesterday I talked", "to a man called Dr. Smith about it"],
        ),
        (
            "The account belongs to my friend J. Smith in Paris, I am sure",
            ["The account belongs", "to my friend J. Smith in Paris, I am sure"],
        ),
        ("First this\nthen that", ["First this", "then that"]),
        ("one\n\n \ntwo", ["one", "two"]),
    ],
)
def test_lines_end_with_phrases(text: str, expected: list[str]) -> None:
    assert lines(text) == expected


def test_a_pause_ends_a_phrase() -> None:
    text = "seven four nine two eight one three six"
    assert lines(text, 24, (0, 0, 0, 0, 0, 0, 0, 0))[0] != "seven four nine"
    assert lines(text, 24, (0.1, 0.1, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1)) == ["seven four nine", "two eight one three six"]


def test_a_pause_counts_behind_a_line_break_too() -> None:
    assert lines("a\nseven four nine two eight", 16, (0, 0.1, 0.1, 0.9)) == ["a", "seven four nine", "two eight"]


def test_as_few_lines_as_possible() -> None:
    assert len(lines("to the " * 12, 42)) == 2


def test_wide_characters_count_twice() -> None:
    assert lines("日本語を話します、はい。そうですか", 16) == ["日本語を話しま", "す、はい。", "そうですか"]
    assert lines("日本語 日本語", 8) == ["日本語", "日本語"]


def test_what_a_reader_sees_as_one_character_is_not_torn() -> None:
    assert lines("👩‍👩‍👧" * 3, 4) == ["👩‍👩‍👧" * 2, "👩‍👩‍👧"]
    assert cut("e\u0301" * 5, 2) == ["e\u0301e\u0301", "e\u0301e\u0301", "e\u0301"]


def test_spaces_between_words_count() -> None:
    assert lines("ab  ab", 5) == ["ab", "ab"]
    assert lines("ab\u3000ab", 5) == ["ab", "ab"]


def test_words_may_be_kept_together() -> None:
    assert lines("call 020\u00a07946\u00a00018", 14) == ["call", "020\u00a07946\u00a00018"]


TEXT = st.text(st.sampled_from("ab.,  \n日本\u0301👩\u200d👧אבا\u00a0") | st.characters(codec="utf-8"), max_size=80)


@pytest.mark.parametrize("way", [broken, filled])
@given(text=TEXT, width=st.integers(2, 45))
def test_nothing_is_lost_doubled_or_too_wide(way: Callable[[str, int], list[Line]], text: str, width: int) -> None:
    made = way(text, width)
    assert "".join("".join(line.text.split()) for line in made) == "".join(text.split())
    for line in made:
        assert text[line.start : line.start + len(line.text)] == line.text
        graphemes = split_graphemes(line.text)[0]
        assert cell_len(line.text) <= width or len(graphemes) == 1


@given(text=TEXT, more=TEXT, width=st.integers(2, 45))
def test_what_is_appended_moves_no_word(text: str, more: str, width: int) -> None:
    before, after = filled(text, width), filled(f"{text} {more}", width)
    assert [line.start for line in after][: len(before)] == [line.start for line in before]
    for old, new in zip(before, after, strict=False):
        assert new.text.startswith(old.text)
