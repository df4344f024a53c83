"""Where subtitles break, by rules of thumb that have an example each, and by properties that hold for any text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from edgevoice.events import CaptionFinished, Word
from edgevoice.lines import LINE_CELLS
from edgevoice.sinks.line_breaks import LINES, LONGEST_S, SHORT_WORD, phrases
from edgevoice.sinks.subtitles import CHARACTERS_A_SECOND, cues
from edgevoice.text import normalise

WIDE = "我想查询一下我的账户余额，因为我上个月的工资好像还没有到账。请你帮我看一看，到底是什么原因呢？谢谢你的帮助"
LETTERS = st.text(st.sampled_from("abcdefgh"), min_size=1, max_size=12)
ANY_WORD = st.one_of(
    LETTERS,
    st.text(st.sampled_from("漢字かなカナ한글，。ー"), min_size=1, max_size=60),
    st.text(st.sampled_from("e\u0301\u0323o\u0308"), min_size=1, max_size=30),
    st.text(st.sampled_from("שלוםمرحبا"), min_size=1, max_size=20),
    st.sampled_from(["👩‍👩‍👧", "कि", "don't,", "yes.", "\u0301", "x" * 100]),
)


def said(text: str, pauses: dict[int, float] | None = None, per_word: float = 0.3) -> CaptionFinished:
    """Words after each other; `pauses` follow the words of those numbers, in seconds."""
    at, words = 0.0, []
    for index, word in enumerate(text.split()):
        words.append(Word(word=word, start=at, end=at + per_word, confidence=1.0))
        at += per_word + (pauses or {}).get(index, 0.0)
    return CaptionFinished(
        channel="mic", at=at, segment=0, start=0.0, end=at, text=text, words=tuple(words), latency=0.0
    )


def lines(caption: CaptionFinished) -> list[tuple[str, ...]]:
    return [phrase.lines for phrase in phrases(caption)]


def test_what_fits_on_a_line_is_one() -> None:
    assert lines(said("I would like to freeze my card")) == [("I would like to freeze my card",)]


@pytest.mark.parametrize(
    ("text", "pauses", "upper"),
    [
        ("my card is gone, and I need a new one before Monday", {}, "my card is gone,"),
        ("the card is not here and I need it for my journey", {4: 0.4}, "the card is not here"),
        ("there is a payment in the app I did not make", {}, "there is a payment"),
        ("I lost my card\nI need it for the journey on Monday", {}, "I lost my card"),
        ("aaaaaaa bbbbbbb ccccccc ddddddd eeeeeee fffffff", {}, "aaaaaaa bbbbbbb ccccccc"),
        ("aaaaaaaa bbbbbbbb cccccccc dddddddd eeeeeeee fff", {}, "aaaaaaaa bbbbbbbb"),
        ("I am. And aaaaaaaa bbbbbbbb cccccccc dddddddd ee", {}, "I am."),
    ],
    ids=[
        "punctuation",
        "pause",
        "phrase",
        "line of the caption",
        "even",
        "not top heavy",
        "a short sentence alone",
    ],
)
def test_the_second_line_begins_where_a_reader_expects_it(text: str, pauses: dict[int, float], upper: str) -> None:
    ((first, second),) = lines(said(text, pauses))
    assert first == upper
    assert f"{first} {second}" == " ".join(text.split())


def test_cues_end_with_the_sentence_and_not_with_the_room() -> None:
    text = "I have called you twice about my card this week. Nobody could tell me where it is. Please send another one."
    assert [each[-1][-1] for each in lines(said(text))] == [".", "."]


def test_a_caption_that_was_put_right_breaks_at_its_punctuation() -> None:
    """And not where words alone let one guess."""
    read = (
        "I called the bank about it yesterday, and the man told me to wait. "
        "That was wrong, I think. What should I do now?"
    )
    assert lines(said(read)) == [
        ("I called the bank about it yesterday,", "and the man told me to wait."),
        ("That was wrong, I think.", "What should I do now?"),
    ]
    heard = lines(said(normalise(read)))
    assert heard[0] == ("i called the bank about it yesterday", "and the man told me to wait that was wrong")


def test_wide_characters_count_two_and_break_after_punctuation() -> None:
    made = [line for phrase in lines(said(WIDE)) for line in phrase]
    assert "".join(made) == WIDE
    assert all(cell_len(line) <= LINE_CELLS for line in made)
    assert made[0].endswith("，"), made
    assert not any(line.startswith(tuple("，。？")) for line in made)


def test_a_speaker_stands_before_each_phrase_and_counts() -> None:
    made = phrases(said("word " * 40), "them")
    assert len(made) > 1
    for phrase in made:
        assert phrase.lines[0].startswith("them: word")
        assert not any(line.startswith("them") for line in phrase.lines[1:])
        assert all(cell_len(line) <= LINE_CELLS for line in phrase.lines)


def test_text_from_right_to_left_is_left_as_it_is() -> None:
    text = "שלום אני רוצה להקפיא את הכרטיס שלי בבקשה כי איבדתי אותו אתמול בערב ברכבת"
    assert " ".join(line for phrase in lines(said(text)) for line in phrase) == text


@settings(max_examples=50, deadline=None)
@given(st.lists(ANY_WORD, min_size=1, max_size=40), st.dictionaries(st.integers(0, 40), st.floats(0, 3)), st.booleans())
def test_any_words_fit_and_none_is_lost(words: list[str], pauses: dict[int, float], labelled: bool) -> None:
    caption = said(" ".join(words), pauses)
    made = phrases(caption, "you" if labelled else "")
    assert all(1 <= len(phrase.lines) <= LINES for phrase in made)
    assert all(cell_len(line) <= LINE_CELLS for phrase in made for line in phrase.lines)
    shown = "".join(line for phrase in made for line in ("\n".join(phrase.lines)).removeprefix("you: "))
    assert "".join(shown.split()) == "".join("".join(words).split())
    for earlier, later in itertools.pairwise(made):
        assert earlier.end <= later.start + 1e-6
    for phrase in made:
        assert phrase.end - phrase.start <= LONGEST_S or len(phrase.lines[0].split()) <= 2


@settings(max_examples=50, deadline=None)
@given(st.lists(LETTERS, min_size=6, max_size=40))
def test_no_short_word_stands_alone_without_need(words: list[str]) -> None:
    """Words without any pause or punctuation: where a line is one short word, no other break would have fitted."""
    for phrase in phrases(said(" ".join(words), per_word=0.05)):
        parts = [line.split() for line in phrase.lines]
        if len(parts) == LINES and min(map(len, parts)) == 1 < max(map(len, parts)):
            lonely = min(parts, key=len)[0]
            whole = [word for part in parts for word in part]
            fits = [
                at
                for at in range(2, len(whole) - 1)
                if max(len(" ".join(whole[:at])), len(" ".join(whole[at:]))) <= LINE_CELLS
            ]
            assert len(lonely) >= SHORT_WORD or not fits


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(ANY_WORD, st.floats(0, 4)), min_size=1, max_size=30))
def test_cues_stay_as_long_as_it_takes_to_read_them_where_there_is_time(parts: list[tuple[str, float]]) -> None:
    caption = said(" ".join(word for word, _ in parts), {index: pause for index, (_, pause) in enumerate(parts)}, 0.1)
    made = cues([caption])
    for cue, after in itertools.zip_longest(made, made[1:]):
        reading = sum(map(cell_len, cue.lines)) / CHARACTERS_A_SECOND * 1000
        assert cue.end - cue.start >= reading - 1 or (after and cue.end == after.start)
