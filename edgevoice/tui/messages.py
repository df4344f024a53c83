"""The vocabulary of the screen: what the thread tells it."""

from __future__ import annotations

from textual.message import Message

from edgevoice.events import CaptionUpdated, Event, LevelMeasured


class EventArrived(Message):
    """The run delivered an event."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def can_replace(self, message: Message) -> bool:
        """Whether a later message makes this one worthless, so that a burst costs one redraw."""
        if not isinstance(message, EventArrived):
            return False
        old, new = self.event, message.event
        if isinstance(old, LevelMeasured) and isinstance(new, LevelMeasured):
            return old.channel == new.channel
        if isinstance(old, CaptionUpdated) and isinstance(new, CaptionUpdated):
            return (old.channel, old.segment) == (new.channel, new.segment)
        return False


class RunFinished(Message):
    """The run delivered its last event; `error` is what broke it, if anything did."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error
