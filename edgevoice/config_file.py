"""Reads settings: defaults, then the TOML file, then `EDGEVOICE_*`, then flags; each refuses what it does not know."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import tomllib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from edgevoice.config import Settings
from edgevoice.errors import ConfigError
from edgevoice.paths import config_file
from edgevoice.text import plain

PREFIX = "EDGEVOICE_"
NOT_SETTINGS = frozenset({"EDGEVOICE_CONFIG", "EDGEVOICE_DEBUG"})
"""Variables with the prefix that are read elsewhere."""
_FLAGS = {"vad.detector": "--vad", "asr.hop_s": "--hop"}
"""Flags that are not called as the setting behind them."""
_BOOLEANS = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}

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
    "screen.line_length": (20, 120),
}
"""Smallest and largest value of each number; outside of them something breaks."""


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
            values[name] = _checked(name, value, _flag(name))
    return _build(values)


def field_types() -> dict[str, Any]:
    """Dotted name -> type of every setting."""
    return dict(_fields(Settings))


def variable(name: str) -> str:
    """The environment variable of a setting: `EDGEVOICE_VAD_AGGRESSIVENESS` for "vad.aggressiveness"."""
    return PREFIX + name.replace(".", "_").upper()


def from_file(file: Path) -> dict[str, Any]:
    """The settings in a TOML file; none if there is no file, unless `EDGEVOICE_CONFIG` asked for it.

    Raises:
        ConfigError: it cannot be read or holds something wrong.
    """
    where = plain(str(file))
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get("EDGEVOICE_CONFIG"):
            raise ConfigError(f"There is no {where}", "Correct or unset EDGEVOICE_CONFIG") from None
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where} cannot be read: {plain(str(error))}", "Correct or remove the file") from None
    known = field_types()
    values = {}
    for name, value in _flatten(tables, _sections(known), where):
        _refuse_unknown(name, known, f"in {where}")
        values[name] = _checked(name, value, f"'{name}' in {where}")
    return values


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings in `EDGEVOICE_*` variables.

    Raises:
        ConfigError: a variable that names no setting or has a wrong value.
    """
    names = {variable(name): name for name in field_types()}
    values = {}
    for key, text in environment.items():
        if key not in names and _means_a_setting(key, names):
            _refuse_unknown(key, names, "in the environment")
        if key in names:
            values[names[key]] = _checked(names[key], _parsed(names[key], text, key), key)
    return values


def _flag(name: str) -> str:
    """What a setting is called on the command line."""
    return _FLAGS.get(name) or f"--{name.rpartition('.')[2].replace('_', '-')}"


def _fields(owner: type, prefix: str = "") -> Iterable[tuple[str, Any]]:
    hints = typing.get_type_hints(owner)
    for field in dataclasses.fields(owner):
        annotation = hints[field.name]
        if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
            yield from _fields(annotation, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, annotation


def _sections(known: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in known if "." in name}


def _flatten(tables: Mapping[str, Any], sections: set[str], where: str) -> Iterable[tuple[str, Any]]:
    for name, value in tables.items():
        if name in sections and not isinstance(value, dict):
            raise ConfigError(f"'{name}' in {where} is a section", f"Write [{name}] and its settings below it")
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", item) for key, item in value.items())
        else:
            yield name, value


def _means_a_setting(key: str, names: Iterable[str]) -> bool:
    """Whether a variable looks like a setting misspelt; others with our prefix may belong to scripts and tests."""
    if not key.startswith(PREFIX) or key in NOT_SETTINGS:
        return False
    if any(key.startswith(f"{variable(section)}_") for section in _sections(field_types())):
        return True
    known = [name.removeprefix(PREFIX) for name in names]
    return bool(difflib.get_close_matches(key.removeprefix(PREFIX), known, n=1, cutoff=0.7))


def _refuse_unknown(name: str, known: Iterable[str], where: str) -> None:
    if name in known:
        return
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    raise ConfigError(f"There is no setting '{plain(name)}' ({where})", f"The nearest name is '{nearest[0]}'")


def _parsed(name: str, text: str, where: str) -> Any:
    annotation = field_types()[name]
    if annotation is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise _wrong_type(where, text, annotation)
        return _BOOLEANS[text.strip().lower()]
    if annotation in (int, float):
        try:
            return annotation(text)
        except ValueError:
            raise _wrong_type(where, text, annotation) from None
    return text


def _checked(name: str, value: Any, where: str) -> Any:
    annotation = field_types()[name]
    if typing.get_origin(annotation) is Literal:
        if value not in typing.get_args(annotation):
            choices = ", ".join(typing.get_args(annotation))
            raise ConfigError(f"{where} is {_shown(value)}, and it must be one of: {choices}")
        return value
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, annotation) or (isinstance(value, bool) and annotation is not bool):
        raise _wrong_type(where, value, annotation)
    if name in RANGES:
        low, high = RANGES[name]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{where} is {value:g}, and it must be between {low:g} and {high:g}")
    return value


def _wrong_type(where: str, value: Any, annotation: Any) -> ConfigError:
    kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotation marks"}
    return ConfigError(f"{where} is {_shown(value)}, and it must be {kinds[annotation]}")


def _shown(value: Any) -> str:
    return plain(repr(value) if not isinstance(value, bool) else str(value).lower())


def _build(values: Mapping[str, Any]) -> Settings:
    settings = Settings()
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        if section:
            settings = dataclasses.replace(
                settings, **{section: dataclasses.replace(getattr(settings, section), **{key: value})}
            )
        else:
            settings = dataclasses.replace(settings, **{key: value})
    return settings
