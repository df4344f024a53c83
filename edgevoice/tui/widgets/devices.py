"""The sheet on which another microphone or loudspeaker is chosen, with the level of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from edgevoice.tui.devices import DeviceRow, Heard, Input, Offered, Probe, offered
from edgevoice.tui.levels import LevelView
from edgevoice.tui.threads import spawn
from edgevoice.tui.views import MESSAGE_LENGTH, short
from edgevoice.tui.widgets.level import LevelMeter

LOOK_EVERY_S = 2.0
"""How soon a device that is plugged in appears."""
SIDES = {"mic": "You: the microphone", "call": "Them: what a loudspeaker plays"}
IN_USE, DEFAULT = "●", "default"
WAITING = "Looking for devices…"
HINT = "Enter listens to it from now on; Esc leaves everything as it is"


class DeviceScreen(ModalScreen[None]):
    """A sheet over the captions, which go on.

    Args:
        inputs: one or more; whose devices they are.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,d,q", "leave", "Close", show=False, tooltip="close this; everything stays as it is"),
    ]

    class Listed(Message):
        """The devices, as they are now."""

        def __init__(self, found: Sequence[Offered]) -> None:
            super().__init__()
            self.found = tuple(found)

    class Measured(Message):
        """How loud the device under the cursor is."""

        def __init__(self, heard: Heard) -> None:
            super().__init__()
            self.heard = heard

    def __init__(self, inputs: Sequence[Input]) -> None:
        super().__init__()
        self._inputs = inputs
        self._probe = Probe(inputs, lambda heard: self.post_message(self.Measured(heard)), spawn)
        self._found: tuple[Offered, ...] = ()
        self._places: list[tuple[int, str] | None] = []
        """Of each line of the list; None for those that cannot be chosen."""
        self._looking = False

    def compose(self) -> ComposeResult:
        """The devices, the level, the keys."""
        with Vertical(id="devices"):
            yield Static("Devices", classes="help-title", markup=False)
            yield OptionList(Option(WAITING, disabled=True), id="device-list")
            yield LevelMeter("level", speech=False)
            yield Static(HINT, id="device-said", classes="help-hint", markup=False)

    def on_mount(self) -> None:
        """Looks for devices, and goes on looking."""
        self.set_interval(LOOK_EVERY_S, self._look)
        self._look()

    def on_unmount(self) -> None:
        """Listens to none of them any more."""
        self._probe.leave()

    def action_leave(self) -> None:
        """Back to the captions."""
        self.dismiss()

    def on_device_screen_listed(self, message: Listed) -> None:
        """Shows them, the cursor where it was."""
        self._looking = False
        if message.found == self._found:
            return
        before = self._under_cursor
        self._found = message.found
        lines = [line for each in message.found for line in self._section(each)]
        self._places = [place for place, _ in lines]
        devices = self.query_one("#device-list", OptionList)
        devices.clear_options()
        devices.add_options([Option(prompt, disabled=place is None) for place, prompt in lines])
        used = next((row.place for each in message.found for row in each.rows if row.in_use), None)
        for wanted in (before, used):
            if wanted in self._places and wanted is not None:
                devices.highlighted = self._places.index(wanted)
                return
        devices.action_first()

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        """Listens to the device under the cursor."""
        place = self._places[message.option_index]
        self.query_one(LevelMeter).view = LevelView()
        self._say(HINT)
        if place is not None:
            self._probe.listen(place)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Takes the device in use from now on, and closes."""
        place = self._places[message.option_index]
        if place is not None:
            number, handle = place
            spawn(lambda: self._inputs[number].choose(handle), "edgevoice-choose")
        self.dismiss()

    def on_device_screen_measured(self, message: Measured) -> None:
        """Shows the level, or why there is none."""
        if message.heard.place != self._under_cursor:
            return  # the cursor went on meanwhile
        self.query_one(LevelMeter).view = message.heard.level
        self._say(message.heard.error or HINT)

    @property
    def _under_cursor(self) -> tuple[int, str] | None:
        line = self.query_one("#device-list", OptionList).highlighted
        return self._places[line] if line is not None and line < len(self._places) else None

    def _look(self) -> None:
        if self._looking:
            return  # the sound system takes its time
        self._looking = True
        spawn(lambda: self.post_message(self.Listed(offered(self._inputs))), "edgevoice-devices")

    def _say(self, text: str) -> None:
        self.query_one("#device-said", Static).update(Content(short(text, MESSAGE_LENGTH)))

    def _section(self, each: Offered) -> list[tuple[tuple[int, str] | None, Content]]:
        """The lines of one input: what can be chosen, and what is shown."""
        heading = Content.styled(SIDES.get(each.channel, short(each.channel)), "$accent bold")
        lines: list[tuple[tuple[int, str] | None, Content]] = [(None, heading)]
        lines += [(row.place, _line(row)) for row in each.rows]
        if each.error:
            lines.append((None, Content.styled(f"  {short(each.error, MESSAGE_LENGTH)}", "$warning")))
        return lines


def _line(row: DeviceRow) -> Content:
    mark = IN_USE if row.in_use else " "
    return Content.assemble(f"{mark} {row.name}", (f"  {DEFAULT}" if row.is_default else "", "$muted"))
