"""The three looks: calm dark, calm light, and high contrast. Every colour of text is at least 4.5:1 on its ground."""

from __future__ import annotations

from textual.theme import Theme


def _variables(*, muted: str, tentative: str, faint: str, raised: str, ink: str) -> dict[str, str]:
    return {
        "muted": muted,  # times, names, units
        "tentative": tentative,  # words that may still change
        "faint": faint,  # rules; carries no text
        "raised": raised,  # the empty part of bars, cards with no news
        "ink": ink,  # text on coloured ground
        "footer-description-foreground": muted,
        "scrollbar": faint,
        "scrollbar-background": raised,
        "scrollbar-background-hover": raised,
        "scrollbar-background-active": raised,
    }


DARK = Theme(
    name="edgevoice-dark",
    dark=True,
    background="#10141b",
    surface="#151b24",
    panel="#1a212c",
    foreground="#e8ecf2",
    primary="#8fb8f6",
    secondary="#9aa8bd",
    accent="#7bd3c0",
    success="#8ed49a",
    warning="#f0c27b",
    error="#ff9a94",
    variables=_variables(muted="#93a1b5", tentative="#a8b4c6", faint="#364152", raised="#222c39", ink="#10141b"),
)
LIGHT = Theme(
    name="edgevoice-light",
    dark=False,
    background="#fbfaf6",
    surface="#f4f2ec",
    panel="#ece9e1",
    foreground="#1b2027",
    primary="#1d559f",
    secondary="#55606d",
    accent="#0c665d",
    success="#1d6638",
    warning="#7d5200",
    error="#a8221b",
    variables=_variables(muted="#59636f", tentative="#4a5562", faint="#d3cfc4", raised="#e2ddd1", ink="#fbfaf6"),
)
CONTRAST = Theme(
    name="edgevoice-contrast",
    dark=True,
    background="#000000",
    surface="#000000",
    panel="#000000",
    foreground="#ffffff",
    primary="#00ffff",
    secondary="#ffffff",
    accent="#ffff00",
    success="#00ff66",
    warning="#ffff00",
    error="#ffb0b0",
    variables=_variables(muted="#e0e0e0", tentative="#00ffff", faint="#8a8a8a", raised="#303030", ink="#000000"),
)
THEMES = (DARK, LIGHT, CONTRAST)


def theme_called(name: str) -> Theme:
    """The theme of that name in the settings: "dark", "light" or "contrast"."""
    return next(theme for theme in THEMES if theme.name == f"edgevoice-{name}")


def following(name: str) -> str:
    """The theme after this one, round and round."""
    names = [theme.name for theme in THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
