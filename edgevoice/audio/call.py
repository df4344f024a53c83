"""What is listened to: a microphone, or both sides of a call, the other of which is what the loudspeakers play."""

from __future__ import annotations

from dataclasses import dataclass

from edgevoice.audio.devices import find_device, find_loopback, loopbacks, microphones
from edgevoice.audio.echo import EchoFreeSource, HeardSource, Played
from edgevoice.audio.inputs import Input
from edgevoice.audio.lasting import Beginning, LastingSource
from edgevoice.audio.microphone import Microphone
from edgevoice.audio.source import Source
from edgevoice.config import AudioSettings

YOU, THEM = "mic", "call"
"""The channels of the two sides."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Streams to caption, and the devices behind them."""

    sources: tuple[Source, ...]
    inputs: tuple[Input, ...] = ()


def microphone(settings: AudioSettings) -> Sides:
    """The user's side alone, which waits for a microphone that goes away.

    Args:
        settings: names the device.

    Raises:
        AudioError: there is no such microphone.
    """
    you = _you(settings, Beginning())
    return Sides((you,), (Input(you, microphones),))


def both_sides(settings: AudioSettings) -> Sides:
    """The user's side, without the echo of the other, and the other side.

    Raises:
        AudioError: there is no such microphone, or nothing offers what the loudspeakers play.
    """
    beginning = Beginning()
    you, them = _you(settings, beginning), _them(settings, beginning)
    inputs = Input(you, microphones), Input(them, loopbacks)
    if not settings.echo_cancellation:
        return Sides((you, them), inputs)
    played = Played()
    return Sides((EchoFreeSource(you, played), HeardSource(them, played)), inputs)


def _you(settings: AudioSettings, beginning: Beginning) -> LastingSource:
    def open_device(wanted: str, again: bool) -> Source:  # noqa: FBT001 - as `Opener` says
        return Microphone(find_device(wanted, refresh=again), settings.queue_seconds, YOU)

    return LastingSource(open_device, settings.device, beginning=beginning)


def _them(settings: AudioSettings, beginning: Beginning) -> LastingSource:
    def open_device(wanted: str, again: bool) -> Source:  # noqa: FBT001 - as `Opener` says
        return Microphone(find_loopback(wanted, refresh=again), settings.queue_seconds, THEM)

    return LastingSource(open_device, settings.call_device, beginning=beginning)
