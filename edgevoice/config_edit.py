"""Changes one key in the text of a settings file, and leaves comments, order and everything else as they are.

tomlkit knows where things are, and tomllib has the last word: what comes out must say what went in, but for that key.
"""

from __future__ import annotations

import contextlib
import copy
import re
import secrets
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from edgevoice.config_values import as_toml
from edgevoice.errors import ConfigError
from edgevoice.files import is_special, replace_file, why
from edgevoice.text import plain

_HEADER = re.compile(r"#?\s*\[+\s*([\w.-]+)\s*\]+")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The number of the line on which a key stands, counted from 1; 0 where it cannot be found.

    Args:
        text: TOML.
        path: keys of tables and numbers of items in lists, as they lead to it.
    """
    mark = f"mark-{secrets.token_hex(8)}"
    with contextlib.suppress(TOMLKitError, KeyError, IndexError, TypeError, ValueError):
        document = tomlkit.parse(text)
        owner: Any = document
        for key in path[:-1]:
            owner = owner[key]
        if isinstance(owner[path[-1]], dict):
            return _header_line(text, path)
        owner[path[-1]] = mark  # tomlkit leaves all before it as it is
        before, found, _ = tomlkit.dumps(document).partition(mark)
        return before.count("\n") + 1 if found else 0
    return 0


def with_value(text: str, name: str, value: Any) -> str:
    """The text with a setting set: changed where it stands, in the place of its commented-out default, or added.

    Args:
        text: TOML.
        name: dotted.
        value: as in the settings.

    Raises:
        ConfigError: the text cannot be changed without changing more.
    """
    wanted = _changed(text, name, value)
    for candidate in (_uncommented(text, name, value), _added(text, name, value)):
        if candidate is not None and _says(candidate, wanted):
            return candidate
    raise _beyond_us(name)


def without(text: str, name: str, default: Any = None) -> str:
    """The text without a setting; with a default, that stands in its place, commented out.

    Raises:
        ConfigError: the text cannot be changed without changing more.
        KeyError: the setting is not in it.
    """
    wanted = _changed(text, name, None)
    for candidate in (_commented(text, name, default), _removed(text, name)):
        if candidate is not None and _says(candidate, wanted):
            return candidate
    raise _beyond_us(name)


def write_whole(file: Path, text: str) -> None:
    """Writes a file of settings whole or not at all; the file behind a link, which people keep settings behind.

    Raises:
        ConfigError: it cannot be written, or something is there that is no file.
    """
    if is_special(file):
        what = f"{plain(str(file))} is no regular file, and is not replaced"
        raise ConfigError(what, "Move it away, or name another file with EDGEVOICE_CONFIG")
    try:
        target = file.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600  # a webhook's secret may be among them
        replace_file(target, text.encode(), mode, durable=True)
    except (OSError, RuntimeError, ValueError) as error:
        remedy = "See who owns it, free some space, or name another file with EDGEVOICE_CONFIG"
        raise ConfigError(f"{plain(str(file))} cannot be written ({why(error)})", remedy) from None


def _changed(text: str, name: str, value: Any) -> dict[str, Any]:
    """What the text says, with that setting another one, or with None without it."""
    tables = copy.deepcopy(tomllib.loads(text))
    *sections, key = name.split(".")
    owner: Any = tables
    for section in sections:
        if value is not None:
            owner = owner.setdefault(section, {})
        else:
            owner = owner[section]
        if not isinstance(owner, dict):
            raise ConfigError(f"'{plain(section)}' is no section in this file", "Correct that first")
    if value is None:
        del owner[key]
    else:
        owner[key] = tomllib.loads(f"value = {as_toml(value)}")["value"]
    return tables


def _says(text: str, wanted: dict[str, Any]) -> bool:
    """Whether a text says that; sections with nothing in them say nothing."""
    try:
        return _without_empty(tomllib.loads(text)) == _without_empty(wanted)
    except tomllib.TOMLDecodeError:
        return False


def _without_empty(tables: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tables.items() if value != {}}


def _uncommented(text: str, name: str, value: Any) -> str | None:
    """The first line of the section that holds the key as a comment becomes the key."""
    section, _, key = name.rpartition(".")
    pattern = re.compile(rf"#\s?{re.escape(key)}\s*=")
    lines = text.splitlines(keepends=True)
    for index, line in _lines_of(lines, section):
        if pattern.match(line):
            end = line[len(line.rstrip("\r\n")) :]
            return "".join([*lines[:index], f"{key} = {as_toml(value)}{end}", *lines[index + 1 :]])
    return None


def _commented(text: str, name: str, default: Any) -> str | None:
    """The line of the key becomes its default, as a comment."""
    if default is None:
        return None
    number = line_of(text, name.split("."))
    lines = text.splitlines(keepends=True)
    if not number:
        return None
    line = lines[number - 1]
    end = line[len(line.rstrip("\r\n")) :]
    comment = f"#{name.rpartition('.')[2]} = {as_toml(default)}{end}"
    return "".join([*lines[: number - 1], comment, *lines[number:]])


def _lines_of(lines: Sequence[str], section: str) -> list[tuple[int, str]]:
    """The lines of a section with their indices; a header that is commented out ends one as well."""
    found, current = [], ""
    for index, line in enumerate(lines):
        header = _HEADER.match(line)
        if header:
            current = header[1] if not line.startswith("#") else "#"
        elif current == section:
            found.append((index, line))
    return found


def _added(text: str, name: str, value: Any) -> str:
    document = tomlkit.parse(text)
    *sections, key = name.split(".")
    owner: Any = document
    for section in sections:
        if section not in owner:
            owner[section] = tomlkit.table()
        owner = owner[section]
    owner[key] = tomlkit.parse(f"value = {as_toml(value)}")["value"]
    changed = tomlkit.dumps(document)
    return changed if changed.endswith("\n") else f"{changed}\n"


def _removed(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    *sections, key = name.split(".")
    owner: Any = document
    for section in sections:
        owner = owner[section]
    del owner[key]
    return tomlkit.dumps(document)


def _header_line(text: str, path: Sequence[str | int]) -> int:
    name = ".".join(str(key) for key in path if isinstance(key, str))
    before = sum(key for key in path if isinstance(key, int))
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header and not line.startswith("#") and header[1] == name:
            if before == 0:
                return number
            before -= 1
    return 0


def _beyond_us(name: str) -> ConfigError:
    return ConfigError(
        f"'{plain(name)}' stands in the file in a way that cannot be changed by itself",
        "Change it in an editor; 'edgevoice config path' says where it is",
    )
