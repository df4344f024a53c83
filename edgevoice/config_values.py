"""What the types of settings take: values from TOML and from text, checked, and written as TOML again."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import tomllib
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, get_args, get_origin
from urllib.parse import urlsplit

from edgevoice.errors import ConfigError
from edgevoice.text import plain

_BOOLEANS = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotation marks"}

Range = tuple[float, float]

SECRET = "(set, not shown)"  # noqa: S105 - what stands in place of one


class Place(Protocol):
    """Where a value stands; as text it begins a sentence about it, and is worked out only then."""

    def below(self, key: str | int) -> Place:
        """The place of a part of the value."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """A value that is found by its name: a variable, a flag, an argument."""

    name: str

    def __str__(self) -> str:
        return self.name

    def below(self, key: str | int) -> Named:
        """The same: the name is all there is."""
        return self if isinstance(key, int) else Named(f"'{plain(key)}' in {self.name}")


def is_section(annotation: Any) -> bool:
    """Whether settings of this type are a section of the file."""
    return dataclasses.is_dataclass(annotation) and isinstance(annotation, type)


def item_type(annotation: Any) -> Any:
    """What a list of this type holds; None for what is no list. One of sections is an array of tables in the file."""
    return get_args(annotation)[0] if get_origin(annotation) is tuple else None


def expected(annotation: Any) -> str:
    """What a value must be, in words."""
    if get_origin(annotation) is Literal:
        return f"one of: {', '.join(get_args(annotation))}"
    if is_section(annotation):
        return "a table"
    item = item_type(annotation)
    if item is None:
        return _KINDS[annotation]
    return "an array of tables" if is_section(item) else f"a list, each {expected(item)}"


def parsed(annotation: Any, text: str, place: Place) -> Any:
    """The value that a variable or an argument means; still to be checked.

    Raises:
        ConfigError: it means none of that type.
    """
    wrong = ConfigError(f"{place} is {_shown(text)}, and it must be {expected(annotation)}")
    if annotation is bool:
        if text.strip().lower() not in _BOOLEANS:
            raise wrong
        return _BOOLEANS[text.strip().lower()]
    if annotation in (int, float):
        try:
            return annotation(text)
        except ValueError:
            raise wrong from None
    if item_type(annotation) is not None:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            raise wrong from None
    return text


def checked(
    annotation: Any, value: Any, place: Place, *, name: str = "", ranges: Mapping[str, Range] | None = None
) -> Any:
    """The value as the settings hold it: whole numbers may stand for numbers, lists become tuples, tables dataclasses.

    Args:
        annotation: the setting's type.
        value: from TOML, or parsed.
        place: where it stands.
        name: of the setting, for its range.
        ranges: smallest and largest value of each number.

    Raises:
        ConfigError: it is of another type, out of its range, or a table with the wrong keys.
    """
    if is_section(annotation):
        return _table(annotation, value, place, name, ranges or {})
    item = item_type(annotation)
    if item is not None:
        if not isinstance(value, list):
            wrong = _wrong_type(annotation, value, place)
            if is_section(item) and isinstance(value, dict):
                raise ConfigError(wrong.what, f"Write [[{name}]], with two brackets on each side, above each of them")
            raise wrong
        each = enumerate(value)
        return tuple(checked(item, part, place.below(index), name=name, ranges=ranges) for index, part in each)
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            raise _wrong_type(annotation, value, place)
        return value
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, annotation) or (isinstance(value, bool) and annotation is not bool):
        raise _wrong_type(annotation, value, place)
    if name in (ranges or {}):
        low, high = (ranges or {})[name]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{place} is {value:g}, and it must be between {low:g} and {high:g}")
    return value


def as_toml(value: Any) -> str:
    """A value of a setting as it stands in a file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # the escapes of JSON are among those of TOML, but for DEL, which only TOML wants escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_toml(item) for item in value)}]"
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in pairs) + " }"
    return repr(value)


def without_secrets(value: Any, *, secret: bool = False) -> Any:
    """A value as it may be shown: of what is secret, as fields that are left out of `repr` are, only that it is set; of
    addresses among them the host."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = {
            field.name: _host(getattr(value, field.name))
            if field.metadata.get("address")
            else without_secrets(getattr(value, field.name), secret=not field.repr)
            for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **kept)
    if isinstance(value, tuple):
        return tuple(without_secrets(item, secret=secret) for item in value)
    return SECRET if secret and value else value


def _host(url: str) -> str:
    """What of an address may be shown: user, path and query often are secrets."""
    try:
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else ""
    except ValueError:
        shown = ""
    if not url or shown == url:
        return url
    return f"{shown}/..." if shown else SECRET


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like this one."""
    return difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)[0]


def _table(owner: type, value: Any, place: Place, name: str, ranges: Mapping[str, Range]) -> Any:
    if not isinstance(value, dict):
        raise _wrong_type(owner, value, place)
    hints = typing.get_type_hints(owner)
    for key in value:
        if key not in hints:
            raise ConfigError(
                f"There is no setting '{plain(key)}' ({str(place.below(key)).rstrip(',')})",
                f"The nearest name is '{nearest(key, hints)}'",
            )
    needed = [each.name for each in dataclasses.fields(owner) if _has_no_default(each) and each.name not in value]
    if needed:
        raise ConfigError(f"{place} has no '{needed[0]}'", f"Write {needed[0]} = {expected(hints[needed[0]])}")
    parts = {
        key: checked(hints[key], part, place.below(key), name=f"{name}.{key}", ranges=ranges)
        for key, part in value.items()
    }
    return owner(**parts)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _wrong_type(annotation: Any, value: Any, place: Place) -> ConfigError:
    return ConfigError(f"{place} is {_shown(value)}, and it must be {expected(annotation)}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    return plain(repr(value) if not isinstance(value, bool) else str(value).lower())
