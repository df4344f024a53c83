"""The letters of the large captions: what is drawn, and how wide it is."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from edgevoice.lines import broken
from edgevoice.tui.letters import ROWS, Run, drawn, ruler, scales

WORDS = st.lists(st.text("abgijÄé日א.…W1\u0301", min_size=1, max_size=12), min_size=1, max_size=6)


def picture(*runs: Run, scale: int = 1) -> list[str]:
    return ["".join(text for text, _ in row).rstrip() for row in drawn(runs, scale)]


def test_a_word_in_half_blocks() -> None:
    assert picture(Run("Ay!", "text")) == [
        " ▄▄▄        ▄",
        "█   █ ▄   ▄ █",
        "█▀▀▀█ █   █ █",
        "█   █ ▀▄▄▄█ ▄",
        "       ▄▄▄▀",
    ]


def test_twice_as_large_is_the_same_picture() -> None:
    once, twice = picture(Run("go", "text")), picture(Run("go", "text"), scale=2)
    assert len(twice) == 2 * len(once)
    assert max(map(len, twice)) == 2 * max(map(len, once))
    assert set("".join(twice)) == {" ", "█"}


@pytest.mark.parametrize("accented", ["é", "É", "ñ", "Ö", "ç", "í", "å", "š", "e\u0301"])
def test_accents_are_drawn(accented: str) -> None:
    base = {"í": "ı"}.get(accented, accented[0] if len(accented) > 1 else None)
    assert "▀" in "".join(picture(Run(accented, "text")))
    assert accented not in "".join(picture(Run(accented, "text")))
    if base:
        assert picture(Run(accented, "text")) != picture(Run(base, "text"))


def test_every_ascii_character_has_a_letter() -> None:
    for char in string.printable.strip():
        assert char not in "▀▄█"
        assert char not in "".join(picture(Run(char, "text"))), char


def test_what_may_still_change_leans_and_stands_on_dots() -> None:
    sure, unsure = picture(Run("hello", "text")), picture(Run("hello", "text", leaning=True))
    assert sure != unsure
    assert set(unsure[-1]) == {"▄", " "}
    assert not sure[-1]


@pytest.mark.parametrize("word", ["日本語", "שלום", "Привет", "👩‍👩‍👧", "x日", "i\u0301\u0302"])
def test_words_of_other_scripts_are_written_on_the_base_line(word: str) -> None:
    rows = picture(Run("so ", "text"), Run(word, "text"), Run(" it", "text"))
    assert word in rows[3]
    assert not any(word in row for row in rows[:3] + rows[4:])


def test_a_word_is_one_where_marks_begin_in_it() -> None:
    whole = picture(Run("balance", "text"))
    assert picture(Run("bal", "text"), Run("ance", "match")) == whole
    looks = [[look for _, look in row] for row in drawn([Run("bal", "text"), Run("ance", "match")], 1)]
    assert looks == [["text", "match"]] * ROWS


@given(WORDS, st.integers(1, 3), st.integers(8, 160))
def test_lines_that_fit_are_drawn_within_the_width(words: list[str], scale: int, width: int) -> None:
    for line in broken(" ".join(words), width, ruler=ruler(scale)):
        rows = drawn([Run(line.text, "text")], scale)
        widths = {sum(cell_len(text) for text, _ in row) for row in rows}
        assert len(rows) == ROWS * scale
        assert len(widths) == 1
        assert widths.pop() <= max(width, ruler(scale).measure(line.text))


def test_sizes_that_fit() -> None:
    assert scales(38, 8) == ()
    assert scales(78, 22) == (1,)
    assert scales(156, 43) == (1, 2)
    assert scales(300, 80) == (1, 2, 3, 4)
