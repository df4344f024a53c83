"""Events on the wire: what goes out comes back, and nothing unknown gets in."""

from __future__ import annotations

import dataclasses
import json
import typing
from typing import Any

import pytest

from edgevoice.events import (
    EVENT_TYPES,
    CaptionFinished,
    Event,
    LevelMeasured,
    Word,
    from_dict,
    from_json,
    to_dict,
    to_json,
    wire_name,
)

HOSTILE = 'quote " backslash \\ line\nend \u2028 ünïcode \U0001f600 </script>'


def sample(annotation: Any, seed: int = 1) -> Any:
    """A value that is not the default, for any type an event may hold."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        hints = typing.get_type_hints(annotation)
        names = [field.name for field in dataclasses.fields(annotation)]
        return annotation(**{name: sample(hints[name], seed + index) for index, name in enumerate(names)})
    if typing.get_origin(annotation) is tuple:
        return (sample(typing.get_args(annotation)[0], seed), sample(typing.get_args(annotation)[0], seed + 1))
    if annotation is bool:
        return True
    return {float: seed + 0.25, int: seed + 7, str: f"{HOSTILE} {seed}"}[annotation]


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.__name__)
def test_every_event_comes_back_as_it_was(event_type: type[Event]) -> None:
    """One line of JSON holds all of an event, whatever its text."""
    event = sample(event_type)
    line = to_json(event)
    assert "\n" not in line
    assert from_json(line) == event


def test_every_event_type_is_known() -> None:
    """A new event cannot be left out of the vocabulary."""
    # by name: slots=True makes each class twice
    assert {known.__name__ for known in EVENT_TYPES} == {found.__name__ for found in Event.__subclasses__()}


@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.__name__)
def test_unknown_and_missing_fields_are_refused(event_type: type[Event]) -> None:
    """Two versions that differ notice it at once."""
    good = to_dict(sample(event_type))
    with pytest.raises(ValueError, match="colour"):
        from_dict({**good, "colour": "red"})
    with pytest.raises(ValueError, match="at"):
        from_dict({key: value for key, value in good.items() if key != "at"})


def test_the_wire_format_is_as_documented() -> None:
    """Snake-case name first, then the fields; floats rounded to a tenth of a millisecond."""
    word = Word(word="hi", start=0.12345678, end=0.5, confidence=1)
    event = CaptionFinished(
        channel="mic", at=1.00004, segment=3, start=0.1, end=0.5, text="hi", words=(word,), latency=0
    )
    assert to_json(event) == (
        '{"event":"caption_finished","channel":"mic","at":1.0,"segment":3,"start":0.1,"end":0.5,"text":"hi",'
        '"words":[{"word":"hi","start":0.1235,"end":0.5,"confidence":1}],"latency":0}'
    )
    assert wire_name(LevelMeasured) == "level_measured"


def test_an_event_of_a_later_version_is_taken_as_far_as_it_is_known() -> None:
    """Where the reader asks for that: a field more, in the event or in a word, is no reason to lose a sentence."""
    good = to_dict(sample(CaptionFinished))
    later = {**good, "language": "en", "words": [{**word, "speaker": 2} for word in good["words"]]}
    assert from_dict(later, later=True) == sample(CaptionFinished)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("text", 5), ("segment", "3"), ("segment", True), ("at", "now"), ("at", None), ("at", 10**400)),
        *(("words", "abc"), ("words", [3]), ("words", ["one"]), ("words", {}), ("channel", ["mic"])),
    ],
)
def test_values_of_another_type_are_refused(field: str, value: object) -> None:
    """Whoever shows an event may trust its types."""
    with pytest.raises(ValueError, match="malformed"):
        from_dict({**to_dict(sample(CaptionFinished)), field: value}, later=True)


@pytest.mark.parametrize("line", ["[" * 100_000, "[]", "3", "{}", '{"event":"nothing"}', '{"event":null}', "{", ""])
def test_what_is_no_event_is_refused(line: str) -> None:
    """Always a ValueError, whatever came in."""
    with pytest.raises(ValueError):  # noqa: PT011 - json and from_dict word it each in their own way
        from_json(line)


def test_whole_numbers_come_back_as_floats_where_seconds_are_meant() -> None:
    """JSON written elsewhere may say 3 for 3.0."""
    line = json.dumps({"event": "level_measured", "channel": "mic", "at": 3, "dbfs": -20, "peak": 1, "speech": 0})
    event = from_json(line)
    assert isinstance(event, LevelMeasured)
    assert isinstance(event.dbfs, float)
