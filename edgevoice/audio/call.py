"""Both sides of a call: the microphone, and what the loudspeakers play."""

from __future__ import annotations

from edgevoice.audio.devices import find_device, find_loopback
from edgevoice.audio.echo import EchoFreeSource, HeardSource, Played
from edgevoice.audio.lasting import Beginning, LastingSource
from edgevoice.audio.microphone import Microphone
from edgevoice.audio.source import Source
from edgevoice.config import AudioSettings

YOU, THEM = "mic", "call"
"""The channels of the two sides."""


def microphone(settings: AudioSettings, beginning: Beginning | None = None) -> LastingSource:
    """The user's side, which waits for a microphone that goes away.

    Args:
        settings: names the device.
        beginning: of the time of all sides.

    Raises:
        AudioError: there is no such microphone.
    """

    def open_device(wanted: str, again: bool) -> Source:  # noqa: FBT001 - as `Opener` says
        return Microphone(find_device(wanted, refresh=again), settings.queue_seconds, YOU)

    return LastingSource(open_device, settings.device, beginning=beginning)


def call(settings: AudioSettings) -> list[Source]:
    """The user's side, without the echo of the other, and the other side.

    Raises:
        AudioError: there is no such microphone, or nothing offers what the loudspeakers play.
    """

    def open_device(wanted: str, again: bool) -> Source:  # noqa: FBT001 - as `Opener` says
        return Microphone(find_loopback(wanted, refresh=again), settings.queue_seconds, THEM)

    beginning = Beginning()
    you = microphone(settings, beginning)
    them = LastingSource(open_device, settings.call_device, beginning=beginning)
    if not settings.echo_cancellation:
        return [you, them]
    played = Played()
    return [EchoFreeSource(you, played), HeardSource(them, played)]
