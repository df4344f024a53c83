"""Which actions an intent sets off."""

from __future__ import annotations

import pytest

from edgevoice.actions.trigger import Trigger
from edgevoice.config import ActionSettings
from edgevoice.events import Event
from tests.actions.detections import detected, ended, finished, started
from tests.test_captions import revised


def action(intent: str = "pay", **settings: object) -> ActionSettings:
    return ActionSettings(intent=intent, run=("true",), **settings)  # type: ignore[arg-type]


def set_off(settings: ActionSettings, *events: Event) -> list[tuple[int, float]]:
    """Segment and time of each run."""
    trigger = Trigger([settings])
    return [(intent.segment, intent.at) for event in events for _, intent in trigger.take(event)]


@pytest.mark.parametrize(
    ("settings", "channel", "wanted"),
    [
        (action(), "mic", True),
        (action("*"), "mic", True),
        (action("order"), "mic", False),
        (action(channel="you"), "mic", True),
        (action(channel="you"), "call", False),
        (action(channel="them"), "call", True),
        (action(channel="them"), "file", False),
        (action(minimum_score=0.9), "mic", True),
        (action(minimum_score=0.91), "mic", False),
    ],
)
def test_label_side_and_score_decide(settings: ActionSettings, channel: str, wanted: bool) -> None:
    assert bool(set_off(settings, detected(channel=channel))) is wanted


def test_a_segment_sets_an_action_off_once() -> None:
    assert set_off(action("*"), detected(early=True), detected("order"), finished()) == [(0, 1.0)]


def test_segments_of_different_channels_are_different() -> None:
    assert len(set_off(action(), detected(channel="mic"), detected(channel="call"))) == 2


def test_segments_are_counted_anew_with_a_new_stream() -> None:
    assert len(set_off(action(), started(), detected(), started(), detected())) == 2


class TestWhenTheSpeakerHasFinished:
    """`early = false`: an intent that was announced early is not announced again, and must not be lost."""

    def test_an_early_intent_waits_for_the_final_words(self) -> None:
        trigger = Trigger([action(early=False)])
        assert list(trigger.take(detected(early=True))) == []
        assert list(trigger.take(ended())) == []
        [(_, intent)] = trigger.take(finished())
        assert (intent.words, intent.at, intent.early) == ("I want to pay my bill", 2.0, True)
        assert list(trigger.take(finished())) == []

    def test_of_a_model_without_captions_it_waits_for_the_end_of_speech(self) -> None:
        assert set_off(action(early=False), detected(early=True, words=""), ended()) == [(0, 2.0)]

    def test_a_late_intent_does_not_wait(self) -> None:
        assert set_off(action(early=False), detected(), ended(), finished()) == [(0, 1.0)]


class TestASecondReading:
    """What a sentence is put right to is no sound."""

    def test_it_sets_nothing_off(self) -> None:
        again = revised(0, "I want to pay my bill.", channel="call")
        assert set_off(action(), detected(), finished(), again) == [(0, 1.0)]
        assert set_off(action(early=False), detected(early=True), finished(), again) == [(0, 2.0)]
        assert set_off(action("*", cooldown_s=0), again, revised(1, "I want to pay.", channel="call")) == []

    def test_nothing_waits_for_it(self) -> None:
        trigger = Trigger([action(early=False)])
        list(trigger.take(detected(early=True)))
        [(_, intent)] = trigger.take(finished(text="i want to play"))
        assert intent.words == "i want to play", "what was heard, at once"
        assert list(trigger.take(revised(0, "I want to pay.", channel="call"))) == []

    def test_nothing_said_takes_nothing_back(self) -> None:
        assert set_off(action(), detected(), finished(), revised(0, "", channel="call"), detected()) == [(0, 1.0)]


def test_the_cooldown_is_on_the_clock_of_the_audio() -> None:
    events = [detected(segment=number, at=at) for number, at in enumerate((1.0, 5.0, 11.0, 12.0, 21.0))]
    assert set_off(action(cooldown_s=10), *events) == [(0, 1.0), (2, 11.0), (4, 21.0)]


def test_each_action_has_a_cooldown_of_its_own() -> None:
    trigger = Trigger([action(cooldown_s=10), action("*")])
    list(trigger.take(detected(segment=0, at=1.0)))
    assert [each.intent for each, _ in trigger.take(detected(segment=1, at=2.0))] == ["*"]
