"""`edgevoice transcribe`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edgevoice.commands import options
from edgevoice.errors import UsageError


class Format(StrEnum):
    """What a transcript is written as."""

    TXT = "txt"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"
    JSONL = "jsonl"


Files = Annotated[list[str], typer.Argument(metavar="FILE|FOLDER", help="Recordings, or - for a pipe.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="What to write.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Write one file for each recording into this folder."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are already there.")]
Resume = Annotated[bool, typer.Option("--resume", help="Leave out recordings whose transcript is already there.")]
Channels = Annotated[
    str | None,
    typer.Option("--channels", metavar="auto|mix|split", help="Hear the two channels of a recording apart."),
]
ChannelNames = Annotated[
    str | None, typer.Option("--channel-names", metavar="LEFT,RIGHT", help="What they are called: you,them.")
]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", metavar="N", help="Recordings at once, with one model.")]
Ray = Annotated[
    str | None, typer.Option("--ray", metavar="ADDRESS|auto", help="A Ray cluster transcribes; its workers read FILE.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on the terminal.")]


def transcribe(
    files: Files,
    format_: FormatOption = Format.TXT,
    output: Output = None,
    force: Force = False,
    resume: Resume = False,
    channels: Channels = None,
    channel_names: ChannelNames = None,
    jobs: Jobs = None,
    ray: Ray = None,
    quiet: Quiet = False,
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
) -> None:
    """Write down what recordings say.

    They are written in the order of the arguments; of a folder, all recordings in it and in its folders. One that
    cannot be read does not stop the others; the exit code is then 1. json is one object for each file, jsonl one line
    for each event.

    \b
    Examples:
      edgevoice transcribe talk.wav
      edgevoice transcribe talk.mp4 --format srt > talk.srt
      edgevoice transcribe calls --format vtt --output subtitles --resume
      edgevoice transcribe call.wav --channels split --channel-names you,them
      edgevoice transcribe talk.wav --hotwords names.txt
      edgevoice transcribe talk.wav --remote grpc://gpu-server:8001
      edgevoice transcribe /archive --output /transcripts --resume --ray auto
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands.archive import Archive
    from edgevoice.commands.recordings import find, targets

    words = {"hotwords": hotwords, "language_model": language_model, "reader": reader}
    more = {"files.channels": channels, "files.channel_names": channel_names, "files.jobs": jobs}
    settings = options.settings_for(
        model, intent_model, provider, vad, remote=remote, **words, hop=hop, no_format=no_format, more=more
    )
    if resume and (force or not output):
        way_out = "Leave one of them out" if force else "Add --output DIR"
        raise UsageError("--resume goes on with an --output folder, and --force begins it anew", way_out)
    found = find(files)
    archive = Archive([each.file for each in found], settings, format_, quiet=quiet, cluster=ray)
    if output:
        archive.write_to(targets(found, format_.value, output, force=force, resume=resume))
    raise typer.Exit(archive.transcribe())
