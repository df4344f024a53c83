"""Captions as plain text, one line a segment."""

from __future__ import annotations

from collections.abc import Iterable

from edgevoice.events import CaptionFinished
from edgevoice.text import plain


def to_text(captions: Iterable[CaptionFinished]) -> str:
    """The text of the captions, each on its own line; segments without words are left out."""
    return "".join(f"{line}\n" for line in (plain(caption.text).strip() for caption in captions) if line)
