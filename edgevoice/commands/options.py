"""Options that several commands share, and how they become settings, models and sources."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgevoice.config import FileSettings, Settings
from edgevoice.config_file import load_settings
from edgevoice.errors import AudioError, ConfigError, UsageError
from edgevoice.text import plain
from edgevoice.vad.segmenter import Segmenter

if TYPE_CHECKING:
    from edgevoice.asr.model import AcousticModel
    from edgevoice.audio.source import Source
    from edgevoice.pipeline import Pipeline

_LONGEST_FRAME = 512
"""Samples. No detector has longer frames."""

Model = Annotated[
    str | None, typer.Option("--model", metavar="BUNDLE", help="Folder or name of a model bundle; see 'models list'.")
]
IntentModel = Annotated[
    str | None, typer.Option("--intent-model", metavar="BUNDLE", help="Take the intents from this second bundle.")
]
Provider = Annotated[
    str | None,
    typer.Option("--provider", metavar="auto|cuda|tensorrt|cpu", help="Where the model runs; a name never falls back."),
]
Remote = Annotated[
    str | None,
    typer.Option("--remote", metavar="grpc://HOST:PORT", help="A KServe v2 server, such as Triton, runs the model."),
]
Vad = Annotated[str | None, typer.Option("--vad", metavar="webrtc|silero", help="What tells speech from silence.")]
Device = Annotated[
    str | None, typer.Option("--device", "-d", metavar="NAME|NUMBER", help="Microphone, by number or part of its name.")
]
Hop = Annotated[
    float | None,
    typer.Option("--hop", metavar="SECONDS", help="Time from one update of a caption to the next, such as 0.16."),
]
Hotwords = Annotated[
    str | None,
    typer.Option(
        "--hotwords", metavar="FILE", help="Words and phrases to expect, one a line, perhaps with ' :WEIGHT'."
    ),
]
LanguageModel = Annotated[
    str | None,
    typer.Option(
        "--language-model", metavar="FILE", help="A word list, ARPA n-gram model or KenLM binary to write by."
    ),
]
NoFormat = Annotated[
    bool, typer.Option("--no-format", help="Captions as recognised: no capitals, no line breaks at pauses.")
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
    no_format: bool = False,
    more: Any = None,
) -> Settings:
    """File, environment and the flags given, as settings. A provider named by a flag means this machine, whatever
    server the file or the environment names. `more` are flags of one command: a mapping from the names of settings.

    Raises:
        ConfigError: one of them is wrong.
        UsageError: both a provider and a server.
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
        "captions.format": False if no_format else None,
        "vad.detector": vad,
        "audio.device": device,
        "audio.call_device": call_device,
        **(more or {}),
    }
    settings = load_settings(flags)
    _side_names(settings.files)
    Segmenter(settings.vad, _LONGEST_FRAME)  # said before a model is loaded, which takes its time
    return settings


def open_model(settings: Settings) -> AcousticModel:
    """The model that the settings name, verified, loaded and warm.

    Raises:
        ModelError: it is missing, damaged or cannot run here, or on the server that the settings name.
        ConfigError: the address of that server is none, or hot words or a language model cannot be used.
    """
    from edgevoice.asr.bundle import load_bundle
    from edgevoice.asr.model import load_model
    from edgevoice.paths import find_model

    bundle = load_bundle(find_model(settings.model))
    intents = load_bundle(find_model(settings.intent_model)) if settings.intent_model else None
    return load_model(bundle, intents, settings.asr)


def open_pipeline(source: Source, model: AcousticModel, settings: Settings) -> Pipeline:
    """A pipeline with the detector that the settings name.

    Raises:
        ConfigError: the detector's package is not installed.
    """
    from edgevoice.pipeline import Pipeline
    from edgevoice.vad.detector import make_detector

    return Pipeline(source, model, settings, detector=make_detector(settings.vad))


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
    names = _side_names(files)
    return [FileSource(name, channel, side=side, recording=opened) for side, channel in enumerate(names)]


def _side_names(files: FileSettings) -> tuple[str, str]:
    names = [plain(name).strip() for name in files.channel_names.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        what = f"--channel-names is '{plain(files.channel_names)}', and it must be two different names"
        raise ConfigError(what, "Write a comma between them, for example: you,them")
    return names[0], names[1]
