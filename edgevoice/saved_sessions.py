"""The sessions in a folder, as their files tell."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from edgevoice.captions import Captions
from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.events import CaptionFinished, CaptionRevised, Event, IntentDetected, StreamStarted
from edgevoice.files import why
from edgevoice.saved_events import Unread, read_events
from edgevoice.session import EVENTS, RECORDING, started_at
from edgevoice.text import plain

TRIED = 20
"""Lines without an event after which a file counts as somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFile:
    """What is known of a session without reading it."""

    name: str
    events: Path
    written: datetime
    """Local time: when something was last written to it."""
    files: tuple[Path, ...] = field(default=())
    """All of them, the events among them."""

    @property
    def named(self) -> bool:
        """Whether it is named as sessions are; others may be anything."""
        return started_at(self.name) is not None

    @property
    def started(self) -> datetime:
        """Local time, by its name; of files that were renamed, by when they were last written."""
        return started_at(self.name) or self.written

    @property
    def recordings(self) -> tuple[Path, ...]:
        """The audio, a file for each channel."""
        return tuple(file for file in self.files if file.name.endswith(RECORDING))


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSession:
    """What is known of a session at a glance."""

    name: str
    started: datetime
    """Local time, by its name; of files that were renamed, by when they were last written."""
    length: float
    """Seconds."""
    words: int
    intents: int
    files: tuple[Path, ...] = field(default=())
    """All of them, the events among them."""

    @property
    def recordings(self) -> tuple[Path, ...]:
        """The audio, a file for each channel."""
        return tuple(file for file in self.files if file.name.endswith(RECORDING))


def find_sessions(folder: Path) -> list[SavedSession]:
    """The sessions in a folder, the newest last; files of others are passed over.

    Raises:
        UsageError: there is no such folder.
    """
    found = (_session(file) for file in session_files(folder))
    return sorted((session for session in found if session), key=lambda session: (session.started, session.name))


def session_files(folder: Path) -> list[SessionFile]:
    """The files that may be sessions, the newest last. None of them is read, so that it is quick.

    Raises:
        UsageError: there is no such folder.
    """
    try:
        files = sorted(folder.iterdir(), key=lambda file: file.name)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"There are no sessions in '{plain(str(folder))}' ({why(error)})",
            "Name the folder that --save was given",
        ) from None
    names = [file.name for file in files]
    found = (session_file(file, _beside(file, files, names)) for file in files if file.suffix == f".{EVENTS}")
    return sorted((file for file in found if file), key=lambda file: (file.started, file.name))


def session_file(events: Path, files: tuple[Path, ...] = ()) -> SessionFile | None:
    """What is known of a session by its file of events; None if that is no file.

    Args:
        events: what ends in .jsonl.
        files: all files of that session; without them, there is no recording.
    """
    try:
        if not events.is_file():
            return None
        written = datetime.fromtimestamp(events.stat().st_mtime).astimezone()
    except (OSError, OverflowError, ValueError):  # a time may be one that no calendar has
        return None
    return SessionFile(name=events.name.removesuffix(f".{EVENTS}"), events=events, written=written, files=files)


class Tally:
    """What a session comes to, while its events pass."""

    def __init__(self) -> None:
        self.events = 0
        self.length = 0.0
        """Seconds."""
        self.words = 0
        """Of captions as they stand."""
        self.channels: list[str] = []
        """Those that were heard, in the order in which they were."""
        self._captions = Captions()
        self._intents: set[tuple[str, int, str]] = set()

    @property
    def intents(self) -> int:
        """Those that were announced; early and final are one."""
        return len(self._intents)

    def add(self, event: Event) -> None:
        """Counts an event."""
        self.events += 1
        if math.isfinite(event.at):
            self.length = max(self.length, event.at)
        spoke = isinstance(event, StreamStarted | CaptionFinished | CaptionRevised)
        if spoke and event.channel not in self.channels:
            self.channels.append(event.channel)
        if isinstance(event, IntentDetected):
            self._intents.add((event.channel, event.segment, event.label))
        change = self._captions.take(event)
        if change:
            self.words += _words(change.now) - _words(change.before)


def _words(caption: CaptionFinished | None) -> int:
    return len(caption.words) or len(caption.text.split()) if caption else 0


def session_events(file: Path) -> Iterator[Event]:
    """The events of a session, as far as they can be read.

    Raises:
        EdgeVoiceError: the file cannot be read.
    """
    try:
        with file.open("rb") as stream:
            for item in read_events(stream):
                if not isinstance(item, Unread):
                    yield item
    except (OSError, ValueError) as error:
        raise EdgeVoiceError(
            f"'{plain(str(file))}' cannot be read ({why(error)})", "See 'edgevoice sessions'"
        ) from None


def _beside(events: Path, files: list[Path], names: list[str]) -> tuple[Path, ...]:
    """The files of a session; they follow each other in the order of names."""
    start = events.name.removesuffix(EVENTS)
    first = bisect.bisect_left(names, start)
    count = 0
    while first + count < len(names) and names[first + count].startswith(start):
        count += 1
    return tuple(files[first : first + count])


def _session(found: SessionFile) -> SavedSession | None:
    tally = Tally()
    try:
        with found.events.open("rb") as stream:
            for number, item in enumerate(read_events(stream)):
                if not isinstance(item, Unread):
                    tally.add(item)
                elif not tally.events and number >= TRIED:
                    return None
    except OSError:
        return None
    if not tally.events:
        return None
    return SavedSession(
        name=found.name,
        started=started_at(found.name) or found.written - timedelta(seconds=min(tally.length, 1e9)),
        length=tally.length,
        words=tally.words,
        intents=tally.intents,
        files=found.files,
    )
