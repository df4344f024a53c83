"""Text from models, labels, devices and files is data: nothing in it reaches the terminal as an instruction."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from edgevoice.events import AudioLost, Event, Failed, IntentDetected, IntentRejected, LabelScore, PaceChanged
from edgevoice.tui.app import CaptionApp
from tests.tui.screen import open_app, screen_text, tell
from tests.tui.scripted import CHANNEL, ScriptedRun, final, level, revised, speech, started, update

NASTY = (
    "[/",
    "[/]",
    "[link=http://x]y[/link]",
    "[@click=app.quit]quit[/]",
    "[bold red]x",
    "$primary [$primary]",
    "\\[",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b[2J\x1b[31m",
    "\x9b31m\x90q\x9c\x85",
    "\u202eevil\u2066\u200f",
    "\ud800\udfff",
    "\x00\x7f\r\n\t\b",
    "\n \n\x1b[2J\n[/\n\u2028\r" + "x\n" * 300,
    "👩‍👩‍👧 日本語 e\u0301\u0300 \u200b" + "x" * 3000,
)
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
EVENTS: tuple[Event, ...] = (
    started(note="note"),
    level(0.0),
    speech(0),
    update(0, "stable", "tentative"),
    revised(0, "text"),
    final(0, "text"),
    revised(0, "text"),
    update(1, "stable", "tentative", at=5.0),
    IntentDetected(
        channel=CHANNEL,
        at=1,
        segment=0,
        label="label",
        score=0.9,
        runners_up=(LabelScore(label="other", score=0.1),),
        early=True,
        words="words",
    ),
    AudioLost(channel=CHANNEL, at=1, seconds=1, where="where"),
    PaceChanged(channel=CHANNEL, at=1, behind=1.2, hop=1.28, keeping_up=False),
    IntentRejected(channel=CHANNEL, at=1, segment=1, label="label", score=0.1, reason="reason"),
    Failed(channel=CHANNEL, at=1, what="what", recoverable=True, remedy="remedy"),
)


def poisoned(event: Event, poison: str) -> Event:
    """The event with every string in it replaced, the name of the channel included."""
    changes: dict[str, object] = {f.name: poison for f in fields(event) if isinstance(getattr(event, f.name), str)}
    if hasattr(event, "labels"):
        changes["labels"] = (poison,)
    if getattr(event, "runners_up", ()):
        changes["runners_up"] = (LabelScore(label=poison, score=0.1),)
    return replace(event, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("poison", NASTY, ids=range(len(NASTY)))
async def test_nasty_text_is_shown_as_text_everywhere(poison: str) -> None:
    run = ScriptedRun()
    app = CaptionApp(run, title=poison)
    async with app.run_test(size=(80, 24)) as pilot:
        await tell(pilot, *(poisoned(event, poison) for event in EVENTS))
        _assert_harmless(app)
        await pilot.press("escape")
        _assert_harmless(app)
        await pilot.press("l", "question_mark")
        _assert_harmless(app)
        await pilot.resize_terminal(50, 12)
        await pilot.press("escape")
        _assert_harmless(app)
        assert app.is_running
    run.stop()


def _assert_harmless(app: CaptionApp) -> None:
    assert not FORBIDDEN.search(screen_text(app))
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            assert not (segment.style and segment.style.link)
            assert not (segment.style and "@click" in segment.style.meta)


async def test_markup_is_written_out() -> None:
    async with open_app() as (_, pilot, _run):
        text = await tell(pilot, final(0, "[bold]x[/bold] [/ [link=http://x]y[/link]"))
    assert "[bold]x[/bold]" in text
    assert "[/ [link=http://x]y[/link]" in text
