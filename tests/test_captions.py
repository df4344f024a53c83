"""Captions as they stand: a second reading takes the place of the first, whatever comes between them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.captions import Captions, final_captions, takes_place_of
from edgevoice.events import CaptionRevised, Event
from tests.tui.scripted import detected, ended, final, speech, started, update


def revised(segment: int, text: str, start: float = 1.0, channel: str = "mic") -> CaptionRevised:
    """The second reading of what `final` makes."""
    return CaptionRevised(
        channel=channel,
        at=start + 3,
        segment=segment,
        start=start,
        end=start + 1,
        text=text,
        words=(),
        confidence=0.9,
        reader="r",
        latency=2.0,
    )


def texts(*events: Event) -> list[str]:
    return [caption.text for caption in final_captions(events)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([final(0, "a"), final(1, "b"), revised(0, "A.")], ["A.", "b"]),
        ([final(0, "a"), revised(0, ""), final(1, "b")], ["b"]),
        ([final(0, "a"), revised(0, " \n")], []),
        ([final(0, "a", channel="call"), revised(0, "B.")], ["a", "B."]),
        ([revised(4, "A."), final(5, "b")], ["A.", "b"]),
        ([revised(4, "")], []),
        ([final(0, "a"), revised(0, "A."), revised(0, "A!")], ["A!"]),
        ([final(0, ""), final(1, "b")], ["", "b"]),
        ([started(), final(0, "a"), started(), final(0, "b"), revised(0, "B.")], ["a", "B."]),
        ([started(), final(0, "a"), started(), revised(0, "B.")], ["a", "B."]),
        ([started(channel="call"), final(0, "a"), started(channel="call"), revised(0, "A.")], ["A."]),
        ([final(0, "a"), final(0, "b"), revised(0, "B.")], ["a", "B."]),
        ([speech(0), update(0, "a"), detected(), ended()], []),
    ],
    ids=[
        "after a later one",
        "nothing was said",
        "nothing but spaces",
        "another channel",
        "its caption was never seen",
        "nor that there was nothing",
        "the last of several",
        "a final without words is one",
        "two runs",
        "two runs, of which the second lost a line",
        "two runs of another channel",
        "two runs, and nobody said so",
        "no captions at all",
    ],
)
def test_what_stands(events: list[Event], expected: list[str]) -> None:
    assert texts(*events) == expected


def test_the_second_reading_gives_text_and_words_and_all_else_is_of_the_first() -> None:
    first = replace(final(3, "my car is gone", 5.0), words=())
    (caption,) = final_captions([first, revised(3, "My card is gone.", 5.0)])
    assert caption == replace(first, text="My card is gone.")


def test_changes_are_told() -> None:
    captions = Captions()
    first = final(0, "a")
    change = captions.take(first)
    assert change
    assert (change.before, change.now) == (None, first)
    change = captions.take(revised(0, "A."))
    assert change
    assert change.before is first
    assert change.now
    assert captions.take(update(1, "b")) is None
    change_again = captions.take(revised(0, ""))
    assert change_again
    assert (change_again.before, change_again.now) == (change.now, None)
    assert captions.take(revised(0, "")) is None


def test_what_is_settled_is_passed_over_and_what_came_after_it_is_not() -> None:
    captions = Captions()
    finals = [final(number, str(number)) for number in range(3)]
    for each in finals:
        captions.take(each)
    captions.settle(finals[1])
    captions.settle(finals[0])
    assert captions.take(revised(1, "late")) is None
    assert captions.take(revised(0, "later still")) is None
    assert captions.take(revised(2, "in time"))
    assert captions.take(revised(3, "never seen"))
    captions.take(started())
    assert captions.take(revised(0, "of another run"))
    captions.settle(next(iter(captions)))
    assert [each.text for each in captions] == ["never seen", "of another run"]


def test_a_caption_may_change_while_a_reader_has_not_come_that_far() -> None:
    captions = Captions()
    one, other = final(0, "a"), final(1, "b")
    captions.take(one)
    assert not captions.may_change(one), "nobody reads"
    captions.take(revised(0, "A."))
    captions.take(other)
    assert captions.may_change(other)
    captions.take(final(2, "c"))
    captions.take(revised(2, "C."))
    assert not captions.may_change(other), "it was passed over"


def test_a_second_reading_knows_its_first() -> None:
    assert takes_place_of(revised(0, "A."), final(0, "a"))
    assert takes_place_of(revised(0, "A."), revised(0, "a"))
    others = (final(1, "a"), final(0, "a", channel="call"), update(0, "a"), detected(segment=0))
    assert not any(takes_place_of(revised(0, "A."), each) for each in others)


@given(
    st.lists(st.tuples(st.sampled_from(["mic", "call"]), st.sampled_from(["", "Yes.", "No."])), max_size=20), st.data()
)
def test_in_any_order_each_caption_stands_once(segments: list[tuple[str, str]], data: st.DataObject) -> None:
    """Second readings come when they come; the order is that of the finals."""
    finals: list[Event] = [final(number, f"x{number}", channel=channel) for number, (channel, _) in enumerate(segments)]
    events = list(finals)
    for number, (channel, text) in enumerate(segments):
        if data.draw(st.booleans()):
            place = data.draw(st.integers(events.index(finals[number]) + 1, len(events)))
            events.insert(place, revised(number, text, channel=channel))
    read = {event.segment: event.text for event in events if isinstance(event, CaptionRevised)}
    expected = [read.get(number, f"x{number}") for number in range(len(segments))]
    assert texts(*events) == [text for number, text in enumerate(expected) if text or number not in read]
