"""Which input devices there are, and which one is meant."""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass

from edgevoice.audio.portaudio import OTHER_WAYS, default_input, load_sounddevice, refresh_devices
from edgevoice.audio.sound_server import VARIABLE, NoSoundServerError, server_sources
from edgevoice.errors import AudioError, DeviceNotFoundError
from edgevoice.text import plain

_SERVER = "pulse"
"""What PortAudio calls a PulseAudio or PipeWire server, behind which the real devices are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An input device."""

    index: int
    """What it can be chosen by."""
    name: str
    host_api: str
    channels: int
    sample_rate: int
    """Hertz, what the device uses by itself."""
    is_default: bool
    plays: str = ""
    """The loudspeaker whose sound it delivers; empty for a microphone."""
    plays_default: bool = False
    """Whether that is the default loudspeaker."""
    source: str = ""
    """What the sound server calls it; empty for a device that PortAudio knows by itself."""
    port: int = -1
    """PortAudio's number for it."""


def list_devices(*, refresh: bool = False) -> list[Device]:
    """All input devices, the system's default marked; empty if there are none. Those of a sound server come last, and
    what its loudspeakers play at the very end.

    Args:
        refresh: also see what was plugged in since the first time, where no microphone is open.

    Raises:
        PortAudioMissingError: the library is not installed.
    """
    sounddevice = load_sounddevice()
    if refresh:
        refresh_devices(sounddevice)
    hosts = sounddevice.query_hostapis()
    default = default_input(sounddevice)
    every = sounddevice.query_devices()
    found = [
        Device(
            index=index,
            name=plain(str(each["name"])),
            host_api=plain(str(hosts[each["hostapi"]]["name"])),
            channels=int(each["max_input_channels"]),
            sample_rate=round(each["default_samplerate"]),
            is_default=index == default,
            port=index,
        )
        for index, each in enumerate(every)
        if each["max_input_channels"] > 0
    ]
    server = next((device for device in found if device.name == _SERVER), None)
    return _with_sources(found, server, len(every)) if server else found


def _with_sources(devices: list[Device], server: Device, first: int) -> list[Device]:
    """With the real devices behind a sound server, one of which is the default if the server was."""
    try:
        sources = sorted(server_sources(), key=lambda source: bool(source.monitor_of))
    except NoSoundServerError:
        return devices
    behind = [
        dataclasses.replace(
            server,
            index=first + number,
            name=source.description,
            # nobody who asks for a microphone means what the loudspeakers play, unless the environment says so
            is_default=source.is_default and (not source.monitor_of or VARIABLE in os.environ),
            plays=source.monitor_of,
            plays_default=source.is_default_monitor,
            source=source.name,
        )
        for number, source in enumerate(sources)
    ]
    if not _is_server(next((device for device in devices if device.is_default), server)):
        behind = [dataclasses.replace(device, is_default=False) for device in behind]
    elif any(device.is_default for device in behind):
        devices = [dataclasses.replace(device, is_default=False) for device in devices]
    return devices + behind


def _is_server(device: Device) -> bool:
    """Whether PortAudio reaches a sound server through it, whichever device that takes."""
    return not device.source and device.name in (_SERVER, "default")


def microphones() -> list[Device]:
    """What people can be heard with, as it is plugged in now: of a sound server its devices, and not the ways to it;
    without one whatever PortAudio has.

    Raises:
        AudioError: the sound system cannot be asked.
    """
    devices = list_devices(refresh=True)
    return [device for device in devices if device.source and not device.plays] or [
        device for device in devices if not device.plays
    ]


def loopbacks() -> list[Device]:
    """What offers the sound of a loudspeaker, as it is plugged in now; without a sound server every device, for one of
    them may loop the sound back.

    Raises:
        AudioError: the sound system cannot be asked.
    """
    devices = list_devices(refresh=True)
    return [device for device in devices if device.plays] or devices


def find_device(wanted: str = "", *, refresh: bool = False) -> Device:
    """The input device of that number, or whose name contains that text; the system's default for "".

    An exact name wins, then a microphone, then the host API of the default device, then the order of `list_devices`.

    Raises:
        AudioError: there is no input device at all, or no microphone among them.
        DeviceNotFoundError: none of them fits.
    """
    devices = list_devices(refresh=refresh)
    if not devices:
        raise AudioError("There is no microphone", f"Connect one and start again; {OTHER_WAYS}")
    wanted = plain(wanted).strip().casefold()
    if not wanted:
        return _default(devices)
    host = next((device.host_api for device in devices if device.is_default), devices[0].host_api)
    by_number = [device for device in devices if str(device.index) == wanted]
    by_name = [device for device in devices if wanted in device.name.casefold() or wanted == device.source.casefold()]
    by_name.sort(
        key=lambda device: (
            wanted not in (device.name.casefold(), device.source.casefold()),
            bool(device.plays),
            device.host_api != host,
        )
    )
    for device in by_number + by_name:
        return device
    available = ", ".join(f"{device.index} '{device.name}'" for device in devices)
    raise DeviceNotFoundError(f"No input device is called '{wanted}'", f"Choose one of these: {available}")


def _default(devices: list[Device]) -> Device:
    default = next((device for device in devices if device.is_default), devices[0])
    behind = [device for device in devices if device.source]
    if not behind or VARIABLE in os.environ or not _is_server(default):
        return default
    # the server would record what a loudspeaker plays for want of a microphone
    for device in behind:
        if not device.plays:
            return device
    what = "There is no microphone, only what the loudspeakers play"
    raise AudioError(what, f"Connect one and start again, or name one of these with --device; {OTHER_WAYS}")


def find_loopback(wanted: str = "", *, refresh: bool = False) -> Device:
    """What a loudspeaker plays: of the one whose name contains that text, the system's default for "". Without a sound
    server that offers it, an input device of that name which loops the sound back.

    Raises:
        AudioError: nothing on this machine offers that.
        DeviceNotFoundError: none of them fits.
    """
    devices = list_devices(refresh=refresh)
    monitors = [device for device in devices if device.plays]
    text = plain(wanted).strip().casefold()
    if text:
        for device in sorted(monitors, key=lambda device: text != device.source.casefold()):
            names = device.name.casefold(), device.plays.casefold(), device.source.casefold()
            if any(text in name for name in names) or text == str(device.index):
                return device
        return find_device(wanted)
    if monitors:
        return next((device for device in monitors if device.plays_default), monitors[0])
    raise AudioError("Nothing here offers what the loudspeakers play", _LOOPBACK.get(sys.platform, _LOOPBACK["linux"]))


_LOOPBACK = {
    "linux": "Start PulseAudio or PipeWire (with pipewire-pulse) and libpulse, which offer it for each loudspeaker",
    "darwin": "Install BlackHole, make it part of a multi-output device in Audio MIDI Setup, and name it with "
    "--call-device BlackHole",
    "win32": "Switch 'Stereo Mix' on in the sound settings, or install VB-CABLE, and name it with --call-device",
}
