"""The vocabulary everything downstream of the engine speaks.

Each event is a small frozen dataclass that states a fact. `channel` names the stream it belongs to ("mic", "call",
or a name) and `at` is the position, in seconds on that stream's sample clock, of the newest audio it rests on.

On the wire an event is one JSON object: `"event"` holds the snake_case class name, the other keys are the field
names. `to_json` and `from_json` are generic, so a new field cannot be forgotten on one side.
"""

from __future__ import annotations

import dataclasses
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
    """The words of a segment so far, formatted. `stable` is a promise: it only ever grows, and the final text begins
    with it."""

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
class AudioLost(Event):
    """Audio that never reached the engine."""

    seconds: float
    where: str
    """"device overflow", "queue full" or "device lost"."""


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
class Failed(Event):
    """Something went wrong, said in one sentence with the way out."""

    what: str
    recoverable: bool
    remedy: str


EVENT_TYPES: tuple[type[Event], ...] = (
    StreamStarted,
    StreamEnded,
    LevelMeasured,
    SpeechStarted,
    SpeechEnded,
    CaptionUpdated,
    CaptionFinished,
    IntentDetected,
    IntentRejected,
    AudioLost,
    PaceChanged,
    Failed,
)


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


def from_dict(data: dict[str, Any]) -> Event:
    """The event that `to_dict` made.

    Raises:
        ValueError: the name is unknown or the fields do not fit it.
    """
    name = data.get("event")
    event_type = _BY_WIRE_NAME.get(name) if isinstance(name, str) else None
    if event_type is None:
        raise ValueError(f"unknown event {name!r}; known: {', '.join(_BY_WIRE_NAME)}")
    try:
        return typing.cast(Event, _build(event_type, {key: value for key, value in data.items() if key != "event"}))
    except TypeError as error:
        raise ValueError(f"malformed {name} event: {error}") from None


def from_json(line: str) -> Event:
    """The event on one line of JSON.

    Raises:
        ValueError: the line is no event.
    """
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("an event is a JSON object")
    return from_dict(data)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4)
    return value


def _build(annotation: Any, value: Any) -> Any:
    if get_origin(annotation) is tuple:
        return tuple(_build(get_args(annotation)[0], item) for item in value)
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        hints = typing.get_type_hints(annotation)
        unknown = set(value) - set(hints)
        if unknown:
            raise TypeError(f"unknown fields {sorted(unknown)}")
        return annotation(**{name: _build(hints[name], item) for name, item in value.items()})
    return float(value) if annotation is float else value
