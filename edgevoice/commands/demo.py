"""`edgevoice demo`."""

from __future__ import annotations

import dataclasses

import typer

from edgevoice.commands import options


def demo(
    fast: options.Fast = False,
    provider: options.Provider = None,
    hop: options.Hop = None,
    no_format: options.NoFormat = False,
    serve: options.Serve = None,
    token: options.Token = None,
    save: options.Save = None,
    record: options.Record = False,
    last_lines: options.LastLines = None,
    as_json: options.Json = False,
) -> None:
    """Caption the recorded call that comes along.

    It plays in real time and uses the bundled model.

    \b
    Examples:
      edgevoice demo
      edgevoice demo --json --fast | tail -1
      edgevoice demo --serve 127.0.0.1:8080
      edgevoice demo --save calls
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.audio.file import FileSource
    from edgevoice.audio.pacing import PacedSource
    from edgevoice.audio.source import Source
    from edgevoice.commands.sinks import open_sinks
    from edgevoice.commands.streaming import show
    from edgevoice.paths import sample_call

    # the demo shows the bundled model on this machine, whatever model, server and words the file of settings names;
    # nobody called, so that no action runs
    settings = options.settings_for(
        model="",
        intent_model="",
        provider=provider,
        remote="",
        hotwords="",
        language_model="",
        reader="auto",
        hop=hop,
        no_format=no_format,
        more=options.outputs(serve or "", token, save, last_lines, record=record),
    )
    settings = dataclasses.replace(settings, actions=())
    recording: Source = FileSource(sample_call())
    source = recording if fast else PacedSource(recording)
    raise typer.Exit(show([source], settings, as_json=as_json, waits=fast, sinks=open_sinks(settings)))
