"""The screen in a test: what can be read on it, and events as the thread would post them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from edgevoice.config import ScreenSettings, Settings
from edgevoice.events import Event
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.messages import EventArrived
from tests.tui.scripted import ScriptedInput, ScriptedRun


def screen_text(app: App[Any]) -> str:
    """All that can be read on the screen, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def tell(pilot: Pilot[int], *events: Event) -> str:
    """Posts events as the thread would and gives the screen after them."""
    for event in events:
        pilot.app.post_message(EventArrived(event))
    await pilot.pause()
    await pilot.pause()
    return screen_text(pilot.app)


async def until_shown(pilot: Pilot[int], text: str) -> None:
    """Waits for what a run of its own makes the screen show."""
    for _ in range(200):
        if text in screen_text(pilot.app):
            return
        await pilot.pause(0.02)
    raise AssertionError(f"'{text}' is not in\n{screen_text(pilot.app)}")


@asynccontextmanager
async def open_app(
    size: tuple[int, int] = (80, 24), *, large: bool = False, inputs: Sequence[ScriptedInput] = ()
) -> AsyncIterator[tuple[CaptionApp, Pilot[int], ScriptedRun]]:
    """The screen of a run that says only what `tell` says."""
    run = ScriptedRun()
    app = CaptionApp(run, inputs=inputs, settings=Settings(screen=ScreenSettings(large=large)))
    try:
        async with app.run_test(size=size) as pilot:
            yield app, pilot, run
    finally:
        run.stop()
