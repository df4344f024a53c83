"""Captions as plain text, one line a segment."""

from __future__ import annotations

from collections.abc import Iterable

from edgevoice.events import CaptionFinished
from edgevoice.text import plain


def to_text(captions: Iterable[CaptionFinished]) -> str:
    """The text of the captions, each on its own line, and on another after a pause; segments without words are left
    out."""
    lines = (plain(line).strip() for caption in captions for line in caption.text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)
