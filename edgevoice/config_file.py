"""Reads settings: defaults, then the TOML file, then `EDGEVOICE_*`, then flags; each refuses what it does not know."""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevoice.config import Settings
from edgevoice.config_forms import wanted
from edgevoice.config_values import Named, Place, checked, is_section, item_type, nearest, parsed
from edgevoice.errors import ConfigError
from edgevoice.paths import config_file
from edgevoice.text import plain

PREFIX = "EDGEVOICE_"
ACTION_VARIABLES = tuple(f"{PREFIX}{name}" for name in ("INTENT", "SCORE", "CHANNEL", "WORDS", "SEGMENT", "AT"))
"""What the program of an action finds in its environment; it may be edgevoice itself."""
NOT_SETTINGS = frozenset({"EDGEVOICE_CONFIG", "EDGEVOICE_DEBUG", *ACTION_VARIABLES})
"""Variables with the prefix that are read elsewhere."""
_FLAGS = {"vad.detector": "--vad", "asr.hop_s": "--hop", "serve.address": "--serve", "save.folder": "--save"}
"""Flags that are not called as the setting behind them."""

RANGES: dict[str, tuple[float, float]] = {
    "audio.queue_seconds": (0.5, 3600),
    "vad.aggressiveness": (0, 3),
    "vad.threshold": (0.2, 1),
    "vad.preroll_s": (0, 5),
    "vad.minimum_speech_s": (0.01, 5),
    "vad.hangover_s": (0.05, 10),
    "vad.maximum_s": (1, 60),
    "asr.remote_timeout_s": (0.1, 600),
    "asr.threads": (1, 1024),
    "asr.hop_s": (0.02, 10),
    "asr.beam_width": (1, 1000),
    "asr.language_model_weight": (0, 10),
    "asr.word_bonus": (-10, 10),
    "asr.hotword_weight": (0.01, 20),
    "asr.context_s": (0, 30),
    "captions.pause_s": (0.1, 60),
    "intent.threshold": (0, 1),
    "intent.cooldown_s": (0, 86400),
    "intent.actions_at_once": (1, 64),
    "actions.minimum_score": (0, 1),
    "actions.cooldown_s": (0, 86400),
    "actions.timeout_s": (0.1, 3600),
    "actions.retries": (0, 20),
    "serve.history_s": (0, 86400),
    "files.jobs": (1, 256),
    "screen.line_length": (20, 120),
}
"""Smallest and largest value of each number; outside of them something breaks."""


@dataclass(frozen=True, slots=True)
class Found:
    """The value of a setting, and where it comes from."""

    value: Any
    origin: str
    """"default", "file" or "environment"."""
    where: str = ""
    """The file or the variable."""


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """The settings of a run. `flags` maps dotted names ("vad.aggressiveness") to values, None for not given.

    Raises:
        ConfigError: an unknown name, a value of the wrong type or out of range, an unreadable file.
    """
    values = from_file(config_file() if file is None else file)
    values |= from_environment(os.environ if environment is None else environment)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _checked(name, value, Named(flag(name)))
    settings: Settings = _build(Settings, values)
    return settings


def explained() -> dict[str, Found]:
    """Every setting as it is without flags, by its dotted name.

    Raises:
        ConfigError: as `load_settings`.
    """
    file = config_file()
    in_file, in_environment = from_file(file), from_environment(os.environ)
    found = {}
    for name in field_types():
        if name in in_environment:
            found[name] = Found(in_environment[name], "environment", variable(name))
        elif name in in_file:
            found[name] = Found(in_file[name], "file", str(file))
        else:
            found[name] = Found(default(name), "default")
    return found


def field_types() -> dict[str, Any]:
    """Dotted name -> type of every setting."""
    return dict(_fields(Settings))


def default(name: str) -> Any:
    """What a setting is when nobody sets it."""
    return value_of(Settings(), name)


def value_of(settings: Settings, name: str) -> Any:
    """One of the settings, by its dotted name."""
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def variable(name: str) -> str:
    """The environment variable of a setting: `EDGEVOICE_VAD_AGGRESSIVENESS` for "vad.aggressiveness"."""
    return PREFIX + name.replace(".", "_").upper()


def flag(name: str) -> str:
    """What a setting is called on the command line."""
    return _FLAGS.get(name) or f"--{name.rpartition('.')[2].replace('_', '-')}"


def setting_from_text(name: str, text: str) -> Any:
    """The value that an argument means for a setting.

    Raises:
        ConfigError: there is no such setting, or it cannot have this value.
    """
    place = Named(f"'{name}'")
    return _checked(name, parsed(type_of(name), text, place), place)


def type_of(name: str) -> Any:
    """The type of a setting.

    Raises:
        ConfigError: there is none of that name.
    """
    known = field_types()
    if name not in known:
        raise ConfigError(f"There is no setting '{plain(name)}'", f"The nearest name is '{nearest(name, known)}'")
    return known[name]


def from_file(file: Path) -> dict[str, Any]:
    """The settings in a TOML file; none if there is no file, unless `EDGEVOICE_CONFIG` asked for it.

    Raises:
        ConfigError: it cannot be read or holds something wrong; the line is named.
    """
    text = read_text(file)
    if text is None:
        return {}
    known = field_types()
    sections = _sections(known)
    values = {}
    for name, value, place in _flatten(parsed_toml(text, file), known, _InFile(file, text)):
        if name in sections:
            raise ConfigError(f"{place} is a section", f"Write [{name}] and its settings below it")
        if name not in known:
            what = f"There is no setting '{plain(name)}' (in {place.location})"
            raise ConfigError(what, f"The nearest name is '{nearest(name, known)}'")
        values[name] = _checked(name, value, place)
    return values


def read_text(file: Path) -> str | None:
    """The text of the file of settings; None if there is none.

    Raises:
        ConfigError: it cannot be read, or `EDGEVOICE_CONFIG` names one that is not there.
    """
    try:
        return file.read_text(encoding="utf-8-sig")  # some editors begin with a byte order mark
    except FileNotFoundError:
        if os.environ.get("EDGEVOICE_CONFIG"):
            remedy = "Correct or unset EDGEVOICE_CONFIG, or make it: edgevoice config init"
            raise ConfigError(f"There is no {plain(str(file))}", remedy) from None
        return None
    except OSError as error:
        what = f"{plain(str(file))} cannot be read ({error.strerror})"
        remedy = "Move it away or correct its permissions, or name another file with EDGEVOICE_CONFIG"
        raise ConfigError(what, remedy) from None
    except ValueError as error:
        raise _unreadable(file, error) from None


def parsed_toml(text: str, file: Path) -> dict[str, Any]:
    """The tables of a file of settings.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise _unreadable(file, error) from None


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings in `EDGEVOICE_*` variables.

    Raises:
        ConfigError: a variable that names no setting or has a wrong value.
    """
    known = field_types()
    names = {variable(name): name for name in known}
    values = {}
    for key, text in environment.items():
        if key not in names and _means_a_setting(key, names):
            what = f"There is no setting '{plain(key)}' (in the environment)"
            raise ConfigError(what, f"The nearest name is '{nearest(key, names)}'")
        if key in names:
            name, place = names[key], Named(key)
            values[name] = _checked(name, parsed(known[name], text, place), place)
    return values


def said_in(name: str, value: Any) -> str:
    """Where a value of the settings comes from, as it begins a sentence: the variable or the file with its line, if
    that says so, otherwise the flag.

    Args:
        name: dotted.
        value: as in the settings.
    """
    if name in (in_environment := from_environment(os.environ)):
        return variable(name) if in_environment[name] == value else flag(name)
    file = config_file()
    if from_file(file).get(name) == value:
        return str(_InFile(file, read_text(file) or "", tuple(name.split("."))))
    return flag(name)


def action_place(number: int) -> str:
    """What an action is called where something is said about it: its number, from 1, with the file and the line."""
    if variable("actions") in os.environ:
        return f"action {number} of {variable('actions')}"
    file = config_file()
    return f"action {number} ({_InFile(file, read_text(file) or '', ('actions', number - 1)).location})"


def _checked(name: str, value: Any, place: Place) -> Any:
    """A value of a setting, of the right type, in its range and of its form."""
    made = checked(field_types()[name], value, place, name=name, ranges=RANGES)
    if form := wanted(name, made):
        raise ConfigError(f"{place} is '{plain(made)}', and it must be {form}")
    return made


class _InFile:
    """A value in the file of settings."""

    def __init__(self, file: Path, text: str, path: tuple[str | int, ...] = ()) -> None:
        self._file, self._text, self._path = file, text, path

    @property
    def location(self) -> str:
        """File and, where it can be found, line."""
        from edgevoice.config_edit import line_of  # an error may take its time; every start may not

        line = line_of(self._text, self._path)
        return plain(str(self._file)) + (f", line {line}" if line else "")

    def __str__(self) -> str:
        location = self.location
        name = ".".join(plain(part) for part in self._path if isinstance(part, str))
        return f"'{name}' in {location}" + ("," if ", line " in location else "")

    def below(self, key: str | int) -> _InFile:
        """A key of this table, or an item of this list."""
        return _InFile(self._file, self._text, (*self._path, key))


def _fields(owner: type, prefix: str = "") -> Iterable[tuple[str, Any]]:
    hints = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        annotation = hints[field.name]
        if is_section(annotation):
            yield from _fields(annotation, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, annotation


def _sections(known: Iterable[str]) -> set[str]:
    return {name.rpartition(".")[0] for name in known if "." in name}


def _flatten(
    tables: Mapping[str, Any], known: Mapping[str, Any], place: _InFile, prefix: str = ""
) -> Iterator[tuple[str, Any, _InFile]]:
    """Dotted name, value and place of what the file says; tables that are no section as far as they can be named."""
    for key, value in tables.items():
        name, below = prefix + key, place.below(key)
        is_one = is_section(item_type(known.get(name)))  # an array of tables, which is a setting
        if isinstance(value, dict) and not is_one and (name in _sections(known) or (not prefix and value)):
            yield from _flatten(value, known, below, f"{name}.")
        else:
            yield name, value, below


def _means_a_setting(key: str, names: Iterable[str]) -> bool:
    """Whether a variable looks like a setting misspelt; others with our prefix may belong to scripts and tests."""
    if not key.startswith(PREFIX) or key in NOT_SETTINGS:
        return False
    if any(key.startswith(f"{variable(section)}_") for section in _sections(field_types())):
        return True
    known = [name.removeprefix(PREFIX) for name in names]
    return bool(difflib.get_close_matches(key.removeprefix(PREFIX), known, n=1, cutoff=0.7))


def _unreadable(file: Path, error: Exception) -> ConfigError:
    what = f"{plain(str(file))} cannot be read: {plain(str(error))}"
    return ConfigError(what, "Correct it, or start anew: edgevoice config init --force")


def _build(owner: type, values: Mapping[str, Any], prefix: str = "") -> Any:
    parts: dict[str, Any] = {}
    hints = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        name, annotation = prefix + field.name, hints[field.name]
        if is_section(annotation):
            parts[field.name] = _build(annotation, values, f"{name}.")
        elif name in values:
            parts[field.name] = values[name]
    return owner(**parts)
