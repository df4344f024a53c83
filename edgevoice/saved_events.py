"""Reads events that were saved, by this version or a later one, whole or cut off by a power cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edgevoice.events import EVENT_TYPES, Event, from_dict, wire_name
from edgevoice.text import plain

LONGEST_LINE = 4_000_000
"""Bytes. A line of an event is a few thousand; what is longer is no file of events, and must not fill the memory."""
_KNOWN = {wire_name(event_type) for event_type in EVENT_TYPES}


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that holds no event which this version knows."""

    line: int
    """From 1."""
    why: str
    """Goes on from "Line 7"."""
    unknown: str = ""
    """The name of an event of a later version."""


def read_events(stream: BinaryIO) -> Iterator[Event | Unread]:
    """The events on the lines of a file, and the lines that hold none; empty lines are passed over.

    Raises:
        OSError: the file cannot be read any further.
    """
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        whole = line.endswith(b"\n")
        if len(line) >= LONGEST_LINE and not whole:
            yield Unread(number, "is too long for an event")
            while not whole and (rest := stream.readline(LONGEST_LINE)):
                whole = rest.endswith(b"\n")
        elif line.strip():
            yield _read(line, number, whole=whole)


def _read(line: bytes, number: int, *, whole: bool) -> Event | Unread:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        cut = "breaks off, because whoever wrote it was stopped"
        return Unread(number, "is damaged" if whole else cut)
    if not isinstance(data, dict):
        return Unread(number, "is no event")
    name = data.get("event")
    if isinstance(name, str) and name not in _KNOWN:
        name = plain(name)[:40]
        return Unread(number, f"is an event that this version does not know ('{name}')", name)
    try:
        return from_dict(data, later=True)
    except ValueError as error:
        return Unread(number, f"is damaged ({plain(str(error))[:120]})")
