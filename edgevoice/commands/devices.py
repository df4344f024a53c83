"""`edgevoice devices`."""

from __future__ import annotations

from edgevoice.commands import options
from edgevoice.commands.output import say, write_json, write_out


def devices(as_json: options.Json = False) -> None:
    """List the microphones, and what loudspeakers play.

    A star marks the system's default. Every device can be chosen by its number or by part of its name, with --device,
    or with --call-device for the other side of a call.

    \b
    Examples:
      edgevoice devices
      edgevoice devices --json | jq '.[].name'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    import dataclasses

    from edgevoice.audio.devices import list_devices

    found = list_devices()
    if as_json:
        hidden = {"port", "source"}
        write_json([{k: v for k, v in dataclasses.asdict(device).items() if k not in hidden} for device in found])
        return
    for device in found:
        mark = "*" if device.is_default else " "
        detail = f"{device.host_api}, {device.sample_rate} Hz, {device.channels} channels"
        if device.source:
            detail = "what a loudspeaker plays" if device.plays else "sound server"
        write_out(f"{mark}{device.index:3}  {device.name}  ({detail})\n")
    if not found:
        say("No microphone was found. Plug one in, or caption a recording with 'edgevoice live --input FILE'.")
