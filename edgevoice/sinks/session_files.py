"""Saves a session while it happens, as text, subtitles and events: after every final, and after every caption that is
put right, each file is complete and valid, whatever ends the process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence

from edgevoice.errors import EdgeVoiceError
from edgevoice.events import (
    PASSING,
    CaptionFinished,
    CaptionRevised,
    Event,
    Failed,
    IntentDetected,
    Recovered,
    StreamEnded,
    StreamStarted,
    to_json,
)
from edgevoice.files import new_file, way_out, why
from edgevoice.session import EVENTS, Session
from edgevoice.sinks.conversation import Block, Conversation, Entry
from edgevoice.sinks.growing import GrowingFile
from edgevoice.sinks.subtitles import VTT_HEAD, srt_blocks, vtt_blocks
from edgevoice.sinks.text import text_blocks
from edgevoice.text import clock, plain

SETTLED_FROM = 400
"""Finals and intents from which on the older half is settled: nothing that is said now belongs before it."""
OPEN_AT_MOST = 2_000
"""Finals and intents from which on it is settled although second readings have not come that far, two hours of talk:
one that comes later still is in the events alone."""
WAITING = 2_000
"""Finals that are kept for a disk without room, about three hours of talk; what is said after them is lost."""
_CAPTIONS = (CaptionFinished, CaptionRevised)
_KEPT = (StreamStarted, *_CAPTIONS, IntentDetected)
"""Events that change more than the list of events."""


class SessionFiles:
    """A sink that writes the files of a session.

    Args:
        session: where.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._conversation = Conversation()
        self._events = _EventFile()
        self._texts = (
            _TextFile("txt", lambda entries, _: text_blocks(entries, timed=True)),
            _TextFile("srt", lambda entries, before: srt_blocks(entries, before + 1)),
            _TextFile("vtt", lambda entries, _: vtt_blocks(entries), VTT_HEAD),
        )
        self._failed: Failed | None = None
        self._waiting = self._missing = 0
        """Finals that are not in all files: for now, and for good."""
        self._lacking: list[str] = []
        """The kinds of files in which they are not."""
        self._last = Event(channel="", at=0.0)

    @property
    def mark(self) -> str:
        """What the screen shows meanwhile."""
        return "" if self._failed else "saving"

    @property
    def files(self) -> str:
        """Where they are; empty before the first."""
        return self._session.files

    def write(self, event: Event) -> Iterable[Event]:
        """Saves an event; one that only matters while it is new is left out."""
        if isinstance(event, PASSING):
            return ()
        self._last = event
        is_final = isinstance(event, CaptionFinished)
        if self._failed and self._waiting >= WAITING:
            self._missing += is_final
        else:
            self._waiting += is_final
            self._events.add(event)
            self._conversation.add(event)
        if isinstance(event, Failed):  # what is said in answer to one is not heard, so it is saved with the next event
            return ()
        if self._failed:  # a disk without room is not asked at every sound
            return self._save(texts=True) if isinstance(event, (*_CAPTIONS, StreamEnded)) else ()
        return self._save(texts=isinstance(event, _KEPT))

    def close(self) -> Iterable[Event]:
        """Saves what waits, and says what never was."""
        said = self._save(texts=True) if self._last.channel else []
        for file in (self._events, *self._texts):
            with contextlib.suppress(OSError):  # what could not be written was said
                file.close()
        if self._failed:
            said.append(self._lost())
        return said

    def _save(self, *, texts: bool) -> list[Event]:
        removed, lost = self._put_back()
        failures = self._written(texts=texts or removed) | lost
        self._lacking = list(failures)
        if failures and self._failed:
            return []
        if failures:
            self._failed = self._said(*next(iter(failures.values())))
            return [self._failed]
        said: list[Event] = [self._recovered(self._failed)] if self._failed else []
        if removed and not said:
            what = f"Files of the session in '{plain(str(self._session.folder))}' were removed while it is saved"
            said.append(self._said(what, "They are made again, with all that was in them"))
        self._failed, self._waiting, self._missing = None, 0, 0
        self._settle()
        return said

    def _put_back(self) -> tuple[bool, dict[str, tuple[str, str]]]:
        """Makes files again that were removed; gives whether there were any, and by kind what is to be said of those
        that could not be, and the way out."""
        removed, failures = False, {}
        for file in (self._events, *self._texts):
            try:
                removed = file.put_back() or removed
            except OSError as error:
                what = f"The file {self._place(file.kind)} was removed and cannot be made again ({why(error)})"
                failures[file.kind] = what, f"Captions go on; {way_out(error)}, and it comes back with the next ones"
        return removed, failures

    def _written(self, *, texts: bool) -> dict[str, tuple[str, str]]:
        """Brings the files up to date; gives by kind what is to be said of those that could not be, and the way out."""
        failures = {}
        for file in (self._events, *self._texts) if texts else (self._events,):
            try:
                file.write(self._session, self._conversation.entries)
            except OSError as error:
                since = f"what is said from {clock(self._last.at)} on is not saved"
                what = f"The file {self._place(file.kind)} cannot be written ({why(error)}): {since}"
                remedy = f"Captions go on; {way_out(error)}, and those that wait are saved with the next ones"
                failures[file.kind] = what, remedy
        return failures

    def _place(self, *kinds: str) -> str:
        shown = ", ".join(f"'.{kind}'" for kind in kinds)
        return f"{shown} in the folder '{plain(str(self._session.folder))}'"

    def _lost(self) -> Failed:
        """What was never saved, and which files have it all the same."""
        whole = [file.kind for file in (self._events, *self._texts) if file.kind not in self._lacking]
        what = f"{_finals(self._waiting + self._missing)} could not be saved in {self._place(*self._lacking)}"
        remedy = "They are in no file; what was said before them is"
        if whole:
            remedy = f"Look into {self._place(*whole)}" + (f", which lacks {self._missing}" if self._missing else "")
        return self._said(what, remedy)

    def _said(self, what: str, remedy: str) -> Failed:
        cleaned = EdgeVoiceError(what, remedy)
        return Failed(
            channel=self._last.channel, at=self._last.at, what=cleaned.what, recoverable=True, remedy=cleaned.remedy
        )

    def _recovered(self, failed: Failed) -> Recovered:
        waited = f"{_finals(self._waiting)} that had to wait {'is' if self._waiting == 1 else 'are'} saved"
        missing = f"{_finals(self._missing)} missing" if self._missing else "none is missing"
        where = plain(str(self._session.folder))
        now = f"The files in '{where}' are written again: {waited}, {missing}"
        return Recovered(channel=self._last.channel, at=self._last.at, what=failed.what, now=now)

    def _settle(self) -> None:
        if len(self._conversation.entries) > SETTLED_FROM:
            settled = self._conversation.settle(SETTLED_FROM // 2, OPEN_AT_MOST)
            for text in self._texts:
                text.settle(settled)


def _finals(count: int) -> str:
    return f"{count} caption" if count == 1 else f"{count} captions"


class _File:
    """One of the files, made when there is something to write.

    Args:
        kind: ends its name.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._file: GrowingFile | None = None

    def put_back(self) -> bool:
        """Makes it again if it was removed; whether it was.

        Raises:
            OSError: it cannot be made again.
        """
        return self._file is not None and self._file.put_back()

    def close(self) -> None:
        """Closes it.

        Raises:
            OSError: it cannot be brought onto the disk.
        """
        if self._file:
            self._file.close()


class _EventFile(_File):
    """All events, one JSON object a line, as `edgevoice transcribe --format jsonl` writes them."""

    def __init__(self) -> None:
        super().__init__(EVENTS)
        self._waiting: list[bytes] = []

    def add(self, event: Event) -> None:
        """Takes an event to be written."""
        self._waiting.append(to_json(event).encode("utf-8", "replace") + b"\n")

    def write(self, session: Session, _entries: Sequence[Entry]) -> None:
        """Writes what waits.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is None:
            # the session made this file to take its name
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            path = session.file(self.kind)
            self._file = GrowingFile(path, os.open(path, flags, 0o666))
        self._file.put(self._waiting)
        self._file.settle(len(self._waiting))
        self._waiting = []


class _TextFile(_File):
    """Finals and intents in one format.

    Args:
        kind: ends the file's name.
        blocks: gives the blocks of entries, and is told how many are settled before them.
        head: what the file begins with.
    """

    def __init__(self, kind: str, blocks: Callable[[Sequence[Entry], int], list[Block]], head: str = "") -> None:
        super().__init__(kind)
        self._make, self._head = blocks, head.encode()
        self._before = 0

    def write(self, session: Session, entries: Sequence[Entry]) -> None:
        """Brings the file up to date.

        Raises:
            OSError: it cannot be written.
        """
        if self._file is None:
            path = session.file(self.kind)
            self._file = GrowingFile(path, new_file(path), self._head)
        blocks = self._make(entries, self._before)
        self._file.put([block.text.encode("utf-8", "replace") for block in blocks])

    def settle(self, entries: Sequence[Entry]) -> None:
        """These, the oldest, will not change any more."""
        count = len(self._make(entries, 0))
        if self._file:
            self._file.settle(count)
        self._before += count
