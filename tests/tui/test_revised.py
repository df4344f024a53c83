"""Captions that are put right while somebody reads them: nothing jumps, and what was done with them stays done."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from rich.style import Style
from textual.pilot import Pilot

from edgevoice.events import CaptionFinished
from edgevoice.tui import rows
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.state import Part, ScreenState
from edgevoice.tui.views import CaptionLine
from edgevoice.tui.widgets import history
from edgevoice.tui.widgets.history import History
from tests.tui.screen import open_app, screen_text, tell
from tests.tui.scripted import ScriptedRun, ended, final, level, revised, speech, spoken, started, update

HEARD = "i would like to know the balance of the account i share with my wife"
READ = "I would like to know the balance of an account I share with my wife."
LONG = "And this is what was really said by whoever said it, and it takes three lines of the column at least, or four."
SCROLLBAR = re.compile("[▁▂▃▄▅▆▇█]")


def finals(count: int, first: int = 0) -> list[CaptionFinished]:
    return [final(number, f"line {number}.", float(number)) for number in range(first, first + count)]


def history_of(app: CaptionApp) -> History:
    return app.query_one(History)


def looks(app: CaptionApp) -> Iterator[tuple[int, str, Style]]:
    """What is on the screen, with its row and its style."""
    for row, strip in enumerate(app.screen._compositor.render_strips()):
        for segment in strip:
            if segment.style:
                yield row, segment.text, segment.style


def underlined(app: CaptionApp) -> list[str]:
    """What is marked."""
    return [text for _, text, style in looks(app) if style.underline]


def texts(app: CaptionApp) -> list[str]:
    return [caption.text for caption in history_of(app).captions]


def row_of(wanted: str, text: str) -> int:
    return next(number for number, row in enumerate(text.splitlines()) if wanted in row)


class TestInItsPlace:
    async def test_the_words_change_and_nothing_else_does(self) -> None:
        async with open_app() as (app, pilot, _run):
            before = await tell(
                pilot, *finals(3), final(3, HEARD, 3.0), *finals(3, 4), speech(7), update(7, "now", "th")
            )
            after = await tell(pilot, revised(3, READ, 3.0))
            assert [row_of(f"line {n}.", after) for n in (0, 1, 2, 4, 5, 6)] == [
                row_of(f"line {n}.", before) for n in (0, 1, 2, 4, 5, 6)
            ]
            assert history_of(app).texts[3:5] == [
                "I would like to know the balance",
                "of an account I share with my wife.",
            ]
            others = [
                (a, b)
                for a, b in zip(before.splitlines(), after.splitlines(), strict=True)
                if "account" not in a and "balance" not in a
            ]
            assert all(a == b for a, b in others)
            assert texts(app)[3] == READ

    async def test_a_caption_that_needs_fewer_rows_keeps_them(self) -> None:
        async with open_app() as (app, pilot, _run):
            before = await tell(pilot, *finals(2), final(2, HEARD), *finals(2, 3))
            after = await tell(pilot, revised(2, "I would like the account of my wife"))
            assert row_of("line 0.", before) == row_of("line 0.", after)
            assert history_of(app).texts[2:4] == ["I would like", "the account of my wife"]

    async def test_a_revision_that_is_late_leaves_the_live_line_alone(self) -> None:
        async with open_app() as (_, pilot, _run):
            await tell(pilot, final(0, HEARD), speech(1), update(1, "and then", "i"))
            assert "and then i…" in await tell(pilot, revised(0, READ))

    @pytest.mark.parametrize("size", [(40, 12), (60, 15), (80, 24), (160, 45)])
    async def test_at_any_size_and_after_a_resize(self, size: tuple[int, int]) -> None:
        async with open_app(size) as (app, pilot, _run):
            await tell(pilot, started(), *finals(30), final(30, HEARD, 30.0), *finals(1, 31), revised(30, READ, 30.0))
            for wanted in [(44, 12), size]:
                await pilot.resize_terminal(*wanted)
                await pilot.pause()
                shown = screen_text(app)
                assert "line 31." in shown
                assert "with my wife." in shown
                assert " ".join(history_of(app).texts[30:-1]) == READ

    async def test_an_hour_that_begins_breaks_no_line_anew(self) -> None:
        async with open_app((120, 24)) as (app, pilot, _run):
            await tell(pilot, started(), final(0, HEARD), revised(0, "I would like the account of my wife"))
            rows_before = history_of(app).texts
            await tell(pilot, level(3600.0))
            assert history_of(app).shape.hours
            assert history_of(app).texts == rows_before

    async def test_both_sides_of_a_call(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "hello their", 1.0), final(0, "good mourning", 2.0, "call"))
            shown = await tell(pilot, revised(0, "Good morning.", 2.0, "call"))
            assert "00:01  you    hello their" in shown
            assert "00:02  them   Good morning." in shown
            assert "00:01  you    Hello there." in await tell(pilot, revised(0, "Hello there.", 1.0))
            assert texts(app) == ["Hello there.", "Good morning."]

    async def test_large_letters_are_drawn_anew(self) -> None:
        async with open_app((120, 40), large=True) as (app, pilot, _run):
            before = await tell(pilot, final(0, "my car"), final(1, "yes"))
            after = await tell(pilot, revised(0, "My card."))
            assert history_of(app).texts == ["My card.", "yes"]
            assert before != after
            assert before.splitlines()[-7:] == after.splitlines()[-7:]


class TestNothingWasSaid:
    async def test_the_rows_go(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(2), final(2, HEARD, 2.0), *finals(1, 3))
            shown = await tell(pilot, revised(2, "", 2.0))
            assert history_of(app).texts == ["line 0.", "line 1.", "line 3."]
            assert "account" not in shown
            assert row_of("line 3.", shown) == row_of("line 1.", shown) + 1

    @pytest.mark.parametrize("text", ["", "  \n ", "\u200e"])
    async def test_with_the_only_one_the_hint_is_back(self, text: str) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, started(), final(0, "uh"))
            assert "What is said will appear here." in await tell(pilot, revised(0, text))
            await pilot.press("up", "y", "home", "slash", "u", "enter", "escape")
            assert texts(app) == []

    async def test_what_is_said_after_it_is_taken_as_ever(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "uh"), revised(0, ""), final(1, "yes"), revised(1, "Yes."), revised(0, "No"))
            assert texts(app) == ["Yes."]

    async def test_it_no_longer_counts_as_newer(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(40))
            await pilot.press("pageup")
            assert "2 newer" in await tell(pilot, *finals(2, 40))
            assert "1 newer" in await tell(pilot, revised(41, "", 41.0))
            assert "not following" in await tell(pilot, revised(40, "", 40.0))
            assert "not following" in await tell(pilot, revised(39, "", 39.0))
            assert not history_of(app).following


class TestReadingBack:
    """Rows above the view come and go; what is read stays."""

    @pytest.mark.parametrize("text", [LONG, "Short.", ""])
    @pytest.mark.parametrize("place", [2, 30, 59])
    async def test_what_is_out_of_sight_moves_nothing(self, text: str, place: int) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(n, f"{n} {HEARD}", float(n)) for n in range(60)])
            await pilot.press("pageup")
            await pilot.pause()
            if place == 30:
                history_of(app).scroll_to(y=70, animate=False, immediate=True)
                await pilot.pause()
            before = screen_text(app)
            assert f" {place} i would" not in before
            after = await tell(pilot, revised(place, text, float(place)))
            assert SCROLLBAR.sub(" ", before) == SCROLLBAR.sub(" ", after)
            assert not history_of(app).following

    async def test_one_that_begins_above_the_view_grows_upwards(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(n, f"{n} {HEARD}", float(n)) for n in range(60)])
            column = history_of(app)
            await pilot.press("pageup", "pageup")
            column.scroll_to(y=2 * 30 + 1, animate=False, immediate=True)
            await pilot.pause()
            before = screen_text(app)
            after = await tell(pilot, revised(30, LONG, 30.0))
            assert row_of(" 31 i would", before) == row_of(" 31 i would", after)

    @pytest.mark.parametrize("text", [LONG, ""])
    async def test_what_was_held_at_the_end_is_held(self, text: str) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(40), final(40, HEARD, 40.0), *finals(1, 41))
            await pilot.press("f")
            await tell(pilot, revised(40, text, 40.0))
            assert not history_of(app).following
            assert "1 newer" in await tell(pilot, *finals(1, 42))

    @pytest.mark.parametrize("text", [LONG, "", READ])
    async def test_the_newest_stays_on_the_last_row_for_who_follows(self, text: str) -> None:
        async with open_app() as (app, pilot, _run):
            before = await tell(pilot, *finals(40), final(40, HEARD, 40.0), *finals(1, 41))
            after = await tell(pilot, revised(40, text, 40.0))
            assert row_of("line 41.", before) == row_of("line 41.", after)
            assert history_of(app).following


class TestPicked:
    async def test_it_stays_picked_and_says_how_sure_the_new_words_are(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(3), final(3, "my car", 3.0))
            await pilot.press("up")
            assert "sure" not in await tell(pilot)
            words = spoken("My card.", 3.0, confidence=0.62)
            shown = await tell(pilot, revised(3, "My card.", 3.0, words=words))
            assert "▸My card." in shown
            assert "00:03 · 62 % sure" in shown
            await pilot.press("y")
            assert app.clipboard == "My card."
            await pilot.press("up")
            assert "▸line 2." in await tell(pilot)

    async def test_without_words_it_is_as_sure_as_the_reader_says(self) -> None:
        async with open_app() as (_, pilot, _run):
            await tell(pilot, final(3, "my car", 3.0), revised(3, "My card.", 3.0))
            await pilot.press("up")
            assert "80 % sure" in await tell(pilot)

    @pytest.mark.parametrize(("text", "place"), [(LONG, 36), ("", 36), (LONG, 5), ("", 5)])
    async def test_it_keeps_its_row_when_something_above_it_changes(self, text: str, place: int) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(n, f"{n} {HEARD}", float(n)) for n in range(40)])
            await pilot.press("up", "up")
            before = await tell(pilot)
            after = await tell(pilot, revised(place, text, float(place)))
            assert row_of("▸38 i would", before) == row_of("▸38 i would", after)
            assert history_of(app).picked is not None

    async def test_it_keeps_its_row_when_it_changes_itself(self) -> None:
        async with open_app() as (_, pilot, _run):
            await tell(pilot, *[final(n, f"{n} {HEARD}", float(n)) for n in range(40)])
            await pilot.press("up", "up", "up", "up")
            before = await tell(pilot)
            after = await tell(pilot, revised(36, LONG, 36.0))
            assert row_of("▸", before) == row_of("▸", after)

    async def test_none_is_picked_where_nothing_was_said(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(40))
            await pilot.press("up", "up")
            shown = await tell(pilot, revised(38, "", 38.0))
            assert "▸" not in shown
            assert history_of(app).picked is None
            assert not history_of(app).following

    async def test_all_are_copied_as_they_stand(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(
                pilot, *finals(1), final(1, "i mean\nyes"), revised(1, "I mean\nyes!"), final(2, "uh"), revised(2, "")
            )
            await pilot.press("Y")
            assert app.clipboard == "00:00  line 0.\n00:01  I mean yes!"


class TestSearched:
    async def search(self, pilot: Any, wanted: str) -> str:
        await pilot.press("slash", *wanted, "enter")
        return await tell(pilot)

    async def test_hits_come_and_go(self) -> None:
        async with open_app() as (_, pilot, _run):
            await tell(pilot, *[final(n, "the card", float(n)) for n in range(3)])
            assert "3 of 3" in await self.search(pilot, "card")
            assert "2 of 2" in await tell(pilot, revised(1, "The guard.", 1.0))
            assert "3 of 3" in await tell(pilot, revised(1, "The card.", 1.0))
            assert "2 of 2" in await tell(pilot, revised(1, "", 1.0))
            assert "2 of 3" in await tell(pilot, revised(2, "The card, the card.", 2.0))

    async def test_what_is_looked_at_stays(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(n, f"card {n}", float(n)) for n in range(4)])
            await self.search(pilot, "card")
            await pilot.press("n", "n")
            assert "2 of 4" in await tell(pilot)
            assert "3 of 5" in await tell(pilot, revised(0, "Card, card.", 0.0))
            found = history_of(app).search
            assert found is not None
            assert found.current is not None
            assert found.current.caption.text == "card 1"
            assert "3 of 5" in await tell(pilot, revised(1, "My card 1", 1.0))
            assert (found.current.caption.text, found.current.start) == ("My card 1", 3)
            await pilot.press("y")
            assert app.clipboard == "My card 1"
            assert "3 of 4" in await tell(pilot, revised(1, "guard", 1.0))
            assert found.current.caption.text == "card 2"

    async def test_the_next_one_is_looked_at_where_it_is_no_longer_said(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *[final(n, f"card {n}", float(n)) for n in range(3)])
            await self.search(pilot, "card")
            await tell(pilot, revised(2, "guard", 2.0))
            looked_at = [row for row, text, style in looks(app) if style.underline and style.bold and text == "card"]
            assert looked_at == [row_of("card 1", screen_text(app))]

    async def test_with_nothing_left_it_says_so(self) -> None:
        async with open_app() as (_, pilot, _run):
            await tell(pilot, final(0, "my car"))
            assert "1 of 1" in await self.search(pilot, "car")
            assert "not found" in await tell(pilot, revised(0, "My dog"))
            assert "1 of 1" in await tell(pilot, revised(0, "My car"))

    async def test_what_comes_late_is_found_in_its_order(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "card 0", 0.0), final(0, "their card", 5.0, "call"))
            await self.search(pilot, "card")
            assert "3 of 3" in await tell(pilot, final(1, "card 1", 3.0))
            found = history_of(app).search
            assert found is not None
            assert [match.caption.text for match in found.matches] == ["card 0", "card 1", "their card"]
            assert "2 of 2" in await tell(pilot, revised(1, "guard", 3.0))


Later = Callable[[Pilot[int]], Awaitable[None]]


class TestMarked:
    """The second that a mark lasts is over when a test says so."""

    @pytest.fixture(autouse=True)
    def timers(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Callable[[], None]]]:
        timers: list[tuple[float, Callable[[], None]]] = []
        monkeypatch.setattr(History, "set_timer", lambda self, after, call: timers.append((after, call)))
        return timers

    @pytest.fixture
    def a_second_later(self, timers: list[tuple[float, Callable[[], None]]]) -> Later:
        async def later(pilot: Pilot[int]) -> None:
            while timers:
                after, call = timers.pop(0)
                assert after == 1.0
                call()
            await pilot.pause()

        return later

    async def test_other_words_are_marked_for_a_moment(self, a_second_later: Later) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(2), final(2, HEARD))
            assert underlined(app) == []
            await tell(pilot, revised(2, READ))
            assert underlined(app) == ["an"]
            await a_second_later(pilot)
            assert underlined(app) == []
            assert [style for _, text, style in looks(app) if "of an account" in text], "like the others"

    async def test_a_mark_needs_no_colour(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "my car was stolen"), revised(0, "My card was stolen."))
            (style,) = [style for _, text, style in looks(app) if text == "card"]
            (other,) = [style for _, text, style in looks(app) if text == " was stolen."]
            assert style.without_color != other.without_color

    async def test_in_what_is_picked_it_is_another_one(self, a_second_later: Later) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "my car was stolen"))
            await pilot.press("up")
            await tell(pilot, revised(0, "My card was stolen."))
            (style,) = [style for _, text, style in looks(app) if text == "card"]
            (other,) = [style for _, text, style in looks(app) if text == " was stolen."]
            assert style.without_color != other.without_color
            await a_second_later(pilot)
            assert [text for _, text, style in looks(app) if style.underline] == ["My card was stolen."]

    async def test_capitals_and_commas_are_not_worth_one(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "my card was stolen"), revised(0, "My card, was stolen!"))
            assert underlined(app) == []
            assert "My card, was stolen!" in screen_text(app)

    async def test_what_was_found_keeps_its_mark(self, a_second_later: Later) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "my car was stolen"))
            await pilot.press("slash", *"car", "enter")
            await tell(pilot, revised(0, "My card was stolen."))
            shown = [text for _, text, style in looks(app) if style.underline]
            assert shown == ["car", "d"]
            await a_second_later(pilot)
            assert [text for _, text, style in looks(app) if style.underline] == ["car"]

    async def test_at_another_width_it_is_still_marked(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "my car was stolen"), revised(0, "My card was stolen."))
            await pilot.resize_terminal(50, 14)
            await pilot.pause()
            assert underlined(app) == ["card"]

    @pytest.mark.parametrize("after", ["c", "revise", "empty", "quit"])
    async def test_what_happens_meanwhile_does_no_harm(self, after: str, a_second_later: Later) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "my car was stolen"), revised(0, "My card was stolen."))
            if after == "revise":
                await tell(pilot, revised(0, "My cart was stolen."))
                assert underlined(app) == ["cart"]
            elif after == "empty":
                await tell(pilot, revised(0, ""))
            else:
                await pilot.press(after[0])
            await a_second_later(pilot)
            if after != "quit":
                assert underlined(app) == []

    async def test_in_large_letters_they_stand_on_a_line_for_a_moment(self, a_second_later: Later) -> None:
        async with open_app((120, 40), large=True) as (app, pilot, _run):
            await tell(pilot, final(0, "my car"), revised(0, "My card"))
            at_first = screen_text(app)
            await a_second_later(pilot)
            assert at_first != screen_text(app)
            assert "▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄" in at_first
            assert "▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄" not in screen_text(app)


async def test_a_mark_goes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert history.MARKED_S == 1.0
    monkeypatch.setattr(history, "MARKED_S", 0.05)
    async with open_app() as (app, pilot, _run):
        await tell(pilot, final(0, "my car was stolen"), revised(0, "My card was stolen."))
        for _ in range(200):
            await pilot.pause(0.05)
            if not underlined(app):
                break
        assert underlined(app) == []
        assert "My card was stolen." in screen_text(app)


class TestGone:
    async def test_what_was_cleared_stays_cleared_and_comes_back_as_it_stands(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, *finals(2), final(2, "my car"), final(3, "uh"))
            await pilot.press("c")
            await tell(pilot, revised(2, "My card."), revised(3, ""))
            assert texts(app) == []
            await tell(pilot, final(4, "more"))
            await pilot.press("u")
            assert texts(app) == ["line 0.", "line 1.", "My card.", "more"]
            await tell(pilot, revised(1, "Line one.", 1.0))
            assert texts(app)[1] == "Line one."

    async def test_what_is_no_longer_kept_stays_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "KEPT", 60)
        monkeypatch.setattr(history, "PRUNED", 20)
        async with open_app() as (app, pilot, _run):
            before = await tell(pilot, *finals(75))
            assert await tell(pilot, revised(3, LONG, 3.0), revised(4, "", 4.0)) == before
            assert len(texts(app)) == 55
            await tell(pilot, revised(20, LONG, 20.0), revised(74, READ, 74.0))
            assert texts(app)[0] == LONG
            assert texts(app)[-1] == READ
            shown = await tell(pilot, *finals(10, 75))
            assert history_of(app).texts[0] == "line 40."
            assert [row.split()[-1] for row in shown.splitlines() if "line 8" in row][-1].startswith(
                "8"
            ) or "84" in shown


class TestUnknown:
    async def test_the_first_that_is_known_of_a_segment_is_a_caption(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, started(), speech(4), update(4, "my", "car"))
            shown = await tell(pilot, revised(4, "My card.", 4.0))
            assert texts(app) == ["My card."]
            assert "my car" not in shown
            assert underlined(app) == []

    async def test_it_stands_above_what_was_said_later(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(5, "second", 9.0), final(0, "theirs", 7.0, "call"), revised(4, "First.", 4.0))
            assert texts(app) == ["First.", "theirs", "second"]

    async def test_words_that_only_the_reader_heard_are_shown(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, final(0, "", 0.0), final(1, "later", 5.0), revised(0, "Yes.", 0.0))
            assert texts(app) == ["Yes.", "later"]

    async def test_nothing_that_turns_out_to_be_nothing_is_nothing(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(pilot, started(), revised(0, ""), final(1, ""), revised(1, ""))
            assert texts(app) == []

    async def test_a_channel_that_was_opened_anew_counts_anew(self) -> None:
        async with open_app() as (app, pilot, _run):
            await tell(
                pilot, started(), final(0, "before", 50.0), started(), final(0, "anew", 1.0), revised(0, "Anew!", 1.0)
            )
            assert texts(app) == ["before", "Anew!"]
            await tell(pilot, started(), revised(0, "Again.", 1.0))
            assert texts(app) == ["before", "Anew!", "Again."]


class TestStatus:
    def test_the_speed_is_that_of_the_words_as_they_stand(self) -> None:
        state = ScreenState()
        fast = " ".join(["word"] * 40)
        state.apply(_with_words(0, fast, pace=0.25))
        assert state.status.speed == "fast speech, 240 words/min"
        change = state.apply(revised(0, "half", words=spoken(" ".join(["word"] * 20), 1.0, pace=0.5)))
        assert Part.STATUS in change.parts
        assert state.status.speed == ""
        state.apply(_with_words(1, fast, pace=0.25))
        state.apply(revised(0, ""))
        assert state.status.speed == "fast speech, 240 words/min"
        state.apply(revised(1, ""))
        assert state.status.speed == ""
        state.apply(revised(0, "old"))

    def test_without_times_the_speed_stays(self) -> None:
        state = ScreenState()
        state.apply(_with_words(0, " ".join(["word"] * 40), pace=0.25))
        state.apply(revised(0, "No times"))
        assert state.status.speed == "fast speech, 240 words/min"

    def test_a_caption_knows_its_pauses_and_its_confidence(self) -> None:
        state = ScreenState()
        state.apply(final(0, "a b"))
        words = (*spoken("A", 1.0, confidence=1.0, pace=0.25), *spoken("b.", 2.0, confidence=0.5))
        assert state.apply(revised(0, "A b.", words=words)).revised == CaptionLine("mic", 1.0, "A b.", (0.75,), 0.75, 0)

    async def test_the_reader_stands_beside_the_model_where_there_is_room(self) -> None:
        async with open_app((120, 24)) as (app, pilot, _run):
            shown = await tell(pilot, started(model="banking-en", reader="moonshine-tiny"))
            assert "banking-en + moonshine-tiny" in shown
            await pilot.press("question_mark", "end")
            await pilot.pause()
            assert "banking-en + moonshine-tiny" in screen_text(app)
        async with open_app((52, 24)) as (_, pilot, _run):
            shown = await tell(pilot, started(model="banking-en", reader="moonshine-tiny"))
            assert "banking-en" in shown
            assert "moonshine" not in shown


def _with_words(segment: int, text: str, pace: float) -> CaptionFinished:
    words = spoken(text, 1.0, pace=pace)
    return CaptionFinished(
        channel="mic", at=20.0, segment=segment, start=1.0, end=20.0, text=text, words=words, latency=0.1
    )


class TestCost:
    async def test_only_its_own_rows_are_broken_and_drawn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[str] = []
        broken: list[str] = []
        async with open_app() as (_, pilot, _run):
            await tell(pilot, *finals(40), final(40, HEARD, 40.0), *finals(2, 41))
            draw, breaks = History._draw, rows.broken
            monkeypatch.setattr(History, "_draw", lambda self, row: drawn.append(row.text) or draw(self, row))
            monkeypatch.setattr(rows, "broken", lambda text, *rest: broken.append(text) or breaks(text, *rest))
            await tell(pilot, revised(40, READ, 40.0))
        assert drawn == ["I would like to know the balance", "of an account I share with my wife."]
        assert broken == []

    async def test_thousands_of_revisions_lose_no_caption(self) -> None:
        events = [
            event
            for n in range(1000)
            for event in (update(n, "a"), final(n, f"line {n}", n / 10), revised(n, f"Line {n}, really.", n / 10))
        ]
        app = CaptionApp(ScriptedRun([started(), *events, ended()], ends=True))
        async with app.run_test() as pilot:
            await app._run_finished.wait()
            await pilot.pause()
            assert texts(app) == [f"Line {n}, really." for n in range(1000)]
