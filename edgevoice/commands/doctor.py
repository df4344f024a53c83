"""`edgevoice doctor`."""

from __future__ import annotations

import typer

from edgevoice.commands import options
from edgevoice.commands.output import write_json, write_out


def doctor(model: options.Model = None, provider: options.Provider = None, as_json: options.Json = False) -> None:
    """Check everything that edgevoice needs.

    Each line says what to do when it fails. A warning leaves something usable, for example recordings without a
    microphone. The exit code is 1 if a check failed.

    \b
    Examples:
      edgevoice doctor
      edgevoice doctor --json | jq '.[] | select(.status != "pass")'
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    import dataclasses

    from edgevoice.commands.checks import check_all

    results = check_all(model, provider)
    if as_json:
        write_json([dataclasses.asdict(result) for result in results])
    else:
        for result in results:
            advice = f"\n      {'':14} {result.remedy}" if result.remedy else ""
            write_out(f"{result.status:4}  {result.name:14} {result.detail}{advice}\n")
    raise typer.Exit(int(any(result.status == "fail" for result in results)))
