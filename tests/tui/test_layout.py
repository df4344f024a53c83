"""How the rows of the captions are shared."""

from __future__ import annotations

import pytest

from edgevoice.tui.layout import Shape, grown_rows


@pytest.mark.parametrize(
    ("height", "needs", "said", "rows"),
    [
        (7, [1], 1, [1]),  # little is said: nothing moves
        (20, [2], 1, [5]),
        (7, [5], 1, [5]),  # empty rows are taken
        (7, [9], 1, [6]),
        (7, [9], 30, [3]),  # half of a full pane
        (40, [12], 200, [12]),
        (40, [30], 200, [20]),
        (20, [1, 9], 200, [3, 7]),  # who says nothing keeps its place
        (20, [9, 9], 200, [5, 5]),
        (6, [0, 4], 1, [1, 4]),
        (1, [9], 9, [1]),
    ],
)
def test_what_is_said_takes_empty_rows_and_else_half(height: int, needs: list[int], said: int, rows: list[int]) -> None:
    assert grown_rows(height, needs, said, Shape()) == rows
