"""The list of saved sessions: what is known of them so far, in which of them something was said, and how they stand in
columns. No Textual in here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from edgevoice.saved_sessions import SessionFile
from edgevoice.text import clock, plain
from edgevoice.tui.search import folded, places
from edgevoice.tui.spoken import Contents
from edgevoice.tui.views import CaptionLine

NARROW = 64
"""Cells below which a session takes two lines."""
UNREAD = "…"
_INCOMPLETE = "incomplete"
_JOINER = "\u200d"  # it would swallow what we put beside it
_LENGTH, _WORDS, _INTENTS, _AUDIO, _SPEAKERS = 10, 9, 9, 7, 14
"""Cells of the columns behind the name, the gaps before them included; the last is at least so wide."""
_NUMBERS = _LENGTH + _WORDS + _INTENTS + _AUDIO
_LONGEST_NAME = 48
_DATE = len("  2026-03-01 14:05")

Line = list[tuple[str, str]]
"""Texts, each with the look it has: "name", "text", "muted", "problem" or "match"."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where something was said in a session."""

    line: int
    more: int
    """Other lines with it."""


@dataclass(slots=True, eq=False)
class Entry:
    """A session of the list."""

    file: SessionFile
    contents: Contents | None = None
    """None until it was read."""
    found: Found | None = None
    """Where the text is that is looked for."""


class Shelf:
    """The sessions of a folder, the newest first.

    Args:
        files: the newest last.
    """

    def __init__(self, files: Sequence[SessionFile]) -> None:
        self.entries = [Entry(file) for file in reversed(files)]
        self.wanted = ""
        self.near = 0
        """Which of the entries is looked at: those beside it are read first."""
        self._unread = list(range(len(self.entries)))  # of the thread that reads

    @property
    def rows(self) -> list[Entry]:
        """What is on show: all sessions, or those in which something was said. What may be somebody else's file is
        not, until it was read."""
        return [entry for entry in self.entries if self._is_on_show(entry)]

    @property
    def read(self) -> int:
        """How many were read."""
        return sum(entry.contents is not None for entry in self.entries)

    @property
    def count(self) -> str:
        """How many there are, in words."""
        known = sum(_is_session(entry) for entry in self.entries)
        all_ = f"{known} session{'' if known == 1 else 's'}"
        return all_ if self.read == len(self.entries) else f"{all_}, {self.read} read"

    @property
    def found(self) -> str:
        """In how many something was said, in words."""
        if not self.wanted:
            return ""
        found = sum(entry.found is not None for entry in self.entries)
        so_far = "" if self.read == len(self.entries) else " so far"
        return f"in {found}{so_far}" if found or so_far else "not found"

    def next_unread(self) -> Entry | None:
        """What to read next: the nearest to the one looked at. For one thread, whichever."""
        if not self._unread:
            return None
        near = self.near
        number = min(self._unread, key=lambda each: abs(each - near))
        self._unread.remove(number)
        return self.entries[number]

    def put(self, entry: Entry, contents: Contents) -> None:
        """It was read."""
        entry.contents = contents
        entry.found = found_in(contents, self._needle)

    def look_for(self, wanted: str) -> None:
        """Shows sessions in which this was said; all of them, if it is nothing."""
        self.wanted = wanted.strip()
        needle = self._needle
        for entry in self.entries:
            entry.found = found_in(entry.contents, needle) if entry.contents else None

    @property
    def _needle(self) -> str:
        return folded(plain(self.wanted))

    def _is_on_show(self, entry: Entry) -> bool:
        return entry.found is not None if self.wanted else _is_session(entry)


def found_in(contents: Contents, needle: str) -> Found | None:
    """Where something is said in a session: the first line, and how many others.

    Args:
        contents: the session.
        needle: as `folded` gives it.
    """
    at = contents.folded.find(needle) if needle else -1
    if at < 0:
        return None
    lines = 0
    first = contents.folded.count("\n", 0, at)
    while at >= 0:
        lines += 1
        end = contents.folded.find("\n", at)
        at = contents.folded.find(needle, end) if end >= 0 else -1
    return Found(first, lines - 1)


def said_of(entry: Entry) -> str:
    """What is to be known of a session besides its row; mostly nothing."""
    contents = entry.contents or Contents()
    date = "" if entry.file.named else f"{entry.file.started:%Y-%m-%d %H:%M}"
    return ", ".join(filter(None, (date, contents.problem or contents.note)))


def heading(width: int) -> Line:
    """The names of the columns; nothing where there are none."""
    if width < NARROW:
        return []
    numbers = f"{'length':>{_LENGTH}}{'words':>{_WORDS}}{'intents':>{_INTENTS}}{'audio':>{_AUDIO}}  speakers"
    return [(padded("session", _name_width(width)) + numbers, "muted")]


def height(width: int, *, found: bool) -> int:
    """How many lines each session takes.

    Args:
        width: cells.
        found: whether it is shown where something was said.
    """
    return 2 if found or width < NARROW else 1


def lines_of(entry: Entry, wanted: str, width: int) -> list[Line]:
    """A session as it stands in the list, as many lines as `height` says."""
    if width < NARROW:
        below = _found_line(entry, wanted, width) if entry.found else [("  ", "text"), *_details(entry, width - 2)]
        return [_narrow(entry, width), below]
    first = _wide(entry, width)
    return [first, _found_line(entry, wanted, width)] if entry.found else [first]


def _wide(entry: Entry, width: int) -> Line:
    name = _name_width(width)
    contents, room = entry.contents, width - name
    line: Line = [(padded(_name(entry, name), name), "name")]
    if contents is None:
        return [*line, (f"{UNREAD:>{_LENGTH}}{'':{_WORDS + _INTENTS}}{_audio(entry):>{_AUDIO}}", "muted")]
    if contents.problem:
        return [*line, (cut(f"  {plain(contents.problem)}", room), "problem")]
    numbers = f"{_length(contents):>{_LENGTH}}{contents.words:>{_WORDS}}{contents.intents:>{_INTENTS}}"
    line += [(numbers, "text"), (f"{_audio(entry):>{_AUDIO}}  ", "muted")]
    return [*line, *_who(contents, room - _NUMBERS - 2)]


def _narrow(entry: Entry, width: int) -> Line:
    length = _length(entry.contents) if entry.contents and not entry.contents.problem else ""
    room = width - cell_len(length) - bool(length)
    return [(padded(_name(entry, room), room), "name"), (f" {length}" if length else "", "text")]


def _details(entry: Entry, width: int) -> Line:
    """Below the name where there are no columns."""
    contents = entry.contents
    if contents is None:
        return [(UNREAD, "muted")]
    if contents.problem:
        return [(cut(plain(contents.problem), width), "problem")]
    parts = [f"{contents.words} words", f"{contents.intents} intents", "audio" if _audio(entry) else ""]
    counts = cut(", ".join(filter(None, parts)), width - (len(_INCOMPLETE) + 2 if contents.damaged else 0))
    who = _who(contents, width - cell_len(counts) - 2)
    return [(counts, "muted"), ("  " if who else "", "text"), *who]


def _who(contents: Contents, width: int) -> Line:
    """Who spoke, and whether something is missing."""
    marked = _INCOMPLETE if contents.damaged else ""
    who = cut(", ".join(map(plain, contents.speakers)), max(0, width - len(marked) - 2 if marked else width))
    gap = "  " if who and marked else ""
    return [(text, look) for text, look in ((who, "text"), (gap, "text"), (marked, "problem")) if text]


def _found_line(entry: Entry, wanted: str, width: int) -> Line:
    """Where something was said: when, by whom, what, and how often besides."""
    if entry.found is None or entry.contents is None:
        return []
    caption = entry.contents.captions[entry.found.line]
    more = f"  +{entry.found.more}" if entry.found.more else ""
    time = cut(f"  {clock(caption.start)}  ", width // 3)
    who = cut(f"{caption.channel}: ", width // 3) if caption.channel else ""
    room = width - cell_len(time) - cell_len(who) - len(more)
    return [(time, "muted"), (who, "name"), *_excerpt(caption, wanted, room), (more, "muted")]


def _excerpt(caption: CaptionLine, wanted: str, width: int) -> Iterator[tuple[str, str]]:
    start, end = next(places(plain(wanted), caption.text), (0, 0))
    before, match, after = excerpt(caption.text, start, end, width)
    return iter([(before, "text"), (match, "match"), (after, "text")])


def excerpt(text: str, start: int, end: int, width: int) -> tuple[str, str, str]:
    """As much of a text as fits, with a place in it: what is before it, the place itself, and what is behind."""
    match = cut(text[start:end], width)
    room = width - cell_len(match)
    before, after = text[:start], text[end:]
    # what is before may take a third, or whatever is not needed behind
    before = _last(before, max(room // 3, room - cell_len(after)))
    return before, match, cut(after, room - cell_len(before))


def cut(text: str, width: int) -> str:
    """A text in at most so many cells, with an ellipsis where something is missing."""
    text = text.strip(_JOINER)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip(f" {_JOINER}") + "…" if width > 0 else ""


def padded(text: str, width: int) -> str:
    """The same, in exactly so many."""
    return set_cell_size(cut(text, width), max(0, width))


def _last(text: str, width: int) -> str:
    """The end of a text, likewise."""
    if cell_len(text) <= width:
        return text
    end = text[-4 * max(1, width) :].lstrip(_JOINER)  # no cell has more characters, or else they are not seen
    while end and cell_len(end) >= width:
        end = end[1:].lstrip(_JOINER)  # before it is measured: it would make what follows narrower
    return f"…{end}" if width > 0 else ""


def _name(entry: Entry, width: int) -> str:
    """What a session is called; with its date, where that is not the same."""
    name = plain(entry.file.name)
    if entry.file.named or width <= 2 * _DATE:
        return cut(name, width - 1)
    return f"{cut(name, width - 1 - _DATE)}  {entry.file.started:%Y-%m-%d %H:%M}"


def _name_width(width: int) -> int:
    return min(_LONGEST_NAME, width - _NUMBERS - _SPEAKERS)


def _length(contents: Contents) -> str:
    return cut(clock(round(contents.length)), _LENGTH - 1)


def _audio(entry: Entry) -> str:
    return "yes" if entry.file.recordings else ""


def _is_session(entry: Entry) -> bool:
    return entry.file.named if entry.contents is None else not entry.contents.foreign
