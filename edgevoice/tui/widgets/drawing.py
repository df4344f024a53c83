"""Small helpers to draw with characters; no widget in here."""

from __future__ import annotations

from rich.cells import set_cell_size
from textual.content import Content

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A bar of `width` cells filled to a share of 0 to 1, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)[:width]


def marked_bar(share: float, mark: float | None, width: int) -> str:
    """A bar as above on a thin rule, with an upright line where the mark is, also a share of 0 to 1."""
    cells = list(bar(share, width).replace(" ", "─"))
    if mark is not None and cells:
        cells[min(len(cells) - 1, int(max(0.0, min(1.0, mark)) * len(cells)))] = "┃"
    return "".join(cells)


def line(share: float, width: int) -> str:
    """A thin line filled to a share of 0 to 1 of `width` cells, to half a cell; no longer than what is filled."""
    halves = round(max(0.0, min(1.0, share)) * width * 2)
    return "━" * (halves // 2) + ("╸" if halves % 2 else "")


def percent(share: float) -> str:
    """A share of 0 to 1 as "87 %"."""
    return f"{round(max(0.0, min(1.0, share)) * 100)} %"


def cell(text: str, width: int) -> str:
    """A name in so many cells, the last of them empty."""
    return set_cell_size(set_cell_size(text, width - 1), width)


def wrap(content: Content, width: int) -> list[Content]:
    """Lines of at most `width` cells, broken between words and, where a word is longer than a line, within it."""
    return [line.rstrip() for line in content.wrap(max(2, width))]


def fit(text: str, width: int) -> Content:
    """Text cut to a width, with an ellipsis where something is missing."""
    return Content(text).truncate(max(1, width), ellipsis=True)
