"""`edgevoice models list|info|verify|pull|rm`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgevoice.commands import manual, options
from edgevoice.commands.completion import model_names
from edgevoice.commands.output import say, write_json, write_out
from edgevoice.errors import ModelError, UsageError
from edgevoice.paths import find_model, known_models
from edgevoice.text import plain

if TYPE_CHECKING:
    from edgevoice.asr.bundle import Manifest, ReaderSpec

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show, check, fetch and remove models.",
)


class Purpose(StrEnum):
    """What a checkpoint of the hub is fetched for."""

    CAPTIONS = "captions"
    READER = "reader"


Name = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE", help="Folder or name; the bundled model when left out.", autocompletion=model_names
    ),
]


@app.command("list", epilog=manual.epilog("models"))
def list_(as_json: options.Json = False) -> None:
    """List the models that can be named: the bundled one and those in the user's data folder.

    \b
    Example:
      edgevoice models list
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    rows = [_row(name, path) for name, path in known_models().items()]
    if as_json:
        write_json(rows)
        return
    for row in rows:
        detail = plain(row["error"]) or _detail(row)
        write_out(f"{row['name']:20}  {detail}\n{'':20}  {row['path']}\n")
    if not rows:
        say("There is no model yet. Fetch one with 'edgevoice models pull OWNER/NAME', or name a folder with --model.")


@app.command(epilog=manual.epilog("models"))
def info(bundle: Name = "", as_json: options.Json = False) -> None:
    """Show what a model is: kind, vocabulary, intents, reader, precisions, figures and licence.

    \b
    Examples:
      edgevoice models info
      edgevoice models info models/mine --json
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    import dataclasses

    from edgevoice.asr.bundle import read_manifest

    folder = find_model(bundle)
    manifest = read_manifest(folder)
    if as_json:
        write_json({"path": str(folder), "kind": manifest.kind, **dataclasses.asdict(manifest)})
        return
    lines = {"name": manifest.name, "folder": str(folder), "kind": manifest.kind}
    if manifest.graphs:
        lines |= _heard(manifest)
    if manifest.reader:
        lines |= _read(manifest.reader)
    lines |= {
        "licence": manifest.licence or "not stated",
        "files": ", ".join(sorted(manifest.files)),
    }
    if manifest.graphs:
        lines["trained on"] = ", ".join(_data(manifest.training)) or "not stated"
    text = "".join(f"{name + ':':16} {plain(value)}\n" for name, value in lines.items())
    write_out(text + "".join(f"{'figures:':16} {plain(line)}\n" for line in _figures(manifest.training)))


def _detail(row: Mapping[str, Any]) -> str:
    """What a model is, on a line of the list."""
    language = row["language"] or "any language"
    return f"{row['kind']}, {language}" + ("" if row["kind"] == "reader" else f", {row['labels']} intents")


def _heard(manifest: Manifest) -> dict[str, str]:
    """What captions and knows intents."""
    graphs = manifest.graphs.values()
    return {
        "encoder": ", ".join(sorted({graph.architecture for graph in graphs})),
        "language": manifest.language or "not stated",
        "precisions": ", ".join(sorted({precision for graph in graphs for precision in graph.variants})),
        "vocabulary": f"{len(manifest.vocabulary)} tokens",
        "intents": ", ".join(manifest.labels) or "none",
        "live": _live(manifest),
    }


def _read(reader: ReaderSpec) -> dict[str, str]:
    """What reads finished sentences once more."""
    return {
        "reader": reader.name,
        "  architecture": reader.architecture,
        "  precisions": ", ".join(sorted(reader.encoder)),
        "  languages": ", ".join(sorted(reader.languages)) or reader.language or "not stated",
        "  at once": f"{reader.longest_s:g} s",
        "  licence": reader.licence or "not stated",
        "  source": reader.source or "not stated",
    }


def _live(manifest: Manifest) -> str:
    """How live captions are made of it."""
    if manifest.streaming == "cached":
        graph = next(iter(manifest.graphs.values()))
        lengths = ", ".join(f"{seconds:.2f} s" for seconds in graph.chunk_lengths)
        return f"each frame once, in chunks of {lengths}"
    return "windows of " + ", ".join(f"{seconds:g} s" for seconds in manifest.windows)


def _figures(training: Mapping[str, Any]) -> list[str]:
    """A line for each set that the bundle was measured on, as `export.card` keeps them."""
    rows = [row for row in training.get("figures", ()) if isinstance(row, Mapping)]
    names = {"wer": "WER", "cer": "CER", "accuracy": "intents"}
    return [
        f"{row.get('dataset')} {row.get('split')} {row.get('path')}: "
        + ", ".join(f"{name} {100 * row[key]:.1f} %" for key, name in names.items() if isinstance(row.get(key), float))
        for row in rows
    ]


def _data(training: Mapping[str, Any]) -> list[str]:
    """The data sets that the bundle's models were trained on."""
    records = (value for value in training.values() if isinstance(value, Mapping))
    return list(dict.fromkeys(str(name) for record in records for name in record.get("data", ())))


@app.command(epilog=manual.epilog("models"))
def verify(bundle: Name = "", as_json: options.Json = False) -> None:
    """Check every file of a model against its sha256; exit code 1 if one is missing or changed.

    \b
    Example:
      edgevoice models verify models/mine
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.asr.bundle import check_files, load_bundle

    found = load_bundle(find_model(bundle), verify=False)
    problems = check_files(found)
    if as_json:
        write_json({"path": str(found.path), "whole": not problems, "problems": problems})
    elif not problems:
        write_out(f"{plain(str(found.path))}: {len(found.manifest.files)} files, all whole\n")
    if problems:
        for problem in problems:
            say(f"{found.path}: {problem}. Copy or export the model again.")
        raise typer.Exit(1)


@app.command(epilog=manual.epilog("models"))
def pull(
    hub_id: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A checkpoint of the Hugging Face hub.")],
    purpose: Annotated[
        Purpose,
        typer.Option(
            "--as",
            metavar="captions|reader",
            help="What it is for: live captions and intents, or reading finished sentences once more.",
        ),
    ] = Purpose.CAPTIONS,
    intent: Annotated[
        str | None, typer.Option("--intent", metavar="OWNER/NAME", help="A second one, for intents, beside a CTC one.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="What to call the model; the checkpoint's when left out."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model of that name.")] = False,
) -> None:
    """Fetch a checkpoint of the hub, convert it, prove that it does the same, and keep it among your models.

    Weights are read as safetensors only, and nothing beside them is run. Afterwards no network is needed. It takes the
    extra 'export'; a checkpoint without a CTC or intent head is refused, and as a reader all but Moonshine and Whisper.

    \b
    Examples:
      edgevoice models pull facebook/wav2vec2-base-960h
      edgevoice models pull me/captions --intent me/intents --name desk
      edgevoice live --model desk
      edgevoice models pull openai/whisper-small.en --as reader
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands import extensions, own_models

    if intent and purpose is Purpose.READER:
        raise UsageError("A reader knows no intents", "Leave --intent out, or fetch what captions without --as reader")
    for each in (hub_id, intent):
        if each is not None:
            own_models.check_hub_id(each)
    name = name or hub_id.partition("/")[2]
    place = own_models.place_for(name, replace=force)
    first = ["--reader", hub_id] if purpose is Purpose.READER else [hub_id]
    second = ["--intent", intent] if intent else []
    replacing = ["--force"] if force else []
    arguments = [*first, *second, "--output", str(place), "--name", name, *replacing]
    code = extensions.run("export", arguments, typed="models pull")
    if code == 0:
        flag = "--reader" if purpose is Purpose.READER else "--model"
        say(f"The model '{name}' is ready: edgevoice live {flag} {name}")
    raise typer.Exit(code)


@app.command(epilog=manual.epilog("models"))
def rm(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model in the user's data folder; see 'models list'.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a model that was pulled or copied into the user's data folder. Exit code 1 if there is none of that name.

    \b
    Examples:
      edgevoice models rm desk
      edgevoice models rm desk --yes
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.commands import own_models

    place = own_models.removable(name)
    if not yes and not _agreed(f"Remove {plain(str(place))}? [y/N] "):
        say("Nothing was removed.")
        raise typer.Exit(1)
    own_models.remove(place)
    write_out(f"removed\t{plain(str(place))}\n")


def _agreed(question: str) -> bool:
    """Asks on stderr; a pipe has nobody to answer."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("Nothing was removed, because nobody can be asked", "Add --yes")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _row(name: str, path: Path) -> dict[str, Any]:
    from edgevoice.asr.bundle import Bundle, check_presence, read_manifest

    row: dict[str, Any] = {"name": plain(name), "path": str(path), "kind": "", "language": "", "labels": 0, "error": ""}
    try:
        manifest = read_manifest(path)
    except ModelError as error:
        return {**row, "error": str(error)}
    problems = check_presence(Bundle(path, manifest))  # a list must not wait for gigabytes to be hashed
    if problems:
        row["error"] = f"It is damaged: {problems[0]}. Copy, pull or export it again."
    language = manifest.language or (manifest.reader.language if manifest.reader and not manifest.graphs else "")
    return {**row, "kind": manifest.kind, "language": language, "labels": len(manifest.labels)}
