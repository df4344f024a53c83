"""`edgevoice` alone, in a terminal: looks whether captions can be made here, shows that the microphone hears, starts.

Nothing happens here that a command could not do, and each key says which command that is.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.commands.output import write_out
from edgevoice.errors import AudioError, UsageError
from edgevoice.paths import state_folder

if TYPE_CHECKING:
    from edgevoice.commands.checks import Check
    from edgevoice.config import Settings

LISTEN_S = 6.0
"""For how long the level is shown, unless a key is pressed."""
HEARD_DBFS = -45.0
"""Decibels of full scale that a voice at a desk reaches, and an empty room does not."""
FLOOR_DBFS = -60.0
"""Left end of the bar."""
_BAR = 40
_INDENT = " " * 17
_QUIET = (
    "Hardly anything was heard. Is the microphone muted, or is it another one? 'edgevoice devices' lists them, and "
    "'edgevoice config set audio.device NAME' chooses one."
)

_SMALL = (
    "The model that comes along is small and knows the talk of a bank, in synthetic voices; of other English it writes "
    "much that sounds alike. 'edgevoice models pull facebook/wav2vec2-base-960h' gets one that you can rely on."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Keys and the command they stand for; no command to leave."""

    keys: str
    shown: str
    does: str
    command: tuple[str, ...] = ()


LIVE = Choice("\r\n", "Enter", "live captions of what you say: edgevoice live", ("live",))
DEMO = Choice("d", "d", "a recorded call, captioned: edgevoice demo", ("demo",))
DEMO_FIRST = Choice("\r\nd", "Enter", DEMO.does, DEMO.command)
CHECK = Choice("c", "c", "check everything again: edgevoice doctor")
HELP = Choice("h?", "h", "all commands: edgevoice --help", ("--help",))
QUIT = Choice("q\x1b\x04", "q", "quit")


def has_somebody() -> bool:
    """Whether a person sits at a terminal that can show the screen."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    from edgevoice.tui.terminal import check_terminal

    try:
        check_terminal()
    except UsageError:
        return False
    return True


def lead() -> tuple[list[str], int]:
    """Leads to a command: its arguments, or none and the exit code of leaving."""
    from edgevoice.commands.checks import check_configuration

    configuration, settings = check_configuration(None, None)
    if configuration.status == "fail":  # no command would start
        _show(configuration)
        return [], 2
    choice = _shortly(settings) if _marker().exists() else CHECK
    if choice is CHECK:
        choice = _thoroughly(settings)
    if choice.command in (LIVE.command, DEMO.command):
        _remember()
    return list(choice.command), 0


def _thoroughly(settings: Settings) -> Choice:
    """All that matters, a line each; then the level."""
    from edgevoice.commands.checks import check_microphone, check_model, check_provider, guarded

    write_out("edgevoice: live captions and intents, on this machine alone.\n\n")
    microphone = _show(check_microphone(settings))
    model = _show(guarded("model", lambda: check_model(settings)))
    provider = _show(guarded("provider", lambda: check_provider(settings))) if model.status != "fail" else model
    if "fail" in (model.status, provider.status):
        write_out("\nCaptions need that first. The demo has a model of its own.\n")
        return _asked(DEMO, HELP, QUIT)
    if not settings.model:
        write_out("\n" + "".join(f"{line}\n" for line in _wrapped(_SMALL)))
    if microphone.status != "pass":
        write_out("\nWithout a microphone there is a recorded call to look at, or:\n  edgevoice live --input FILE\n")
        return _asked(DEMO_FIRST, HELP, QUIT)
    choices = (LIVE, DEMO, HELP, QUIT)
    write_out("\nSay something; the bar must move.\n")
    return _listened(settings, choices) or _asked(*choices)


def _shortly(settings: Settings) -> Choice:
    """For somebody who has been here before."""
    from edgevoice.commands.checks import check_microphone

    microphone = _show(check_microphone(settings))
    return _asked(LIVE if microphone.status == "pass" else DEMO_FIRST, DEMO, CHECK, HELP, QUIT)


def _show(check: Check) -> Check:
    """A check on one line, and the way out below it."""
    mark = {"pass": "ok", "warn": "!", "fail": "✕"}[check.status]
    lines = _wrapped(check.detail, first=f"  {mark:2} {check.name:11} ") + _wrapped(check.remedy, first=_INDENT)
    write_out("".join(f"{line}\n" for line in lines))
    return check


def _wrapped(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _width(),
        initial_indent=first,
        subsequent_indent=_INDENT if first else "",
        break_long_words=False,  # paths and commands stay whole, to be copied
        break_on_hyphens=False,
    )


def _width() -> int:
    return shutil.get_terminal_size().columns - 1


def _asked(*choices: Choice) -> Choice:
    """Shows what can be done and waits for one of the keys."""
    from edgevoice.commands.keyboard import Keyboard

    # DEMO_FIRST has the key of DEMO as well
    shown = [each for each in choices if not (each is DEMO and DEMO_FIRST in choices)]
    with Keyboard() as keyboard:
        write_out("\n" + "".join(f"  {each.shown:6} {each.does}\n" for each in shown) + "\n")
        while True:
            choice = _chosen(keyboard.pressed(None), choices)
            if choice:
                return choice


def _chosen(key: str, choices: Sequence[Choice]) -> Choice | None:
    return next((each for each in choices if key and key.lower() in each.keys), None)


def _listened(settings: Settings, choices: Sequence[Choice]) -> Choice | None:
    """Shows the level for a few seconds and judges it; gives what was chosen meanwhile."""
    from edgevoice.commands.keyboard import Keyboard

    loudest = FLOOR_DBFS
    try:
        with _hushed(), Keyboard() as keyboard:
            for level in _levels(settings):
                loudest = max(loudest, level)
                write_out(f"\r  {_bar(level)} {max(level, -99):4.0f} dB\x1b[K")
                choice = _chosen(keyboard.pressed(0), choices)
                if choice:
                    write_out("\n")
                    return choice
    except AudioError as error:
        write_out(f"\r\x1b[K  {error}\n")
        return None
    write_out("\n" + "\n".join(_wrapped("The microphone hears you." if loudest >= HEARD_DBFS else _QUIET)) + "\n")
    return None


def _levels(settings: Settings) -> Iterator[float]:
    """The microphone's level, ten times a second, for a few seconds; decibels of full scale.

    Raises:
        AudioError: it cannot be opened, or delivers nothing.
    """
    from edgevoice.audio.devices import find_device
    from edgevoice.audio.level import EVERY_S, levels
    from edgevoice.audio.microphone import Microphone

    microphone = Microphone(find_device(settings.audio.device), settings.audio.queue_seconds)
    with contextlib.closing(microphone):
        for dbfs, _ in itertools.islice(levels(microphone), round(LISTEN_S / EVERY_S)):
            yield dbfs


def _bar(dbfs: float) -> str:
    cells = min(_BAR, _width() - 11)  # beside the figure
    filled = round(max(0.0, min(1.0, (dbfs - FLOOR_DBFS) / -FLOOR_DBFS)) * cells)
    return "━" * filled + "─" * (cells - filled)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """PortAudio and ALSA print what they think of a device to file descriptor 2, into the bar."""
    before, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nothing)


def _marker() -> Path:
    return state_folder() / "welcomed"


def _remember() -> None:
    """The next time is shorter. Where nothing can be written, it is as the first."""
    with contextlib.suppress(OSError):
        _marker().parent.mkdir(parents=True, exist_ok=True)
        _marker().touch()
