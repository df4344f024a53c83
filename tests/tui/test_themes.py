"""Every theme can be read: contrast by WCAG 2.2, success criteria 1.4.3 and 1.4.6."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from edgevoice.tui.themes import CONTRAST, THEMES, following, theme_called

TEXT_ON_GROUND = [
    *[(text, ground) for text in ("foreground", "muted", "accent") for ground in ("background", "surface", "panel")],
    *[(text, "background") for text in ("tentative", "primary", "warning")],
    *[(text, "panel") for text in ("success", "warning")],
    *[("ink", ground) for ground in ("accent", "primary", "warning", "error", "foreground")],
    ("foreground", "raised"),
    ("primary", "surface"),
]


def colour(theme: Theme, name: str) -> Color:
    return Color.parse(theme.variables.get(name) or getattr(theme, name))


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_text_can_be_read(theme: Theme, text: str, ground: str) -> None:
    lightness = sorted(_luminance(colour(theme, name)) for name in (text, ground))
    ratio = (lightness[1] + 0.05) / (lightness[0] + 0.05)
    assert ratio >= (7 if theme is CONTRAST else 4.5), f"{ratio:.2f}"


def test_the_settings_name_them() -> None:
    assert [theme_called(name) for name in ("dark", "light", "contrast")] == list(THEMES)
    assert following("no such theme") == THEMES[0].name


def _luminance(of: Color) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in of.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
