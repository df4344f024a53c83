"""What is found in the captions, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.tui.search import Search
from edgevoice.tui.views import CaptionLine


def caption(text: str, start: float = 0.0) -> CaptionLine:
    return CaptionLine("mic", start, text)


def found(wanted: str, text: str) -> list[str]:
    line = caption(text)
    return [line.text[start:end] for start, end, _ in Search(wanted, [line]).spans(line)]


@pytest.mark.parametrize(
    ("wanted", "text", "expected"),
    [
        ("card", "My card, the CARD and cardiology", ["card", "CARD", "card"]),
        ("  card ", "My card", ["card"]),
        ("cafe", "a Café and a cafe\u0301", ["Café", "cafe\u0301"]),
        ("café", "a cafe", ["cafe"]),
        ("strasse", "Die Straße", ["Straße"]),
        ("aa", "aaaaa", ["aa", "aa"]),
        ("my card", "It is my\ncard", ["my\ncard"]),
        ("日本", "日本語", ["日本"]),
        ("[/", "a [/ b", ["[/"]),
        (".", "a.b", ["."]),
        ("", "anything", []),
        ("   ", "any thing", []),
        ("\u0301", "e\u0301", []),
        ("card", "", []),
    ],
)
def test_what_is_found(wanted: str, text: str, expected: list[str]) -> None:
    assert found(wanted, text) == expected


def test_it_begins_at_the_newest_and_goes_round() -> None:
    lines = [caption("one card", 1), caption("two"), caption("card, card", 3)]
    search = Search("card", lines)
    seen = []
    for _ in range(4):
        assert search.current is not None
        seen.append((search.current.caption.start, search.current.start, search.count))
        search.move(-1)
    assert seen == [(3, 6, "3 of 3"), (3, 0, "2 of 3"), (1, 4, "1 of 3"), (3, 6, "3 of 3")]
    assert search.count == "2 of 3"
    assert search.spans(lines[2]) == [(0, 4, True), (6, 10, False)]
    assert search.spans(lines[0]) == [(4, 8, False)]


def test_new_captions_are_found_too_and_the_place_stays() -> None:
    search = Search("card", [caption("one card", 1)])
    search.add(caption("a card, a card", 2))
    assert search.count == "1 of 3"
    assert search.current is not None
    assert search.current.caption.start == 1


def test_the_first_that_is_found_later_is_looked_at() -> None:
    search = Search("card", [])
    assert search.count == "not found"
    search.add(caption("my card", 2))
    assert search.count == "1 of 1"


def test_what_is_gone_is_forgotten() -> None:
    lines = [caption(f"card {i}", i) for i in range(5)]
    search = Search("card", lines)
    search.forget(lines[:3])
    assert search.count == "2 of 2"
    search.forget(lines[3:])
    assert search.count == "not found"
    assert search.current is None


@given(st.text(max_size=30), st.text(max_size=5))
def test_whatever_is_looked_for_spans_lie_in_the_text_in_order(text: str, wanted: str) -> None:
    line = caption(text)
    spans = Search(wanted, [line]).spans(line)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans)
    assert [start for start, *_ in spans] == sorted(start for start, *_ in spans)
