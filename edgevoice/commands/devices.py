"""`edgevoice devices`."""

from __future__ import annotations

from edgevoice.commands import options
from edgevoice.commands.output import say, write_json, write_out


def devices(as_json: options.Json = False) -> None:
    """List the microphones.

    A star marks the system's default.

    \b
    Examples:
      edgevoice devices
      edgevoice devices --json | jq '.[].name'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    import dataclasses

    from edgevoice.audio.microphone import list_devices

    found = list_devices()
    if as_json:
        write_json([dataclasses.asdict(device) for device in found])
        return
    for device in found:
        mark = "*" if device.is_default else " "
        detail = f"{device.host_api}, {device.sample_rate} Hz, {device.channels} channels"
        write_out(f"{mark}{device.index:3}  {device.name}  ({detail})\n")
    if not found:
        say("No microphone was found. Plug one in, or caption a recording with 'edgevoice live --input FILE'.")
