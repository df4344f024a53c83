"""What the screen shows after which events: no Textual here."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from edgevoice.events import (
    ActionFinished,
    ActionStarted,
    AudioLost,
    Failed,
    InputSilent,
    IntentDetected,
    IntentRejected,
    LabelScore,
    PaceChanged,
    Word,
)
from edgevoice.tui import state as state_module
from edgevoice.tui.layout import Shape, column, live_rows
from edgevoice.tui.levels import LevelTracker
from edgevoice.tui.speed import Speed
from edgevoice.tui.state import Part, ScreenState
from edgevoice.tui.views import Phase, Problem, percentile
from edgevoice.tui.widgets.drawing import bar, line, percent
from tests.tui.scripted import CHANNEL, ended, final, level, silence, speech, started, update


def intent(segment: int, label: str, score: float = 0.9, *, early: bool = False, at: float = 2.0) -> IntentDetected:
    runners = (LabelScore(label="abroad", score=0.05), LabelScore(label="app_error", score=0.01))
    return IntentDetected(
        channel=CHANNEL, at=at, segment=segment, label=label, score=score, runners_up=runners, early=early, words="w"
    )


def rejected(segment: int, reason: str) -> IntentRejected:
    return IntentRejected(channel=CHANNEL, at=2.0, segment=segment, label="balance", score=0.3, reason=reason)


def lost(seconds: float) -> AudioLost:
    return AudioLost(channel=CHANNEL, at=1.0, seconds=seconds, where="queue full")


def pace(behind: float, hop: float, *, keeping_up: bool = False, channel: str = CHANNEL) -> PaceChanged:
    return PaceChanged(channel=channel, at=1.0, behind=behind, hop=hop, keeping_up=keeping_up)


def fed(*events: object) -> ScreenState:
    state = ScreenState()
    for event in events:
        state.apply(event)  # type: ignore[arg-type]
    return state


def test_there_is_no_textual_in_it() -> None:
    assert "textual" not in Path(state_module.__file__).read_text(encoding="utf-8").replace("no Textual", "")


class TestLive:
    def test_words_appear_with_the_time_at_which_speech_began(self) -> None:
        live = fed(speech(0, at=3.0), update(0, "check", "my", at=4.0)).lives[CHANNEL]
        assert (live.segment, live.start, live.stable, live.tentative) == (0, 3.0, "check", "my")

    def test_a_final_moves_to_the_history_and_empties_the_line(self) -> None:
        state = fed(speech(0), update(0, "check"))
        change = state.apply(final(0, "check my balance"))
        assert change.finished is not None
        assert change.finished.text == "check my balance"
        assert state.lives[CHANNEL].segment == -1

    def test_a_pause_begins_a_line_in_the_history_and_none_while_words_still_move(self) -> None:
        state = fed(speech(0), update(0, "Check\nMy", "card"))
        assert state.lives[CHANNEL].stable == "Check My"
        change = state.apply(final(0, "Check\n\x1b[2J \n\n\tMy card\u2028now\n"))
        assert change.finished is not None
        assert change.finished.text == "Check\n[2J\nMy card now"

    def test_an_empty_final_leaves_no_line(self) -> None:
        assert fed(speech(0)).apply(final(0, "  ")).finished is None

    def test_the_next_segment_does_not_wipe_words_that_wait_for_their_final(self) -> None:
        state = fed(speech(0), update(0, "check"), silence(0), speech(1))
        assert state.lives[CHANNEL].stable == "check"
        state.apply(final(0, "check"))
        state.apply(update(1, "the"))
        assert state.lives[CHANNEL].stable == "the"

    def test_a_late_update_of_a_finished_segment_is_not_shown(self) -> None:
        assert fed(final(3, "done"), update(3, "do")).lives[CHANNEL].segment == -1

    def test_speech_without_words_leaves_no_trace(self) -> None:
        assert fed(speech(0), silence(0)).lives[CHANNEL].segment == -1

    def test_two_channels_do_not_mix(self) -> None:
        state = fed(started(), started(channel="call"), speech(0), speech(0, channel="call"), update(0, "hello"))
        assert state.labelled
        assert state.lives["call"].stable == ""
        assert state.lives[CHANNEL].stable == "hello"


class TestIntents:
    def test_the_final_intent_takes_the_place_of_the_early_one(self) -> None:
        state = fed(intent(0, "card_issues", early=True), intent(0, "card_issues", 0.95))
        assert [(i.label, i.early) for i in state.intents.heard] == [("card issues", False)]

    def test_newest_first(self) -> None:
        assert [i.label for i in fed(intent(0, "a"), intent(1, "b")).intents.heard] == ["b", "a"]

    def test_a_rejection_is_shown_but_not_remembered(self) -> None:
        state = fed(rejected(0, "below threshold"))
        assert state.intents.newest is not None
        assert state.intents.newest.reason == "below threshold"
        assert not state.intents.heard

    @pytest.mark.parametrize("reason", ["cooldown", "too short"])
    def test_no_news_leaves_the_intent_in_place(self, reason: str) -> None:
        state = fed(intent(0, "balance"), rejected(1, reason))
        assert state.intents.newest is not None
        assert not state.intents.newest.reason

    def test_clear_forgets_them(self) -> None:
        state = fed(intent(0, "balance"))
        state.intents.clear()
        assert (state.intents.newest, state.intents.heard) == (None, ())


class TestStatus:
    def test_the_phases_of_a_run(self) -> None:
        state = ScreenState()
        assert state.phase is Phase.STARTING
        state.apply(started())
        assert state.phase is Phase.LISTENING
        state.pause(paused=True)
        assert state.phase is Phase.PAUSED
        state.pause(paused=False)
        state.stop()
        assert state.phase is Phase.STOPPING
        state.apply(ended())
        assert state.phase is Phase.ENDED

    def test_it_ends_with_the_last_channel(self) -> None:
        state = fed(started(), started(channel="call"), ended())
        assert state.phase is Phase.LISTENING
        state.apply(ended("call"))
        assert state.phase is Phase.ENDED

    def test_failed_for_good_wins(self) -> None:
        failed = Failed(channel=CHANNEL, at=0, what="Broken", recoverable=False, remedy="Repair it")
        assert fed(started(), failed, ended()).phase is Phase.FAILED

    def test_latency_is_that_of_the_last_200_updates(self) -> None:
        state = fed(*[update(0, "", latency=9.0)] * 50, *[update(0, "", latency=i / 1000) for i in range(200)])
        assert (state.status.p50, state.status.p95) == (0.1, 0.19)

    def test_lost_audio_adds_up_and_the_total_of_the_end_counts(self) -> None:
        assert fed(lost(1.0), lost(0.5)).status.lost == 1.5
        assert fed(lost(1.0), ended(lost=2.0)).status.lost == 2.0

    def test_the_pace_is_shown_while_the_machine_cannot_keep_up(self) -> None:
        state = fed(started(), pace(1.234, 1.28))
        assert state.status.pace == "behind 1.2 s, captions every 1.3 s"
        assert state.apply(pace(0.04, 1.28)).parts & Part.STATUS
        assert state.status.pace == "captions every 1.3 s"
        state.apply(pace(0.0, 0.32, keeping_up=True))
        assert state.status.pace == ""

    def test_the_pace_is_that_of_the_worst_channel_and_goes_with_it(self) -> None:
        state = fed(started(), started(channel="call"), pace(0.7, 0.64), pace(2.0, 1.28, channel="call"))
        assert state.status.pace == "behind 2.0 s, captions every 1.3 s"
        state.apply(ended("call"))
        assert state.status.pace == "behind 0.7 s, captions every 0.6 s"

    def test_a_fallback_is_noted_once(self) -> None:
        state = fed(started(note="CUDA is missing"), started(note="CUDA is missing", channel="call"))
        assert state.status.note == "CUDA is missing"
        assert [problem.note for problem in state.problems] == [True]

    def test_numbers_that_are_none_do_no_harm(self) -> None:
        nan = math.nan
        state = fed(
            level(nan, nan, nan),
            pace(nan, math.inf),
            update(0, "a", latency=nan, at=math.inf),
            intent(0, "a", nan),
            lost(nan),
        )
        assert state.status.lost == 0
        assert state.header.seconds == 2


class TestSpeed:
    @pytest.mark.parametrize(
        ("captions", "told"),
        [
            ([], ""),
            ([(30, 5.0)], ""),
            ([(20, 10.0)], ""),
            ([(40, 10.0)], "fast speech, 240 words/min"),
            ([(40, 10.0)] + [(20, 10.0)] * 2, ""),
            ([(20, 10.0)] * 5 + [(45, 10.0)] * 2, "fast speech, 270 words/min"),
            ([(3, 0.0), (3, -1.0)], ""),
        ],
    )
    def test_of_the_newest_speech(self, captions: list[tuple[int, float]], told: str) -> None:
        speed = Speed()
        for segment, (words, seconds) in enumerate(captions):
            speed.add(segment, words, seconds)
        assert speed.told == told

    def test_it_is_that_of_the_words_and_not_of_the_pauses(self) -> None:
        words = tuple(Word(word="a", start=i * 0.25, end=i * 0.25 + 0.2, confidence=1.0) for i in range(40))
        state = fed(replace(final(0, " ".join("a" * 40)), words=words))
        assert state.status.speed == "fast speech, 241 words/min"

    def test_pauses_are_known_where_words_and_text_agree(self) -> None:
        words = (
            Word(word="a", start=0.0, end=0.5, confidence=1.0),
            Word(word="b", start=1.5, end=2.0, confidence=1.0),
        )
        agreed = ScreenState().apply(replace(final(0, "A b"), words=words)).finished
        other = ScreenState().apply(replace(final(0, "A"), words=words)).finished
        assert agreed is not None
        assert other is not None
        assert (agreed.pauses, other.pauses) == ((1.0,), ())


class TestProblems:
    def test_the_gravest_is_on_show_and_stays(self) -> None:
        state = ScreenState()
        state.report(Problem("a note", note=True))
        state.report(Problem("a hiccup"))
        state.report(Problem("the end", recoverable=False))
        assert state.problem is not None
        assert state.problem.what == "the end"
        assert state.dismiss() is Part.NOTHING

    def test_dismissing_goes_from_grave_to_harmless(self) -> None:
        state = ScreenState()
        state.report(Problem("a note", note=True))
        state.report(Problem("a hiccup"))
        state.report(Problem("a hiccup"))
        seen = []
        while state.problem:
            seen.append(state.problem.what)
            state.dismiss()
        assert seen == ["a hiccup", "a note"]

    def test_a_silent_microphone_is_on_show_for_as_long_as_it_is_silent(self) -> None:
        muted = InputSilent(channel=CHANNEL, at=10.0, silent=True, what="Is it muted?", remedy="Unmute it")
        back = InputSilent(channel=CHANNEL, at=12.0, silent=False, what="It is heard again", remedy="")
        state = fed(started(), muted)
        assert state.problem == Problem("Is it muted?", "Unmute it")
        assert state.apply(back).parts & Part.BANNER
        assert state.problem is None
        state.apply(muted)
        state.dismiss()
        assert state.apply(back).parts & Part.BANNER
        assert state.problem is None


class TestLevels:
    def test_it_moves_ten_times_a_second_with_the_loudest_of_each_step(self) -> None:
        tracker = LevelTracker("mic")
        shown = []
        for step, dbfs in enumerate([-40, -10, -40, -40, -40, -40, -40, -40]):
            if tracker.measure(step * 0.03, dbfs, 0.1):
                shown.append(tracker.view.dbfs)
        assert shown == [-40, -10]

    def test_the_peak_is_held_and_let_go(self) -> None:
        tracker = LevelTracker("mic")
        tracker.measure(0.0, -10, 0.1)
        tracker.measure(1.0, -40, 0.1)
        assert tracker.view.hold == -10
        tracker.measure(2.0, -40, 0.1)
        assert tracker.view.hold == -40

    def test_too_loud_is_said_for_a_while(self) -> None:
        tracker = LevelTracker("mic")
        tracker.measure(0.0, -1, 1.0)
        tracker.measure(1.0, -20, 0.1)
        assert tracker.view.clipping
        tracker.measure(3.0, -20, 0.1)
        assert not tracker.view.clipping


def test_bars_lines_and_percentages() -> None:
    assert (bar(0.5, 4), bar(1 / 16, 2), bar(9, 3), bar(-1, 2)) == ("██  ", "▏ ", "███", "  ")
    assert (line(0.5, 4), line(1 / 8, 4), line(0, 4)) == ("━━", "╸", "")
    assert (percent(0.875), percent(2)) == ("88 %", "100 %")
    assert percentile([], 0.5) is None


@pytest.mark.parametrize("width", range(10, 210, 7))
@pytest.mark.parametrize("shape", [Shape(), Shape(labelled=True, hours=True), Shape(large=True)])
def test_a_column_fits_its_pane_and_is_never_too_wide_to_read(width: int, shape: Shape) -> None:
    place = column(width, shape)
    assert 8 <= place.text <= 42
    assert place.indent + place.text <= max(width, place.time + place.channel + 8)


def test_live_rows_leave_most_of_the_pane_to_the_history() -> None:
    for height in range(2, 60):
        for channels in (1, 2, 3):
            assert 1 <= live_rows(height, channels, Shape()) <= 5
            assert height < 6 or live_rows(height, channels, Shape()) * channels <= height / 2


class TestActions:
    """What intents set off: one line, and a message where it failed."""

    begun = ActionStarted(channel=CHANNEL, at=2.0, segment=0, name="o\x1bpen", label="pay", kind="run", dry_run=False)

    @staticmethod
    def over(*, ok: bool) -> ActionFinished:
        error = "" if ok else "exit code 2: \x1b[31mno card"
        given = {"channel": CHANNEL, "at": 2.5, "segment": 0, "name": "open", "label": "pay", "code": 0 if ok else 2}
        return ActionFinished(**given, ok=ok, seconds=0.25, error=error)  # type: ignore[arg-type]

    def test_the_status_tells_of_the_latest_run(self) -> None:
        state = fed(self.begun)
        assert state.status.action == "open..."
        assert state.apply(self.over(ok=True)).parts & Part.STATUS
        assert state.status.action == "open ok, 0.2 s"
        assert state.problem is None

    def test_a_failure_is_a_message_with_the_way_out(self) -> None:
        problem = fed(self.begun, self.over(ok=False)).problem
        assert problem
        assert problem.what == "The action open failed: exit code 2: [31mno card"
        assert problem.remedy == "Try it with 'edgevoice actions test pay'"
        assert problem.recoverable
