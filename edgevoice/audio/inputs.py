"""The device behind a stream, as its user sees it: which one it is, which ones there are, how loud one would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgevoice.audio.devices import Device
from edgevoice.audio.lasting import LastingSource
from edgevoice.audio.level import levels
from edgevoice.audio.microphone import Microphone
from edgevoice.audio.source import Source


@dataclass(frozen=True, slots=True)
class Offer:
    """A device that a stream could take its sound from."""

    handle: str
    """Finds it and no other, also after others were plugged in or out."""
    name: str
    is_default: bool
    """Whether it is the system's."""
    in_use: bool


class Input:
    """The device behind one stream. Its methods may be called from any thread, and may take their time, as sound
    systems do.

    Args:
        source: the stream.
        candidates: gives the devices it could take its sound from, as they are plugged in now.
    """

    def __init__(self, source: LastingSource, candidates: Callable[[], list[Device]]) -> None:
        self._source, self._candidates = source, candidates
        self.channel = source.channel

    def offers(self) -> list[Offer]:
        """The devices it could take its sound from.

        Raises:
            AudioError: the sound system cannot be asked.
        """
        devices = self._candidates()
        used = self._source.device
        return [
            Offer(_handle(each, devices), each.name, each.plays_default or each.is_default, _is(each, used))
            for each in devices
        ]

    def choose(self, handle: str) -> None:
        """Goes on with another device, whatever the stream was doing; one that cannot be opened is waited for."""
        self._source.choose(handle)

    def listen(self, handle: str) -> Listening:
        """Looks how loud a device is, besides what the stream does. Some devices can be opened only once, so that the
        one in use cannot be listened to here.

        Raises:
            AudioError: it is not there any more.
        """
        return Listening(self._source.look_up(handle))


class Listening:
    """Somebody who looks how loud a device is, until `close`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def levels(self) -> Iterator[tuple[float, float]]:
        """Decibels of full scale and peak, ten times a second.

        Raises:
            AudioError: the device cannot be opened, or delivers nothing.
        """
        return levels(self._source)

    def close(self) -> None:
        """Ends `levels`, from any thread."""
        self._source.close()


def _is(device: Device, source: Source) -> bool:
    if not isinstance(source, Microphone):
        return device.name == source.name
    # numbers change when PortAudio looks again
    return (device.source, device.name) == (source.device.source, source.device.name)


def _handle(device: Device, devices: list[Device]) -> str:
    if device.source:
        return device.source
    same = [each for each in devices if each.name.casefold() == device.name.casefold()]
    return device.name if len(same) == 1 else str(device.index)
