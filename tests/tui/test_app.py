"""The screen's behaviour, with the messages the thread would post."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from edgevoice.config import ScreenSettings, Settings
from edgevoice.errors import AudioError
from edgevoice.events import (
    AudioLost,
    Event,
    InputSilent,
    IntentRejected,
    LabelScore,
    PaceChanged,
)
from edgevoice.replay import Replay
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.themes import THEMES
from edgevoice.tui.widgets.help import HelpScreen
from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.intent import IntentLine, IntentPane
from edgevoice.tui.widgets.live import CaptionsPane, LiveLine
from tests.tui.screen import open_app, screen_text, tell, until_shown
from tests.tui.scripted import (
    CHANNEL,
    Observed,
    ScriptedRun,
    detected,
    ended,
    failed,
    final,
    level,
    silence,
    speech,
    started,
    update,
)


class TestEvents:
    async def test_start_shows_source_model_and_provider(self) -> None:
        async with open_app() as (_, pilot, _run):
            assert "starting" in screen_text(_)
            text = await tell(pilot, started())
        for word in ("edgevoice", "USB Headset", "edgevoice-small", "on cpu", "listening", "lost 0.0 s"):
            assert word in text

    async def test_a_fallback_is_marked_and_explained(self) -> None:
        async with open_app() as (_, pilot, _run):
            text = await tell(pilot, started(note="CUDA was not used: libcudnn.so.9 is missing"))
            assert "cpu (fallback)" in text
            assert "libcudnn.so.9 is missing" in text
            await pilot.press("escape")
            assert "libcudnn" not in screen_text(_)

    async def test_the_live_line_tells_stable_from_tentative_without_colour(self) -> None:
        async with open_app() as (app, pilot, _run):
            text = await tell(pilot, started(), speech(0, at=65), update(0, "check my", "balance", at=66))
            assert "01:05  check my balance…" in text
            segments = [s for strip in app.screen._compositor.render_strips() for s in strip]
            italic = {s.text.strip(): bool(s.style and s.style.italic) for s in segments if s.text.strip()}
            assert italic["check my"] is False
            assert italic["balance…"] is True

    async def test_a_final_leaves_the_live_line_for_the_history(self) -> None:
        async with open_app() as (app, pilot, _run):
            text = await tell(pilot, speech(0), update(0, "check"), silence(0), final(0, "check my balance", 65))
            assert "01:05  check my balance " in text
            assert "…" not in text
            assert [c.text for c in app.query_one(History).captions] == ["check my balance"]

    async def test_an_intent_shows_score_early_mark_and_runners_up(self) -> None:
        async with open_app() as (_, pilot, _run):
            text = await tell(pilot, detected(early=True))
            for word in ("card issues", "91 %", "◆ early", "balance", "7 %", "abroad"):
                assert word in text
            text = await tell(pilot, detected(), detected("freeze", segment=1))
            assert "early" not in text
            assert "01:05  card issues" in text, "the earlier one, with its time"

    async def test_no_intent_is_said(self) -> None:
        async with open_app() as (_, pilot, _run):
            event = IntentRejected(
                channel=CHANNEL, at=1, segment=0, label="balance", score=0.31, reason="below threshold"
            )
            text = await tell(pilot, event)
        assert "no clear intent" in text
        assert "balance 31 %" in text

    async def test_level_and_voice_in_words(self) -> None:
        async with open_app() as (_, pilot, _run):
            text = await tell(pilot, level(0.0, -12), speech(0))
            assert "-12 dB" in text
            assert "━" in text
            assert "● speech" in text
            assert "○ silence" in await tell(pilot, silence(0))

    async def test_a_silent_microphone_is_on_show_until_it_is_heard(self) -> None:
        async with open_app() as (_, pilot, _run):
            what, remedy = "The microphone 'desk' is silent: is it muted?", "Unmute it"
            muted = InputSilent(channel=CHANNEL, at=10.0, silent=True, what=what, remedy=remedy)
            assert f"{what} Unmute it." in await tell(pilot, muted)
            back = InputSilent(channel=CHANNEL, at=12.0, silent=False, what="It is heard again", remedy="")
            assert "muted" not in await tell(pilot, back)

    async def test_latency_and_lost_audio(self) -> None:
        async with open_app() as (_, pilot, _run):
            lost = AudioLost(channel=CHANNEL, at=1, seconds=1.5, where="queue full")
            text = await tell(pilot, started(), update(0, "a", latency=0.12), lost)
        assert "latency 120/120 ms" in text
        assert "! lost 1.5 s" in text

    async def test_a_machine_that_cannot_keep_up_is_said_and_forgotten(self) -> None:
        async with open_app((120, 32)) as (_, pilot, _run):
            slow = PaceChanged(channel=CHANNEL, at=1, behind=1.23, hop=1.28, keeping_up=False)
            text = await tell(pilot, started(), update(0, "a"), slow)
            assert "behind 1.2 s, captions every 1.3 s" in text
            assert "listening" in text
            again = PaceChanged(channel=CHANNEL, at=9, behind=0.0, hop=0.32, keeping_up=True)
            assert "captions every" not in await tell(pilot, again)

    async def test_where_room_is_short_the_pace_stays_longer_than_model_and_latency(self) -> None:
        async with open_app((60, 20)) as (_, pilot, _run):
            slow = PaceChanged(channel=CHANNEL, at=1, behind=1.23, hop=1.28, keeping_up=False)
            text = await tell(pilot, started(), update(0, "a"), slow)
        assert "behind 1.2 s, captions every 1.3 s" in text
        assert "latency" not in text

    async def test_a_pause_in_a_caption_begins_a_line_of_its_own(self) -> None:
        async with open_app() as (_, pilot, _run):
            text = await tell(pilot, started(), final(0, "Check my card\nIt is broken"), final(1, "Thanks", 5.0))
        lines = [line.rstrip() for line in text.splitlines()]
        at = next(index for index, line in enumerate(lines) if line.endswith("00:01  Check my card"))
        assert lines[at + 1].strip() == "It is broken"
        assert lines[at + 1].index("It") == lines[at].index("Check")
        assert lines[at + 2].endswith("00:05  Thanks")

    async def test_failures_show_the_way_out(self) -> None:
        async with open_app() as (app, pilot, _run):
            text = await tell(pilot, started(), failed(recoverable=True))
            assert "! The microphone is gone. Plug it in. (Esc hides this)" in text
            assert "listening" in text
            await pilot.press("escape")
            assert "microphone is gone" not in screen_text(app)
            text = await tell(pilot, failed(recoverable=False))
            assert "✕ failed" in text
            await pilot.press("escape")
            assert "microphone is gone" in screen_text(app)

    async def test_the_end_is_said_and_the_screen_stays(self) -> None:
        async with open_app() as (_, pilot, _run):
            assert "ended - press q" in await tell(pilot, started(), ended())

    @pytest.mark.parametrize("size", [(40, 12), (80, 24)])
    async def test_that_it_is_recorded_is_on_show_while_it_is(self, size: tuple[int, int]) -> None:
        keeps = ["saving", "● rec"]
        app = CaptionApp(run := ScriptedRun(), keeps=lambda: "  ".join(keeps))
        async with app.run_test(size=size) as pilot:
            assert "● listening  saving  ● rec" in await tell(pilot, started())
            keeps.pop()
            assert "rec" not in await tell(pilot, failed(recoverable=True))
            assert "saving" not in await tell(pilot, ended())
        run.stop()

    async def test_two_channels_are_named(self) -> None:
        async with open_app((120, 32)) as (_, pilot, _run):
            text = await tell(
                pilot,
                started(),
                started(channel="call", source="Monitor"),
                final(0, "hello"),
                level(1.0, channel="call"),
            )
            text = await tell(pilot, final(0, "good morning", 2, "call"), speech(1), speech(1, 3, "call"))
        assert "00:01  you    hello" in text
        assert "00:02  them   good morning" in text
        assert "USB Headset + Monitor" in text


class TestCalm:
    async def test_an_update_of_the_live_line_does_not_draw_the_history(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[int] = []
        async with open_app() as (_, pilot, _run):
            await tell(pilot, started(), *[final(i, f"line {i}", float(i)) for i in range(30)], speech(30))
            original = History.render_line
            monkeypatch.setattr(History, "render_line", lambda self, y: drawn.append(y) or original(self, y))
            await tell(pilot, update(30, "one", "two", at=31))
            drawn.clear()
            await tell(pilot, update(30, "one two", "three", at=31.1), level(31.1))
            assert drawn == []

    async def test_a_new_caption_wraps_and_draws_only_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[str] = []
        async with open_app() as (_, pilot, _run):
            await tell(pilot, *[final(i, f"line {i}", float(i)) for i in range(40)])
            original = History._draw
            monkeypatch.setattr(History, "_draw", lambda self, row: drawn.append(row.text) or original(self, row))
            await tell(pilot, final(40, "the newest"))
        assert drawn == ["the newest"]

    async def test_stable_words_never_move(self) -> None:
        words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split() * 3
        places: dict[int, tuple[int, int]] = {}
        async with open_app((80, 12)) as (app, pilot, _run):
            await tell(pilot, speech(0))
            line = app.query_one(LiveLine)
            for count in range(1, len(words)):
                guess = "maybe a rather long guess" if count % 3 else "no"
                await tell(pilot, update(0, " ".join(words[:count]), guess))
                top = line._top
                rows = [row[7:] for row in line.render().plain.split("\n")]
                seen = 0
                for y, row in enumerate(rows):
                    for x, _word in enumerate(row.split()):
                        seen += 1
                        if top == 0 and seen <= count:
                            assert places.setdefault(seen, (y, x)) == (y, x)
            assert line._top > 0, "the text outgrew its rows"

    async def test_a_shorter_guess_does_not_scroll_back(self) -> None:
        async with open_app((80, 12)) as (app, pilot, _run):
            await tell(pilot, speech(0), update(0, "word " * 40, "and " * 20))
            top = app.query_one(LiveLine)._top
            await tell(pilot, update(0, "word " * 40, "a"))
            assert app.query_one(LiveLine)._top == top


class TestRoom:
    """What is being said is not hidden while rows are empty, and what was said does not fall back."""

    WORDS = "and then I told them that my card was stolen abroad"

    @pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 45)])
    async def test_a_long_segment_takes_the_rows_that_are_empty(self, size: tuple[int, int]) -> None:
        async with open_app(size) as (_, pilot, _run):
            long = " ".join(f"{word}{number}" for number in range(2) for word in self.WORDS.split())
            await tell(pilot, started(), speech(0))
            text = await tell(pilot, update(0, long, "so"))
        assert "and0" in text
        assert "so…" in text

    async def test_in_a_full_pane_it_takes_half(self) -> None:
        async with open_app((160, 45)) as (app, pilot, _run):
            await tell(pilot, *[final(i, f"line {i}.", float(i)) for i in range(60)], speech(60))
            idle = app.query_one(LiveLine).size.height
            text = await tell(pilot, update(60, " ".join([self.WORDS] * 10), "so"))
            pane = app.query_one(CaptionsPane).size.height
            assert idle == 5 < app.query_one(LiveLine).size.height <= pane / 2
            assert "line 59." in text
            await tell(pilot, final(60, "A short one", 61.0))
            assert app.query_one(LiveLine).size.height == idle

    @pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 45)])
    @pytest.mark.parametrize("before", [2, 60])
    async def test_finals_and_what_is_said_only_ever_move_up(self, size: tuple[int, int], before: int) -> None:
        async with open_app(size) as (app, pilot, _run):
            await tell(pilot, started(), *[final(i, f"line {i}.", float(i)) for i in range(before)])
            words = self.WORDS.split() * 4
            last, places = f"line {before - 1}.", []
            for count in range(1, len(words)):
                text = await tell(pilot, update(before, " ".join(words[:count]), "maybe this" if count % 2 else ""))
                places.append(row_of(last, text))
            places.append(row_of(last, await tell(pilot, final(before, " ".join(words), 99.0))))
            seen = [place for place in places if place is not None]
            assert seen == sorted(seen, reverse=True)
            assert app.query_one(History).following

    async def test_what_is_picked_stays_in_sight(self) -> None:
        async with open_app() as (_, pilot, _run):
            await tell(pilot, *[final(i, f"line {i}.", float(i)) for i in range(60)], speech(60))
            await pilot.press("up")
            assert "▸line 59." in await tell(pilot, update(60, " ".join([self.WORDS] * 5)))


def row_of(wanted: str, text: str) -> int | None:
    """Which line of the screen has it."""
    return next((number for number, row in enumerate(text.splitlines()) if wanted in row), None)


class TestScrolling:
    async def test_reading_back_keeps_the_live_line_and_says_what_is_new(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, started(), *[final(i, f"line {i}.", float(i)) for i in range(50)])
            assert "line 49." in screen_text(app)
            await pilot.press("pageup")
            before = app.query_one(History).scroll_offset.y
            text = await tell(pilot, final(50, "line 50."), speech(51), update(51, "still here"))
            assert app.query_one(History).scroll_offset.y == before
            assert "1 newer, End to follow" in text
            assert "still here" in text
            assert "line 50." not in text
            await pilot.press("end")
            await pilot.pause()
            text = screen_text(app)
            assert "line 50." in text
            assert "newer" not in text

    async def test_scrolling_down_to_the_end_follows_again(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(i, f"line {i}.", float(i)) for i in range(50)])
            await pilot.press("up", "down")
            assert app.query_one(History).following

    async def test_it_keeps_a_bounded_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgevoice.tui.widgets.history.KEPT", 60)
        monkeypatch.setattr("edgevoice.tui.widgets.history.PRUNED", 20)
        async with open_app() as (app, pilot, _run):
            text = await tell(pilot, *[final(i, f"line {i}.", float(i)) for i in range(75)])
            assert len(app.query_one(History).captions) == 55
            assert "line 74." in text


class TestSizes:
    async def test_resizing_there_and_back(self) -> None:
        async with open_app((80, 24)) as (app, pilot, _run):
            await tell(pilot, started(), *[final(i, "some words to wrap " * 6, float(i)) for i in range(20)])
            await tell(pilot, final(20, "the newest"), detected(), speech(21), update(21, "live words"))
            for size in [(200, 50), (30, 8), (80, 24), (60, 15), (40, 10), (39, 10), (40, 9), (1, 1), (80, 24)]:
                await pilot.resize_terminal(*size)
                await pilot.pause()
                text = screen_text(app)
                if size[0] < 40 or size[1] < 10:
                    assert size == (1, 1) or "terminal too small" in text.replace("\n", " ")
                    assert "live words" not in text
                    continue
                assert "the newest" in text, size
                assert "live words" in text, size
                assert "card issues" in text, size
                assert app.query_one(IntentPane).display == (size[0] >= 70)
                assert app.query_one(IntentLine).display == (size[0] < 70)
                assert "Pause" in text

    async def test_nothing_is_wider_than_a_reader_likes(self) -> None:
        async with open_app((200, 50)) as (app, pilot, _run):
            await tell(pilot, final(0, "word " * 100))
            assert max(map(len, app.query_one(History).texts)) <= 42


class TestTwoChannels:
    async def test_lines_are_in_the_order_in_which_they_began_and_those_of_a_channel_as_they_came(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(i, f"Mine {i}", 10.0 * i) for i in range(1, 30)])
            await tell(pilot, final(1, "Theirs, finished late", 285.0, "call"), final(30, "Mine 30", 300.0))
            text = await tell(pilot, final(2, "Theirs, before that", 275.0, "call"))
            said = [caption.text for caption in app.query_one(History).captions][-5:]
            assert said == ["Mine 28", "Theirs, finished late", "Theirs, before that", "Mine 29", "Mine 30"]
            assert text.index("Mine 28") < text.index("Theirs, finished late") < text.index("Mine 29")

    async def test_a_channel_that_was_opened_anew_begins_below_what_it_said_before(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(1, "Before", 100.0), final(1, "Anew", 3.0))
            assert [caption.text for caption in app.query_one(History).captions] == ["Before", "Anew"]

    async def test_what_is_being_read_stays_when_a_late_line_comes_above_it(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "Theirs", 0.0, "call"), *[final(i, f"Mine {i}.", 100.0) for i in range(1)])
            await tell(pilot, *[final(i, f"Theirs {i}.", 101.0, "call") for i in range(15)])
            await pilot.press("up")
            before = [row for row in screen_text(app).splitlines() if "▸" in row]
            await tell(pilot, final(1, "Late", 100.5))
            assert len(before) == 1
            assert before == [row for row in screen_text(app).splitlines() if "▸" in row]
            assert [caption.text for caption in app.query_one(History).captions][1:4] == [
                "Mine 0.",
                "Late",
                "Theirs 0.",
            ]

    async def test_minimum_scores_are_those_of_the_label(self) -> None:
        async with open_app() as (_, pilot, run):
            thresholds = (LabelScore(label="card_issues", score=0.7),)
            await tell(pilot, started(thresholds=thresholds), started(channel="call", thresholds=thresholds))
            await tell(pilot, detected())
            await pilot.press("plus")
            await pilot.pause()
            assert run.calls == ["card_issues 0.75"]
            assert "minimum 75 %, changed" in screen_text(_)

    async def test_what_is_replayed_was_decided_already(self) -> None:
        said = [started(thresholds=(LabelScore(label="card_issues", score=0.7),)), detected()]
        app = CaptionApp(Replay(said, "call.jsonl", fast=True))
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await until_shown(pilot, "minimum 70 %")
            await pilot.press("plus")
            await until_shown(pilot, "What is replayed")
            assert "minimum 70 %" in screen_text(app)


class TestLarge:
    async def test_letters_grow_as_the_terminal_allows_and_go(self) -> None:
        async with open_app((160, 45)) as (app, pilot, _run):
            await tell(pilot, started(), final(0, "Good morning"), speech(1), update(1, "how", "are you"))
            scales = []
            for _ in range(4):
                scales.append(app.query_one(History).shape.scale)
                await pilot.press("l")
                await pilot.pause()
            assert scales == [0, 1, 2, 0]
            await pilot.press("l")
            for size in [(40, 10), (80, 24), (300, 80), (1, 1), (80, 24)]:
                await pilot.resize_terminal(*size)
                await pilot.pause()
            assert app.query_one(History).shape.scale == 1

    async def test_where_letters_do_not_fit_captions_are_spaced(self) -> None:
        async with open_app((60, 15)) as (app, pilot, _run):
            await tell(pilot, started(), final(0, "Good morning"), final(1, "Good evening"))
            await pilot.press("l")
            await pilot.pause()
            rows = [row.strip() for row in screen_text(app).splitlines()]
            place = rows.index("00:01  Good morning")
            assert rows[place + 1] == ""
            assert rows[place + 2] == "00:01  Good evening"

    async def test_live_letters_take_what_they_need_and_no_word_of_theirs_is_hidden(self) -> None:
        async with open_app(large=True) as (app, pilot, _run):
            await tell(pilot, started(), final(0, "Good morning"))
            assert app.query_one(LiveLine).size.height == 0
            heights = []
            for words in ("how", "how are you today", "how are you today my dear old", "a " * 200):
                await tell(pilot, speech(1), update(1, words, "friend"))
                heights.append(app.query_one(LiveLine).size.height)
            assert heights == [5, 10, 15, 20]
            await tell(pilot, final(1, "how are you"))
            assert app.query_one(LiveLine).size.height == 0

    async def test_found_words_are_marked_in_letters_too(self) -> None:
        async with open_app(large=True) as (app, pilot, _run):
            await tell(pilot, final(0, "Good morning"))
            await pilot.press("slash", *"morn", "enter")
            await pilot.pause()
            grounds = {
                segment.style.bgcolor
                for strip in app.screen._compositor.render_strips()
                for segment in strip
                if segment.style and "█" in segment.text
            }
            assert len(grounds) == 2


class TestSettings:
    async def test_the_screen_opens_as_they_say(self) -> None:
        run = ScriptedRun()
        app = CaptionApp(run, settings=Settings(screen=ScreenSettings(theme="contrast", line_length=20)))
        async with app.run_test(size=(120, 30)) as pilot:
            await tell(pilot, final(0, "I would like to know the balance of my account"))
            assert app.theme == "edgevoice-contrast"
            rows = app.query_one(History).texts
            assert rows == ["I would like to know", "the balance", "of my account"]
        run.stop()


class TestKeys:
    async def test_space_pauses_and_resumes(self) -> None:
        async with open_app() as (app, pilot, run):
            await tell(pilot, started())
            await pilot.press("space")
            assert "‖ paused" in screen_text(app)
            await pilot.press("space")
            assert "● listening" in screen_text(app)
            assert run.calls == ["pause", "resume"]

    async def test_c_clears_but_keeps_the_live_line(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "gone soon"), detected(), speech(1), update(1, "live words"))
            await pilot.press("c")
            text = screen_text(app)
            assert "gone soon" not in text
            assert "card issues" not in text
            assert "live words" in text
            assert "and more" in await tell(pilot, final(1, "and more"))

    async def test_t_goes_round_the_themes_and_every_one_is_legible(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "words"), detected())
            seen = []
            for _ in THEMES:
                seen.append(app.theme)
                for strip in app.screen._compositor.render_strips():
                    for segment in strip:
                        assert not segment.text.strip(" █▏▎▍▌▋▊▉─━╸┃▁") or contrast(segment) >= 4.5, segment
                await pilot.press("t")
                await pilot.pause()
            assert seen == [theme.name for theme in THEMES]
            assert app.theme == seen[0]

    async def test_l_shows_captions_alone(self) -> None:
        async with open_app((120, 32)) as (app, pilot, _run):
            await tell(pilot, final(0, "words " * 20), detected())
            await pilot.press("l")
            await pilot.pause()
            assert not app.query_one(IntentPane).display
            assert max(map(len, app.query_one(History).texts)) <= 42
            await pilot.press("l")
            await pilot.pause()
            assert app.query_one(IntentPane).display

    async def test_help_opens_and_closes(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, started())
            await pilot.press("question_mark")
            assert isinstance(app.screen, HelpScreen)
            await pilot.press("pagedown", "pagedown")
            await pilot.pause()
            text = screen_text(app)
            await pilot.press("end")
            await pilot.pause()
            assert "may still change" in text + screen_text(app)
            await tell(pilot, final(0, "while help is open"))
            await pilot.press("q")
            await pilot.pause()
            assert not isinstance(app.screen, HelpScreen)
            assert "while help is open" in screen_text(app)

    @pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
    async def test_quit(self, key: str) -> None:
        async with open_app() as (app, pilot, run):
            await pilot.press(key)
            await pilot.pause()
        assert run.calls[0] == "stop"
        assert app.return_value == 0

    @pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
    async def test_quit_works_from_help(self, key: str) -> None:
        async with open_app() as (app, pilot, run):
            await pilot.press("question_mark", key)
            await pilot.pause()
        assert run.calls[0] == "stop"
        assert app.return_value == 0

    async def test_quit_after_a_failure_says_so(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, failed(recoverable=False))
            await pilot.press("q")
            await pilot.pause()
        assert app.return_value == 1


class BrokenRun(ScriptedRun):
    def run(self) -> Iterator[Event]:
        yield started()
        raise AudioError("The device went up in smoke", "Buy another one")


class StuckRun(ScriptedRun):
    """A source that neither ends nor returns from `stop`."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def run(self) -> Iterator[Event]:
        yield started()
        self.freed.wait()

    def stop(self) -> None:
        self.freed.wait()


class TestThread:
    async def test_a_scripted_run_reaches_sink_and_screen(self) -> None:
        seen: list[tuple[str, str]] = []
        events = [started(), speech(0), update(0, "hello"), final(0, "hello world"), ended()]
        run = ScriptedRun(events, ends=True)
        app = CaptionApp(Observed(run, lambda e: seen.append((type(e).__name__, threading.current_thread().name))))
        async with app.run_test() as pilot:
            await app._run_finished.wait()
            await pilot.pause()
            assert "hello world" in screen_text(app)
            assert "ended - press q" in screen_text(app)
        assert [name for name, _ in seen] == [type(event).__name__ for event in events]
        assert {thread for _, thread in seen} == {"edgevoice-run"}

    async def test_thousands_of_events_lose_no_caption(self) -> None:
        events = [e for i in range(1500) for e in (level(i / 10), update(i, "a"), final(i, f"line {i}", i / 10))]
        app = CaptionApp(ScriptedRun([started(), *events, ended()], ends=True))
        async with app.run_test() as pilot:
            await app._run_finished.wait()
            await pilot.pause()
            assert len(app.query_one(History).captions) == 1500

    async def test_what_is_said_last_is_delivered_after_quit(self) -> None:
        seen: list[Event] = []
        last = [final(0, "goodbye"), ended()]
        app = CaptionApp(Observed(ScriptedRun([started()], last=last), seen.append))
        async with app.run_test() as pilot:
            await pilot.press("q")
            await pilot.pause()
        assert seen[-2:] == last

    async def test_an_exception_of_the_run_is_shown_and_counts(self) -> None:
        app = CaptionApp(BrokenRun())
        async with app.run_test() as pilot:
            await app._run_finished.wait()
            await pilot.pause()
            text = screen_text(app)
            assert "The device went up in smoke. Buy another one." in text
            assert "failed" in text
            await pilot.press("q")
            await pilot.pause()
        assert app.return_value == 1

    async def test_saving_that_fails_does_not_end_the_captions(self) -> None:
        def save(_: Event) -> None:
            raise OSError("No space left on device")

        app = CaptionApp(Observed(ScriptedRun([started(), final(0, "still here"), ended()], ends=True), save))
        async with app.run_test() as pilot:
            await app._run_finished.wait()
            await pilot.pause()
            text = screen_text(app)
        assert "No space left on device" in text
        assert "still here" in text

    async def test_a_stuck_run_is_left_after_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgevoice.tui.app.DRAIN_S", 0.1)
        run = StuckRun()
        app = CaptionApp(run)
        async with app.run_test() as pilot:
            await pilot.press("q")
            for _ in range(100):
                if app._exit:
                    break
                await asyncio.sleep(0.02)
        run.freed.set()
        assert app.return_value == 0

    async def test_it_ends_by_itself_if_asked(self) -> None:
        app = CaptionApp(ScriptedRun([started(), ended()], ends=True), exit_on_end=True)
        async with app.run_test() as pilot:
            await app._run_finished.wait()
            await pilot.pause()
        assert app.return_value == 0


def contrast(segment: object) -> float:
    """The WCAG contrast of a segment's text on its ground."""
    style = segment.style  # type: ignore[attr-defined]
    pair = sorted(_luminance(colour.get_truecolor()) for colour in (style.color, style.bgcolor))
    return (pair[1] + 0.05) / (pair[0] + 0.05)


def _luminance(colour: tuple[int, int, int]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
