"""What waits for a reader and what is kept: bounded, in order, lossy only where a later one says the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgevoice.events import CaptionFinished, CaptionRevised, Event, wire_name
from edgevoice.serve.outbox import History, Message, Outbox
from tests.test_captions import revised
from tests.tui.scripted import ended, final, level, speech, started, update


def messages(*events: Event) -> list[Message]:
    return [Message(number, event, "") for number, event in enumerate(events, 1)]


def taken(box: Outbox) -> list[int]:
    return [message.number for message in iter(box.take, None)]


def put(*events: Event, waiting: int = 100) -> Outbox:
    box = Outbox(waiting=waiting)
    for message in messages(*events):
        box.put(message)
    return box


class TestOutbox:
    def test_everything_comes_in_order(self) -> None:
        assert taken(put(started(), speech(0), final(0, "a"), ended())) == [1, 2, 3, 4]

    def test_of_levels_only_the_latest_waits_for_each_channel(self) -> None:
        assert taken(put(level(1), level(2), level(3, channel="call"), speech(0), level(4))) == [3, 4, 5]

    def test_an_update_takes_the_place_of_the_one_before_and_a_final_of_all(self) -> None:
        assert taken(put(update(0, "a"), update(0, "b"), update(1, "c"))) == [2, 3]
        assert taken(put(update(0, "a"), update(1, "b"), final(0, "a b"))) == [2, 3]

    def test_a_reader_that_is_too_far_behind_is_noticed(self) -> None:
        box = put(*[final(number, "x") for number in range(5)], waiting=5)
        assert not box.overflowed
        box.put(Message(6, level(1), ""))
        assert not box.overflowed
        box.put(Message(7, final(6, "x"), ""))
        assert box.overflowed

    def test_what_is_taken_makes_room(self) -> None:
        box = put(final(0, "x"), waiting=1)
        for number in range(2, 20):
            assert box.take()
            box.put(Message(number, final(number, "x"), ""))
        assert not box.overflowed

    def test_a_reader_who_is_there_gets_both_readings(self) -> None:
        assert taken(put(final(0, "a"), final(1, "b"), revised(0, "A."))) == [1, 2, 3]

    @given(st.lists(st.sampled_from("lufs"), max_size=60))
    def test_it_holds_no_more_than_it_says(self, kinds: str) -> None:
        make = {"l": level(1), "u": update(0, "a"), "f": final(0, "a"), "s": speech(0)}
        box = put(*(make[kind] for kind in kinds), waiting=10)
        numbers = taken(box)
        assert numbers == sorted(set(numbers))
        assert len(numbers) <= 12
        lasting = [number for number, kind in enumerate(kinds, 1) if kind in "fs"]
        assert box.overflowed == (len(lasting) > 10)
        assert [number for number in numbers if number in lasting] == lasting[:10]


class TestHistory:
    @staticmethod
    def kept(*events: Event, seconds: float = 60, since: int = 0) -> list[str]:
        history = History(seconds)
        for message in messages(*events):
            history.add(message)
        return [f"{message.number} {wire_name(type(message.event))}" for message in history.since(since)]

    def test_levels_and_outdated_updates_are_left_out(self) -> None:
        events = [started(), level(1), speech(0), update(0, "a"), final(0, "a"), update(1, "b"), update(1, "b c")]
        assert self.kept(*events) == ["1 stream_started", "3 speech_started", "5 caption_finished", "7 caption_updated"]

    def test_what_is_old_goes_and_how_it_began_stays(self) -> None:
        events = [started(), final(0, "a", start=1), final(1, "b", start=50), final(2, "c", start=100)]
        assert self.kept(*events) == ["1 stream_started", "3 caption_finished", "4 caption_finished"]

    def test_who_comes_again_gets_what_it_missed(self) -> None:
        events = [started(), final(0, "a"), final(1, "b"), update(2, "c")]
        assert self.kept(*events, since=2) == ["3 caption_finished", "4 caption_updated"]

    def test_of_two_readings_the_second_is_kept_where_the_first_was(self) -> None:
        events = [started(), final(0, "a"), final(1, "b"), revised(0, "A."), update(2, "c")]
        kept = ["1 stream_started", "2 caption_revised", "3 caption_finished", "5 caption_updated"]
        assert self.kept(*events) == kept
        assert self.kept(*events, since=1) == kept[1:]

    def test_who_had_the_first_reading_gets_the_second_when_it_comes_again(self) -> None:
        events = [started(), final(0, "a"), final(1, "b"), revised(0, "A."), final(2, "c")]
        assert self.kept(*events, since=2) == ["3 caption_finished", "4 caption_revised", "5 caption_finished"]
        assert self.kept(*events, since=4) == ["5 caption_finished"]

    def test_a_second_reading_of_another_channel_or_run_takes_nobodys_place(self) -> None:
        events = [final(0, "a"), revised(0, "A.", channel="call"), started(), revised(0, "B.")]
        assert self.kept(*events) == [
            "1 caption_finished",
            "2 caption_revised",
            "3 stream_started",
            "4 caption_revised",
        ]

    def test_a_first_reading_that_is_too_old_does_not_come_back(self) -> None:
        events = [final(0, "a", start=1), final(1, "b", start=100), revised(1, "B.", start=100)]
        assert self.kept(*events) == ["2 caption_revised"]

    @given(st.lists(st.sampled_from("frs"), max_size=30), st.integers(0, 30))
    def test_nobody_holds_both_readings_and_nobody_misses_one(self, kinds: list[str], since: int) -> None:
        """Whenever a reader comes again: what it had, with what it is sent, is what stands, in the same order."""
        events: list[Event] = []
        waiting: list[int] = []
        for number, kind in enumerate(kinds):
            if kind == "s":
                events.append(speech(number))
            elif kind == "f" or not waiting:
                events.append(final(number, f"a{number}"))
                waiting.append(number)
            else:
                segment = waiting.pop(len(waiting) // 2)
                events.append(revised(segment, f"A{segment}."))
        history = History(60)
        for message in messages(*events):
            history.add(message)
        shown: dict[int, str] = {}
        sent = [*events[:since], *(message.event for message in history.since(since))]
        for event in sent:
            if isinstance(event, CaptionFinished | CaptionRevised):
                shown[event.segment] = event.text
        stands: dict[int, str] = {}
        for event in events:
            if isinstance(event, CaptionFinished | CaptionRevised):
                stands[event.segment] = event.text
        assert list(shown.items()) == list(stands.items())
        fresh = [message.event for message in history.since(0)]
        readings = [each.segment for each in fresh if isinstance(each, CaptionFinished | CaptionRevised)]
        assert readings == list(stands)
        numbers = [message.number for message in history.since(since)]
        assert numbers == sorted(set(numbers))
