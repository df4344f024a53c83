"""The settings as the screen lists them: what each is, what holds, and when another value does. No Textual in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, Literal, get_args, get_origin

from edgevoice.config import ActionSettings, Settings
from edgevoice.config_change import in_an_editor, removed, written
from edgevoice.config_file import default, explained, from_file, value_of, variable
from edgevoice.config_text import Key, documented
from edgevoice.config_values import as_toml, without_secrets
from edgevoice.errors import ConfigError, EdgeVoiceError
from edgevoice.paths import config_file
from edgevoice.text import plain, sentence

COMMAND = "command"
"""The origin of what the command of this run settled: by a flag, or as the demo takes the bundled model."""

TakeEffect = Callable[[str, Any], bool]
"""Lets a setting hold in this run, and gives whether it now does."""


@dataclass(frozen=True, slots=True)
class Row:
    """A setting in the list."""

    key: Key
    about: str
    """What its section is about."""
    value: Any
    """What holds in this run, or after a change from the next start on."""
    origin: str
    """"default", "file", "environment" or "command"; empty where the file cannot be read."""
    stored: Any
    """What the file makes of it, which is its default if it is not in there."""
    began: Any
    """What it was when this run began."""

    @property
    def name(self) -> str:
        """Dotted."""
        return self.key.name

    @property
    def section(self) -> str:
        """Empty for those above all sections."""
        return self.name.rpartition(".")[0] or (self.name if self.is_tables else "")

    @property
    def is_tables(self) -> bool:
        """Whether it is more than a line, and changed in an editor."""
        return isinstance(self.value, tuple)

    @property
    def choices(self) -> tuple[str, ...]:
        """What it can be, where there are few things."""
        if self.key.annotation is bool:
            return ("true", "false")
        return get_args(self.key.annotation) if get_origin(self.key.annotation) is Literal else ()

    @property
    def shown(self) -> str:
        """The value as it is listed."""
        return self.written(self.value)

    @property
    def typed(self) -> str:
        """The value in the file as one would type it; secrets are typed anew."""
        if self.key.secret:
            return ""
        return plain(self.stored) if isinstance(self.stored, str) else as_toml(self.stored)

    @property
    def in_force(self) -> str:
        """What goes before the file, as a sentence; empty if nothing does."""
        before = {"environment": variable(self.name), COMMAND: "The command of this run"}.get(self.origin)
        return f"{before} is in force" if before else ""

    def written(self, value: Any) -> str:
        """A value that it has or might have, for everybody to see."""
        if isinstance(value, tuple):
            return f"{len(value)} {'table' if len(value) == 1 else 'tables'}" if value else "none"
        return plain(as_toml(without_secrets(value, secret=self.key.secret)))

    def choice(self, step: int) -> str:
        """The choice so many further than the one in the file, round and round."""
        return self.choices[(self.choices.index(self.typed) + step) % len(self.choices)]

    def has(self, words: Iterable[str]) -> bool:
        """Whether all of these words, in small letters, are in what is said of it."""
        text = f"{self.name} {self.key.meaning} {' '.join(self.choices)}".casefold()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a change, and whether it is what was asked for."""

    said: str
    ok: bool = True


class SettingsBook:
    """The settings of this run and of the next one: looked up, and changed in the file.

    Args:
        run: what this run began with.
        of_command: what of it is from no file, as `of_command` gives it.
        at_once: the names of those that can take effect while captions go on.
        take_effect: called with one of these after it changed.
    """

    def __init__(
        self, run: Settings, of_command: Mapping[str, Any], at_once: frozenset[str], take_effect: TakeEffect
    ) -> None:
        self._run, self._of_command = run, of_command
        self._at_once, self._take_effect = at_once, take_effect
        self.problem = ""
        """Why the file cannot be read; empty if it can."""
        self.rows: tuple[Row, ...] = ()
        self.file = plain(str(config_file()))
        self._read()

    def row(self, name: str) -> Row:
        """One of them."""
        return next(row for row in self.rows if row.name == name)

    def matching(self, wanted: str) -> list[tuple[str, list[Row]]]:
        """Sections with the settings that have all of these words, in the order of a file."""
        words = wanted.casefold().split()
        return [
            (section, list(rows))
            for section, rows in groupby((row for row in self.rows if row.has(words)), lambda row: row.section)
        ]

    def facts(self, row: Row) -> str:
        """Meaning, values, default, when a change holds, and what goes before the file."""
        if row.is_tables:
            return _joined(row.key.meaning, row.in_force, in_an_editor())
        values = "text" if row.key.annotation is str else row.key.values
        kind = values[:1].upper() + values[1:]
        return _joined(row.key.meaning, kind, f"Default {as_toml(row.key.default)}", self._when(row))

    def change(self, name: str, text: str) -> Outcome:
        """Writes a setting into the file, as 'config set' does, and lets it hold at once where it can."""
        try:
            value = written(name, text)
        except EdgeVoiceError as error:
            return Outcome(str(error), ok=False)
        self._read()
        row = self.row(name)
        return Outcome(_joined(f"Saved: {name} = {row.written(value)}", self._effect(row)))

    def reset(self, name: str) -> Outcome:
        """Takes a setting out of the file, as 'config unset' does, and lets its default hold at once where it can."""
        try:
            was_there = removed(name)
        except EdgeVoiceError as error:
            return Outcome(str(error), ok=False)
        self._read()
        row = self.row(name)
        if not was_there:
            return Outcome(_joined(f"{name} is not in the file", row.in_force), ok=False)
        said = f"{name} is out of the file, its default is {row.written(row.key.default)}"
        return Outcome(_joined(said, self._effect(row)))

    def _effect(self, row: Row) -> str:
        """Lets a setting hold as far as it can; in words, what keeps it from that."""
        if self.problem or row.in_force:
            return self.problem or row.in_force
        if row.name in self._at_once and self._take_effect(row.name, row.value):
            return ""
        return "It holds from the next start"

    def _when(self, row: Row) -> str:
        if row.in_force:
            return f"{row.in_force}, without it {row.written(row.stored)}"
        if row.name in self._at_once:
            return "A change holds at once"
        if row.value != row.began:
            return f"This run goes on with {row.written(row.began)}"
        return "A change holds from the next start"

    def _read(self) -> None:
        """Looks at file and environment; where the file cannot be read, the run says what holds."""
        try:
            found, in_file = explained(), from_file(config_file())
        except ConfigError as error:
            self.problem = str(error)
            began = ((key, about, value_of(self._run, key.name)) for key, about in _keys())
            self.rows = tuple(Row(key, about, value, "", value, value) for key, about, value in began)
            return
        self.problem, rows = "", []
        for key, about in _keys():
            value, origin = found[key.name].value, found[key.name].origin
            if key.name in self._of_command:
                value, origin = self._of_command[key.name], COMMAND
            stored = in_file.get(key.name, default(key.name))
            rows.append(Row(key, about, value, origin, stored, value_of(self._run, key.name)))
        self.rows = tuple(rows)


def of_command(run: Settings) -> dict[str, Any]:
    """What of a run that is about to begin is other than file and environment have it; by the names of settings."""
    try:
        found = explained()
    except ConfigError:  # it was read a moment ago; the settings themselves say what is wrong, once they are looked at
        return {}
    return {name: value for name, each in found.items() if (value := value_of(run, name)) != each.value}


@cache
def _keys() -> tuple[tuple[Key, str], ...]:
    """Every setting with what its section is about; tables of which there may be many are one setting."""
    found: list[tuple[Key, str]] = []
    for section in documented():
        if section.repeated:
            found.append((Key(section.name, tuple[ActionSettings, ...], (), section.meaning), ""))
        else:
            found += [(key, section.meaning if section.name else "") for key in section.keys]
    return tuple(found)


def _joined(*sentences: str) -> str:
    return " ".join(sentence(each) for each in sentences if each)
