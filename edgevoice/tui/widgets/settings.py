"""The sheet of settings: looked up, found and changed, while captions go on below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from edgevoice.tui.settings import Outcome, Row, SettingsBook
from edgevoice.tui.widgets.drawing import cell, fit, wrap
from edgevoice.tui.widgets.typed import PlainInput

NAME, ORIGIN, ROOM = 22, 12, 14
"""Cells for the name of a setting, for where its value comes from, and at least for what else is in its row."""
ORIGIN_FROM = 60
"""Cells in a row from which on there is room to say where a value comes from."""
KEYS = "Enter edit  u default  / find  Esc close"
KEYS_OF_VALUE = "Enter save  Esc leave it as it is"
KEYS_OF_FIND = "↑ ↓ move  Enter to the list  Esc all"
NOTHING = "No setting has this in its name, its meaning or its choices."

Sections = Sequence[tuple[str, Sequence[Row]]]


class SettingsList(OptionList):
    """Every setting, a cursor on one of them. A click moves the cursor and changes nothing."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._sections: Sections = ()

    @property
    def picked(self) -> str | None:
        """The name of the setting with the cursor."""
        option = self.highlighted_option
        return option.id if option else None

    def show(self, sections: Sections) -> None:
        """Lists these; the cursor stays on its setting, or goes to the first."""
        names = [row.name for _, rows in sections for row in rows]
        before = [row.name for _, rows in self._sections for row in rows]
        self._sections, picked = sections, self.picked
        if names == before:
            self._redraw()
            return
        self.set_options(self._options_of(sections))
        if names:
            self.highlighted = self.get_option_index(picked if picked in names else names[0])

    def on_resize(self) -> None:
        """The columns fit again."""
        self._redraw()

    def _redraw(self) -> None:
        for index, option in enumerate(self._options_of(self._sections)):
            self.replace_option_prompt_at_index(index, option.prompt)

    def _options_of(self, sections: Sections) -> Iterator[Option]:
        width = self.scrollable_content_region.width - 1  # the bar beside it is no part of the words
        for section, rows in sections:
            if section:
                title = Content.assemble((section, "bold $accent"), "  ", (rows[0].about, "$muted"))
                yield Option(title.truncate(max(1, width), ellipsis=True), disabled=True)
            for row in rows:
                yield Option(_line(row, width), id=row.name)


class SettingsFind(PlainInput):
    """What is looked for in the settings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.move(-1)", "Up", show=False, tooltip="the setting above"),
        Binding("down", "screen.move(1)", "Down", show=False, tooltip="the setting below"),
    ]


class SettingsValue(PlainInput):
    """A value as it is typed."""


class SettingsTitle(Widget):
    """Which file it is; of a long path the end says more than the beginning."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file

    def render(self) -> Content:
        """In one line."""
        title = Content.assemble(("Settings", "bold $accent"), "  ")
        room = max(1, self.size.width - title.cell_length)
        file = Content(self._file)
        while file.cell_length > room:
            file = Content(f"…{file.plain[2:]}")
        return Content.assemble(title, file.stylize("$muted"))


class SettingsAbout(Widget):
    """What came of a change, and what is to be known of the setting with the cursor."""

    outcome: reactive[Outcome | None] = reactive(None)
    facts: reactive[str] = reactive("")

    def render(self) -> Content:
        """As much as there is room for, the outcome first."""
        told = Content("")
        if self.outcome:
            mark, style = ("✓", "bold $success") if self.outcome.ok else ("!", "bold $warning")
            told = Content.assemble((f"{mark} {self.outcome.said}", style), "\n")
        lines = wrap(Content.assemble(told, self.facts), self.size.width)
        height = max(1, self.size.height)
        if len(lines) > height:
            lines = [*lines[: height - 1], Content.assemble(lines[height - 1].truncate(self.size.width - 2), " …")]
        return Content("\n").join(lines)


class SettingsScreen(ModalScreen[None]):
    """A sheet over the captions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # these two before other keys are handed out, for the next one belongs to what is typed
        Binding(
            "enter", "done", "Edit", show=False, priority=True, tooltip="the next choice, or type a value; save it"
        ),
        Binding("slash", "find", "Find", show=False, priority=True, tooltip="find settings"),
        Binding("right", "choose(1)", "Next", show=False, tooltip="the next choice"),
        Binding("left", "choose(-1)", "Previous", show=False, tooltip="the choice before"),
        Binding("u,delete,backspace", "reset", "Default", show=False, tooltip="back to its default"),
        Binding("escape", "back", "Back", show=False, tooltip="leave what is typed, then the sheet"),
        Binding("s,comma,q", "close", "Close", show=False, tooltip="close this"),
    ]

    def __init__(self, book: SettingsBook) -> None:
        super().__init__()
        self._book = book
        self._told: str | None = None
        """The setting about which there was something to say."""

    def compose(self) -> ComposeResult:
        """Title, what is looked for, the list, what is typed, what is to be known, keys."""
        with Vertical(id="settings"):
            yield SettingsTitle(self._book.file)
            with Horizontal(id="settings-find"):
                yield Static("/", markup=False, classes="settings-mark")
                yield SettingsFind(compact=True)
            yield SettingsList()
            with Horizontal(id="settings-value"):
                yield Static("", markup=False, classes="settings-mark")
                yield SettingsValue(compact=True)
            yield SettingsAbout()
            yield Static(KEYS, id="settings-keys", markup=False)

    def on_mount(self) -> None:
        """Begins in the list."""
        self._show()
        self._to_list()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In what is typed, a slash is a letter."""
        if action == "find" and self.focused is not self._list:
            return False
        return super().check_action(action, parameters)

    # -- what the keys do

    def action_done(self) -> None:
        """To what was found; or saves what was typed; or changes the setting with the cursor."""
        row = self._row
        if isinstance(self.focused, SettingsFind):
            self._to_list()
        elif row is None or row.is_tables:
            return
        elif isinstance(self.focused, SettingsValue):
            self._save(row, self.focused.value)
        elif row.choices:
            self.action_choose(1)
        else:
            self._ask(row)

    def action_choose(self, step: int) -> None:
        """Another choice, where there are some."""
        if self._row is not None and self._row.choices:
            self._tell(self._book.change(self._row.name, self._row.choice(step)))

    def action_reset(self) -> None:
        """Back to the default."""
        if self._row is not None and not self._row.is_tables:
            self._tell(self._book.reset(self._row.name))

    def action_find(self) -> None:
        """Asks what to look for; what was typed last is still there, to be typed over."""
        self._find_bar.display = True
        find = self.query_one(SettingsFind)
        self.set_focus(find)  # at once, and not as focus() does it: the next key may be on its way
        find.action_select_all()
        self._show()

    def action_move(self, step: int) -> None:
        """Moves the cursor while it is typed what to look for."""
        if step > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def action_back(self) -> None:
        """Out of what is typed, or out of what was looked for, or out of the sheet."""
        if self._value_bar.display:
            self._told = None
            self.on_option_list_option_highlighted()
            self._to_list()
        elif self._find_bar.display:
            self._find_bar.display = False
            self._to_list()
            self._show()
        else:
            self.dismiss()

    def action_close(self) -> None:
        """Back to the captions."""
        self.dismiss()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Finds while it is typed."""
        if isinstance(message.input, SettingsFind):
            self._show()

    def on_descendant_focus(self) -> None:
        """Says which keys there are; who clicks into the list has left what was typed."""
        if self.focused is self._list:  # the message may be older than that
            self._to_list()
        bars = {SettingsFind: KEYS_OF_FIND, SettingsValue: KEYS_OF_VALUE}
        keys = next((said for bar, said in bars.items() if isinstance(self.focused, bar)), KEYS)
        self.query_one("#settings-keys", Static).update(keys)

    def on_option_list_option_highlighted(self) -> None:
        """What was said of one setting is not said of another."""
        about = self.query_one(SettingsAbout)
        if self._told != self._list.picked:
            about.outcome = Outcome(self._book.problem, ok=False) if self._book.problem else None
        about.facts = self._book.facts(self._row) if self._row else NOTHING

    # -- drawing

    @property
    def _list(self) -> SettingsList:
        return self.query_one(SettingsList)

    @property
    def _find_bar(self) -> Widget:
        return self.query_one("#settings-find")

    @property
    def _value_bar(self) -> Widget:
        return self.query_one("#settings-value")

    @property
    def _row(self) -> Row | None:
        name = self._list.picked
        return self._book.row(name) if name else None

    def _show(self) -> None:
        wanted = self.query_one(SettingsFind).value if self._find_bar.display else ""
        self._list.show(self._book.matching(wanted))
        self.on_option_list_option_highlighted()

    def _to_list(self) -> None:
        self._value_bar.display = False
        self.set_focus(self._list)

    def _ask(self, row: Row) -> None:
        self._value_bar.display = True
        self.query_one("#settings-value > Static", Static).update(f"{row.key.key} = ")
        value = self.query_one(SettingsValue)
        value.password, value.value = row.key.secret, row.typed
        self.set_focus(value)
        value.action_select_all()
        self._told = None
        self.on_option_list_option_highlighted()

    def _save(self, row: Row, text: str) -> None:
        """What cannot be saved stays to be corrected."""
        outcome = self._book.change(row.name, text) if text != row.typed else None
        if outcome:
            self._tell(outcome)
        if outcome is None or outcome.ok:
            self._to_list()

    def _tell(self, outcome: Outcome) -> None:
        """Says what came of a change, and shows the settings as they are now."""
        self._told = self._list.picked
        self.query_one(SettingsAbout).outcome = outcome
        self._show()


def _line(row: Row, width: int) -> Content:
    """A setting in one line of the list, its name and value cut to what there is room for."""
    origin = ORIGIN if width >= ORIGIN_FROM else 0
    name = min(NAME, max(1, width - ROOM))
    room = max(1, width - 2 - name - origin)
    own = row.origin not in ("", "default")
    value = fit(row.shown, room).stylize("bold $primary" if own else "$muted")
    value = value.pad_right(room - value.cell_length)
    mark = ("• ", "$primary") if own else ("  ", "")
    said = (f"{row.origin:>{origin}}", "$muted") if origin else ""
    return Content.assemble(mark, cell(row.key.key, name), value, said)
