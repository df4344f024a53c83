"""Commands of the other packages: named here, found by entry point, imported only when called."""

from __future__ import annotations

from typing import Any

import typer

from edgevoice.errors import MissingExtraError

GROUP = "edgevoice.commands"
EXTRAS = {"train": "train,export", "export": "export", "bench": "train,export"}
"""Command -> extra that its packages come with."""
_HELP = {
    "train": "Fine-tune a Wav2Vec2-family model.",
    "export": "Turn a checkpoint into a model bundle.",
    "bench": "Measure speed and accuracy side by side.",
}
_OURS = ("edgevoice", "training", "export", "bench")


def run(name: str, arguments: list[str], typed: str = "") -> int:
    """Passes the arguments, `--help` included, to the command as they are and returns its exit code.

    Args:
        name: of `EXTRAS`.
        arguments: of that command.
        typed: the command that the user typed, where that is another.

    Raises:
        MissingExtraError: the command or a package that it needs is not installed.
    """
    from importlib.metadata import entry_points  # takes 20 ms, which --help need not wait for

    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        raise MissingExtraError(typed or name, EXTRAS[name])
    try:
        code: Any = found.load()(arguments)
    except ModuleNotFoundError as error:
        part_of_ours = error.name is not None and error.name.split(".")[0] in _OURS
        if part_of_ours and error.name not in (found.module, found.module.split(".")[0]):
            raise
        raise MissingExtraError(typed or name, EXTRAS[name]) from error
    return int(code or 0)


def add_to(app: typer.Typer) -> None:
    """Lists the commands in the help of `app`; `edgevoice.cli.main` runs them before typer reads their arguments."""
    for name, text in _HELP.items():
        app.command(name, help=text, add_help_option=False)(_listed)


def _listed() -> None:
    """Never called."""
