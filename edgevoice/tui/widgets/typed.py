"""A line of text that is typed or pasted."""

from __future__ import annotations

from textual.widgets import Input

from edgevoice.text import plain


class PlainInput(Input):
    """What is typed or pasted, as plain text."""

    def insert(self, text: str, index: int) -> None:
        """Leaves out what a terminal would take for a command."""
        super().insert(plain(text), index)

    def replace(self, text: str, start: int, end: int) -> None:
        """Leaves out what a terminal would take for a command."""
        super().replace(plain(text), start, end)
