"""What waits for a reader and what is kept: bounded, in order, lossy only where a later one says the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgevoice.events import Event, wire_name
from edgevoice.serve.outbox import History, Message, Outbox
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
