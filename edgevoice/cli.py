"""The command line: the one composition root.

Only names and help texts are imported here. numpy, onnxruntime, sounddevice and textual are imported inside the command
that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgevoice.commands import (
    actions,
    classify,
    completion,
    config,
    demo,
    devices,
    doctor,
    extensions,
    live,
    manual,
    models,
    replay,
    sessions,
    transcribe,
    welcome,
)
from edgevoice.commands.output import provide_streams, quiet_stdout, say, unwritable
from edgevoice.errors import EdgeVoiceError
from edgevoice.version import __version__


class _Group(TyperGroup):
    """Commands whose reader may leave early: `edgevoice ... | head -1` is no failure."""

    def invoke(self, ctx: Any) -> object:  # typer has its own copy of click, whose Context has no public name
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            quiet_stdout()
            raise typer.Exit(0) from None


app = typer.Typer(
    name="edgevoice",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,  # `edgevoice completion` prints the script, and nobody's files are changed
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed while running, 2 wrong usage, 130, 143, 129 after SIGINT, SIGTERM, SIGHUP.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgevoice {__version__}")
        raise typer.Exit


@app.callback()
def edgevoice(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Live captions and spoken intents in a terminal, offline, from your own Wav2Vec2-family models.

    \b
    Examples:
      edgevoice demo                              a recorded call, captioned
      edgevoice live                              what you say, captioned
      edgevoice transcribe talk.wav --format srt  subtitles for a file
    """  # noqa: D301 - \b is typer's mark for "keep these lines"


app.command("live", epilog=manual.epilog("live"))(live.live)
app.command("demo", epilog=manual.epilog("demo"))(demo.demo)
app.command("transcribe", epilog=manual.epilog("transcribe"))(transcribe.transcribe)
app.command("replay", epilog=manual.epilog("replay"))(replay.replay)
app.add_typer(sessions.app, name="sessions")
app.command("classify", epilog=manual.epilog("classify"))(classify.classify)
app.command("devices", epilog=manual.epilog("devices"))(devices.devices)
app.add_typer(models.app, name="models")
app.add_typer(actions.app, name="actions")
app.add_typer(config.app, name="config")
app.command("doctor", epilog=manual.epilog("doctor"))(doctor.doctor)
app.command("completion", epilog=manual.epilog("completion"))(completion.completion)
extensions.add_to(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit code. Every error becomes one sentence on stderr."""
    provide_streams()
    _stay_private()
    completion.answer_quickly()
    _leave_on_signals()
    debug, arguments = _take_debug(list(sys.argv[1:] if argv is None else argv))
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except EdgeVoiceError as error:
        _show_traceback(debug)
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        quiet_stdout()
        return 0
    except Exception as error:  # noqa: BLE001 - a traceback shown to a user is a bug
        _show_traceback(debug)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
            quiet_stdout()
            say(str(unwritable(error)))
            return 1
        reason = f"{type(error).__name__}: {error}"
        say(f"Something went wrong inside ({reason}). Run it again with --debug and report what it prints.")
        return 1
    return code


def _run(arguments: list[str]) -> int:
    try:
        if not arguments and welcome.has_somebody():
            arguments, code = welcome.lead()
            if not arguments:
                return code
        if arguments and arguments[0] in extensions.EXTRAS:
            return extensions.run(arguments[0], arguments[1:])
        app(args=arguments, prog_name="edgevoice")
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            say(leaving.code)
            return 1
        return leaving.code or 0
    return 0


def _take_debug(arguments: list[str]) -> tuple[bool, list[str]]:
    """Finds `--debug` anywhere before `--`, but takes nothing that belongs to an extension's own command line."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    commands = [index for index, argument in enumerate(arguments) if not argument.startswith("-")]
    if commands and arguments[commands[0]] in extensions.EXTRAS:
        end = min(end, commands[0])
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    debug = len(kept) < end or bool(os.environ.get("EDGEVOICE_DEBUG"))
    return debug, kept + arguments[end:]


def _stay_private() -> None:
    """Stops telemetry, which onnxruntime and the Hugging Face libraries send unless told before they are imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _leave_on_signals() -> None:
    """SIGTERM and SIGHUP leave as SIGINT does, through every `finally`; `live` finishes its captions first."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
            signal.signal(number, leave)


def _show_traceback(debug: bool) -> None:
    if debug:
        traceback.print_exc()
