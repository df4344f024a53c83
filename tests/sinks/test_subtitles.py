"""The subtitle writers, byte for byte and read back by pysubs2 and webvtt-py."""

from __future__ import annotations

import html
import io
import itertools

import pysubs2
import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.events import CaptionFinished, Word
from edgevoice.lines import LINE_CELLS
from edgevoice.sinks.line_breaks import LINES, LONGEST_S
from edgevoice.sinks.subtitles import cues, to_srt, to_vtt
from edgevoice.sinks.text import to_text

HOSTILE = [
    "-->",
    "<b>bold</b>",
    "&lt;",
    "a & b",
    "{\\an8}",
    "00:00:01,000",
    "x\n\ny",
    "\x1b]0;t\x07",
    "\u202eabc",
    "[/",
]


def caption(text: str, start: float = 1.0, per_word: float = 0.4, segment: int = 1) -> CaptionFinished:
    """A caption whose words follow each other without a pause."""
    words = tuple(
        Word(word=word, start=start + index * per_word, end=start + (index + 1) * per_word, confidence=0.9)
        for index, word in enumerate(text.split(" "))
    )
    return CaptionFinished(
        channel="file",
        at=words[-1].end,
        segment=segment,
        start=start,
        end=words[-1].end,
        text=text,
        words=words,
        latency=0,
    )


def test_srt_is_exact() -> None:
    """SubRip: number, comma before the milliseconds, blank line after each cue."""
    written = to_srt([caption("freeze my card", 3661.5), caption("please", 3670)])
    assert written == (
        "1\n01:01:01,500 --> 01:01:02,700\nfreeze my card\n\n2\n01:01:10,000 --> 01:01:11,000\nplease\n\n"
    )


def test_vtt_is_exact() -> None:
    """WebVTT: header, point before the milliseconds, hours of any length."""
    assert to_vtt([caption("a<b", 360000)]) == "WEBVTT\n\n100:00:00.000 --> 100:00:01.000\na&lt;b\n\n"


def test_nothing_said_is_an_empty_file() -> None:
    """Segments without words make no cue."""
    silent = CaptionFinished(channel="f", at=1, segment=1, start=0, end=1, text="", words=(), latency=0)
    assert to_srt([silent]) == ""
    assert to_vtt([silent]) == "WEBVTT\n\n"
    assert to_text([silent]) == ""


def test_long_segments_become_cues_by_word_times() -> None:
    """Lines hold at most 42 characters, cues two lines and seven seconds, and each word is shown when it is said."""
    long = caption(" ".join(f"word{index}" for index in range(100)))
    made = cues([long])
    assert len(made) > 5
    for cue in made:
        assert len(cue.lines) <= LINES
        assert all(len(line) <= LINE_CELLS for line in cue.lines)
        assert cue.end - cue.start <= LONGEST_S * 1000
    by_word = {word.word: word for word in long.words}
    for cue in made:
        assert cue.start == pytest.approx(by_word[cue.lines[0].split()[0]].start * 1000, abs=1)
    assert " ".join(line for cue in made for line in cue.lines) == long.text


def test_a_word_longer_than_a_line_is_broken() -> None:
    """Nothing is wider than a line, not even one word."""
    made = cues([caption("x" * 200)])
    assert "".join(line for cue in made for line in cue.lines) == "x" * 200
    assert all(len(line) <= LINE_CELLS for cue in made for line in cue.lines)


def test_a_caption_without_word_times_is_spread_over_its_segment() -> None:
    """A recogniser that gives no times still makes subtitles."""
    bare = CaptionFinished(channel="f", at=9, segment=1, start=1, end=9, text="one two " * 20, words=(), latency=0)
    made = cues([bare])
    assert made[0].start == 1000
    assert made[-1].end == pytest.approx(9000, abs=1000)


texts = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60)), min_size=1, max_size=20)


@given(texts, st.lists(st.floats(0, 400000), min_size=20, max_size=20))
def test_any_text_at_any_time_reads_back(parts: list[str], starts: list[float]) -> None:
    """Both readers find the cues with the times and the text that was written, and cues never overlap."""
    captions = [caption(text, start) for text, start in zip(parts, starts, strict=False)]
    expected = cues(captions)
    for earlier, later in itertools.pairwise(expected):
        assert earlier.start < earlier.end <= later.start
    times = [(cue.start, cue.end) for cue in expected]

    if expected:
        vtt = webvtt.from_string(to_vtt(captions))
        assert [html.unescape(cue.raw_text) for cue in vtt] == ["\n".join(cue.lines) for cue in expected]
        srt = webvtt.from_buffer(io.StringIO(to_srt(captions)), format="srt")
        assert len(srt) == len(expected)
    ours = pysubs2.SSAFile.from_string(to_srt(captions), format_="srt")
    if all(end < 359999999 for _, end in times):
        assert sorted((event.start, event.end) for event in ours) == sorted(times)
    looks = str.maketrans("<>{}", "‹›()")
    written = ["\n".join(cue.lines).translate(looks) for cue in expected]
    assert sorted(event.plaintext for event in ours) == sorted(written)
