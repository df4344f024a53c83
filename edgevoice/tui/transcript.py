"""A saved session on the screen: its lines, a search, and the recording from any of them."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from edgevoice.errors import EdgeVoiceError
from edgevoice.text import clock
from edgevoice.tui.deck import Deck
from edgevoice.tui.search import Search
from edgevoice.tui.searching import SEARCHED, SearchingScreen, search_key
from edgevoice.tui.spoken import Transcript, copied
from edgevoice.tui.views import short
from edgevoice.tui.widgets.help import Rows
from edgevoice.tui.widgets.search import SearchBar, Wanted

TIME = 9
"""Cells for the time, the gap after it included."""
LOOK_EVERY_S = 0.2
STEP_S = 5.0


class Lines(OptionList):
    """The transcript, a cursor on one of its lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Play", tooltip="play the recording from this line; the cursor moves along"),
        Binding("left", f"screen.move(-{STEP_S})", "Back", show=False, tooltip="five seconds back in the recording"),
        Binding("right", f"screen.move({STEP_S})", "On", show=False, tooltip="five seconds forward"),
        Binding("up", "cursor_up", show=False, tooltip="the line above; the recording plays on"),
        Binding("down", "cursor_down", show=False, tooltip="the line below"),
        Binding("pageup", "page_up", show=False, tooltip="a screen up"),
        Binding("pagedown", "page_down", show=False, tooltip="a screen down"),
        Binding("home", "first", show=False, tooltip="the first line"),
        Binding("end", "last", show=False, tooltip="the last line"),
    ]


class TranscriptScreen(SearchingScreen):
    """The lines of a session.

    Args:
        transcript: the session.
        wanted: what is looked for to begin with, if anything.
        line: where the cursor is to begin with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", tooltip="pause the recording, and go on; in silence, play from this line"),
        search_key("search in what was said"),
        SEARCHED,
        Binding("n", "found(-1)", "Older", show=False, tooltip="the match before; it begins at the cursor"),
        Binding("N", "found(1)", "Newer", show=False, tooltip="the match behind"),
        Binding("y", "copy", "Copy", tooltip="copy the line under the cursor"),
        Binding("Y", "copy_all", "Copy all", show=False, tooltip="copy all lines, with their times"),
        Binding("f", "follow", "Follow", show=False, tooltip="the cursor to the line that is heard, and along with it"),
        Binding("escape", "back", show=False, tooltip="leave the search; or else back to the list"),
        Binding("q", "leave", "Close", tooltip="back to the list, or quit where there is none"),
    ]
    PLACES = (Lines, Wanted)
    MARKS: ClassVar[Rows] = (
        ("▶ 01:06", "where the recording plays"),
        ("‖ 01:06", "where it was paused"),
        ("intent: … (91 %)", "what was recognised in the words above it, with its score"),
    )

    def __init__(self, transcript: Transcript, *, wanted: str = "", line: int = 0) -> None:
        super().__init__()
        self._transcript = transcript
        self._lines = transcript.contents.lines
        self._captions = transcript.contents.captions
        self._starts = [caption.start for caption in self._captions]
        self._places = {id(caption): place for place, caption in enumerate(self._captions)}
        self._deck = Deck(transcript.player)
        self._heard = line
        """The line that is heard."""
        self._search: Search | None = None
        self._marked: int | None = None
        """The line that is looked at."""
        self._searched_from = line
        self._first = wanted, line

    def compose(self) -> ComposeResult:
        """Title, lines, what there is to say, the search, the keys."""
        lines = Lines(*(Option(self._prompt(place)) for place in range(len(self._lines))), id="lines")
        yield from self.framed(short(self._transcript.name), [lines], SearchBar())

    def on_mount(self) -> None:
        """Waits at its line."""
        lines = self._list
        lines.focus()
        wanted, line = self._first
        lines.highlighted = line if self._lines else None
        self.tell(self._summary)
        if wanted:
            self.query_one(SearchBar).suggest(wanted)
            self.look_for(wanted)
        self.set_interval(LOOK_EVERY_S, self.follow)

    def on_unmount(self) -> None:
        """Falls silent."""
        self._deck.stop()

    @property
    def body(self) -> Widget:
        """The lines."""
        return self._list

    @property
    def facts(self) -> Rows:
        """What the session is made of."""
        contents = self._transcript.contents
        rows = (
            ("session", short(self._transcript.name)),
            ("length", clock(contents.length)),
            ("words, intents", f"{contents.words}, {contents.intents}"),
            ("speakers", ", ".join(map(short, contents.speakers))),
            ("files", ", ".join(map(short, self._transcript.files))),
            ("damaged", contents.note),
        )
        return tuple(row for row in rows if row[1])

    # -- the recording

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """Enter, or a click, on a line."""
        self._play(message.option_index)

    def action_pause(self) -> None:
        """Pauses; goes on; or plays from the line with the cursor."""
        deck = self._deck
        if deck.state is Deck.State.PLAYING:
            deck.pause()
            self.tell("Paused. Space goes on.")
        elif deck.state is Deck.State.PAUSED:
            self._try(lambda: deck.play(deck.position))
        elif self._list.highlighted is not None:
            self._play(self._list.highlighted)
        self.follow()

    def action_move(self, seconds: float) -> None:
        """Back or forward in the recording, the cursor with it."""
        if self._deck.state is Deck.State.SILENT:
            self.tell("Nothing plays that could be moved. Enter plays from this line.")
            return
        self._try(lambda: self._deck.move(seconds))
        self.action_follow()

    def action_follow(self) -> None:
        """The cursor to the line that is heard, to move along with it."""
        self.follow()
        if self._deck.state is not Deck.State.SILENT:
            self._list.highlighted = self._heard

    def follow(self) -> None:
        """Shows what is heard, and moves along with it, unless the cursor was taken elsewhere."""
        if not self.query("#said"):
            return  # a last time while the screen is being taken down
        if why := self._deck.over():
            self.tell(why)
        self.query_one("#saved-state", Static).update(Content(self._deck.shown))
        if self._deck.state is Deck.State.SILENT:
            return
        heard, before = self._line_at(self._deck.position), self._heard
        self._heard = heard
        if heard != before and self._list.highlighted == before and not isinstance(self.focused, Wanted):
            self._list.highlighted = heard

    # -- copying

    def action_copy(self) -> None:
        """The line under the cursor to the clipboard."""
        place = self._list.highlighted
        self._copy(self._captions[place].text if place is not None else "")

    def action_copy_all(self) -> None:
        """All lines with their times to the clipboard."""
        self._copy(copied(self._lines, self._captions))

    # -- the search

    def action_search(self) -> None:
        """Asks what to look for, from the cursor on."""
        self._searched_from = self._list.highlighted or 0
        super().action_search()

    def action_found(self, step: int) -> None:
        """Goes to a newer match, or with a negative number to an older one."""
        if self._search is None:
            self.tell("Nothing is looked for. / asks what.")
            return
        self._search.move(step)
        self._look_at_match()

    def action_back(self) -> None:
        """Out of the search; or back to where one came from, if one came from anywhere."""
        if not self.stop_searching() and len(self.app.screen_stack) > 1:
            self.action_leave()

    def look_for(self, wanted: str | None) -> None:
        """Goes to the match at the cursor, or else to the next older one, or else to the oldest."""
        wanted = (wanted or "").strip()
        self._search = Search(wanted, self._captions) if wanted else None
        if self._search and self._search.matches:
            lines = [self._places[id(match.caption)] for match in self._search.matches]
            newest = bisect.bisect_right(lines, self._searched_from) - 1
            self._search.look_at(bisect.bisect_left(lines, lines[max(0, newest)]))
        self._look_at_match()

    # -- drawing

    @property
    def _list(self) -> Lines:
        return self.query_one(Lines)

    @property
    def _summary(self) -> str:
        contents = self._transcript.contents
        if contents.problem:
            return contents.problem
        lines = sum(not line.is_note for line in self._lines)
        said = f"{lines} line{'' if lines == 1 else 's'}" if lines else "Nothing was said."
        return f"{said}; {contents.note}" if contents.note else said

    def _prompt(self, place: int) -> Content:
        caption = self._captions[place]
        text = Content(caption.text)
        if self._lines[place].is_note:
            text = text.stylize("$muted italic")
        for start, end, looked_at in self._search.spans(caption) if self._search and place == self._marked else ():
            text = text.stylize("$ink on $accent" if looked_at else "$ink on $warning", start, end)
        name = f"{caption.channel}: " if caption.channel else ""
        return Content.assemble((f"{clock(caption.start):<{TIME}}", "$muted"), (name, "$primary"), text)

    def _look_at_match(self) -> None:
        search = self._search
        match = search.current if search else None
        self._mark(self._places[id(match.caption)] if match else None)
        bar = self.query_one(SearchBar)
        bar.count = search.count if search else ""
        # it may have been looked for in the list, so that there is no bar
        is_told = search is not None and not bar.display
        self.tell(f"'{short(search.wanted, 40)}': {search.count}, n is older, N newer" if search and is_told else "")

    def _mark(self, place: int | None) -> None:
        before, self._marked = self._marked, place
        for each in {before, place}:
            if each is not None:
                self._list.replace_option_prompt_at_index(each, self._prompt(each))
        if place is not None:
            self._list.highlighted = place

    def _line_at(self, position: float) -> int:
        place = bisect.bisect_right(self._starts, position + LOOK_EVERY_S) - 1
        while place > 0 and self._lines[place].is_note:
            place -= 1
        return max(0, place)

    # -- helpers

    def _play(self, place: int) -> None:
        self._heard = place
        self._try(lambda: self._deck.play(self._captions[place].start))
        self.follow()

    def _try(self, what: Callable[[], None]) -> None:
        """Does it, or says why not."""
        try:
            what()
            self.tell("")
        except EdgeVoiceError as error:
            self.tell(str(error))

    def _copy(self, text: str) -> None:
        if text:
            self.app.copy_to_clipboard(text)
        self.tell(f"Copied {len(text)} characters" if text else "There is nothing to copy")
