"""`edgevoice completion bash|zsh|fish`, and what can be completed: each TAB runs this, so nothing heavy."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from edgevoice.commands.output import write_out
from edgevoice.errors import EdgeVoiceError

VARIABLE = "_EDGEVOICE_COMPLETE"
"""Set by the script of the shell when it asks."""
Candidates = list[str] | list[tuple[str, str]]
"""Words, or words with what they mean, which zsh and fish show."""

_EASY = re.compile(r"[\w.+-]+")


class Shell(StrEnum):
    """A shell that edgevoice completes in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell.")]) -> None:
    """Print a script that makes TAB complete commands, flags, models, microphones, settings and files.

    \b
    To have it in every new shell:
      bash  edgevoice completion bash > ~/.local/share/bash-completion/completions/edgevoice
            (with the package bash-completion; without it: >> ~/.bashrc)
      zsh   edgevoice completion zsh > ~/.zfunc/_edgevoice
            with these two lines in ~/.zshrc:
              fpath+=~/.zfunc
              autoload -Uz compinit && compinit
      fish  edgevoice completion fish > ~/.config/fish/completions/edgevoice.fish

    \b
    Examples, for this shell alone:
      source <(edgevoice completion bash)
      edgevoice completion fish | source
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="edgevoice", complete_var=VARIABLE, shell=shell.value)
    write_out(f"{script}\n")


def answer_quickly() -> None:
    """Prepares an answer to a shell, if one asks."""
    if VARIABLE not in os.environ:
        return
    from typer._completion_classes import completion_init

    completion_init()
    # None keeps typer from importing rich, for zsh and fish, which takes longer than all else
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]


def model_names(incomplete: str) -> Candidates:
    """Models that can be named; with a slash in it, it is a folder, which the shell completes."""
    from edgevoice.paths import known_models

    return [] if "/" in incomplete else sorted(name for name in known_models() if _EASY.fullmatch(name))


def reader_names(incomplete: str) -> Candidates:
    """As models, and what else can be said of a reader."""
    return ["auto", "off", *model_names(incomplete)]


def microphones() -> Candidates:
    """Microphones by name, or by number where the name would have to be quoted."""
    return _devices(plays=False)


def loudspeakers() -> Candidates:
    """What loudspeakers play, in the same way."""
    return _devices(plays=True)


def _devices(*, plays: bool) -> Candidates:
    from edgevoice.audio.devices import list_devices

    try:
        devices = [device for device in list_devices() if bool(device.plays) == plays]
    except EdgeVoiceError:
        return []
    easy = ((device, _EASY.fullmatch(device.name)) for device in devices)
    return [(device.name if name else str(device.index), device.name) for device, name in easy]


def setting_names() -> Candidates:
    """Every setting, with what it means."""
    from edgevoice.config_text import documented

    return [(key.name, key.meaning) for section in documented() if not section.repeated for key in section.keys]


def setting_values(ctx: typer.Context) -> Candidates:
    """What the setting before it can be, where there is a choice."""
    return _choices(str(ctx.params.get("key")))


def intent_labels() -> Candidates:
    """What the model can announce, and what actions wait for."""
    from edgevoice.asr.bundle import read_manifest
    from edgevoice.config_file import load_settings
    from edgevoice.paths import find_model

    try:
        settings = load_settings()
        labels = read_manifest(find_model(settings.intent_model or settings.model)).labels
    except EdgeVoiceError:
        return []
    known = {*labels, *(action.intent for action in settings.actions)}
    return sorted(label for label in known if _EASY.fullmatch(label))


def session_names(ctx: typer.Context, incomplete: str) -> Candidates:
    """The sessions of the folder that is named or set; with a slash in it, it is a file, which the shell completes."""
    from edgevoice.config_file import load_settings
    from edgevoice.paths import user_path

    try:
        folder = ctx.params.get("folder") or load_settings().save.folder
        files = user_path(folder).glob("*.jsonl") if folder and "/" not in incomplete else ()
    except EdgeVoiceError:
        return []
    return sorted(file.stem for file in files if _EASY.fullmatch(file.stem))


def choices_of(name: str) -> Callable[[], Candidates]:
    """What a flag for that setting can be."""
    return lambda: _choices(name)


def _choices(name: str) -> Candidates:
    from edgevoice.config_file import field_types

    annotation: Any = field_types().get(name)
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return ["true", "false"] if annotation is bool else []
