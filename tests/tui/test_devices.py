"""The sheet with the devices: what there is, how loud it is, and what choosing does."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from edgevoice.tui.devices import Heard, Probe
from edgevoice.tui.threads import spawn
from edgevoice.tui.widgets.devices import DeviceScreen
from tests.tui.screen import open_app, screen_text, tell, until_shown
from tests.tui.scripted import ScriptedInput, ended, started


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.tui.devices.SETTLED_S", 0.02)
    monkeypatch.setattr("edgevoice.tui.widgets.devices.LOOK_EVERY_S", 0.05)


async def until_left(pilot: Pilot[int], given: ScriptedInput) -> None:
    """Waits until nobody listens to a device any more."""
    for _ in range(200):
        if not given.open:
            return
        await pilot.pause(0.02)
    raise AssertionError(f"{given.open} is still listened to")


async def test_both_sides_of_a_call_and_the_level_of_the_one_under_the_cursor() -> None:
    you = ScriptedInput("mic", Laptop=-60, USB_Headset=-30)
    them = ScriptedInput("call", Speakers=-12)
    async with open_app(inputs=[you, them]) as (app, pilot, _):
        await tell(pilot, started(), started(channel="call"))
        await pilot.press("d")
        await until_shown(pilot, "-60 dB")
        text = screen_text(app)
        assert "You: the microphone" in text
        assert "● Laptop  default" in text
        assert "  USB Headset " in text
        assert "Them: what a loudspeaker plays" in text
        await pilot.press("down")
        await until_shown(pilot, "-30 dB")
        assert you.open == {"USB_Headset"}
        await pilot.press("down")
        await until_shown(pilot, "-12 dB")
        await pilot.press("escape")
        await until_left(pilot, them)
        assert (you.chosen, them.chosen) == ([], [])


async def test_enter_goes_on_with_the_device_under_the_cursor() -> None:
    you = ScriptedInput("mic", Laptop=-60, USB_Headset=-30)
    async with open_app(inputs=[you]) as (app, pilot, _):
        await pilot.press("d")
        await until_shown(pilot, "USB Headset")
        await pilot.press("down", "enter")
        await until_left(pilot, you)
        assert not isinstance(app.screen, DeviceScreen)
        assert you.chosen == ["USB_Headset"]
        await pilot.press("d")
        await until_shown(pilot, "● USB Headset")


async def test_what_is_plugged_in_appears_and_the_cursor_stays() -> None:
    you = ScriptedInput("mic", Laptop=-60, USB_Headset=-30)
    async with open_app(inputs=[you]) as (_, pilot, __):
        await pilot.press("d")
        await until_shown(pilot, "USB Headset")
        await pilot.press("down")
        you.loud = {"Camera": -50, **you.loud}
        await until_shown(pilot, "Camera")
        await pilot.press("enter")
        await pilot.pause()
        assert you.chosen == ["USB_Headset"]


async def test_a_device_that_cannot_be_opened_is_a_sentence() -> None:
    async with open_app(inputs=[ScriptedInput("mic", Laptop=-999)]) as (_, pilot, __):
        await pilot.press("d")
        await until_shown(pilot, "cannot be opened. Close other programs")


async def test_a_sound_system_that_does_not_answer_is_a_sentence() -> None:
    you = ScriptedInput("mic", Laptop=-20)
    you.broken = "The sound system does not answer"
    async with open_app(inputs=[you]) as (_, pilot, __):
        await pilot.press("d")
        await until_shown(pilot, "The sound system does not answer. Start it again.")
        await pilot.press("enter", "escape")
        assert you.chosen == []


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (160, 45)])
async def test_names_of_any_length_and_script_stay_within_the_sheet(size: tuple[int, int]) -> None:
    names = {"麦克风" * 20: -20.0, "مايكروفون" * 10: -20.0, **{f"Device_{number}": -20.0 for number in range(40)}}
    async with open_app(size, inputs=[ScriptedInput("mic", **names)]) as (app, pilot, _):
        await pilot.press("d")
        await until_shown(pilot, "麦克风")
        rows = app.screen._compositor.render_strips()
        assert {row.cell_length for row in rows} == {size[0]}
        await pilot.press("end")
        await until_shown(pilot, "Device 39")
        await until_shown(pilot, "-20 dB")


async def test_a_run_without_a_device_says_so() -> None:
    async with open_app() as (app, pilot, _):
        await pilot.press("d")
        await pilot.pause()
        assert not isinstance(app.screen, DeviceScreen)


async def test_a_run_that_is_over_listens_to_nothing() -> None:
    async with open_app(inputs=[ScriptedInput("mic", Laptop=-20)]) as (app, pilot, _):
        await tell(pilot, started(), ended())
        await pilot.press("d")
        await pilot.pause()
        assert not isinstance(app.screen, DeviceScreen)


def test_going_down_a_list_opens_only_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevoice.tui.devices.SETTLED_S", 0.2)
    given = ScriptedInput("mic", **{f"d{number}": -20.0 for number in range(5)})
    opened: list[str] = []
    monkeypatch.setattr(given, "listen", lambda handle: opened.append(handle) or ScriptedInput.listen(given, handle))
    heard: list[Heard] = []
    probe = Probe([given], heard.append, spawn)
    for number in range(5):
        probe.listen((0, f"d{number}"))
    while len(heard) < 3:
        pass
    probe.leave()
    assert opened == ["d4"]
    assert {each.place for each in heard} == {(0, "d4")}
