"""`edgevoice live`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from edgevoice.commands import options
from edgevoice.commands.completion import loudspeakers
from edgevoice.config import Settings
from edgevoice.errors import UsageError

if TYPE_CHECKING:
    from edgevoice.audio.call import Sides

Input = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="FILE|-", help="A recording or a pipe in place of the microphone."),
]
Call = Annotated[
    bool, typer.Option("--call", help="Both sides of a call: the microphone, and what the loudspeaker plays.")
]
CallDevice = Annotated[
    str | None,
    typer.Option(
        "--call-device",
        metavar="NAME|NUMBER",
        help=options.of_setting("audio.call_device", "With --call: which loudspeaker, by number or part of its name."),
        autocompletion=loudspeakers,
    ),
]
ListDevices = Annotated[bool, typer.Option("--list-devices", help="As 'edgevoice devices', and leave.")]


def live(
    input_: Input = None,
    fast: options.Fast = False,
    call: Call = False,
    device: options.Device = None,
    call_device: CallDevice = None,
    list_devices: ListDevices = False,
    model: options.Model = None,
    intent_model: options.IntentModel = None,
    provider: options.Provider = None,
    remote: options.Remote = None,
    vad: options.Vad = None,
    hop: options.Hop = None,
    hotwords: options.Hotwords = None,
    language_model: options.LanguageModel = None,
    reader: options.Reader = None,
    no_format: options.NoFormat = False,
    serve: options.Serve = None,
    token: options.Token = None,
    no_actions: options.NoActions = False,
    dry_run_actions: options.DryRunActions = False,
    save: options.Save = None,
    record: options.Record = False,
    last_lines: options.LastLines = None,
    as_json: options.Json = False,
) -> None:
    """Caption what is said, as it is said.

    The screen also shows what the speaker wants. Without a terminal on stdout, or with --json, each event is one line
    of JSON.

    \b
    Examples:
      edgevoice live
      edgevoice live --device "USB" --model models/mine
      edgevoice live --call
      edgevoice live --hotwords names.txt
      edgevoice live --save ~/calls --record
      edgevoice live --remote grpc://gpu-server:8001
      edgevoice live --serve 127.0.0.1:8080
      edgevoice live --input call.wav --fast --json | jq -r 'select(.event == "caption_finished").text'
      arecord -q -f S16_LE -r 16000 -c 1 -t raw | edgevoice live --input -
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands.devices import devices
    from edgevoice.commands.sinks import open_sinks
    from edgevoice.commands.streaming import show

    if list_devices:
        devices(as_json=as_json)
        return
    if fast and (input_ is None or input_ == "-"):
        raise UsageError("--fast is for recordings, and this one comes as it is spoken", "Add --input FILE")
    if device is not None and input_ is not None:
        raise UsageError("--device names a microphone, and --input a recording", "Leave one of them out")
    if call and input_ is not None:
        raise UsageError("--call listens to the microphone and the loudspeaker", "Leave --input out")
    if call_device is not None and not call:
        raise UsageError("--call-device is the other side of a call", "Add --call")
    outputs = options.outputs(serve, token, save, last_lines, record=record)
    settings = options.settings_for(
        model,
        intent_model,
        provider,
        vad,
        device,
        remote,
        call_device=call_device,
        hop=hop,
        hotwords=hotwords,
        language_model=language_model,
        reader=reader,
        no_format=no_format,
        more=outputs | {"intent.dry_run_actions": dry_run_actions or None},
    )
    if no_actions:
        settings = dataclasses.replace(settings, actions=())
    sides = _sides(input_, settings, call=call, fast=fast)
    sinks = open_sinks(settings)
    raise typer.Exit(show(sides.sources, settings, as_json=as_json, waits=fast, sinks=sinks, inputs=sides.inputs))


def _sides(input_: str | None, settings: Settings, *, call: bool, fast: bool) -> Sides:
    from edgevoice.audio.call import Sides, both_sides, microphone

    if input_ is None:
        return both_sides(settings.audio) if call else microphone(settings.audio)
    recording = options.open_recording(input_)
    if fast or input_ == "-":
        return Sides((recording,))
    from edgevoice.audio.pacing import PacedSource

    return Sides((PacedSource(recording),))
