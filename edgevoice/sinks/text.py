"""Captions as plain text, one line a segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgevoice.events import Event, IntentDetected
from edgevoice.sinks.conversation import Block, Conversation, Entry, milliseconds
from edgevoice.text import clock


def to_text(heard: Iterable[Event], *, labelled: bool | None = None, timed: bool = False) -> str:
    """The text of the captions, each on its own line, and on another after a pause; segments without words are left
    out. Intents follow their words in brackets.

    Args:
        heard: events, of which finals and intents are used.
        labelled: whether lines say whose words they are; by default where there are several channels.
        timed: whether the first line of each says when that was.
    """
    entries = Conversation.of(heard, labelled=labelled).entries
    return "".join(block.text for block in text_blocks(entries, timed=timed))


def text_blocks(entries: Sequence[Entry], *, timed: bool = False) -> list[Block]:
    """The lines of a text file, in one block for each final and each intent."""
    return [Block(milliseconds(entry.start), text) for entry in entries if (text := _lines(entry, timed=timed))]


def _lines(entry: Entry, *, timed: bool) -> str:
    prefix = f"{entry.speaker}: " if entry.speaker else ""
    is_intent = isinstance(entry.event, IntentDetected)
    time = f"{clock(entry.start)}  " if timed else ""
    times = [time, *[" " * len(time)] * len(entry.lines)]
    lines = [f"[{prefix}{line}]" if is_intent else f"{prefix}{line}" for line in entry.lines]
    return "".join(f"{when}{line}\n" for when, line in zip(times, lines, strict=False))
