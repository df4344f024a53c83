"""`edgevoice sessions` and `edgevoice sessions open`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edgevoice.commands import options
from edgevoice.commands.completion import session_names
from edgevoice.commands.output import has_screen, say, write_json, write_out
from edgevoice.errors import UsageError
from edgevoice.text import clock, plain

if TYPE_CHECKING:
    from edgevoice.saved_sessions import SavedSession
    from edgevoice.tui.transcript import TranscriptLine


class _ListedByDefault(TyperGroup):
    """`edgevoice sessions DIR` is `edgevoice sessions list DIR`, and so is `edgevoice sessions` alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListedByDefault,
    rich_markup_mode=None,
    help="List saved sessions, or open one: its words, and its audio from any line.",
    epilog="'edgevoice sessions DIR' lists that folder.",
)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="What --save was given; save.folder when left out.")]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A session as it is listed, or its .jsonl file.", autocompletion=session_names),
]
In = Annotated[str, typer.Option("--in", metavar="DIR", help="The folder it lies in; save.folder when left out.")]


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
    if not found:
        say(f"No session was saved in '{plain(str(path))}' yet. 'edgevoice live --save {plain(str(path))}' saves one.")


@app.command("open")
def open_(name: Name, folder: In = "") -> None:
    """Read a session: Enter plays its recording from a line, / searches.

    \b
    Examples:
      edgevoice sessions open 2026-03-01_14-05-33
      edgevoice sessions open 2026-03-01_14-05-33 --in ~/calls
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.saved_sessions import find_sessions, session_events

    file = Path(name)
    if file.suffix == ".jsonl" and not file.is_file() and (len(file.parts) > 1 or not folder):
        raise UsageError(f"There is no file '{plain(name)}'", "'edgevoice sessions DIR' lists those of a folder")
    if not has_screen():
        raise UsageError("A session is read on a screen, and stdout is no terminal", "Read its .txt file instead")
    is_file = file.suffix == ".jsonl" and file.is_file()
    path = file.parent if is_file else _folder(folder)
    wanted = file.name.removesuffix(".jsonl") if is_file else name
    session = next((session for session in find_sessions(path) if session.name == wanted), None)
    if session is None:
        raise UsageError(
            f"There is no session '{plain(wanted)}' in '{plain(str(path))}'", f"See 'edgevoice sessions {path}'"
        )
    lines = transcript_lines(list(session_events(path / f"{session.name}.jsonl")))

    from edgevoice.audio.player import Player
    from edgevoice.tui.transcript import run_transcript

    raise typer.Exit(run_transcript(lines, session.name, Player(session.recordings)))


def _folder(named: str) -> Path:
    from edgevoice.paths import user_path

    folder = named or options.settings_for().save.folder
    if not folder:
        raise UsageError("No folder of sessions is known", "Name one, or set save.folder")
    return user_path(folder)


def transcript_lines(events: list[Any]) -> list[TranscriptLine]:
    """What a session says, as its lines on the screen."""
    from edgevoice.events import IntentDetected
    from edgevoice.sinks.conversation import Conversation
    from edgevoice.tui.transcript import TranscriptLine

    return [
        TranscriptLine(
            start=entry.start,
            speaker=entry.speaker,
            text=" ".join(entry.lines),
            is_note=isinstance(entry.event, IntentDetected),
        )
        for entry in Conversation.of(events).entries
        if entry.lines
    ]


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
