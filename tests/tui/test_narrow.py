"""Where there is no room for the intents beside the captions, they take the place of what was said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.intent import IntentPane
from tests.tui.screen import open_app, screen_text, tell
from tests.tui.scripted import detected
from tests.tui.test_keys import CALL

NARROW = [(40, 12), (60, 24)]


@pytest.mark.parametrize("size", NARROW)
async def test_tab_shows_the_intents_with_the_words_being_said_and_hides_them(size: tuple[int, int]) -> None:
    async with open_app(size) as (app, pilot, _run):
        await tell(pilot, *CALL)
        before = screen_text(app)
        assert "earlier" not in before
        await pilot.press("tab", "down")
        await pilot.pause()
        text = screen_text(app)
        assert "01:15▸" in text
        assert "said now" in text
        assert "Caption 39" not in text
        await pilot.press("tab")
        await pilot.pause()
        assert "Caption 39" in screen_text(app)
        assert "▸ 01:15 card issues" in screen_text(app), "the line has it too"
        assert isinstance(app.focused, History)
        await pilot.press("tab", "escape")
        await pilot.pause()
        assert screen_text(app) == before


@pytest.mark.parametrize("size", NARROW)
async def test_rejected_ones_are_shown_at_once(size: tuple[int, int]) -> None:
    async with open_app(size) as (app, pilot, _run):
        await tell(pilot, *CALL)
        await pilot.press("i")
        await pilot.pause()
        assert "✗ freeze" in screen_text(app)
        await pilot.press("i")
        await pilot.pause()
        assert "✗ freeze" not in screen_text(app)
        assert "01:15 " in screen_text(app)


async def test_what_is_said_meanwhile_is_there_afterwards() -> None:
    async with open_app((60, 24)) as (app, pilot, _run):
        await tell(pilot, *CALL)
        await pilot.press("tab")
        await tell(pilot, replace(detected("freeze", segment=7), at=120.0))
        await pilot.resize_terminal(80, 24)
        await pilot.resize_terminal(60, 24)
        await pilot.press("tab")
        await pilot.pause()
        assert app.query_one(History).following
        assert "Caption 39" in screen_text(app)


async def test_a_terminal_that_gets_narrow_leaves_the_keys_with_the_captions() -> None:
    async with open_app() as (app, pilot, _run):
        await tell(pilot, *CALL)
        await pilot.press("tab")
        assert isinstance(app.focused, IntentPane)
        await pilot.resize_terminal(60, 24)
        await pilot.pause()
        await pilot.press("up")
        await pilot.pause()
        assert "▸Caption 39" in screen_text(app)


async def test_letters_leave_no_room_and_it_is_said() -> None:
    async with open_app(large=True) as (app, pilot, _run):
        await tell(pilot, *CALL)
        for key in ("tab", "i"):
            await pilot.press(key)
            await pilot.pause()
            assert "l shows the intents" in screen_text(app)
