"""The sessions in a folder, as their files tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.events import CaptionFinished, Event, IntentDetected
from edgevoice.files import why
from edgevoice.saved_events import Unread, read_events
from edgevoice.session import EVENTS, RECORDING, started_at
from edgevoice.text import plain

_TRIED = 20
"""Lines without an event after which a file counts as somebody else's."""


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
    try:
        files = sorted(folder.iterdir())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"There are no sessions in '{plain(str(folder))}' ({why(error)})",
            "Name the folder that --save was given",
        ) from None
    found = (_session(file, files) for file in files if file.suffix == f".{EVENTS}" and file.is_file())
    return sorted((session for session in found if session), key=lambda session: (session.started, session.name))


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


def _session(file: Path, files: list[Path]) -> SavedSession | None:
    length, words, intents, seen = 0.0, 0, set(), False
    try:
        with file.open("rb") as stream:
            for number, item in enumerate(read_events(stream)):
                if isinstance(item, Unread):
                    if not seen and number >= _TRIED:
                        return None
                    continue
                seen = True
                length = max(length, item.at)
                if isinstance(item, CaptionFinished):
                    words += len(item.words) or len(item.text.split())
                elif isinstance(item, IntentDetected):
                    intents.add((item.channel, item.segment, item.label))
        written = datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    except OSError:
        return None
    if not seen:
        return None
    name = file.name.removesuffix(f".{EVENTS}")
    return SavedSession(
        name=name,
        started=started_at(name) or written - timedelta(seconds=min(length, 1e9)),
        length=length,
        words=words,
        intents=len(intents),
        files=tuple(each for each in files if each.name.startswith(f"{name}.")),
    )
