"""Saved sessions as the screen takes them: read, with their players."""

from __future__ import annotations

from pathlib import Path

from edgevoice.audio.player import Player
from edgevoice.events import IntentDetected
from edgevoice.saved_events import Unread, read_events
from edgevoice.saved_sessions import TRIED, SessionFile, Tally, session_files
from edgevoice.sinks.conversation import Conversation
from edgevoice.speakers import speaker
from edgevoice.text import plain
from edgevoice.tui.browser import Library
from edgevoice.tui.spoken import Contents, Transcript, TranscriptLine

_NOTHING = "Nothing in it can be read as a session."


def library_of(folder: Path) -> Library:
    """The sessions of a folder.

    Raises:
        UsageError: there is no such folder.
    """
    return Library(str(folder), tuple(session_files(folder)), contents_of, player_of)


def transcript_of(file: SessionFile) -> Transcript:
    """One session, ready to be shown; its contents say why there is nothing to be read."""
    names = tuple(each.name for each in file.files)
    return Transcript(name=file.name, contents=contents_of(file), player=player_of(file), files=names)


def player_of(file: SessionFile) -> Player:
    """What plays its recordings, if it has any."""
    return Player(file.recordings)


def contents_of(file: SessionFile) -> Contents:
    """What is in a session, as far as it can be read. Never fails: it is called where nobody would hear of it."""
    try:
        return _read(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return Contents(problem=f"It cannot be read ({plain(str(reason))}).")
    except Exception as error:  # noqa: BLE001 - one file, whatever is in it, must not take the others along
        return Contents(problem=f"It cannot be read ({type(error).__name__}).")


def _read(file: SessionFile) -> Contents:
    tally, conversation, damaged = Tally(), Conversation(phrased=False), 0
    with file.events.open("rb") as stream:
        for number, item in enumerate(read_events(stream)):
            if not isinstance(item, Unread):
                tally.add(item)
                conversation.add(item)
            elif not tally.events and number >= TRIED:
                break
            elif not item.unknown:
                damaged += 1
        is_empty = not stream.tell()
    if not tally.events:
        if is_empty and file.named:
            return Contents(problem="Nothing has been written to it yet.")
        return Contents(problem=_NOTHING, foreign=not file.named)
    speakers = tuple(dict.fromkeys(map(speaker, tally.channels)))
    contents = Contents(
        lines=_lines(conversation),
        length=tally.length,
        words=tally.words,
        intents=tally.intents,
        speakers=speakers if len(tally.channels) > 1 else (),
        damaged=damaged,
    )
    _ = contents.folded  # made here and now, in a thread, and not when somebody searches
    return contents


def _lines(conversation: Conversation) -> tuple[TranscriptLine, ...]:
    return tuple(
        TranscriptLine(
            start=entry.start,
            speaker=entry.speaker,
            text=" ".join(entry.lines),
            is_note=isinstance(entry.event, IntentDetected),
        )
        for entry in conversation.entries
        if entry.lines
    )
