"""One setting changed in the file of settings, or taken out of it: what 'config set' and the screen's settings do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevoice.config_file import default, field_types, parsed_toml, read_text, setting_from_text, type_of
from edgevoice.config_values import is_section, item_type
from edgevoice.errors import UsageError
from edgevoice.paths import config_file
from edgevoice.text import plain


def written(name: str, text: str) -> Any:
    """Writes a setting into the file, which is made if there is none, and gives its value.

    Args:
        name: dotted.
        text: the value as it is typed, text without quotation marks.

    Raises:
        ConfigError: there is none of that name, it cannot be this, or the file cannot be read, changed or written.
        UsageError: it is an array of tables.
    """
    from edgevoice.config_edit import with_value, write_whole  # tomlkit, which no start has to wait for

    if is_section(item_type(type_of(name))):
        raise UsageError(f"'{name}' is an array of tables, and no single value", in_an_editor())
    wanted = setting_from_text(name, text)
    file = config_file()
    before = (read_text(file) or "") if _is_there(file) else ""
    parsed_toml(before, file)
    write_whole(file, with_value(before, name, wanted))
    return wanted


def removed(name: str) -> bool:
    """Takes a key out of the file, so that its default holds again; gives whether it was in it.

    Raises:
        ConfigError: the file cannot be read, changed or written.
    """
    from edgevoice.config_edit import without, write_whole

    file = config_file()
    text = read_text(file) or ""
    parsed_toml(text, file)
    try:
        changed = without(text, name, default(name) if name in field_types() else None)
    except KeyError:
        return False
    write_whole(file, changed)
    return True


def in_an_editor() -> str:
    """The way out where a value is more than a line."""
    return f"Write it in an editor: {plain(str(config_file()))}"


def _is_there(file: Path) -> bool:
    """Whether there is a file; one that nobody may look at is, and reading it says why it cannot be read."""
    try:
        return file.exists()
    except OSError:
        return True
