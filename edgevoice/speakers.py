"""Whose words they are, as a reader says it."""

from __future__ import annotations

from edgevoice.text import plain

NAMES = {"mic": "you", "call": "them"}
"""The two sides of a call; other channels keep their own name."""
LONGEST = 16


def speaker(channel: str) -> str:
    """The name of a channel beside its captions: "you" for the microphone, "them" for the other side of a call."""
    return NAMES.get(channel) or plain(channel).strip()[:LONGEST]
