"""A saved session on the screen, key by key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from edgevoice.errors import AudioError
from edgevoice.tui.transcript import TranscriptApp, TranscriptLine
from tests.tui.screen import screen_text

TALK = [
    TranscriptLine(start=1.0, speaker="you", text="Good morning\nMy card is gone"),
    TranscriptLine(start=1.0, speaker="you", text="intent: card_lost (91 %)", is_note=True),
    TranscriptLine(start=4.0, speaker="them", text="oh dear, which card"),
    TranscriptLine(start=65.0, speaker="you", text="the blue one [/ \x1b[31m"),
]


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


@asynccontextmanager
async def opened(
    lines: list[TranscriptLine] = TALK, tape: Tape | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[TranscriptApp, Pilot[int], Tape]]:
    tape = tape or Tape()
    app = TranscriptApp(lines, "2026-03-01_14-05-33", tape)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot, tape


async def shown(pilot: Pilot[int]) -> str:
    await pilot.pause()
    return screen_text(pilot.app)


async def test_the_lines_are_there_with_their_times_and_plain() -> None:
    async with opened() as (_, pilot, _tape):
        text = await shown(pilot)
    assert "2026-03-01_14-05-33" in text
    assert "00:01    you: Good morning My card is gone" in text
    assert "00:01    intent: card_lost (91 %)" in text
    assert "01:05    you: the blue one [/ [31m" in text
    assert "\x1b" not in text
    for key in ("Play", "Stop", "Search", "Next", "Previous", "Theme", "Quit"):
        assert key in text


async def test_enter_plays_from_a_line_and_the_cursor_follows_what_is_heard() -> None:
    async with opened() as (app, pilot, tape):
        await pilot.press("down", "down", "enter")
        assert tape.asked == [4.0]
        tape.position = 66.0
        app._follow()
        assert app._list.highlighted == 3
        assert "▶ 01:06" in await shown(pilot)
        await pilot.press("space")
        assert tape.position is None
        assert "Stopped" in await shown(pilot)
        await pilot.press("space")
        assert tape.asked == [4.0, 65.0]


async def test_no_recording_and_no_loudspeaker_are_said() -> None:
    async with opened(tape=Tape(refuses=True)) as (_, pilot, _tape):
        await pilot.press("enter")
        assert "This session has no recording. Record the next one." in await shown(pilot)
    async with opened() as (app, pilot, tape):
        await pilot.press("enter")
        tape.position, tape.problem = None, "No loudspeaker can be opened."
        app._follow()
        assert "No loudspeaker can be opened." in await shown(pilot)


async def test_search_goes_from_match_to_match_round_and_round() -> None:
    async with opened() as (app, pilot, tape):
        await pilot.press("slash", *"card")
        assert "1 of 3 lines with 'card'" in await shown(pilot)
        await pilot.press("enter")
        assert tape.asked == [], "Enter ends the search and plays nothing"
        await pilot.press("n", "n")
        assert app._list.highlighted == 2
        assert "3 of 3" in await shown(pilot)
        await pilot.press("n")
        assert app._list.highlighted == 0
        await pilot.press("N")
        assert app._list.highlighted == 2
        await pilot.press("enter")
        assert tape.asked == [4.0]


@pytest.mark.parametrize("wanted", ["zebra", "(", "[/", "\\", "*"])
async def test_a_search_may_be_for_anything(wanted: str) -> None:
    async with opened() as (app, pilot, _tape):
        await pilot.press("slash")
        app.query_one("#search").value = wanted  # type: ignore[attr-defined]
        text = await shown(pilot)
        assert ("nowhere" in text) == (wanted not in "(91 %) [/")
        await pilot.press("escape", "n", "escape", "n")
        assert "/ asks for it" in await shown(pilot)


async def test_letters_in_the_search_are_no_keys() -> None:
    async with opened() as (app, pilot, _tape):
        await pilot.press("slash", "q", "t", "n", "space", "q")
        assert app.query_one("#search").value == "qtn q"  # type: ignore[attr-defined]


async def test_quitting_falls_silent() -> None:
    async with opened() as (app, pilot, tape):
        await pilot.press("enter", "q")
        assert tape.position is None
    assert app.return_value == 0


async def test_a_session_in_which_nothing_was_said() -> None:
    async with opened([]) as (_, pilot, tape):
        await pilot.press("enter", "space", "slash", "x", "enter", "n", "down", "t")
        assert tape.asked == []
        assert "▶" not in await shown(pilot)


async def test_a_long_session_and_a_small_terminal() -> None:
    many = [TranscriptLine(start=float(at), speaker="them", text=f"line {at} 漢字 " * 9) for at in range(500)]
    async with opened(many, size=(42, 12)) as (app, pilot, tape):
        await pilot.press("end", "enter")
        assert tape.asked == [499.0]
        tape.position = 250.5
        app._follow()
        assert "04:10" in await shown(pilot)
