"""Captions that were said: cleared and brought back, picked from the first on, with how sure they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevoice.events import CaptionFinished, Word
from edgevoice.tui.widgets.history import History
from tests.tui.screen import open_app, screen_text, tell
from tests.tui.scripted import detected, final, speech, started, update


def sure(segment: int, text: str, start: float, *confidences: float) -> CaptionFinished:
    words = tuple(
        Word(word=word, start=start + n, end=start + n + 0.9, confidence=confidence)
        for n, (word, confidence) in enumerate(zip(text.split(), confidences, strict=True))
    )
    return replace(final(segment, text, start), words=words)


async def test_what_was_cleared_comes_back_with_what_was_said_since() -> None:
    async with open_app() as (app, pilot, _run):
        await tell(pilot, started(), final(0, "one"), final(1, "two"), detected("balance"))
        await pilot.press("c")
        await pilot.pause()
        assert "u brings it back" in screen_text(app)
        await tell(pilot, final(2, "three"), detected("freeze", segment=2))
        await pilot.press("c", "u")
        await pilot.pause()
        assert [caption.text for caption in app.query_one(History).captions] == ["one", "two", "three"]
        text = screen_text(app)
        assert "freeze  " in text
        assert "balance  " in text
        await pilot.press("u")
        await pilot.pause()
        assert "Nothing was cleared" in screen_text(app)
        assert len(app.query_one(History).captions) == 3


async def test_what_was_searched_is_found_again_after_it_came_back() -> None:
    async with open_app() as (app, pilot, _run):
        await tell(pilot, final(0, "a card"))
        await pilot.press("slash", *"card", "enter", "c")
        await pilot.pause()
        assert "not found" in screen_text(app)
        await pilot.press("u")
        await pilot.pause()
        assert "1 of 1" in screen_text(app)


async def test_nothing_is_promised_while_somebody_speaks() -> None:
    async with open_app() as (_, pilot, _run):
        hint = "What is said will appear here."
        assert hint in await tell(pilot, started())
        assert hint not in await tell(pilot, speech(0))
        assert hint not in await tell(pilot, update(0, "good", "morning"))


async def test_home_picks_the_first_one() -> None:
    async with open_app() as (app, pilot, _run):
        await tell(pilot, *[final(i, f"line {i}.", float(i)) for i in range(40)])
        await pilot.press("home", "y")
        assert app.clipboard == "line 0."
        await pilot.pause()
        assert "▸line 0." in screen_text(app)
        await pilot.press("down", "y")
        assert app.clipboard == "line 1."
        await pilot.press("end", "y")
        assert app.clipboard == "line 39."


async def test_home_has_nothing_to_pick_where_nothing_was_said() -> None:
    async with open_app() as (app, pilot, _run):
        await pilot.press("home")
        await pilot.pause()
        assert app.query_one(History).following


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
async def test_how_sure_a_picked_caption_is(size: tuple[int, int]) -> None:
    async with open_app(size) as (app, pilot, _run):
        await tell(pilot, final(0, "No words", 3.0), sure(1, "my card", 28.0, 0.62, 0.8))
        assert "sure" not in screen_text(app)
        await pilot.press("up")
        await pilot.pause()
        assert "00:28 · 71 % sure" in screen_text(app)
        assert "not following" in screen_text(app)
        await pilot.press("up")
        await pilot.pause()
        assert "sure" not in screen_text(app)
        await pilot.press("down", "down")
        await pilot.pause()
        assert "sure" not in screen_text(app)
