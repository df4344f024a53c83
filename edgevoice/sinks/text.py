"""Captions as plain text, one line a segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgevoice.events import Event, IntentDetected
from edgevoice.sinks.conversation import Block, Conversation, Entry, milliseconds


def to_text(heard: Iterable[Event], *, labelled: bool | None = None) -> str:
    """The text of the captions, each on its own line, and on another after a pause; segments without words are left
    out. Intents follow their words in brackets.

    Args:
        heard: events, of which finals and intents are used.
        labelled: whether lines say whose words they are; by default where there are several channels.
    """
    return "".join(block.text for block in text_blocks(Conversation.of(heard, labelled=labelled).entries))


def text_blocks(entries: Sequence[Entry]) -> list[Block]:
    """The lines of a text file, in one block for each final and each intent."""
    return [Block(milliseconds(entry.start), text) for entry in entries if (text := _lines(entry))]


def _lines(entry: Entry) -> str:
    prefix = f"{entry.speaker}: " if entry.speaker else ""
    is_intent = isinstance(entry.event, IntentDetected)
    return "".join(f"[{prefix}{line}]\n" if is_intent else f"{prefix}{line}\n" for line in entry.lines)
