"""`edgevoice config init|show|path|get|set|unset`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from edgevoice.commands import manual, options
from edgevoice.commands.completion import setting_names, setting_values
from edgevoice.commands.output import say, write_json, write_out
from edgevoice.errors import UsageError
from edgevoice.paths import config_file
from edgevoice.text import plain

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show and change settings.",
    epilog=manual.epilog("config"),
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="KEY", help="A setting, such as asr.threads; see 'config show'.", autocompletion=setting_names
    ),
]
Value = Annotated[
    str, typer.Argument(metavar="VALUE", help="Text without quotation marks.", autocompletion=setting_values)
]


@app.command(epilog=manual.epilog("config"))
def init(force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False) -> None:
    """Write a file with every setting, what it means, and its default commented out.

    \b
    Examples:
      edgevoice config init
      EDGEVOICE_CONFIG=desk.toml edgevoice config init
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.config_edit import write_whole
    from edgevoice.config_text import template

    file = config_file()
    if (file.exists() or file.is_symlink()) and not force:
        raise UsageError(f"There is a {plain(str(file))} already", "Replace it with --force, or change a key of it")
    write_whole(file, template())
    write_out(f"{plain(str(file))}\n")


@app.command(epilog=manual.epilog("config"))
def path() -> None:
    """Print where the file of settings is, or would be.

    \b
    Example:
      "$EDITOR" "$(edgevoice config path)"
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    write_out(f"{config_file()}\n")


@app.command(epilog=manual.epilog("config"))
def show(as_json: options.Json = False) -> None:
    """Print every setting in force, and where it comes from: default, file or environment.

    Of secrets only that they are set; 'config get' prints them.

    \b
    Examples:
      edgevoice config show
      edgevoice config show --json | jq -r 'to_entries[] | select(.value.origin != "default") | .key'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    import dataclasses

    from edgevoice.config_file import explained, load_settings, value_of
    from edgevoice.config_values import as_toml, without_secrets

    shown = without_secrets(load_settings())
    found = {name: dataclasses.replace(each, value=value_of(shown, name)) for name, each in explained().items()}
    if as_json:
        # dataclasses among the values become objects too
        write_json({name: dataclasses.asdict(each) for name, each in found.items()})
        return
    lines = [
        (f"{name} = {plain(as_toml(each.value))}", plain(each.where) or each.origin) for name, each in found.items()
    ]
    width = min(50, max(len(line) for line, _ in lines))
    write_out("".join(f"{line:{width}}  # {where}\n" for line, where in lines))


@app.command(epilog=manual.epilog("config"))
def get(key: Name) -> None:
    """Print the value of one setting, text without quotation marks.

    \b
    Example:
      edgevoice config get asr.threads
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.config_file import explained, type_of
    from edgevoice.config_values import as_toml

    type_of(key)
    value = explained()[key].value
    write_out(f"{plain(value) if isinstance(value, str) else as_toml(value)}\n")


@app.command("set", epilog=manual.epilog("config"), context_settings={"ignore_unknown_options": True})
def set_(key: Name, value: Value) -> None:
    """Change one setting in the file, or add it; comments and order stay, and a wrong value changes nothing.

    The file is made if there is none. A list is written as in TOML.

    \b
    Examples:
      edgevoice config set asr.threads 4
      edgevoice config set audio.device "USB"
      edgevoice config set asr.word_bonus -0.5
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.config_change import written
    from edgevoice.config_file import variable
    from edgevoice.config_values import as_toml

    wanted = written(key, value)
    write_out(f"{key} = {plain(as_toml(wanted))}\n")
    if variable(key) in os.environ:
        say(f"{variable(key)} is set as well, and goes before the file.")


@app.command(epilog=manual.epilog("config"))
def unset(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key in the file.", autocompletion=setting_names)],
) -> None:
    """Take one key out of the file, so that its default holds again. Exit code 1 if it is not in the file.

    \b
    Example:
      edgevoice config unset asr.threads
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.config_change import removed

    if not removed(key):
        say(f"'{plain(key)}' is not set in {plain(str(config_file()))}.")
        raise typer.Exit(1)
