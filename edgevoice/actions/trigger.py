"""Which actions an event sets off: by label, side and score, once a segment, cooldowns on the clock of the audio."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence

from edgevoice.config import ActionSettings
from edgevoice.events import CaptionFinished, Event, IntentDetected, SpeechEnded, StreamStarted

ANY = "*"
SIDES = {"you": "mic", "them": "call"}
"""Side of a call -> its channel."""
_REMEMBERED = 32
"""Segments of a channel whose actions are known to be done; late finals are few."""


class Trigger:
    """Remembers what was set off, for any number of streams."""

    def __init__(self, actions: Sequence[ActionSettings]) -> None:
        self._actions = actions
        self._done: dict[tuple[int, str], deque[int]] = {}
        """Action and channel -> segments for which it was set off."""
        self._held: dict[tuple[str, int], IntentDetected] = {}
        """Channel and segment -> an early intent, for the actions that wait until the speaker has finished."""
        self._last_at: dict[int, float] = {}
        """Action -> when it was set off last, in seconds on the clock of the audio."""

    def take(self, event: Event) -> Iterator[tuple[ActionSettings, IntentDetected]]:
        """The actions that this event sets off, each with the intent."""
        match event:
            case StreamStarted():
                self._forget(event.channel)
            case IntentDetected():
                if event.early:
                    self._held[event.channel, event.segment] = event
                yield from self._set_off(event, over=not event.early)
            case SpeechEnded() if self._without_words(event):
                yield from self._finished(event, "")
            case CaptionFinished():
                yield from self._finished(event, event.text)
            case _:
                pass

    def _without_words(self, event: SpeechEnded) -> bool:
        """Whether an intent waits to which no caption will come: the model hears intents only."""
        held = self._held.get((event.channel, event.segment))
        return held is not None and not held.words

    def _finished(
        self, event: SpeechEnded | CaptionFinished, text: str
    ) -> Iterator[tuple[ActionSettings, IntentDetected]]:
        """An intent that was announced early is not announced again: now is when the speaker has finished."""
        held = self._held.pop((event.channel, event.segment), None)
        if held:
            words = " ".join(text.split()) or held.words
            yield from self._set_off(dataclasses.replace(held, at=event.at, words=words), over=True)

    def _set_off(self, intent: IntentDetected, *, over: bool) -> Iterator[tuple[ActionSettings, IntentDetected]]:
        for number, action in enumerate(self._actions):
            if (action.early or over) and wants(action, intent) and self._free(number, action, intent):
                self._done.setdefault((number, intent.channel), deque(maxlen=_REMEMBERED)).append(intent.segment)
                self._last_at[number] = intent.at
                yield action, intent

    def _free(self, number: int, action: ActionSettings, intent: IntentDetected) -> bool:
        if intent.segment in self._done.get((number, intent.channel), ()):
            return False
        last = self._last_at.get(number)
        # the two sides of a call share a time line; of streams that do not, neither is "before" the other
        return last is None or abs(intent.at - last) >= action.cooldown_s

    def _forget(self, channel: str) -> None:
        """Segments are counted anew."""
        self._done = {key: segments for key, segments in self._done.items() if key[1] != channel}
        self._held = {key: intent for key, intent in self._held.items() if key[0] != channel}


def wants(action: ActionSettings, intent: IntentDetected) -> bool:
    """Whether an action is for this intent, by label, side and score."""
    return (
        action.intent in (ANY, intent.label)
        and (action.channel == "any" or intent.channel == SIDES[action.channel])
        and intent.score >= action.minimum_score
    )
