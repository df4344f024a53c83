"""`edgevoice devices`."""

from __future__ import annotations

from edgevoice.commands import options
from edgevoice.commands.output import say, write_json, write_out


def devices(as_json: options.Json = False) -> None:
    """List the microphones.

    \b
    Examples:
      edgevoice devices
      edgevoice devices --json | jq '.[].name'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    import dataclasses

    from edgevoice.audio.microphone import list_devices
    from edgevoice.text import plain

    found = list_devices()
    if as_json:
        write_json([dataclasses.asdict(device) for device in found])
        return
    for device in found:
        write_out(f"{device.number:3}  {plain(device.name)}\n")
    if not found:
        say("No microphone was found. Plug one in, or caption a recording with 'edgevoice live --input FILE'.")
