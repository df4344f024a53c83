"""The keys of the screen, and what the help sheet says of them: it is made from the bindings, so it has them all."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode

APP_KEYS = (
    Binding("space", "pause", "Pause", tooltip="pause, and go on"),
    Binding("q", "quit", "Quit", tooltip="quit; what was said last is still finished"),
    Binding("question_mark", "help", "Help", key_display="?", tooltip="this sheet"),
    Binding(
        "slash",
        "search",
        "Search",
        key_display="/",
        priority=True,  # before other keys are handed out, for the next one belongs to what is looked for
        tooltip="search in the captions",
    ),
    Binding("y", "copy", "Copy", tooltip="copy the caption that is picked or found, or the newest"),
    Binding("l", "large", "Large", tooltip="captions alone in large letters; again for larger ones, if they fit"),
    Binding("d", "devices", "Device", tooltip="another microphone or loudspeaker, with its level; captions go on"),
    Binding("s,comma", "settings", "Settings", key_display="s", tooltip="settings: look them up, find and change them"),
    # out of the footer, for the settings have it too
    Binding("t", "theme", "Theme", show=False, tooltip="theme: dark, light, high contrast"),
    Binding(
        "c",
        "clear",
        "Clear",
        show=False,
        tooltip="clear captions and intents from the screen, not from files of --save",
    ),
    Binding("u", "restore", "Bring back", show=False, tooltip="bring back all that was cleared"),
    Binding("Y", "copy_all", "Copy all", show=False, tooltip="copy all captions, with their times"),
    # the same as for the slash: the next key is no letter any more
    Binding("enter", "searched", show=False, priority=True, tooltip="keep what was found, to look at it with n and N"),
    Binding("n", "found(-1)", "Older match", show=False, tooltip="the match before; it begins at the newest"),
    Binding("N", "found(1)", "Newer match", show=False, tooltip="the match behind"),
    Binding("f", "toggle_follow", "Follow or stay", show=False, tooltip="stay where it is, or follow the newest again"),
    Binding("end", "follow", "Follow", show=False, tooltip="follow the newest again"),
    Binding("i", "rejected", "Rejected intents", show=False, tooltip="intents that were rejected, among the others"),
    Binding(
        "plus,equals_sign",
        "minimum(1)",
        "Stricter",
        show=False,
        tooltip="the intent on show takes a higher score from now on, 99 % at most",
    ),
    Binding(
        "minus",
        "minimum(-1)",
        "Less strict",
        show=False,
        tooltip="it takes a lower score, also one below the model's own",
    ),
    Binding(
        "tab",
        "intents",
        show=False,
        priority=True,  # before the screen, for which it is only the next widget
        tooltip="from the captions to the intents, and back; where it is narrow, one in the place of the other",
    ),
    Binding("escape", "dismiss", show=False, tooltip="leave the search, or what is picked, or hide a message"),
    Binding("ctrl+p", "command_palette", show=False, tooltip="all of this by name"),
    Binding(
        "ctrl+z",
        "suspend_process",
        show=False,
        priority=True,
        tooltip="stop the program; fg goes on, and what was said meanwhile is lost",
    ),
    Binding("ctrl+q,ctrl+c", "quit", show=False, priority=True, tooltip="quit, wherever you are"),
)

_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "comma": ",",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
}
_PLACES = {"History": "", "IntentPane": "intents: ", "Wanted": "search: "}


def name_of(key: str) -> str:
    """A key as it is written on it."""
    if key.startswith("ctrl+"):
        return f"Ctrl+{key[-1].upper()}"
    return _NAMES.get(key, key.capitalize() if len(key) > 1 and key != "space" else key)


def explained(*places: type[DOMNode]) -> tuple[tuple[str, str], ...]:
    """All keys of an app and its widgets, in their order, with what they do."""
    return tuple(row for place in places for row in _rows(place))


def _rows(place: type[DOMNode]) -> Iterator[tuple[str, str]]:
    where = _PLACES.get(place.__name__, "")
    for binding in vars(place)["BINDINGS"]:
        names = ", ".join(name_of(key) for key in binding.key.split(","))
        yield f"{where}{names}", binding.tooltip
