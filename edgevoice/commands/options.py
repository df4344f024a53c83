"""Options that several commands share, and how they become settings, models and sources."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgevoice.commands.completion import choices_of, microphones, model_names, reader_names
from edgevoice.commands.output import say
from edgevoice.config import FileSettings, Settings
from edgevoice.config_file import default, load_settings, said_in, value_of
from edgevoice.config_forms import two_names
from edgevoice.errors import AudioError, ConfigError, UsageError
from edgevoice.paths import find_model, user_path
from edgevoice.text import plain
from edgevoice.vad.segmenter import Segmenter

if TYPE_CHECKING:
    from edgevoice.asr.model import AcousticModel
    from edgevoice.audio.source import Source
    from edgevoice.pipeline import Pipeline

_LONGEST_FRAME = 512
"""Samples. No detector has longer frames."""


def of_setting(name: str, text: str) -> str:
    """The help of a flag that goes before a setting: what it does, the setting, and its default if it has one."""
    value = default(name)
    return f"{text} Setting {name}" + (f", default {value}." if value != "" else ".")


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="BUNDLE",
        help=of_setting("model", "Folder or name of a model bundle; see 'models list'. Not set: the bundled one."),
        autocompletion=model_names,
    ),
]
IntentModel = Annotated[
    str | None,
    typer.Option(
        "--intent-model",
        metavar="BUNDLE",
        help=of_setting("intent_model", "Take the intents from this second bundle."),
        autocompletion=model_names,
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="auto|cuda|tensorrt|cpu",
        help=of_setting("asr.provider", "Where the model runs; a name never falls back."),
        autocompletion=choices_of("asr.provider"),
    ),
]
Remote = Annotated[
    str | None,
    typer.Option(
        "--remote",
        metavar="grpc://HOST:PORT",
        help=of_setting("asr.remote", "A KServe v2 server, such as Triton, runs the model."),
    ),
]
Vad = Annotated[
    str | None,
    typer.Option(
        "--vad",
        metavar="webrtc|silero",
        help=of_setting("vad.detector", "What tells speech from silence."),
        autocompletion=choices_of("vad.detector"),
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        "-d",
        metavar="NAME|NUMBER",
        help=of_setting("audio.device", "Microphone, by number or part of its name. Not set: the system's default."),
        autocompletion=microphones,
    ),
]
Hop = Annotated[
    float | None,
    typer.Option(
        "--hop",
        metavar="SECONDS",
        help=of_setting("asr.hop_s", "Time from one update of a caption to the next, such as 0.16."),
    ),
]
Hotwords = Annotated[
    str | None,
    typer.Option(
        "--hotwords",
        metavar="FILE",
        help=of_setting("asr.hotwords", "Words and phrases to expect, one a line, perhaps with ' :WEIGHT'."),
    ),
]
LanguageModel = Annotated[
    str | None,
    typer.Option(
        "--language-model",
        metavar="FILE",
        help=of_setting("asr.language_model", "A word list, ARPA n-gram model or KenLM binary to write by."),
    ),
]
NoFormat = Annotated[
    bool,
    typer.Option(
        "--no-format",
        help="Captions as recognised: no capitals, no line breaks at pauses. Sets captions.format to false.",
    ),
]
Reader = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="auto|off|NAME",
        help=of_setting("asr.reader", "What reads a sentence once more when it is over: a bundle with a reader."),
        autocompletion=reader_names,
    ),
]
Serve = Annotated[
    str | None,
    typer.Option("--serve", metavar="HOST:PORT", help="Events and a page of captions for others, over HTTP."),
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="TEXT", help="What readers of --serve must show; or EDGEVOICE_SERVE_TOKEN."),
]
NoActions = Annotated[bool, typer.Option("--no-actions", help="Leave out the actions of the settings.")]
DryRunActions = Annotated[bool, typer.Option("--dry-run-actions", help="Say which actions would run, and run none.")]
Save = Annotated[
    str | None, typer.Option("--save", metavar="DIR", help="Save text, subtitles and events in this folder as it goes.")
]
Record = Annotated[bool, typer.Option("--record", help="Save the audio there too, as FLAC.")]
LastLines = Annotated[
    str | None,
    typer.Option("--last-lines", metavar="FILE", help="Keep the last two lines in this file, for OBS and the like."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, to be read by a program.")]
Fast = Annotated[bool, typer.Option("--fast", help="As fast as the machine can, not in real time.")]


def settings_for(
    model: str | None = None,
    intent_model: str | None = None,
    provider: str | None = None,
    vad: str | None = None,
    device: str | None = None,
    remote: str | None = None,
    *,
    call_device: str | None = None,
    hop: float | None = None,
    hotwords: str | None = None,
    language_model: str | None = None,
    reader: str | None = None,
    no_format: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Settings:
    """File, environment and the flags given, as settings. A provider named by a flag means this machine, whatever
    server the file or the environment names. `more` are flags of one command: a mapping from the names of settings.

    Raises:
        ConfigError: one of them is wrong.
        UsageError: both a provider and a server; a token, and nothing is served.
    """
    if provider is not None:
        if remote:
            raise UsageError("--provider is about this machine, and --remote about another", "Leave one of them out")
        remote = ""
    flags: Mapping[str, Any] = {
        "model": model,
        "intent_model": intent_model,
        "asr.provider": provider,
        "asr.remote": remote,
        "asr.hop_s": hop,
        "asr.hotwords": hotwords,
        "asr.language_model": language_model,
        "asr.reader": reader,
        "captions.format": False if no_format else None,
        "vad.detector": vad,
        "audio.device": device,
        "audio.call_device": call_device,
        **(more or {}),
    }
    settings = load_settings(flags)
    if flags.get("serve.token") is not None and not settings.serve.address:
        raise UsageError("--token is for the readers of --serve", "Add --serve HOST:PORT")
    Segmenter(settings.vad, _LONGEST_FRAME)  # said before a model is loaded, which takes its time
    return settings


def outputs(
    serve: str | None, token: str | None, save: str | None, last_lines: str | None, *, record: bool
) -> dict[str, Any]:
    """The flags that say where what is heard goes besides the screen, as settings."""
    if save == "":
        say("--save is empty text, so that nothing is saved; name a folder to save in.")
    return {
        "serve.address": serve,
        "serve.token": token,
        "save.folder": save,
        "save.record": record or None,
        "save.last_lines": last_lines,
    }


def open_model(settings: Settings, *, reading: bool = True) -> AcousticModel:
    """The model that the settings name, verified, loaded and warm, with its reader.

    Args:
        settings: which model, and where it runs.
        reading: whether sentences are to be read once more, if the settings say so.

    Raises:
        ModelError: it is missing, damaged or cannot run here, or on the server that the settings name.
        ConfigError: the address of that server is none, or hot words, a language model or the reader cannot be used.
    """
    from edgevoice.asr.bundle import load_bundle
    from edgevoice.asr.model import load_model
    from edgevoice.commands.readers import give_reader, open_reader

    for name in ("asr.hotwords", "asr.language_model"):
        _check_readable(name, value_of(settings, name))
    bundle = load_bundle(find_model(settings.model))
    intents = load_bundle(find_model(settings.intent_model)) if settings.intent_model else None
    if not reading:
        return load_model(bundle, intents, settings.asr)
    with ThreadPoolExecutor(1) as beside:  # it takes as long as the model, on another core
        reader = beside.submit(open_reader, bundle, settings.asr)
        model = load_model(bundle, intents, settings.asr)
    give_reader(model, reader.result())
    return model


def _check_readable(name: str, value: str) -> None:
    """Says which setting names a file that cannot be read; the engine knows the file only."""
    if not value:
        return
    path = user_path(value)
    try:
        # it is not opened: what comes through a pipe can be read once
        number = errno.EISDIR if stat.S_ISDIR(path.stat().st_mode) else 0 if os.access(path, os.R_OK) else errno.EACCES
        reason = os.strerror(number) if number else ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    if reason:
        what = f"{said_in(name, value)} is '{plain(value)}', which cannot be read ({reason})"
        raise ConfigError(what, "Name a file that can be, or leave it empty")


def open_pipeline(source: Source, model: AcousticModel, settings: Settings, *, waits: bool = False) -> Pipeline:
    """A pipeline with the detector that the settings name.

    Args:
        source: where the audio comes from.
        model: what hears it.
        settings: of all of it.
        waits: whether the source is a recording that waits for us.

    Raises:
        ConfigError: the detector's package is not installed.
    """
    from edgevoice.pipeline import Pipeline
    from edgevoice.vad.detector import make_detector

    return Pipeline(source, model, settings, waits=waits, detector=make_detector(settings.vad))


def open_recording(name: str) -> Source:
    """A file, or standard input for "-".

    Raises:
        AudioError: it cannot be read.
        UsageError: "-" without a pipe.
    """
    if name != "-":
        from edgevoice.audio.file import FileSource

        return FileSource(name)
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "'-' reads audio from a pipe, and standard input is the terminal",
            "Pipe in a recording or 16 kHz mono 16-bit samples, for example: parec --rate=16000 --channels=1 | "
            "edgevoice live --input -",
        )
    from edgevoice.audio.pipe import PcmSource

    return PcmSource(sys.stdin.buffer)


def open_sides(name: str, files: FileSettings) -> list[Source]:
    """A recording as its two channels, if they are to be heard apart, otherwise as one source; "-" is a pipe.

    Raises:
        AudioError: it cannot be read, or has no two channels to hear apart.
        UsageError: "-" without a pipe.
    """
    if name == "-":
        return [open_recording(name)]
    from pathlib import Path

    from edgevoice.audio import formats
    from edgevoice.audio.file import FileSource
    from edgevoice.audio.sides import two_sides

    opened = formats.open_recording(Path(name))
    if files.channels == "split" and opened.channels > 2:
        what = f"'{plain(name)}' has {opened.channels} channels, and only two can be heard apart"
        raise AudioError(what, "Use --channels mix")
    if files.channels == "mix" or opened.channels != 2 or (files.channels == "auto" and not two_sides(opened)):
        return [FileSource(name, recording=opened)]
    names = two_names(files.channel_names)
    return [FileSource(name, channel, side=side, recording=opened) for side, channel in enumerate(names)]
