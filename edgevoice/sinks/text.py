"""Captions as plain text, one line a segment."""

from __future__ import annotations

from collections.abc import Iterable

from edgevoice.events import CaptionFinished
from edgevoice.text import plain


def to_text(captions: Iterable[CaptionFinished], *, labelled: bool = False) -> str:
    """The text of the captions, each on its own line, and on another after a pause; segments without words are left
    out.

    Args:
        captions: in the order of their lines.
        labelled: whether each line says whose words they are.
    """
    lines = ((caption.channel, plain(line).strip()) for caption in captions for line in caption.text.splitlines())
    return "".join(f"{plain(who)}: {line}\n" if labelled else f"{line}\n" for who, line in lines if line)
