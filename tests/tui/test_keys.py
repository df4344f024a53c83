"""Every key, as somebody presses it in a call: one story, and at its end no key is left that was not pressed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Footer

from edgevoice.events import Event, IntentRejected, LabelScore
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.keys import explained, name_of
from edgevoice.tui.widgets.devices import DeviceScreen
from edgevoice.tui.widgets.help import HelpScreen
from edgevoice.tui.widgets.history import History
from edgevoice.tui.widgets.intent import IntentPane
from edgevoice.tui.widgets.search import SearchBar, Wanted
from edgevoice.tui.widgets.settings import SettingsFind, SettingsScreen
from tests.tui.screen import open_app, screen_text, tell
from tests.tui.scripted import (
    CHANNEL,
    ScriptedInput,
    ScriptedRun,
    detected,
    failed,
    final,
    level,
    speech,
    started,
    update,
)

PLACES = (CaptionApp, History, IntentPane, Wanted)
SHEETS = (HelpScreen, DeviceScreen, SettingsScreen, SettingsFind)
THRESHOLDS = tuple(
    LabelScore(label=label, score=score) for label, score in [("card_issues", 0.7), ("balance", 0.5), ("freeze", 0.6)]
)
REJECTED = IntentRejected(
    channel=CHANNEL, at=80, segment=3, label="freeze", score=0.41, reason="below threshold", runners_up=()
)
CALL: tuple[Event, ...] = (
    started(thresholds=THRESHOLDS),
    level(1.0),
    *(final(i, f"Caption {i} about a card and about a Café", 60.0 + i) for i in range(40)),
    replace(detected("balance"), at=70),
    replace(detected("card_issues", segment=1), at=75),
    REJECTED,
    replace(detected("card_issues", segment=4, early=True), at=90),
    speech(41, 100.0),
    update(41, "what is being", "said now", at=101),
)


def keys_of(place: type) -> set[str]:
    return {key for binding in vars(place)["BINDINGS"] for key in binding.key.split(",")}


class Story:
    """A person at the screen: presses keys and reads."""

    def __init__(self, app: CaptionApp, pilot: Pilot[int], run: ScriptedRun) -> None:
        self.app, self.pilot, self.run = app, pilot, run
        self.pressed: dict[str, set[str]] = {place.__name__: set() for place in (*PLACES, *SHEETS)}

    async def press(self, *keys: str, shows: tuple[str, ...] = (), hides: tuple[str, ...] = ()) -> None:
        """Presses keys, and checks what can be read after the last one."""
        for key in keys:
            sheet = isinstance(self.app.screen, SHEETS)
            for place in (self.app.focused, self.app.screen if sheet else self.app):
                self.pressed.get(type(place).__name__, set()).add(key)
            await self.pilot.press(key)
        await self.pilot.pause()
        await self.pilot.pause()
        text = screen_text(self.app)
        for each in shows:
            assert each in text, f"after {keys}: {each!r} is not in\n{text}"
        for each in hides:
            assert each not in text, f"after {keys}: {each!r} is in\n{text}"


@pytest.fixture
async def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with open_app(inputs=[ScriptedInput(CHANNEL, USB_Headset=-20)]) as (app, pilot, run):
        await tell(pilot, *CALL)
        yield Story(app, pilot, run)


async def test_every_key(story: Story) -> None:
    press, app, run = story.press, story.app, story.run
    await press("space", shows=("‖ paused",))
    await press("space", shows=("● listening",))
    assert run.calls == ["pause", "resume"]
    await _reading_back(story)
    await _searching(story)
    await _intents(story)
    # looks
    await press("t")
    assert app.theme == "edgevoice-light"
    await press("l", shows=("▀", "intent card issues"), hides=("also possible",))
    await press("l", shows=("also possible", "Caption 39"))
    # help, the palette and messages
    for key in sorted(keys_of(HelpScreen)):
        await press("question_mark", shows=("Keys", "pause, and go on"))
        await press(key, hides=("Keys",))
    for key in sorted(keys_of(DeviceScreen)):
        await press("d", shows=("You: the microphone",))
        await press(key, hides=("You: the microphone",))
    await _settings(story)
    await press("ctrl+p", shows=("Search for commands",))
    await story.pilot.press("escape")
    await tell(story.pilot, failed(recoverable=True))
    await press("escape", hides=("microphone is gone",))
    await press("c", shows=("what is being",), hides=("Caption 39", "card issues"))
    await press("u", shows=("Caption 39", "card issues"))
    await press("y")
    await press("ctrl+z", shows=("what is being",))  # test_stopping.py has a terminal that can do without the screen
    await press("ctrl+q")
    assert run.calls[-1] == "stop"
    # the others that leave are in test_app.py, for one can leave only once
    left = {place.__name__: keys_of(place) - story.pressed[place.__name__] for place in (*PLACES, *SHEETS)}
    assert {name: keys for name, keys in left.items() if keys} == {"CaptionApp": {"q", "ctrl+c"}}


async def _settings(story: Story) -> None:
    press, app = story.press, story.app
    await press("s", shows=("Settings", "intent_model"))
    await press("slash", *"theme", shows=("/theme", "dark"), hides=("intent_model",))
    await press("down", "up", "enter", "enter", shows=('Saved: screen.theme = "light"',))
    await press("right", "left", "left", shows=('Saved: screen.theme = "dark"',))
    assert app.theme == "edgevoice-dark"
    await press("u", shows=('screen.theme is out of the file, its default is "dark".',))
    await press("delete", "backspace", shows=("screen.theme is not in the file",))
    await press("escape", shows=("channel_names",), hides=("/theme",))
    await press("escape", hides=("Esc close",))
    for key in ("q", "s", "comma"):
        await press("comma", shows=("Esc close",))
        await press(key, hides=("Esc close",))


async def _reading_back(story: Story) -> None:
    press, app = story.press, story.app
    await press("up", shows=("▸", "not following"))
    await press("up", "up", "down", "y")
    assert app.clipboard == "Caption 38 about a card and about a Café"
    await tell(story.pilot, final(40, "Newer", 99.0))
    await press("y", shows=("1 newer, End to follow",))
    assert app.clipboard == "Caption 38 about a card and about a Café"
    await press("escape", shows=("Newer",), hides=("▸", "End to follow"))
    await press("home", shows=("Caption 0 ", "not following"), hides=("Caption 39",))
    await press("pagedown", hides=("Caption 0 ",))
    await press("pageup", shows=("Caption 0 ",))
    await press("end", shows=("Newer", "now ─"))
    await press("f", shows=("not following",))
    await press("f", shows=("now ─",))
    await press("Y")
    assert app.clipboard.splitlines()[:2] == [
        "01:00  Caption 0 about a card and about a Café",
        "01:01  Caption 1 about a card and about a Café",
    ]
    assert len(app.clipboard.splitlines()) == 41


async def _searching(story: Story) -> None:
    press, app = story.press, story.app
    await press("slash", *"cafe", shows=("/cafe", "40 of 40"))
    await press("up", shows=("39 of 40",))
    await press("down", shows=("40 of 40",))
    await press("enter", "n", "n", shows=("38 of 40",))
    await press("N", "y", shows=("39 of 40",))
    assert app.clipboard == "Caption 38 about a card and about a Café"
    await tell(story.pilot, final(41, "One more café", 103.0))
    await press("n", shows=("38 of 41",))
    await press("slash", *"zzz", shows=("/zzz", "not found"))
    await press("escape", shows=("now ─", "One more café"), hides=("not found",))
    await press("n", "N", hides=(" of 41",))


async def _intents(story: Story) -> None:
    press, run = story.press, story.run
    await tell(story.pilot, speech(42, 104.0), update(42, "what is being", "said now", at=104))
    await press("minus", shows=("minimum 65 %, changed",))
    await press("plus", shows=("minimum 70 %",), hides=("changed",))
    await press("equals_sign", shows=("minimum 75 %, changed",))
    assert run.calls[-3:] == ["card_issues 0.65", "card_issues 0.70", "card_issues 0.75"]
    await press("i", shows=("✗ freeze", "earlier, with rejected"))
    await press("tab", "down", shows=("01:20▸", "no clear intent", "best guess freeze 41 %", "minimum 60 %"))
    await press("minus")
    assert run.calls[-1] == "freeze 0.55"
    await press("down", shows=("01:15▸",))
    await press("pagedown", shows=("01:10▸",))
    await press("up", shows=("01:15▸",))
    await press("pageup", shows=("◆ early",), hides=("▸ card",))
    await press("down", "home", hides=("01:20▸",))
    await press("down", "escape", hides=("01:20▸",))
    await press("i", hides=("✗ freeze",))
    await press("tab")


def test_the_sheet_has_every_key() -> None:
    rows = dict(explained(*PLACES))
    assert all(rows.values()), "each says what it does"
    named = ", ".join(rows)
    for place in PLACES:
        for key in keys_of(place):
            assert name_of(key) in named


async def test_every_key_that_means_something_is_one_of_these(story: Story) -> None:
    ours = set().union(*(keys_of(place) for place in PLACES))
    of_textual = {"shift+tab", "left", "right", "ctrl+pageup", "ctrl+pagedown", "super+c"}
    for focused in (History, IntentPane):
        story.app.query_one(focused).focus()
        await story.pilot.pause()
        assert set(story.app.screen.active_bindings) - ours <= of_textual


async def test_the_footer_fits(story: Story) -> None:
    assert story.app.query_one(Footer).max_scroll_x == 0
    assert "d Device" in screen_text(story.app)


async def test_a_click_picks_a_caption(story: Story) -> None:
    await story.pilot.click(History, offset=(12, 10))
    await story.pilot.pause()
    assert "▸" in screen_text(story.app)


async def test_what_is_pasted_into_the_search_is_plain(story: Story) -> None:
    await story.pilot.press("slash")
    story.app.query_one(Wanted).insert_text_at_cursor("a\x1b]0;title\x07\u202eb")
    await story.pilot.pause()
    assert story.app.query_one(Wanted).value == "a]0;titleb"


async def test_a_slash_on_the_help_sheet_opens_nothing(story: Story) -> None:
    await story.pilot.press("question_mark", "slash", "escape")
    await story.pilot.pause()
    assert not story.app.query_one(SearchBar).display


async def test_letters_typed_into_the_search_are_no_keys(story: Story) -> None:
    await story.pilot.press("slash", *"qltc", "space", "plus", "minus", "slash")
    await story.pilot.pause()
    assert story.app.query_one(Wanted).value == "qltc +-/"
    assert story.run.calls == []
