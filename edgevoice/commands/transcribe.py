"""`edgevoice transcribe`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edgevoice.commands import options
from edgevoice.commands.output import say, write_out


class Format(StrEnum):
    """What a transcript is written as."""

    TXT = "txt"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"
    JSONL = "jsonl"


Files = Annotated[list[str], typer.Argument(metavar="FILE", help="Recordings, or - for a pipe.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="What to write.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Write one file for each recording into this folder."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are already there.")]


def transcribe(
    files: Files,
    format_: FormatOption = Format.TXT,
    output: Output = None,
    force: Force = False,
    model: options.Model = None,
    intent_model: options.IntentModel = None,
    provider: options.Provider = None,
    remote: options.Remote = None,
    vad: options.Vad = None,
    hop: options.Hop = None,
    hotwords: options.Hotwords = None,
    language_model: options.LanguageModel = None,
    no_format: options.NoFormat = False,
) -> None:
    """Write down what recordings say.

    They are written in the order of the arguments. A recording that cannot be read does not stop the others; the exit
    code is then 1. json is one object for each file, jsonl one line for each event.

    \b
    Examples:
      edgevoice transcribe talk.wav
      edgevoice transcribe talk.wav --format srt > talk.srt
      edgevoice transcribe calls/*.wav --format vtt --output subtitles
      edgevoice transcribe talk.wav --hotwords names.txt
      edgevoice transcribe talk.wav --remote grpc://gpu-server:8001
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands.transcript import rendered, transcript, write_file, written_to

    settings = options.settings_for(
        model,
        intent_model,
        provider,
        vad,
        remote=remote,
        hop=hop,
        hotwords=hotwords,
        language_model=language_model,
        no_format=no_format,
    )
    targets = written_to(files, format_, output, force=force) if output else [None] * len(files)
    acoustic = options.open_model(settings)
    if acoustic.note:
        say(acoustic.note)
    failed = False
    for file, target in zip(files, targets, strict=True):
        result = transcript(file, acoustic, settings)
        failed = failed or bool(result.error or result.warnings)
        for message in [result.error, *result.warnings]:
            if message:
                say(message)
        text = rendered(result, format_)
        if target is None:
            write_out(text)
        elif result.heard or not result.error or format_ is Format.JSON:
            write_file(target, text)
    raise typer.Exit(int(failed))
