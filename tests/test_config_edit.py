"""One key of a settings file changes, and nothing else does."""

from __future__ import annotations

import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.config import Settings
from edgevoice.config_edit import line_of, with_value, without, write_whole
from edgevoice.config_file import RANGES, default, field_types, from_file, load_settings
from edgevoice.config_text import documented, template
from edgevoice.config_values import Named, as_toml, checked, parsed
from edgevoice.errors import ConfigError

HAND_WRITTEN = """\
# mine
model = "desk"  # the one with the cards

[vad]
# strict, since the office is loud
aggressiveness = 3   # of 3

[asr] # on the box
threads = 4
language_model = '''
two lines
#threads = 9
'''
"""


def values(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    """What a setting may be."""
    low, high = RANGES.get(name, (0, 0))
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(int(low), int(high))
    if annotation is float:
        return st.floats(low, high)
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def changes(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Some settings with values."""
    known = {name: each for name, each in field_types().items() if get_origin(each) is not tuple}
    names = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=5))
    return [(name, draw(values(known[name], name))) for name in names]


class TestSetting:
    """`with_value` and `without`."""

    @settings(deadline=None, max_examples=25)
    @given(changes=changes(), text=st.sampled_from([template(), HAND_WRITTEN, ""]))
    def test_what_was_set_is_read_and_what_was_said_stays(self, changes: list[tuple[str, Any]], text: str) -> None:
        comments = [line for line in text.splitlines() if line.startswith("# ")]
        wanted = flat(text)
        for name, value in changes:
            text = with_value(text, name, value)
            wanted[name] = value
        assert flat(text) == wanted
        assert [line for line in text.splitlines() if line.startswith("# ")] == comments

    @settings(deadline=None, max_examples=25)
    @given(changes=changes())
    def test_the_template_comes_back_when_all_is_unset(self, changes: list[tuple[str, Any]]) -> None:
        text = template()
        for name, value in changes:
            text = with_value(text, name, value)
        for name in dict(changes):
            text = without(text, name, default(name))
        assert text == template()

    def test_a_key_takes_the_place_of_its_default(self) -> None:
        lines = with_value(template(), "asr.threads", 4).splitlines()
        assert lines.index("threads = 4") == template().splitlines().index("#threads = 2")

    def test_a_value_keeps_its_comment(self) -> None:
        assert "aggressiveness = 1   # of 3\n" in with_value(HAND_WRITTEN, "vad.aggressiveness", 1)

    def test_what_is_in_a_text_is_no_key(self) -> None:
        """The line #threads = 9 belongs to the language model."""
        text = HAND_WRITTEN.replace("threads = 4\n", "")
        assert flat(with_value(text, "asr.threads", 5))["asr.threads"] == 5
        assert "#threads = 9" in with_value(text, "asr.threads", 5)

    def test_inline_tables_and_dotted_keys(self) -> None:
        assert flat(with_value("vad = { threshold = 0.5 }\nasr.threads = 1\n", "vad.threshold", 0.6)) == {
            "vad.threshold": 0.6,
            "asr.threads": 1,
        }

    def test_what_nobody_knows_can_be_taken_out(self) -> None:
        assert flat(without("[vda]\nthreshold = 1\nx = 2\n", "vda.threshold")) == {"vda.x": 2}

    def test_what_is_not_there_cannot(self) -> None:
        with pytest.raises(KeyError):
            without(HAND_WRITTEN, "vad.threshold", 0.5)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("model",), 2),
        (("vad", "aggressiveness"), 6),
        (("vad",), 4),
        (("asr", "language_model"), 10),
        (("vad", "nonesuch"), 0),
    ],
)
def test_the_line_of_a_key(path: tuple[str, ...], line: int) -> None:
    assert line_of(HAND_WRITTEN, path) == line


def test_the_line_of_a_key_in_the_second_of_two_tables() -> None:
    text = '[[actions]]\nintent = "a"\n\n[[actions]]\n# note\nintent = 3\n'
    assert line_of(text, ("actions", 1, "intent")) == 6


class TestWriting:
    """`write_whole`."""

    def test_behind_a_link_and_with_its_rights(self, tmp_path: Path) -> None:
        """Dotfiles are often links into a repository."""
        real, link = tmp_path / "real.toml", tmp_path / "config.toml"
        real.write_text("old")
        real.chmod(0o640)
        link.symlink_to(real)
        write_whole(link, "new")
        assert link.is_symlink()
        assert real.read_text() == "new"
        assert stat.S_IMODE(real.stat().st_mode) == 0o640

    def test_a_new_one_is_its_owners(self, tmp_path: Path) -> None:
        file = tmp_path / "new" / "config.toml"
        write_whole(file, "x = 1\n")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert list(file.parent.iterdir()) == [file]

    def test_nothing_is_left_of_what_cannot_be_written(self, tmp_path: Path) -> None:
        file = tmp_path / "config.toml"
        file.write_text("old")
        with pytest.raises(ConfigError, match="cannot be written"):
            write_whole(file, "\ud800")
        assert file.read_text() == "old"
        assert list(tmp_path.iterdir()) == [file]


class TestTemplate:
    """The file that `config init` writes."""

    def test_it_says_nothing_until_somebody_changes_it(self, tmp_path: Path) -> None:
        file = tmp_path / "config.toml"
        file.write_text(template())
        assert from_file(file) == {}

    def test_its_defaults_are_the_defaults(self, tmp_path: Path) -> None:
        """Each line "#key = value", without the mark."""
        file = tmp_path / "config.toml"
        lines = template().splitlines()
        # a list of tables is empty by default, and what stands there is an example
        end = next((index for index, line in enumerate(lines) if line.startswith("#[[")), len(lines))
        file.write_text("\n".join(line[1:] if line[:1] == "#" and line[1:2] != " " else line for line in lines[:end]))
        assert load_settings(environment={}, file=file) == Settings()
        assert len(from_file(file)) == sum(len(section.keys) for section in documented() if not section.repeated)

    def test_every_setting_has_a_meaning(self) -> None:
        assert [key.name for section in documented() for key in section.keys if not key.meaning] == []


@dataclass(frozen=True, kw_only=True)
class Action:
    """A section that can be repeated."""

    intent: str
    cooldown_s: float = 0.0
    run: tuple[str, ...] = ()


class TestLists:
    """Lists, and lists of tables."""

    RANGES = {"actions.cooldown_s": (0.0, 10.0)}  # noqa: RUF012 - a constant

    def actions(self, value: Any) -> Any:
        place = Named("ACTIONS")
        return checked(tuple[Action, ...], value, place, name="actions", ranges=self.RANGES)

    def test_tables_become_dataclasses(self) -> None:
        found = self.actions([{"intent": "freeze", "cooldown_s": 3, "run": ["notify-send", "x"]}])
        assert found == (Action(intent="freeze", cooldown_s=3.0, run=("notify-send", "x")),)
        assert self.actions(parsed(tuple[Action, ...], as_toml(found), Named("ACTIONS"))) == found

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({"intent": "x"}, "must be an array of tables"),
            (["x"], "must be a table"),
            ([{}], "has no 'intent'"),
            ([{"intnet": "x"}], "nearest name is 'intent'"),
            ([{"intent": "x", "cooldown_s": 11}], "between 0 and 10"),
            ([{"intent": "x", "run": "notify-send x"}], "must be a list, each text in quotation marks"),
            ([{"intent": "x", "run": [3]}], "must be text"),
        ],
    )
    def test_what_is_wrong_is_named(self, value: Any, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            self.actions(value)


def flat(text: str) -> dict[str, Any]:
    """Dotted name -> value."""
    found = {}
    for key, value in tomllib.loads(text).items():
        found |= {f"{key}.{name}": item for name, item in value.items()} if isinstance(value, dict) else {key: value}
    return found
