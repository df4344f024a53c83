"""Segments are arithmetic: tables of what must come out, and laws that hold for whatever comes in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.config import VadSettings
from edgevoice.errors import ConfigError
from edgevoice.vad.segmenter import SegmentChange, SegmentClosed, Segmenter, SegmentOpened

FRAME = 10
RATE = 1000
SETTINGS = VadSettings(preroll_s=0.05, minimum_speech_s=0.03, hangover_s=0.1, maximum_s=1.0)


def run(probabilities: list[float], vad: VadSettings = SETTINGS, *, flush: bool = True) -> list[SegmentChange]:
    segmenter = Segmenter(vad, FRAME, RATE)
    changes = [change for probability in probabilities for change in segmenter.feed(probability)]
    return changes + (segmenter.flush() if flush else [])


def speech(spans: str) -> list[float]:
    """Probabilities from "20- 5# 3=": frames of silence (-), of speech (#), of something between (=)."""
    values = {"-": 0.0, "=": 0.4, "#": 0.9, "~": 0.6}
    return [values[span[-1]] for span in spans.split() for _ in range(int(span[:-1]))]


def segments(changes: list[SegmentChange]) -> list[tuple[int, int, bool]]:
    return [(change.start, change.end, change.forced) for change in changes if isinstance(change, SegmentClosed)]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ("50-", []),
        ("20- 2# 20-", []),  # too short
        ("20- 3# 20-", [(150, 330, False)]),  # 50 ms before, 100 ms of the silence after
        ("2- 3# 20-", [(0, 150, False)]),  # no pre-roll before the beginning
        ("20- 10# 9- 10# 20-", [(150, 590, False)]),  # a pause shorter than the hangover
        ("20- 10# 10- 10# 20-", [(150, 400, False), (400, 600, False)]),  # pre-roll ends at the segment before
        ("20- 10# 30- 10# 20-", [(150, 400, False), (550, 800, False)]),
        ("20- 5# 5= 5# 20-", [(150, 450, False)]),  # hysteresis holds
        ("20- 20= 20-", []),  # but does not open
        ("20- 5# 20- 5= 20-", [(150, 350, False)]),
        ("20- 10#", [(150, 300, False)]),  # flushed in speech
        ("20- 10# 4-", [(150, 340, False)]),  # flushed in the hangover
        ("20- 2# 1- 2# 1- 3# 20-", [(210, 390, False)]),  # only unbroken speech counts
    ],
)
def test_segments(spans: str, expected: list[tuple[int, int, bool]]) -> None:
    assert segments(run(speech(spans))) == expected


def test_opened_as_soon_as_it_is_certain_and_closed_after_the_hangover() -> None:
    segmenter = Segmenter(SETTINGS, FRAME, RATE)
    seen = [(index, change) for index, p in enumerate(speech("20- 5# 20-")) for change in segmenter.feed(p)]
    assert seen == [(22, SegmentOpened(1, 150)), (34, SegmentClosed(1, 150, 350, 250, forced=False))]


def test_where_a_segment_will_end_is_known_before_it_does() -> None:
    """As soon as all that belongs to it was heard, and until somebody speaks again."""
    vad = VadSettings(preroll_s=0, minimum_speech_s=0.03, hangover_s=0.3, maximum_s=5.0)
    segmenter = Segmenter(vad, FRAME, RATE)
    seen = []
    for probability in speech("3- 5# 25- 4# 31-"):
        changes = segmenter.feed(probability)
        seen.append([each.end for each in changes if isinstance(each, SegmentClosed)] or segmenter.ending)
    assert seen == [None] * 27 + [280] * 6 + [None] * 23 + [570] * 10 + [[570], None]


def test_margin_is_at_most_a_fifth_of_a_second() -> None:
    vad = VadSettings(preroll_s=0, minimum_speech_s=0.03, hangover_s=0.5, maximum_s=5.0)
    assert segments(run(speech("20- 10# 80-"), vad)) == [(200, 500, False)]


def test_long_speech_is_cut_without_gap_or_overlap() -> None:
    assert run(speech("5- 250# 30-")) == [
        SegmentOpened(1, 0),
        SegmentClosed(1, 0, 1000, 1000, forced=True),
        SegmentOpened(2, 1000),
        SegmentClosed(2, 1000, 2000, 2000, forced=True),
        SegmentOpened(3, 2000),
        SegmentClosed(3, 2000, 2650, 2550, forced=False),
    ]


@pytest.mark.parametrize(("dip", "end"), [(70, 1000), (80, 800), (90, 900), (98, 980), (100, 1000)])
def test_the_cut_is_before_the_quietest_frame_of_the_last_fifth(dip: int, end: int) -> None:
    probabilities = [0.9] * 150
    probabilities[dip] = 0.6
    assert segments(run(probabilities))[0] == (0, end, True)


def test_a_pause_at_the_maximum_ends_the_segment_for_good() -> None:
    changes = run(speech("98# 30-"))
    assert changes == [SegmentOpened(1, 0), SegmentClosed(1, 0, 1000, 980, forced=False)]


def test_speech_goes_on_after_a_flush() -> None:
    segmenter = Segmenter(SETTINGS, FRAME, RATE)
    for probability in speech("20- 10#"):
        segmenter.feed(probability)
    assert segmenter.flush() == [SegmentClosed(1, 150, 300, 300, forced=False)]
    assert segmenter.flush() == []
    assert [change for p in speech("3#") for change in segmenter.feed(p)] == [SegmentOpened(2, 300)]


@pytest.mark.parametrize(
    "wrong",
    [
        VadSettings(maximum_s=0.5),
        VadSettings(maximum_s=0.04, preroll_s=0.0, minimum_speech_s=0.0),
        VadSettings(threshold=0.0),
        VadSettings(threshold=1.5),
        VadSettings(preroll_s=-1.0),
    ],
)
def test_settings_that_contradict_each_other(wrong: VadSettings) -> None:
    with pytest.raises(ConfigError):
        Segmenter(wrong, FRAME, RATE)


@st.composite
def recordings(draw: st.DrawFn) -> list[float]:
    """Runs of speech, silence and doubt."""
    level = st.one_of(st.sampled_from([0.0, 0.34, 0.36, 0.49, 0.5, 1.0]), st.floats(0, 1))
    runs = draw(st.lists(st.tuples(st.integers(1, 60), level), max_size=25))
    noise = draw(st.lists(st.floats(0, 1), max_size=30))
    return [probability for count, probability in runs for _ in range(count)] + noise


@st.composite
def any_settings(draw: st.DrawFn) -> VadSettings:
    hundredths = st.integers(0, 30).map(lambda n: n / 100)
    preroll, minimum = draw(hundredths), draw(hundredths)
    return VadSettings(
        threshold=draw(st.sampled_from([0.1, 0.5, 0.9])),
        preroll_s=preroll,
        minimum_speech_s=minimum,
        hangover_s=draw(st.integers(0, 60)) / 100,
        maximum_s=max(0.06, (preroll + minimum + 0.03) / 0.8) + draw(st.integers(0, 100)) / 100,
    )


def runs_of_speech(probabilities: list[float], vad: VadSettings) -> list[tuple[int, int]]:
    """What the settings call speech, found another way: (first, end) in samples."""
    found, begin = [], None
    for index, probability in enumerate([*probabilities, -1.0]):
        bound = vad.threshold if begin is None else max(vad.threshold - 0.15, 1e-6)
        if probability >= bound:
            begin = index if begin is None else begin
        elif begin is not None:
            found.append((begin * FRAME, index * FRAME))
            begin = None
    return found


@settings(max_examples=400)
@given(recordings(), any_settings())
def test_laws(probabilities: list[float], vad: VadSettings) -> None:
    changes = run(probabilities, vad)
    opened = [change for change in changes if isinstance(change, SegmentOpened)]
    closed = [change for change in changes if isinstance(change, SegmentClosed)]
    assert changes == [change for pair in zip(opened, closed, strict=True) for change in pair]
    assert [change.segment for change in opened] == list(range(1, len(opened) + 1))
    previous = SegmentClosed(0, 0, 0, 0, forced=False)
    speaking = runs_of_speech(probabilities, vad)
    for start, segment in zip(opened, closed, strict=True):
        assert (start.segment, start.start) == (segment.segment, segment.start)
        assert previous.end <= segment.start < segment.end <= len(probabilities) * FRAME
        assert segment.end - segment.start <= round(vad.maximum_s * RATE)
        if previous.forced:
            assert segment.start == previous.end
        else:  # pre-roll is bounded: speech begins within it
            assert any(segment.start <= begin <= segment.start + vad.preroll_s * RATE + 1e-6 for begin, _ in speaking)
        previous = segment
    assert not previous.forced
    for begin, end in speaking:
        if end - begin >= max(1.0, vad.minimum_speech_s * RATE):
            covered = sum(max(0, min(end, segment.end) - max(begin, segment.start)) for segment in closed)
            assert covered == end - begin


@given(recordings(), any_settings())
def test_nothing_opens_further_back_than_lookback(probabilities: list[float], vad: VadSettings) -> None:
    segmenter = Segmenter(vad, FRAME, RATE)
    for probability in probabilities:
        for change in segmenter.feed(probability):
            if isinstance(change, SegmentOpened):
                assert segmenter.position - change.start <= segmenter.lookback
            else:
                assert change.end <= segmenter.position


@given(recordings(), any_settings(), st.integers(0, 200))
def test_the_past_never_changes(probabilities: list[float], vad: VadSettings, cut: int) -> None:
    whole = run(probabilities, vad, flush=False)
    part = run(probabilities[:cut], vad, flush=False)
    assert whole[: len(part)] == part
