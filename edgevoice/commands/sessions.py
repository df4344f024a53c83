"""`edgevoice sessions` and `edgevoice sessions open`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edgevoice.commands import options
from edgevoice.commands.completion import session_names
from edgevoice.commands.output import has_screen, say, write_json, write_out
from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.text import clock, plain

if TYPE_CHECKING:
    from edgevoice.saved_sessions import SavedSession, SessionFile


class _ListedByDefault(TyperGroup):
    """`edgevoice sessions DIR` is `edgevoice sessions list DIR`, and so is `edgevoice sessions` alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListedByDefault,
    rich_markup_mode=None,
    help="List saved sessions, or read and search them: their words, and their audio from any line.",
    epilog="'edgevoice sessions DIR' lists that folder.",
)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="What --save was given; save.folder when left out.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A session as listed, or its .jsonl file; none: all of them.",
        autocompletion=session_names,
    ),
]
In = Annotated[str, typer.Option("--in", metavar="DIR", help="The folder it lies in; save.folder when left out.")]

_SEE = "See 'edgevoice sessions'"


@app.command("list")
def list_(folder: Folder = "", as_json: options.Json = False) -> None:
    """List the sessions in a folder, the newest last.

    \b
    Examples:
      edgevoice sessions
      edgevoice sessions ~/calls --json | jq -r '.[-1].files[]'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.saved_sessions import find_sessions

    path = _folder(folder)
    found = find_sessions(path)
    if as_json:
        write_json([_object(session) for session in found])
        return
    for session in found:
        write_out(_row(session))
    if found and has_screen() and sys.stderr.isatty():
        say(f"'edgevoice sessions open{_in(folder)}' shows and searches them.")
    if not found:
        _say_none(path)


@app.command("open")
def open_(name: Name = "", folder: In = "") -> None:
    """Read sessions: / searches what was said, Enter plays the recording from a line.

    \b
    Examples:
      edgevoice sessions open
      edgevoice sessions open --in ~/calls
      edgevoice sessions open 2026-03-01_14-05-33
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    file = Path(name)
    if file.suffix == ".jsonl" and not file.is_file() and (len(file.parts) > 1 or not folder):
        raise UsageError(f"There is no file '{plain(name)}'", "'edgevoice sessions DIR' lists those of a folder")
    if not has_screen():
        remedy = "Read its .txt file instead" if name else "'edgevoice sessions' lists them"
        raise UsageError("A session is read on a screen, and stdout is no terminal", remedy)
    raise typer.Exit(_open(name, folder) if name else _browse(folder))


def _browse(folder: str) -> int:
    """All sessions of a folder, on the screen."""
    from edgevoice.commands.library import library_of
    from edgevoice.tui.sessions_app import run_sessions

    path = _folder(folder)
    library = library_of(path)
    if not library.files:
        _say_none(path)
        return 0
    return run_sessions(library, options.settings_for().screen)


def _open(name: str, folder: str) -> int:
    """One session, on the screen."""
    from edgevoice.commands.library import transcript_of
    from edgevoice.tui.sessions_app import run_sessions

    file = _named(name, folder)
    transcript = transcript_of(file)
    if transcript.contents.problem:
        raise EdgeVoiceError(f"'{plain(file.events.name)}': {transcript.contents.problem.rstrip('.')}", _SEE)
    return run_sessions(transcript, options.settings_for().screen)


def _named(name: str, folder: str) -> SessionFile:
    """A session by its name in a folder, or by its file."""
    from edgevoice.saved_sessions import session_files

    file = Path(name)
    is_file = file.suffix == ".jsonl" and file.is_file()
    path = file.parent if is_file else _folder(folder)
    wanted = file.name.removesuffix(".jsonl") if is_file else name
    session = next((session for session in session_files(path) if session.name == wanted), None)
    if session is None:
        raise UsageError(
            f"There is no session '{plain(wanted)}' in '{plain(str(path))}'", f"See 'edgevoice sessions {path}'"
        )
    return session


def _folder(named: str) -> Path:
    from edgevoice.paths import user_path

    folder = named or options.settings_for().save.folder
    if not folder:
        raise UsageError(
            "No folder of sessions is known",
            "Name one: 'edgevoice sessions DIR', 'edgevoice sessions open --in DIR'; or, once and for all: "
            "'edgevoice config set save.folder DIR'",
        )
    return user_path(folder)


def _in(folder: str) -> str:
    return f" --in {shlex.quote(folder)}" if folder else ""


def _say_none(path: Path) -> None:
    shown = plain(str(path))
    say(f"No session was saved in '{shown}' yet. 'edgevoice live --save {shown}' saves one.")


def _row(session: SavedSession) -> str:
    kinds = " ".join(sorted(plain(file.name[len(session.name) + 1 :]) for file in session.files))
    return (
        f"{plain(session.name):22}  {session.started:%Y-%m-%d %H:%M}  {clock(round(session.length)):>7}"
        f"  {session.words:6} words  {session.intents:4} intents  {kinds}\n"
    )


def _object(session: SavedSession) -> dict[str, object]:
    return {
        "name": session.name,
        "started": session.started.isoformat(timespec="seconds"),
        "length": round(session.length, 3),
        "words": session.words,
        "intents": session.intents,
        "files": [str(file) for file in session.files],
    }
