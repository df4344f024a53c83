"""`edgevoice live`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgevoice.commands import options
from edgevoice.config import Settings
from edgevoice.errors import UsageError

if TYPE_CHECKING:
    from edgevoice.audio.source import Source

Input = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="FILE|-", help="A recording or a pipe in place of the microphone."),
]


def live(
    input_: Input = None,
    fast: options.Fast = False,
    device: options.Device = None,
    model: options.Model = None,
    intent_model: options.IntentModel = None,
    provider: options.Provider = None,
    remote: options.Remote = None,
    vad: options.Vad = None,
    hop: options.Hop = None,
    hotwords: options.Hotwords = None,
    language_model: options.LanguageModel = None,
    no_format: options.NoFormat = False,
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
      edgevoice live --hotwords names.txt
      edgevoice live --save ~/calls --record
      edgevoice live --remote grpc://gpu-server:8001
      edgevoice live --input call.wav --fast --json | jq -r 'select(.event == "caption_finished").text'
      arecord -q -f S16_LE -r 16000 -c 1 -t raw | edgevoice live --input -
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands.sinks import open_sinks
    from edgevoice.commands.streaming import show

    if fast and (input_ is None or input_ == "-"):
        raise UsageError("--fast is for recordings, and this one comes as it is spoken", "Add --input FILE")
    if device is not None and input_ is not None:
        raise UsageError("--device names a microphone, and --input a recording", "Leave one of them out")
    settings = options.settings_for(
        model,
        intent_model,
        provider,
        vad,
        device,
        remote,
        hop=hop,
        hotwords=hotwords,
        language_model=language_model,
        no_format=no_format,
        save=save,
        record=record,
        last_lines=last_lines,
    )
    raise typer.Exit(
        show([_source(input_, settings, fast=fast)], settings, as_json=as_json, sinks=open_sinks(settings))
    )


def _source(input_: str | None, settings: Settings, *, fast: bool) -> Source:
    if input_ is None:
        from edgevoice.audio.microphone import Microphone

        return Microphone(settings.audio.device, settings.audio.queue_seconds)
    recording = options.open_recording(input_)
    if fast or input_ == "-":
        return recording
    from edgevoice.audio.pacing import PacedSource

    return PacedSource(recording)
