"""The end of each command's help: its exit codes, and the files and variables that it reads."""

from __future__ import annotations

import textwrap

_WIDTH = 76
_DONE = "0 done"
_USAGE = "2 wrong usage, flag or setting"
_ENDED = "130, 143, 129 ended by SIGINT (Ctrl-C), SIGTERM, SIGHUP"
_FLUSHED = f"{_ENDED}, after finishing and writing what was said"
_MODEL = "1 the model is missing, damaged or cannot run here"

_CODES: dict[str, tuple[str, ...]] = {
    "live": (
        "0 the recording is over, or q was pressed",
        "1 failed while running: no microphone, unreadable audio, a model that cannot run, a full disk",
        f"{_USAGE}, or no such device",
        _FLUSHED,
    ),
    "demo": (_DONE, "1 failed while running", _USAGE, _FLUSHED),
    "transcribe": (_DONE, "1 a recording could not be read or written down, or the model cannot run", _USAGE, _ENDED),
    "replay": (_DONE, "1 the file cannot be read", _USAGE, _ENDED),
    "sessions": (_DONE, "1 there is no such session, or it cannot be read", _USAGE),
    "actions": (_DONE, "1 an action that was tried failed", "2 wrong usage or setting, an action that cannot run"),
    "classify": (_DONE, "1 the recording cannot be read, or the model cannot run or knows no intents", _USAGE, _ENDED),
    "devices": (_DONE, "1 PortAudio is missing or the sound system does not answer"),
    "doctor": ("0 nothing failed; warnings leave something usable", "1 a check failed", _USAGE),
    "models": (_DONE, _MODEL + ", or there is none of that name", _USAGE),
    "config": (_DONE, "1 unset: the key is not in the file", "2 wrong key, value or file"),
    "completion": (_DONE, _USAGE),
}
_SETTINGS = (
    "~/.config/edgevoice/config.toml (XDG_CONFIG_HOME, or the file that EDGEVOICE_CONFIG names)",
    "EDGEVOICE_SECTION_KEY for each setting ('edgevoice config show'), which goes before the file",
)
_MODELS = "~/.local/share/edgevoice/models (XDG_DATA_HOME): models by name"
_CACHE = "~/.cache/edgevoice (XDG_CACHE_HOME): large models as they were optimised"
_LOG = "~/.local/state/edgevoice/log/screen.log (XDG_STATE_HOME): what libraries say while the screen is on"
_READS: dict[str, tuple[str, ...]] = {
    "live": (*_SETTINGS, _MODELS, _CACHE, _LOG, "NO_COLOR, TERM"),
    "demo": (*_SETTINGS, _CACHE, _LOG, "NO_COLOR, TERM"),
    "transcribe": (*_SETTINGS, _MODELS, _CACHE),
    "replay": (_LOG, "NO_COLOR, TERM"),
    "sessions": (*_SETTINGS, _LOG, "NO_COLOR, TERM"),
    "actions": _SETTINGS,
    "classify": (*_SETTINGS, _MODELS, _CACHE),
    "doctor": (*_SETTINGS, _MODELS, _CACHE),
    "models": (_MODELS, "HF_HOME, HF_TOKEN, HF_HUB_OFFLINE (pull)"),
    "config": _SETTINGS,
    "devices": ("PULSE_SERVER and whatever else the sound system listens to",),
}


def epilog(command: str) -> str:
    """What stands below the flags of a command."""
    parts = [_listed("Exit codes:", _CODES[command])]
    if command in _READS:
        parts.append(_listed("Files and variables:", _READS[command]))
    return "\n\n".join(parts)


def _listed(title: str, items: tuple[str, ...]) -> str:
    # \b keeps typer from joining lines, so that they have to be wrapped here
    lines = [line for item in items for line in textwrap.wrap(item, _WIDTH, subsequent_indent="    ")]
    return "\n".join(["\b", title, *(f"  {line}" for line in lines)])
