"""What waits for one reader, and what is kept for those who come later. Bounded, and without a network."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from edgevoice.captions import takes_place_of
from edgevoice.events import CaptionFinished, CaptionRevised, CaptionUpdated, Event, LevelMeasured, StreamStarted

WAITING = 500
"""Lasting events that may wait for a reader. One that is further behind is sent away: it may come again, and is then
told what was said meanwhile."""
KEPT = 5_000
"""Events that are kept for readers who come later, at most."""

_Key: TypeAlias = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way."""

    number: int
    """Counts the events of this server."""
    event: Event
    text: str
    """The event as JSON."""


class Outbox:
    """What waits for a reader. Of levels, and of the updates of a caption, only the latest one does.

    Args:
        missed: what it is sent first.
        waiting: lasting events that may wait besides.
    """

    def __init__(self, missed: Iterable[Message] = (), waiting: int = WAITING) -> None:
        self._missed, self._waiting = deque(missed), waiting
        self._messages: OrderedDict[_Key, Message] = OrderedDict()
        self._lasting = 0
        self.overflowed = False
        """Whether a lasting event found no room; nothing is taken in from then on."""

    def put(self, message: Message) -> None:
        """Adds a message, in the place of what it outdates."""
        if self.overflowed:
            return
        if isinstance(message.event, CaptionFinished):
            self._messages.pop(_update_key(message.event), None)
        key = _passing(message.event)
        if key:
            self._messages.pop(key, None)
        elif self._lasting >= self._waiting:
            self.overflowed = True
            return
        else:
            self._lasting += 1
        self._messages[key or ("", "", message.number)] = message

    def take(self) -> Message | None:
        """The oldest message, or None."""
        if self._missed:
            return self._missed.popleft()
        if not self._messages:
            return None
        key, message = self._messages.popitem(last=False)
        self._lasting -= not key[0]
        return message


@dataclass(slots=True)
class _Lasting:
    """An event that is kept, at its place."""

    place: int
    """Its number; of a caption that was put right, that of its first reading, which is not kept."""
    message: Message

    def since(self, number: int) -> Message | None:
        """What a reader is sent who has the events up to that one; None if it has this one too."""
        if self.place > number:
            return replace(self.message, number=self.place)
        return self.message if self.message.number > number else None


class History:
    """The last minutes, for readers who come later: of each caption one reading, where it was said.

    Args:
        seconds: on the clock of each stream's audio.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started: dict[str, Message] = {}
        """Channel -> how its stream began."""
        self._lasting: deque[_Lasting] = deque(maxlen=KEPT)
        self._updates: dict[_Key, Message] = {}
        """The captions that are not finished."""
        self._newest: dict[str, float] = {}

    def add(self, message: Message) -> None:
        """Keeps what will still matter."""
        event = message.event
        self._newest[event.channel] = event.at
        if isinstance(event, StreamStarted):
            self._started[event.channel] = message
        elif isinstance(event, CaptionUpdated):
            self._updates[_update_key(event)] = message
        elif not isinstance(event, LevelMeasured):
            self._keep(message)
        if isinstance(event, CaptionFinished):
            self._updates.pop(_update_key(event), None)
        while self._lasting and self._is_old(self._lasting[0].message.event):
            self._lasting.popleft()

    def since(self, number: int) -> Iterator[Message]:
        """What is kept of the events after that one, in order."""
        kept = [message for message in (*self._started.values(), *self._updates.values()) if message.number > number]
        kept += [message for each in self._lasting if (message := each.since(number))]
        return iter(sorted(kept, key=lambda each: each.number))

    def _keep(self, message: Message) -> None:
        """Keeps an event that lasts, in the place of what it takes the place of."""
        event = message.event
        first = self._first_reading(event) if isinstance(event, CaptionRevised) else None
        if first:
            first.message = message
        else:
            self._lasting.append(_Lasting(message.number, message))

    def _first_reading(self, event: CaptionRevised) -> _Lasting | None:
        began = self._started.get(event.channel)
        since = began.number if began else 0  # another run on this channel counts its segments anew
        of_run = (each for each in reversed(self._lasting) if each.place > since)
        return next((each for each in of_run if takes_place_of(event, each.message.event)), None)

    def _is_old(self, event: Event) -> bool:
        return event.at < self._newest[event.channel] - self._seconds


def _passing(event: Event) -> _Key | None:
    """What an event shares with those that outdate it; None for one that lasts."""
    if isinstance(event, LevelMeasured):
        return ("level", event.channel, 0)
    return _update_key(event) if isinstance(event, CaptionUpdated) else None


def _update_key(event: CaptionUpdated | CaptionFinished) -> _Key:
    return ("update", event.channel, event.segment)
