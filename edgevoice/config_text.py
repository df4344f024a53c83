"""Every setting with its meaning, out of the docstrings of `edgevoice.config`; and a file that has them all."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from edgevoice.config import Settings
from edgevoice.config_file import RANGES
from edgevoice.config_values import as_toml, expected, is_section, item_type

_WIDTH = 100
_HEAD = """\
# Settings of edgevoice. A line such as "#threads = 2" shows a default: remove the "#" and change it, or let
# 'edgevoice config set asr.threads 4' do that. Variables such as EDGEVOICE_ASR_THREADS and flags go before this file.
# 'edgevoice config show' prints what holds and why.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A setting."""

    name: str
    """Dotted."""
    annotation: Any
    default: Any
    """None where it must be given."""
    meaning: str
    secret: bool = False
    """It is never shown, only that it is set."""

    @property
    def key(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def values(self) -> str:
        """What it may be: its kind or its choices, its unit, its range."""
        if get_origin(self.annotation) is Literal:
            return " or ".join(f'"{choice}"' for choice in get_args(self.annotation))
        kind = "seconds" if self.key.endswith(("_s", "_seconds")) else expected(self.annotation)
        if self.name in RANGES:
            low, high = RANGES[self.name]
            return f"{kind}, {low:g} to {high:g}"
        return kind


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that belong together."""

    name: str
    """Dotted; empty for those that stand above all sections."""
    meaning: str
    keys: tuple[Key, ...]
    repeated: bool = False
    """Whether there may be many: an array of tables."""


def documented() -> list[Section]:
    """Every section, in the order of a file: what stands above all sections first, arrays of tables last."""
    found = list(_sections(Settings, ""))
    return sorted(found, key=lambda section: (section.name != "", section.repeated))


def template() -> str:
    """A file of settings with every key, its meaning, and its default commented out."""
    return _HEAD + "".join(_written(section) for section in documented())


def _written(section: Section) -> str:
    header = f"[[{section.name}]]" if section.repeated else f"[{section.name}]"
    lines = [""]
    if section.name:
        # a section's name stands in the file even while it is empty, so that a key can be added below it
        lines += [f"#{header}" if section.repeated else header, *_comment(section.meaning)]
    for key in section.keys:
        lines += ["", *_comment(key.meaning), *_comment(f"{key.values[:1].upper()}{key.values[1:]}.")]
        lines.append(f"#{key.key} = {as_toml(key.default) if key.default is not None else _example(key.annotation)}")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _example(annotation: Any) -> str:
    """Something of the type, where there is no default."""
    if item_type(annotation) is not None:
        return "[]"
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    return as_toml(choices[0] if choices else annotation())


def _sections(owner: type, prefix: str, *, repeated: bool = False, meaning: str = "") -> Iterator[Section]:
    hints, meanings = typing.get_type_hints(owner), _meanings(owner)
    keys, below = [], []
    for field in dataclasses.fields(owner):
        name, annotation = f"{prefix}{field.name}", hints[field.name]
        item = item_type(annotation)
        if is_section(annotation):
            below += list(_sections(annotation, f"{name}."))
        elif item is not None and is_section(item):
            below += list(_sections(item, f"{name}.", repeated=True, meaning=meanings[field.name]))
        else:
            keys.append(Key(name, annotation, _default(field), meanings[field.name], secret=not field.repr))
    yield Section(prefix.rstrip("."), meaning or _summary(owner), tuple(keys), repeated)
    yield from below


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _meanings(owner: type) -> dict[str, str]:
    """Field -> the docstring below it; empty for none."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    meanings = dict.fromkeys((field.name for field in dataclasses.fields(owner)), "")
    for node, following in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            meanings[node.target.id] = _text(following)
    return meanings


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def _summary(owner: type) -> str:
    return " ".join((owner.__doc__ or "").split())
