"""What a second reading of a caption changes on its rows, and what it leaves alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from edgevoice.lines import broken, broken_near, filled
from edgevoice.text import normalise
from edgevoice.tui.letters import Run, drawn, ruler
from edgevoice.tui.revision import MOST_WORDS, changed, reset
from edgevoice.tui.rows import CaptionRows, Setting
from edgevoice.tui.views import CaptionLine

WORDS = st.one_of(
    st.sampled_from(
        "a I the card Card, card. my was stolen. – balance, 日本語 Donaudampfschifffahrt don't dont".split()
    ),
    st.text("abc,.\u0301日", min_size=1, max_size=14).filter(str.strip),
)
READING = st.lists(WORDS, max_size=24).map(" ".join).filter(str.strip)
BROKEN_READING = st.lists(st.tuples(WORDS, st.sampled_from("  \n")), max_size=24).map(
    lambda pairs: "".join(word + gap for word, gap in pairs).strip()
)


def set_again(before: str, after: str, width: int = 42) -> tuple[list[str], list[str]]:
    """The rows of both readings."""
    lines = broken(before, width)
    return [line.text for line in lines], [line.text for line in reset(lines, before, after, width)]


def marked(before: str, after: str) -> list[str]:
    return [after[start:end] for start, end in changed(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("my car was stolen", "My card was stolen.", ["card"]),
        ("my card was stolen", "My card, was stolen!", []),
        ("the card", "The, card", []),
        ("its mine", "It's mine", []),
        ("i like every body", "I like everybody", []),
        ("cafe", "Café", ["Café"]),
        ("", "Anything at all", ["Anything at all"]),
        ("anything", "", []),
        ("well i think", "Well – I think", []),
        ("give me the", 'Give "Anna" the', ["Anna"]),
        ("uh yes", "Yes", []),
        ("a\nb", "A c\nb", ["c"]),
        ("one two three four", "One too, tree four", ["too, tree"]),
        ("日本", "日本語", ["日本語"]),
        ("straße", "Strasse", []),
        ("…", "…!", []),
    ],
)
def test_only_words_with_other_letters_are_other_words(before: str, after: str, expected: list[str]) -> None:
    assert marked(before, after) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "i would like to know the balance of the account i share with my wife",
            "I would like to know the balance of the account that I share with my wife.",
            ["I would like to know the balance", "of the account that I share with my wife."],
        ),
        (  # alone, it would stand in one line
            "my card was stolen and my wife's too so i would like to know what to do",
            "My card was stolen, so I would like to",
            ["My card was stolen,", "so I would like to"],
        ),
        (  # the second line is too long: its last words go down, the first stays as it was
            "my card was stolen yesterday and i would like to freeze it at once for the sake of all my money",
            "My card was stolen yesterday, and I would really like to freeze it at once for the sake of all my money.",
            [
                "My card was stolen yesterday,",
                "and I would really like to freeze",
                "it at once for the sake of all my money.",
            ],
        ),
        ("no", "No. I said that I want to talk to somebody now", ["No.", "I said that I want to talk to somebody now"]),
        ("first this\nthen that", "First this.\nThen that.", ["First this.", "Then that."]),
        ("first this then that", "First this.\nThen that.", ["First this.", "Then that."]),
    ],
)
def test_words_stay_on_their_lines(before: str, after: str, expected: list[str]) -> None:
    assert set_again(before, after)[1] == expected


@given(before=READING, after=BROKEN_READING, width=st.integers(1, 60), scale=st.sampled_from([0, 0, 1]))
@example(before="a b c d e f", after="a", width=3, scale=0)
@example(before="Donaudampfschifffahrt", after="Donaudampfschifffahrt, ja", width=8, scale=0)
def test_whatever_is_read_the_rows_below_stay_if_it_fits(before: str, after: str, width: int, scale: int) -> None:
    setting = Setting(width * (7 if scale else 1), ruler(scale) if scale else Setting().ruler)
    rows = CaptionRows()
    rows.set_in(setting)
    above, caption, below = (
        CaptionLine("mic", n, text, segment=n) for n, text in enumerate(["Above", before, "Below"])
    )
    rows.hold([above, caption, below])
    first, had = rows.first_of(caption), rows.first_of(below) - rows.first_of(caption)
    revised = rows.revise(CaptionLine("mic", 1, after, segment=1))
    assert revised is not None
    assert rows.first_of(above) == 0
    assert rows.first_of(below) == first + had + revised.grown
    own = rows.rows[first : rows.first_of(below)]
    assert "".join("".join(row.text for row in own).split()) == "".join(after.split()), "no word is missing"
    assert all(after[row.start : row.start + len(row.text)] == row.text for row in own)
    needed, words = len(filled(after, setting.width, setting.ruler)), len(after.split())
    if needed <= had <= words:
        assert revised.grown == 0, "it fits"
    assert len(own) == max(needed, min(had, words)), "as little as possible moves"
    for row in own:
        parts = row.text.split()
        gaps = setting.ruler.gap * (len(parts) - 1)
        assert len(parts) == 1 or sum(map(setting.ruler.measure, parts)) + gaps <= setting.width


@given(before=READING, after=READING, width=st.integers(8, 60))
def test_no_row_is_wider_than_the_column(before: str, after: str, width: int) -> None:
    assert all(cell_len(row) <= width for row in set_again(before, after, width)[1])


@given(text=READING, width=st.integers(4, 60))
def test_the_same_words_stay_exactly_where_they_are(text: str, width: int) -> None:
    other = text.upper()
    before, after = set_again(text, other, width)
    if [cell_len(word) for word in text.split()] == [cell_len(word) for word in other.split()]:
        assert [row.upper() for row in before] == after
    assert changed(text, other) == ()


@given(before=READING, after=READING)
def test_what_is_marked_is_all_that_is_new(before: str, after: str) -> None:
    places = changed(before, after)
    rest = list(after)
    for start, end in reversed(places):
        assert after[start:end].strip() == after[start:end] != ""
        del rest[start:end]
    # what is left is what both have, in the same order
    have, common = letters(before), letters("".join(rest))
    found = iter(have)
    assert all(char in found for char in common)


def letters(text: str) -> str:
    return normalise(text).replace("'", "").replace(" ", "")


@given(before=st.text(), after=st.text(), width=st.integers(1, 20))
@example(before="ﬁ", after="fi ´a` İ ß ǰ \u0301", width=3)
def test_whatever_characters_come(before: str, after: str, width: int) -> None:
    lines = reset(broken(before, width), before, after, width)
    assert "".join("".join(line.text for line in lines).split()) == "".join(after.split())
    assert all(after[start:end].strip() for start, end in changed(before, after))


def test_lines_are_as_many_as_are_wanted_unless_words_are_missing_or_do_not_fit() -> None:
    assert [line.text for line in broken_near("a b c", [(0, 5)] * 4, 20)] == ["a", "b", "c"]
    assert [line.text for line in broken_near("one two three", [], 8)] == ["one two", "three"]
    assert broken_near("", [(0, 0)], 8) == []
    assert [line.text for line in broken_near("one\ntwo", [], 80)] == ["one", "two"]


@pytest.mark.parametrize("pattern", ["a b ", "a ", "one two three four five "])
def test_even_a_very_long_text_takes_no_time(pattern: str) -> None:
    for words in (MOST_WORDS, 20 * MOST_WORDS):
        before = (pattern * words)[: 2 * words]
        after = before[::-1].strip()
        lines = broken(before, 20)
        began = time.perf_counter()
        assert reset(lines, before, after, 20)
        changed(before, after)
        assert time.perf_counter() - began < 2.0


def test_in_large_letters_other_words_stand_on_a_line() -> None:
    rows = drawn([Run("ab ", "text"), Run("cd", "text-changed", underlined=True)], 1)
    (plain_end, _), (line, look) = rows[-1]
    assert look == "text-changed"
    assert set(line.rstrip()) <= {"▄", "█"}
    assert "▄▄▄" in line
    assert "▄▄▄" not in plain_end


class TestRows:
    def rows(self, *captions: CaptionLine) -> CaptionRows:
        rows = CaptionRows()
        rows.hold(captions)
        return rows

    def test_the_newest_of_that_number_is_meant(self) -> None:
        rows = self.rows(*(CaptionLine("mic", n, f"reading {n}", segment=1) for n in range(3)))
        rows.revise(CaptionLine("mic", 2, "another", segment=1))
        assert [caption.text for caption in rows.captions] == ["reading 0", "reading 1", "another"]

    def test_another_channel_is_not_meant(self) -> None:
        rows = self.rows(CaptionLine("mic", 0, "mine", segment=1))
        assert rows.revise(CaptionLine("call", 0, "theirs", segment=1)) is None
        assert rows.revise(CaptionLine("mic", 0, "mine", segment=2)) is None

    def test_what_is_late_goes_above_what_its_channel_said_later(self) -> None:
        rows = self.rows(*(CaptionLine("mic", n, f"line {n}", segment=n) for n in (0, 1, 3)))
        added = rows.add(CaptionLine("mic", 2, "line 2", segment=2), late=True)
        assert [row.text for row in rows.rows] == [f"line {n}" for n in range(4)]
        assert (added.first, added.rows, [caption.segment for caption in added.below]) == (2, 1, [3])

    def test_only_its_own_lines_are_broken_anew(self) -> None:
        rows = self.rows(*(CaptionLine("mic", n, "some words to wrap " * 5, segment=n) for n in range(20)))
        before = list(rows.rows)
        revised = rows.revise(CaptionLine("mic", 3, "other words to wrap " * 5, segment=3))
        assert revised is not None
        assert revised.grown == 0
        others = [n for n in range(len(before)) if not revised.first <= n < revised.first + revised.rows]
        assert all(rows.rows[n] is before[n] for n in others)
