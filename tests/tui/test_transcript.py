"""A saved session on the screen, key by key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot
from textual.widgets import Footer

from edgevoice.config import ScreenSettings
from edgevoice.errors import AudioError
from edgevoice.tui.keys import explained, name_of
from edgevoice.tui.sessions_app import SessionsApp
from edgevoice.tui.spoken import Contents, Transcript, TranscriptLine
from edgevoice.tui.transcript import Lines, TranscriptScreen
from edgevoice.tui.widgets.help import HelpScreen
from edgevoice.tui.widgets.search import SearchBar, Wanted
from tests.tui.screen import screen_text
from tests.tui.test_nasty import FORBIDDEN, NASTY

TALK = [
    TranscriptLine(start=1.0, speaker="you", text="Good morning\nMy card is gone"),
    TranscriptLine(start=1.0, speaker="you", text="intent: card_lost (91 %)", is_note=True),
    TranscriptLine(start=4.0, speaker="them", text="oh dear, which card"),
    TranscriptLine(start=65.0, speaker="you", text="the blue one [/ \x1b[31m"),
]
PLACES = (TranscriptScreen, Lines, Wanted, SessionsApp)


class Tape:
    """A player that remembers what it was asked."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.position: float | None = None
        self.problem = ""
        self.asked: list[float] = []
        self._refuses = refuses

    def play(self, at: float) -> None:
        if self._refuses:
            raise AudioError("This session has no recording", "Record the next one")
        self.asked.append(at)
        self.position = at

    def stop(self) -> None:
        self.position = None


def transcript(lines: list[TranscriptLine] = TALK, tape: Tape | None = None, **more: object) -> Transcript:
    contents = Contents(lines=tuple(lines), length=70.0, words=12, intents=1, **more)  # type: ignore[arg-type]
    return Transcript(name="2026-03-01_14-05-33", contents=contents, player=tape or Tape(), files=("a.jsonl",))


@asynccontextmanager
async def opened(
    lines: list[TranscriptLine] = TALK, tape: Tape | None = None, size: tuple[int, int] = (80, 24), theme: str = "dark"
) -> AsyncIterator[tuple[TranscriptScreen, Pilot[int], Tape]]:
    tape = tape or Tape()
    app = SessionsApp(transcript(lines, tape), looks=ScreenSettings(theme=theme))  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, TranscriptScreen)
        yield app.screen, pilot, tape


async def shown(pilot: Pilot[int]) -> str:
    await pilot.pause()
    await pilot.pause()
    return screen_text(pilot.app)


def heard(screen: TranscriptScreen, tape: Tape, at: float | None) -> None:
    """The recording has come to that place, and somebody looks."""
    tape.position = at
    screen.follow()


async def test_the_lines_are_there_with_their_times_and_plain() -> None:
    async with opened() as (_, pilot, _tape):
        text = await shown(pilot)
        assert pilot.app.query_one(Footer).max_scroll_x == 0
    assert "2026-03-01_14-05-33" in text
    assert "00:01    you: Good morning My card is gone" in text
    assert "00:01    intent: card_lost (91 %)" in text
    assert "01:05    you: the blue one [/ [31m" in text
    assert "3 lines" in text
    assert "\x1b" not in text
    for key in ("Play", "Pause", "Search", "Copy", "Help", "Close"):
        assert key in text


async def test_enter_plays_from_a_line_and_the_cursor_follows_what_is_heard() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("down", "down", "enter")
        assert tape.asked == [4.0]
        heard(screen, tape, 66.0)
        assert screen._list.highlighted == 3
        assert "▶ 01:06" in await shown(pilot)


async def test_space_pauses_and_goes_on_where_it_was() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("down", "down", "space")
        assert tape.asked == [4.0], "in silence, from the line under the cursor"
        heard(screen, tape, 30.5)
        await pilot.press("space")
        assert tape.position is None
        text = await shown(pilot)
        assert "‖ 00:30" in text
        assert "Space goes on" in text
        await pilot.press("home", "space")
        assert tape.asked == [4.0, 30.5], "where it was, wherever the cursor is"
        assert "▶ 00:30" in await shown(pilot)


async def test_back_and_forward_by_five_seconds() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("right")
        assert "Nothing plays" in await shown(pilot)
        await pilot.press("down", "down", "enter", "right", "right")
        assert tape.asked == [4.0, 9.0, 14.0]
        heard(screen, tape, 62.0)
        await pilot.press("right")
        assert screen._list.highlighted == 3, "the cursor with it"
        heard(screen, tape, 3.0)
        await pilot.press("left")
        assert tape.asked[-2:] == [67.0, 0.0], "not before the beginning"
        heard(screen, tape, 20.0)
        await pilot.press("space", "right", "right")
        assert tape.asked[-1] == 0.0, "paused, it stays silent"
        assert "‖ 00:30" in await shown(pilot)
        await pilot.press("space")
        assert tape.asked[-1] == 30.0


async def test_the_cursor_may_be_taken_elsewhere_and_brought_back() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("enter", "end", "up")
        heard(screen, tape, 66.0)
        assert screen._list.highlighted == 2
        await pilot.press("f")
        assert screen._list.highlighted == 3
        heard(screen, tape, 4.0)
        assert screen._list.highlighted == 2


async def test_what_ends_by_itself_is_said_once() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("enter")
        heard(screen, tape, None)
        text = await shown(pilot)
        assert "The recording ends here" in text
        assert "▶" not in text
        await pilot.press("y")
        screen.follow()
        assert "Copied" in await shown(pilot)


async def test_no_recording_and_no_loudspeaker_are_said() -> None:
    async with opened(tape=Tape(refuses=True)) as (_, pilot, _tape):
        for key in ("enter", "space"):
            await pilot.press(key)
            assert "This session has no recording. Record the next one." in await shown(pilot)
    async with opened() as (screen, pilot, tape):
        await pilot.press("enter")
        tape.problem = "No loudspeaker can be opened."
        heard(screen, tape, None)
        assert "No loudspeaker can be opened." in await shown(pilot)


async def test_copying() -> None:
    async with opened() as (_, pilot, _tape):
        await pilot.press("y")
        assert pilot.app.clipboard == "Good morning My card is gone"
        assert "Copied 28 characters" in await shown(pilot)
        await pilot.press("end", "y")
        assert pilot.app.clipboard == "the blue one [/ [31m"
        await pilot.press("Y")
        assert pilot.app.clipboard.splitlines() == [
            "00:01  you: Good morning My card is gone",
            "00:01  intent: card_lost (91 %)",
            "00:04  them: oh dear, which card",
            "01:05  you: the blue one [/ [31m",
        ]
        assert not list(pilot.app.query("Toast")), "said in its own line"


async def test_search_begins_at_the_cursor_and_goes_to_older_and_newer_matches_round_and_round() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("end", "slash", *"card")
        assert "3 of 3" in await shown(pilot)
        assert screen._list.highlighted == 2, "the next older one"
        await pilot.press("up")
        assert "2 of 3" in await shown(pilot)
        await pilot.press("down", "enter")
        assert tape.asked == [], "Enter ends the typing and plays nothing"
        await pilot.press("n", "n")
        assert screen._list.highlighted == 0
        assert "1 of 3" in await shown(pilot)
        await pilot.press("n")
        assert screen._list.highlighted == 2
        await pilot.press("N")
        assert screen._list.highlighted == 0
        await pilot.press("enter")
        assert tape.asked == [1.0]
        await pilot.press("escape")
        assert not screen.query_one(SearchBar).display
        assert pilot.app.is_running
        await pilot.press("n")
        assert "/ asks what" in await shown(pilot)


async def test_where_nothing_older_matches_it_is_the_oldest() -> None:
    async with opened() as (screen, pilot, _tape):
        await pilot.press("slash", *"blue")
        assert screen._list.highlighted == 3
        await pilot.press("backspace", "backspace", "backspace", "backspace", *"CÁRD")
        assert screen._list.highlighted == 0, "from where the cursor was, and whatever the accents"


async def test_opened_with_something_to_look_for() -> None:
    app = SessionsApp(transcript())
    async with app.run_test() as pilot:
        screen = TranscriptScreen(transcript(), wanted="card", line=2)
        await app.push_screen(screen)
        assert screen._list.highlighted == 2
        assert "'card': 3 of 3" in await shown(pilot)
        await pilot.press("n")
        assert "'card': 2 of 3" in await shown(pilot)
        await pilot.press("slash")
        assert app.screen.query_one(Wanted).value == "card"
        await pilot.press("escape")
        assert app.screen is screen
        await pilot.press("escape")
        assert app.screen is not screen


@pytest.mark.parametrize("wanted", ["zebra", "(", "[/", "\\", "*"])
async def test_a_search_may_be_for_anything(wanted: str) -> None:
    async with opened() as (screen, pilot, _tape):
        await pilot.press("slash")
        screen.query_one(Wanted).value = wanted
        text = await shown(pilot)
        assert ("not found" in text) == (wanted not in "(91 %) [/")
        await pilot.press("escape", "n", "escape", "n")
        assert "/ asks what" in await shown(pilot)


async def test_letters_in_the_search_are_no_keys() -> None:
    async with opened() as (screen, pilot, tape):
        await pilot.press("slash", *"qtnyf", "space", *"Yq?/", "left")
        assert screen.query_one(Wanted).value == "qtnyf Yq?/"
        assert tape.asked == []


async def test_themes_begin_with_that_of_the_settings() -> None:
    async with opened(theme="light") as (_, pilot, _tape):
        assert pilot.app.theme == "edgevoice-light"
        await pilot.press("t")
        assert pilot.app.theme == "edgevoice-contrast"


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_quitting_falls_silent(key: str) -> None:
    async with opened() as (_, pilot, tape):
        await pilot.press("enter", key)
    assert tape.position is None
    assert pilot.app.return_value == 0


async def test_escape_does_not_quit() -> None:
    async with opened() as (screen, pilot, _tape):
        await pilot.press("escape", "escape")
        assert pilot.app.screen is screen
        assert pilot.app.return_value is None


async def test_the_sheet_has_every_key_and_says_what_the_session_is() -> None:
    rows = dict(explained(*PLACES))
    assert all(rows.values()), "each says what it does"
    named = ", ".join(rows)
    async with opened(size=(100, 60)) as (screen, pilot, _tape):
        await pilot.press("question_mark")
        text = await shown(pilot)
        for place in PLACES:
            for binding in vars(place)["BINDINGS"]:
                for key in binding.key.split(","):
                    assert name_of(key) in named
        for each in ("five seconds back", "copy the line", "‖ 01:06", "a.jsonl", "01:10"):
            assert each in text
        assert "may still change" not in text, "that is of the live screen"
        await pilot.press("slash", "escape")
        assert pilot.app.screen is screen
        of_textual = {"tab", "shift+tab", "ctrl+pageup", "ctrl+pagedown", "super+c", "ctrl+i"}
        ours = {key for place in PLACES for binding in vars(place)["BINDINGS"] for key in binding.key.split(",")}
        assert set(screen.active_bindings) - ours <= of_textual
        for key in ("q", "enter", "space", "escape"):
            await pilot.press("question_mark")
            assert isinstance(pilot.app.screen, HelpScreen)
            await pilot.press(key)
            assert pilot.app.screen is screen


async def test_a_session_in_which_nothing_was_said() -> None:
    async with opened([]) as (_, pilot, tape):
        assert "Nothing was said" in await shown(pilot)
        await pilot.press("enter", "space", "slash", "x", "enter", "n", "N", "down", "y", "Y", "f", "left", "t")
        assert tape.asked == []
        assert "▶" not in await shown(pilot)
        assert pilot.app.clipboard == ""


async def test_what_is_damaged_is_said() -> None:
    app = SessionsApp(transcript(damaged=2))
    async with app.run_test() as pilot:
        assert "3 lines; 2 lines of its file could not be read" in await shown(pilot)


async def test_a_long_session_and_a_small_terminal() -> None:
    many = [TranscriptLine(start=float(at), speaker="them", text=f"line {at} 漢字 " * 9) for at in range(500)]
    async with opened(many, size=(42, 12)) as (screen, pilot, tape):
        await pilot.press("end", "enter")
        assert tape.asked == [499.0]
        heard(screen, tape, 250.5)
        assert "04:10" in await shown(pilot)


LAID_OUT = [*((text, (40, 12)) for text in NASTY), *((NASTY[-1], size) for size in [(80, 24), (160, 45)])]
LAID_OUT += [("שלום עולם " * 40, (80, 24)), ("漢字" * 500, (41, 12)), ("漢字" * 500, (160, 45))]


@pytest.mark.parametrize(("poison", "size"), LAID_OUT, ids=range(len(LAID_OUT)))
async def test_whatever_was_said_is_laid_out(poison: str, size: tuple[int, int]) -> None:
    lines = [TranscriptLine(start=float("nan"), speaker=poison, text=poison)]
    contents = Contents(lines=tuple(lines), speakers=(poison, "you"), problem="")
    app = SessionsApp(Transcript(name=poison, contents=contents, player=Tape(), files=(poison,)))
    async with app.run_test(size=size) as pilot:
        for keys in ((), ("y", "slash", "x", "enter"), ("question_mark",)):
            await pilot.press(*keys)
            text = await shown(pilot)
            assert not FORBIDDEN.search(text)
            assert {strip.cell_length for strip in app.screen._compositor.render_strips()} == {size[0]}
        assert app.is_running
