"""What was said in a session, in the order in which it was said: captions as they stand and intents, of one channel or
several."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edgevoice.captions import Captions, Change
from edgevoice.events import CaptionFinished, CaptionRevised, Event, IntentDetected, SpeechStarted, StreamStarted
from edgevoice.sinks.line_breaks import Phrase, phrases
from edgevoice.speakers import speaker
from edgevoice.text import plain

_APART = 20
"""Entries between what is settled and a caption that may still change, whose new times would touch the last cues."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A caption or an intent, at its place."""

    event: CaptionFinished | IntentDetected
    start: float
    """Seconds: where the words begin; of an intent, where its segment does, so that it stays with its words."""
    speaker: str = ""
    """Whose words, where that is said."""
    lines: tuple[str, ...] = ()
    """What is written of it, safe to show."""
    phrases: tuple[Phrase, ...] = ()
    """The words of a final as subtitles."""

    @property
    def end(self) -> float:
        """Seconds."""
        return self.event.end if isinstance(self.event, CaptionFinished) else self.start

    @property
    def order(self) -> tuple[float, bool]:
        """An intent comes after the words of its segment."""
        return self.start, isinstance(self.event, IntentDetected)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a file, with its place on the time line."""

    start: int
    """Milliseconds."""
    text: str


class Conversation:
    """Takes events as they come, and keeps captions and intents in order of time, whichever channel is late. A second
    reading of a caption takes the place of the first, wherever that is by then.

    Args:
        labelled: whether it is said whose words they are; None to say it as soon as there are several channels.
        phrased: whether subtitles are wanted, which take most of the time.
    """

    def __init__(self, *, labelled: bool | None = None, phrased: bool = True) -> None:
        self.entries: list[Entry] = []
        self._captions = Captions()
        self._channels: set[str] = set()
        self._labelled = labelled
        self._phrased = phrased
        self._starts: dict[tuple[str, int], float] = {}

    @classmethod
    def of(cls, events: Iterable[Event], *, labelled: bool | None = None) -> Conversation:
        """A whole one."""
        conversation = cls(labelled=labelled)
        for event in events:
            conversation.add(event)
        return conversation

    def add(self, event: Event) -> None:
        """Takes an event in; those that say nothing pass."""
        if isinstance(event, StreamStarted | CaptionFinished | CaptionRevised | IntentDetected):
            self._heard_of(event.channel)
        if isinstance(event, SpeechStarted | CaptionFinished):
            self._starts[event.channel, event.segment] = event.start
        if isinstance(event, CaptionRevised):
            self._starts.setdefault((event.channel, event.segment), event.start)
        change = self._captions.take(event)
        if change:
            self._change(change)
        elif isinstance(event, IntentDetected):
            self._put(event, self._starts.get((event.channel, event.segment), event.at))

    def settle(self, keep: int, at_most: int) -> list[Entry]:
        """Forgets the oldest entries, down to about `keep`, and gives them. They are those of before a moment at which
        nobody spoke, and of before captions whose second reading is on its way; none if there was no such moment.

        Args:
            keep: entries.
            at_most: entries from which on second readings are not waited for any more.
        """
        ends = list(itertools.accumulate((entry.end for entry in self.entries), max))
        last = len(self.entries) - keep
        if len(self.entries) <= at_most:
            last = min(last, self._first_open() - _APART)
        for count in range(last, 0, -1):
            boundary = self.entries[count].start
            if ends[count - 1] <= boundary and self.entries[count - 1].start < boundary:
                settled, self.entries = self.entries[:count], self.entries[count:]
                self._starts = {segment: start for segment, start in self._starts.items() if start >= boundary}
                self._settle(settled)
                return settled
        return []

    def _first_open(self) -> int:
        """Where the oldest caption is whose second reading is on its way."""
        events = (entry.event for entry in self.entries)
        is_open = (isinstance(event, CaptionFinished) and self._captions.may_change(event) for event in events)
        return next((place for place, open_ in enumerate(is_open) if open_), len(self.entries))

    def _settle(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if isinstance(entry.event, CaptionFinished):
                self._captions.settle(entry.event)

    def _change(self, change: Change) -> None:
        """Shows a caption as it stands from now on."""
        if change.before is None:
            if change.now:
                self._put(change.now, change.now.start)
            return
        places = range(len(self.entries) - 1, -1, -1)  # it is one of the newest
        place = next(place for place in places if self.entries[place].event is change.before)
        if change.now:
            self.entries[place] = self._shown(replace(self.entries[place], event=change.now))
        else:
            del self.entries[place]

    def _put(self, event: CaptionFinished | IntentDetected, start: float) -> None:
        bisect.insort_right(self.entries, self._shown(Entry(event, start)), key=lambda entry: entry.order)

    def _heard_of(self, channel: str) -> None:
        before = self._is_labelled
        self._channels.add(channel)
        if self._is_labelled != before:
            self.entries = [self._shown(entry) for entry in self.entries]

    @property
    def _is_labelled(self) -> bool:
        return len(self._channels) > 1 if self._labelled is None else self._labelled

    def _shown(self, entry: Entry) -> Entry:
        event = entry.event
        name = speaker(event.channel) if self._is_labelled else ""
        if isinstance(event, IntentDetected):
            return replace(entry, speaker=name, lines=(intent_note(event),))
        lines = (plain(line).strip() for line in event.text.splitlines())
        shown = replace(entry, speaker=name, lines=tuple(line for line in lines if line))
        return replace(shown, phrases=phrases(event, name)) if self._phrased else shown


def intent_note(event: IntentDetected) -> str:
    """An intent in a few words."""
    label = plain(event.label).strip()
    return f"intent: {label} ({round(event.score * 100)} %{', early' if event.early else ''})"


def milliseconds(seconds: float) -> int:
    """As subtitles count, from 0 on."""
    return max(0, round(seconds * 1000))
