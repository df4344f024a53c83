"""Text rules."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.text import clock, normalise, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I’d like to PAY -- e.g. my ‘bill’!", "i'd like to pay e g my bill"),
        ("rock 'n' roll", "rock n roll"),
        ("  two\n\tspaces ", "two spaces"),
        ("ＦＵＬＬ width ﬁ", "full width fi"),
        ("Straße café", "strasse café"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("3,50 €", "3 50"),
        ("", ""),
        ("...", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    """Lower case, letters, digits, marks and inner apostrophes."""
    assert normalise(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Training and serving may each apply it."""
    once = normalise(text)
    assert normalise(once) == once
    assert "  " not in once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b]0;title\x07b", "a]0;titleb"),
        ("a\x9b31mb", "a31mb"),
        ("one\r\ntwo\tthree", "one two three"),
        ("abc\u202edcba\u2066x\u200f", "abcdcbax"),
        ("half \ud800 pair", "half  pair"),
        ("[/] [b]markup[/b]", "[/] [b]markup[/b]"),
        ("naïve \U0001f600", "naïve \U0001f600"),
        ("\x00\x7f", ""),
    ],
)
def test_plain(text: str, expected: str) -> None:
    """Nothing that steers a terminal survives; everything else does."""
    assert plain(text) == expected


@given(st.text(st.characters(codec=None)))
def test_plain_text_has_no_controls(text: str) -> None:
    """Whatever comes in, also what cannot be encoded."""
    shown = plain(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert shown == plain(shown)
    shown.encode()


@pytest.mark.parametrize(
    ("seconds", "written"), [(-1, "00:00"), (65.9, "01:05"), (3600, "1:00:00"), (36123, "10:02:03")]
)
def test_clock(seconds: float, written: str) -> None:
    assert clock(seconds) == written
