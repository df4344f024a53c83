"""`edgevoice replay`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from edgevoice.commands import options
from edgevoice.commands.output import has_screen
from edgevoice.errors import EdgeVoiceError
from edgevoice.files import why
from edgevoice.text import plain

File = Annotated[str, typer.Argument(metavar="FILE", help="Events that --save or --json wrote, or - for a pipe.")]


def replay(file: File, fast: options.Fast = False, as_json: options.Json = False) -> None:
    """Play a saved session again, in its own time.

    It takes the .jsonl of a session, or what --json printed, which also has what was shown while somebody spoke. Lines
    that hold no event, or one that this version does not know, are left out, and are said.

    \b
    Examples:
      edgevoice replay calls/2026-03-01_14-05-33.jsonl
      edgevoice live --json > session.jsonl; edgevoice replay session.jsonl --fast
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands.streaming import write_events
    from edgevoice.replay import Replay
    from edgevoice.saved_events import read_events

    name = "standard input" if file == "-" else plain(Path(file).name)
    on_screen = has_screen() and not as_json
    if on_screen:
        from edgevoice.tui.terminal import check_terminal

        check_terminal()
    with ExitStack() as stack:
        run = Replay(read_events(_opened(file, stack)), name, fast=fast)
        if not on_screen:
            raise typer.Exit(write_events(run))
        from edgevoice.tui.app import run_app

        raise typer.Exit(run_app(run, title="edgevoice replay", settings=options.settings_for()))


def _opened(file: str, stack: ExitStack) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(file).open("rb"))
    except (OSError, ValueError) as error:
        raise EdgeVoiceError(f"'{plain(file)}' cannot be opened ({why(error)})", "Check the path") from None
