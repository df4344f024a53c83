"""The saved sessions of a folder on the screen: read while one looks at them, searched, opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from edgevoice.saved_sessions import SessionFile
from edgevoice.text import clock
from edgevoice.tui.searching import SEARCHED, SearchingScreen, search_key
from edgevoice.tui.sessions import Entry, Shelf, said_of
from edgevoice.tui.spoken import Contents, RecordingPlayer, Transcript
from edgevoice.tui.threads import spawn
from edgevoice.tui.transcript import TranscriptScreen
from edgevoice.tui.views import short
from edgevoice.tui.widgets.help import Rows
from edgevoice.tui.widgets.search import SearchBar, Wanted
from edgevoice.tui.widgets.sessions import SessionHeading, SessionList

KEYS = "Enter, then Enter opens; Esc leaves"


@dataclass(frozen=True, slots=True)
class Library:
    """What the screen needs of a folder."""

    folder: str
    files: tuple[SessionFile, ...]
    """The newest last."""
    read: Callable[[SessionFile], Contents]
    """Takes as long as it takes, in a thread; says in the contents why there are none."""
    player: Callable[[SessionFile], RecordingPlayer]


class BrowserScreen(SearchingScreen):
    """The list.

    Args:
        library: the folder.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        search_key("sessions in which something was said"),
        SEARCHED,
        Binding("n", "found(1)", "Older", show=False, tooltip="the session below, which is older"),
        Binding("N", "found(-1)", "Newer", show=False, tooltip="the session above, which is newer"),
        Binding("escape", "back", show=False, tooltip="leave the search: all sessions again"),
        Binding("q", "leave", "Quit", tooltip="quit"),
    ]
    PLACES = (SessionList, Wanted)
    MARKS: ClassVar[Rows] = (
        ("…", "not read yet"),
        ("audio", "there is a recording, which Enter plays from any line"),
        ("incomplete", "a part of its file could not be read"),
        ("+3", "other lines in which the same was said"),
    )

    class Read(Message):
        """A session was read."""

        def __init__(self, entry: Entry, contents: Contents, *, to_open: bool = False) -> None:
            super().__init__()
            self.entry, self.contents, self.to_open = entry, contents, to_open

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library
        self._shelf = Shelf(library.files)
        self._left = False
        self._opening: Entry | None = None

    def compose(self) -> ComposeResult:
        """Title, columns, sessions, what there is to say, the search, the keys."""
        yield from self.framed(short(self._library.folder, 400), [SessionHeading(), SessionList()], SearchBar(KEYS))

    def on_mount(self) -> None:
        """Shows what there is, and begins to read it."""
        self.body.focus()
        self._show()
        spawn(self._read_all, "edgevoice-sessions")

    def on_unmount(self) -> None:
        """Nothing needs to be read any more."""
        self._left = True

    @property
    def body(self) -> SessionList:
        """The list."""
        return self.query_one(SessionList)

    @property
    def facts(self) -> Rows:
        """What lies in the folder."""
        read = [entry.contents for entry in self._shelf.entries if entry.contents]
        return (
            ("folder", short(self._library.folder, 400)),
            ("sessions", self._shelf.count),
            ("length", clock(sum(contents.length for contents in read))),
            ("words, intents", f"{sum(each.words for each in read)}, {sum(each.intents for each in read)}"),
        )

    # -- what the keys do

    def look_for(self, wanted: str | None) -> None:
        """Shows the sessions in which this was said."""
        self._shelf.look_for(wanted or "")
        self._show()

    def action_found(self, step: int) -> None:
        """The session below, or with a negative number above."""
        self.body.action_step(step)

    def action_back(self) -> None:
        """All sessions again."""
        self.stop_searching()

    def on_session_list_moved(self, message: SessionList.Moved) -> None:
        """What is beside the cursor is read first."""
        if message.entry:
            self._shelf.near = self._shelf.entries.index(message.entry)
        self._tell_of(message.entry)

    def on_session_list_opened(self, message: SessionList.Opened) -> None:
        """Reads the session anew, for it may be going on, and shows it."""
        if self._opening is None:
            self._opening = message.entry
            self.tell(f"Opening {short(message.entry.file.name, 40)}…")
            spawn(lambda: self._read(message.entry, to_open=True), "edgevoice-session")

    def on_browser_screen_read(self, message: Read) -> None:
        """Shows what is in a session, or the whole of it."""
        self._shelf.put(message.entry, message.contents)
        self._show()
        if message.to_open:
            self._opening = None
            self._open(message.entry, message.contents)
        elif message.entry is self.body.current and self._opening is None:
            self._tell_of(message.entry)

    # -- in threads

    def _read_all(self) -> None:
        while not self._left and (entry := self._shelf.next_unread()):
            self._read(entry)

    def _read(self, entry: Entry, *, to_open: bool = False) -> None:
        contents = self._library.read(entry.file)
        if not self._left:
            self.post_message(self.Read(entry, contents, to_open=to_open))

    # -- drawing

    def _show(self) -> None:
        shelf = self._shelf
        self.body.show(shelf.rows, shelf.wanted)
        self.query_one("#saved-state", Static).update(Content(shelf.count))
        self.query_one(SearchBar).count = shelf.found

    def _tell_of(self, entry: Entry | None) -> None:
        self.tell(said_of(entry) if entry else "")

    def _open(self, entry: Entry, contents: Contents) -> None:
        self._tell_of(entry)
        if contents.problem:
            return
        transcript = Transcript(
            name=entry.file.name,
            contents=contents,
            player=self._library.player(entry.file),
            files=tuple(file.name for file in entry.file.files),
        )
        line = entry.found.line if entry.found else 0
        self.app.push_screen(TranscriptScreen(transcript, wanted=self._shelf.wanted, line=line))
