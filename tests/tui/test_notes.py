"""What the screen says about a key: on one line, for a while, and over no caption."""

from __future__ import annotations

import pytest
from textual.widgets._toast import Toast

from edgevoice.tui.widgets.status import StatusBar
from tests.tui.screen import open_app, screen_text, tell, until_shown
from tests.tui.scripted import detected, ended, final, started


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
async def test_a_note_takes_the_place_of_the_one_before_and_covers_no_caption(size: tuple[int, int]) -> None:
    async with open_app(size) as (app, pilot, _run):
        captions = await tell(pilot, started(), *[final(i, f"line {i}.", float(i)) for i in range(40)])
        await pilot.press("plus", "plus", "y", "y")
        await pilot.pause()
        text = screen_text(app)
        assert text.count("Copied 8 characters") == 1
        assert not app.screen.query(Toast)
        assert [row for row in captions.splitlines() if "line" in row] == [
            row for row in text.splitlines() if "line" in row
        ]


async def test_it_goes_away_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.tui.widgets.status.NOTE_S", 0.05)
    async with open_app() as (app, pilot, _run):
        await tell(pilot, started(), final(0, "line"))
        bar = app.query_one(StatusBar)
        bar.tell("Copied")
        assert "Copied" in bar.render().plain
        await until_shown(pilot, "lost 0.0 s")


async def test_the_count_of_the_search_stays_in_sight() -> None:
    async with open_app() as (app, pilot, _run):
        await tell(pilot, started(), final(0, "a card"))
        await pilot.press("slash", *"card", "enter", "y")
        await pilot.pause()
        assert "1 of 1" in screen_text(app)
        assert "Copied 6 characters" in screen_text(app)


@pytest.mark.parametrize(("key", "note"), [("plus", "Nothing is decided any more"), ("d", "listens to no microphone")])
async def test_what_a_key_cannot_do_is_said(key: str, note: str) -> None:
    async with open_app((40, 12)) as (app, pilot, run):
        await tell(pilot, started(), detected(), ended())
        await pilot.press(key)
        await pilot.pause()
        assert note in screen_text(app)
        assert run.calls == []
