"""The values that the screen shows, and how they are written: frozen, made safe by `state.py`, drawn by the widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from edgevoice.speakers import speaker as speaker  # noqa: PLC0414 - app.py has it from here
from edgevoice.text import clock, plain

LABEL_LENGTH = 80
"""Longer names and labels are cut: they come from files and may be anything."""
MESSAGE_LENGTH = 400


class Phase(Enum):
    """Where the run stands."""

    STARTING = "starting"
    LISTENING = "listening"
    PAUSED = "paused"
    STOPPING = "stopping"
    ENDED = "ended"
    FAILED = "failed"


HINTS = {
    Phase.STARTING: "Starting.",
    Phase.LISTENING: "What is said will appear here.",
    Phase.PAUSED: "Paused. Space goes on.",
    Phase.STOPPING: "Stopping.",
    Phase.ENDED: "The audio has ended.",
    Phase.FAILED: "",
}
RULES = {
    Phase.PAUSED: "paused, space goes on",
    Phase.ENDED: "ended",
    Phase.FAILED: "failed",
    Phase.STOPPING: "stopping",
}


@dataclass(frozen=True, slots=True)
class CaptionLine:
    """A finished caption."""

    channel: str
    start: float
    text: str
    """With a line break where the speaker paused."""
    pauses: tuple[float, ...] = ()
    """Seconds of silence behind each word; empty where that is not known."""
    confidence: float | None = None
    """Mean of its words, 0 to 1; nothing where that is not known."""
    segment: int = -1
    """With the channel it says which one a second reading is of."""

    @property
    def sureness(self) -> str:
        """How sure the words of that time are, as it is said; empty where that is not known."""
        return "" if self.confidence is None else f"{clock(self.start)} · {round(self.confidence * 100)} % sure"

    def is_of(self, other: CaptionLine) -> bool:
        """Whether both are readings of the same words."""
        return (self.channel, self.segment) == (other.channel, other.segment)

    def as_line(self, *, labelled: bool) -> str:
        """As it is copied: with its time, and with its speaker where there are two."""
        who = f"{speaker(self.channel)}: " if labelled else ""
        return f"{clock(self.start)}  {who}{written(self.text)}"


@dataclass(frozen=True, slots=True)
class LiveView:
    """What is being said on one channel; `segment` is -1 while nobody speaks."""

    channel: str
    segment: int = -1
    start: float = 0.0
    stable: str = ""
    tentative: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A label and its share, 0 to 1."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class IntentView:
    """An intent, or with a `reason` the news that there was none."""

    channel: str
    segment: int
    at: float
    label: str
    score: float
    key: str = ""
    """The label as the run calls it; not for the screen."""
    early: bool = False
    reason: str = ""
    runners_up: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusView:
    """The line at the bottom."""

    phase: Phase = Phase.STARTING
    model: str = ""
    reader: str = ""
    """Who reads finished sentences once more."""
    provider: str = ""
    note: str = ""
    p50: float | None = None
    """Seconds."""
    p95: float | None = None
    """Seconds."""
    lost: float = 0.0
    """Seconds."""
    pace: str = ""
    """How late captions are and how often they come, while the machine cannot keep up."""
    action: str = ""
    """What the latest intent set off, and how that went."""
    keeps: str = ""
    """That it is saved or recorded."""
    speed: str = ""
    """How fast is spoken, where it is too fast to read along."""


@dataclass(frozen=True, slots=True)
class HeaderView:
    """The line at the top."""

    source: str = ""
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One message for the banner: a failure, or with `note` something worth knowing."""

    what: str
    remedy: str = ""
    recoverable: bool = True
    note: bool = False


def written(text: str) -> str:
    """A caption in one line."""
    return text.replace("\n", " ")


def short(text: str, length: int = LABEL_LENGTH) -> str:
    """Text safe to show, no longer than `length` characters."""
    cleaned = plain(text).strip()
    return cleaned if len(cleaned) <= length else cleaned[: length - 1] + "…"


def label_name(label: str) -> str:
    """A label as a person reads it: "card_issues" -> "card issues"."""
    return short(label).replace("_", " ")


def finite(value: float, otherwise: float = 0.0) -> float:
    """The value, unless it is infinite or no number at all."""
    return value if math.isfinite(value) else otherwise


def percentile(values: list[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values, or nothing of nothing."""
    if not values:
        return None
    return values[min(len(values) - 1, int(share * len(values)))]


def pace_of(behind: float, hop: float) -> str:
    """What is said of captions that come late and less often, in seconds."""
    late = f"behind {behind:.1f} s, " if behind >= 0.1 else ""
    return f"{late}captions every {hop:.1f} s"
