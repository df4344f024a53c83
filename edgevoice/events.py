"""The vocabulary everything downstream of the engine speaks.

Each event is a small frozen dataclass that states a fact. `channel` names the stream it belongs to ("mic", "call",
or a name) and `at` is the position, in seconds on that stream's sample clock, of the newest audio it rests on.

On the wire an event is one JSON object: `"event"` holds the snake_case class name, the other keys are the field
names. `to_json` and `from_json` are generic, so a new field cannot be forgotten on one side.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import typing
from dataclasses import dataclass
from typing import Any, get_args, get_origin

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One recognised word with its place on the sample clock."""

    word: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    confidence: float
    """0 to 1: geometric mean of the probabilities of the word's tokens, calibrated where the model says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScore:
    """One intent label and its probability."""

    label: str
    score: float
    """0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event carries."""

    channel: str
    at: float
    """Seconds on the channel's sample clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStarted(Event):
    """Audio is flowing from a source into a model."""

    source: str
    """File or device, as it would be shown to a person."""
    sample_rate: int
    """Hertz, as the source delivers it."""
    model: str
    """Name of the model bundle."""
    provider: str
    """The ONNX Runtime execution provider really in use: "cpu", "cuda" or "tensorrt"; or "remote grpc://HOST:PORT"."""
    note: str = ""
    """What the user should know about the provider, for example why CUDA was not used."""
    reader: str = ""
    """Who reads finished sentences once more; empty for nobody."""
    labels: tuple[str, ...] = ()
    """The intents the model knows."""
    thresholds: tuple[LabelScore, ...] = ()
    """The smallest score at which each of them is announced, as the run begins."""
    schema: int = SCHEMA_VERSION
    """Version of this vocabulary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded(Event):
    """No more audio will come; everything before this is final."""

    duration: float
    """Seconds of audio heard."""
    segments: int
    """Segments of speech."""
    words: int
    """Words in their finals."""
    intents: int
    """Intents detected."""
    lost: float
    """Seconds of audio lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelMeasured(Event):
    """Loudness of the newest audio. Only the latest one matters."""

    dbfs: float
    """Root mean square in decibels of full scale; -120 for silence."""
    peak: float
    """Largest absolute sample, 0 to 1."""
    speech: float
    """Probability of speech from the voice activity detector, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    """Somebody began to speak."""

    segment: int
    """Counts the segments of a stream; the other events of the segment carry the same number."""
    start: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded(Event):
    """The speaker stopped, or the segment reached its maximum length."""

    segment: int
    start: float
    end: float
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionUpdated(Event):
    """The words of a segment so far, formatted. `stable` is a promise: it only ever grows, and the text of
    `CaptionFinished` begins with it. A sentence that is over may be put right once, see `CaptionRevised`."""

    segment: int
    stable: str
    tentative: str
    latency: float
    """Seconds from the arrival of the newest audio used to this event (wall clock, informational)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionFinished(Event):
    """The final words of a segment."""

    segment: int
    start: float
    end: float
    text: str
    """As a reader likes it: a capital where a sentence begins, a line of its own after a pause; see `--no-format`."""
    words: tuple[Word, ...]
    """As they were recognised, each one word of `text`."""
    latency: float
    """Seconds from the end of speech in the audio to this event (hangover and computing, wall clock)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRevised(Event):
    """A segment that is over was read once more, by a reader that hears it whole: these words take the place of those
    in `CaptionFinished`, which always comes first. At most one for a segment."""

    segment: int
    start: float
    end: float
    """Seconds, as in `CaptionFinished`."""
    text: str
    """With the reader's capitals and punctuation; empty where it turned out that nothing was said."""
    words: tuple[Word, ...]
    """Each one word of `text`, its punctuation included; the confidence is low where the two readings disagree."""
    confidence: float
    """0 to 1: how sure the whole of it is."""
    reader: str
    """Who read it."""
    latency: float
    """Seconds from `CaptionFinished` to this event (wall clock)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentDetected(Event):
    """The segment expresses an intent, with a score at or above the label's threshold."""

    segment: int
    label: str
    score: float
    runners_up: tuple[LabelScore, ...]
    """The next best labels, best first."""
    early: bool
    """Detected before the speaker finished."""
    words: str
    """The words so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRejected(Event):
    """The segment expresses no intent with enough certainty."""

    segment: int
    label: str
    """The best label."""
    score: float
    reason: str
    """"below threshold", "none" (the model's own rejection class), "cooldown" or "too short"."""
    runners_up: tuple[LabelScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStarted(Event):
    """An action runs that an intent set off; some time ago, if others ran."""

    segment: int
    name: str
    """What the action is called."""
    label: str
    """The intent."""
    kind: str
    """"run", "webhook" or "notify"."""
    dry_run: bool
    """Nothing is run, and no `action_finished` follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFinished(Event):
    """A run of an action is over."""

    segment: int
    name: str
    label: str
    ok: bool
    code: int
    """Exit code of the program, negative for the signal that ended it; HTTP status; 0 where there is neither."""
    seconds: float
    """How long it took."""
    error: str
    """What went wrong; its output is in the log of actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLost(Event):
    """Audio that never reached the engine."""

    seconds: float
    where: str
    """"device overflow", "queue full" or "device away"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanged(Event):
    """The device went away and is waited for, or the stream goes on from it or from another one. Until it does there is
    silence, so that times stay those of the clock."""

    source: str
    """The device that delivers from now on, or that is waited for."""
    waiting: bool
    """Whether nothing is heard until it is back."""
    what: str = ""
    """Why it is waited for."""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceChanged(Event):
    """The machine cannot keep up, so captions are updated less often; or it can again. Finals come in any case."""

    behind: float
    """Seconds that audio waited before it was taken in, at most, in the last moments."""
    hop: float
    """Seconds of audio from one update of a caption to the next, from now on."""
    keeping_up: bool
    """Whether that is as often as usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSilent(Event):
    """A microphone has been silent for a while, as if it were muted; or it is heard again, which takes that back."""

    silent: bool
    """Whether it is silent now."""
    what: str
    """The news in one sentence."""
    remedy: str
    """The way out; empty when there is nothing to do any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """Something went wrong, said in one sentence with the way out."""

    what: str
    recoverable: bool
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(Event):
    """Something that had failed works again."""

    what: str
    """As in the `Failed` event that it answers."""
    now: str
    """What is the case now, and what was lost for good, in one sentence."""


EVENT_TYPES: tuple[type[Event], ...] = (
    StreamStarted,
    StreamEnded,
    LevelMeasured,
    SpeechStarted,
    SpeechEnded,
    CaptionUpdated,
    CaptionFinished,
    CaptionRevised,
    IntentDetected,
    IntentRejected,
    ActionStarted,
    ActionFinished,
    AudioLost,
    SourceChanged,
    PaceChanged,
    InputSilent,
    Failed,
    Recovered,
)
PASSING = (LevelMeasured, CaptionUpdated, PaceChanged)
"""Events that only matter while they are new; what is kept leaves them out."""


def wire_name(event_type: type[Event]) -> str:
    """The name of an event type on the wire: `CaptionFinished` -> `caption_finished`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event_type.__name__).lower()


_BY_WIRE_NAME = {wire_name(event_type): event_type for event_type in EVENT_TYPES}


def to_dict(event: Event) -> dict[str, Any]:
    """An event as plain JSON types, floats rounded to a tenth of a millisecond."""
    return {"event": wire_name(type(event)), **_plain(event)}


def to_json(event: Event) -> str:
    """An event as one line of JSON, without the line end."""
    return json.dumps(to_dict(event), ensure_ascii=False, separators=(",", ":"))


def from_dict(data: dict[str, Any], *, later: bool = False) -> Event:
    """The event that `to_dict` made.

    Args:
        data: the event.
        later: take one of a later version, which may have fields that this one does not know.

    Raises:
        ValueError: the name is unknown or the fields do not fit it.
    """
    name = data.get("event")
    event_type = _BY_WIRE_NAME.get(name) if isinstance(name, str) else None
    if event_type is None:
        raise ValueError(f"unknown event {name!r}; known: {', '.join(_BY_WIRE_NAME)}")
    fields = {key: value for key, value in data.items() if key != "event"}
    try:
        return typing.cast(Event, _build(event_type, fields, later=later))
    except (TypeError, OverflowError) as error:
        raise ValueError(f"malformed {name} event: {error}") from None


def from_json(line: str, *, later: bool = False) -> Event:
    """The event on one line of JSON; see `from_dict`.

    Raises:
        ValueError: the line is no event.
    """
    try:
        data = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("an event is a JSON object")
    return from_dict(data, later=later)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4)
    return value


def _build(annotation: Any, value: Any, *, later: bool) -> Any:
    item, hints = _made_of(annotation)
    if item is not None:
        return tuple(_build(item, each, later=later) for each in _of(list, value))
    if hints is not None:
        unknown = set(_of(dict, value)) - set(hints)
        if unknown and not later:
            raise TypeError(f"unknown fields {sorted(unknown)}")
        known = {name: each for name, each in value.items() if name in hints}
        return annotation(**{name: _build(hints[name], each, later=later) for name, each in known.items()})
    if annotation is float:
        return float(_of((int, float), value))
    return _of(annotation, value)


@functools.cache
def _made_of(annotation: Any) -> tuple[Any, dict[str, Any] | None]:
    """What a tuple has in it, or the fields of a dataclass; kept, for finding out takes longer than all else."""
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0], None
    is_class = dataclasses.is_dataclass(annotation) and isinstance(annotation, type)
    return None, typing.get_type_hints(annotation) if is_class else None


def _of(kind: Any, value: Any) -> Any:
    """The value, if it is of that kind; true and false are no numbers."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r:.40} is not what belongs there")
    return value
