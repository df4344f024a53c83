"""`edgevoice actions list|test`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgevoice.commands import manual, options
from edgevoice.commands.completion import intent_labels
from edgevoice.commands.output import say, write_json, write_out
from edgevoice.config import ActionSettings, Settings
from edgevoice.config_file import action_place
from edgevoice.errors import ConfigError, EdgeVoiceError, UsageError
from edgevoice.paths import action_log, config_file, find_model
from edgevoice.text import plain

if TYPE_CHECKING:
    from edgevoice.events import IntentDetected

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show and try what happens when an intent is announced.",
)


@app.command("list", epilog=manual.epilog("actions"))
def list_(model: options.Model = None, as_json: options.Json = False) -> None:
    """List the actions of the settings, and what keeps any from running.

    \b
    Example:
      edgevoice actions list
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    settings = _settings(model)
    labels = _labels(settings)
    rows = [_row(number, action, labels) for number, action in enumerate(settings.actions, 1)]
    if as_json:
        write_json(rows)
        return
    for row in rows:
        write_out(f"{row['number']:3}  {row['name']:24}  {row['when']}\n{'':29}  {row['what']}\n")
        if row["problem"]:
            write_out(f"{'':29}  {row['problem']}\n")
    if rows:
        write_out(f"{'':5}What they say is kept in {plain(str(action_log()))}\n")
    else:
        say(f"There are no actions. Write [[actions]] into {config_file()}; docs/actions.md has examples.")


@app.command("test", epilog=manual.epilog("actions"))
def try_(
    intent: Annotated[
        str,
        typer.Argument(
            metavar="INTENT", help="A label of the model, or one that actions name.", autocompletion=intent_labels
        ),
    ],
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="you|them", help="As if this side of a call had said it.")
    ] = None,
    model: options.Model = None,
) -> None:
    """Run the actions that an intent sets off, one after another, and show what they say.

    Exit code 1 if one fails, or if there is none for this intent.

    \b
    Examples:
      edgevoice actions test freeze_card
      edgevoice actions test freeze_card --channel them
    """  # noqa: D301 - \b is typer's mark for "keep these lines"
    from edgevoice.actions.check import check
    from edgevoice.actions.perform import Performer, name
    from edgevoice.actions.trigger import SIDES, wants

    if channel not in (None, *SIDES):
        raise UsageError(f"--channel is '{plain(str(channel))}'", f"Choose one of: {', '.join(SIDES)}")
    settings = _settings(model)
    _refuse_unknown(intent, settings)
    made_up = [(action, _made_up(intent, channel or _side(action))) for action in settings.actions]
    numbers = [number for number, each in enumerate(made_up, 1) if wants(*each)]
    if not numbers:
        raise EdgeVoiceError(f"No action is for '{plain(intent)}'", "'edgevoice actions list' shows them all")
    runs = [made_up[number - 1] for number in numbers]
    check([action for action, _ in runs], lambda which: action_place(numbers[which - 1]))
    performer, failed = Performer(), False
    try:
        for action, event in runs:
            outcome = performer.perform(action, event)
            failed = failed or not outcome.ok
            write_out("".join(f"{plain(line)}\n" for line in outcome.output.decode("utf-8", "replace").splitlines()))
            said = "ok" if outcome.ok else outcome.error
            write_out(f"{name(action)}: {said} ({_code(action, outcome.code)}{outcome.seconds:.2f} s)\n")
    finally:
        performer.stop()
    raise typer.Exit(int(failed))


def _settings(model: str | None) -> Settings:
    """The settings, with actions whose keys go together."""
    from edgevoice.actions.check import check

    settings = options.settings_for(model)
    check(settings.actions, action_place, dry_run=True)
    return settings


def _side(action: ActionSettings) -> str:
    """A side that the action takes intents of."""
    return "you" if action.channel == "any" else action.channel


def _made_up(intent: str, side: str) -> IntentDetected:
    """What a detection would look like."""
    from edgevoice.actions.trigger import SIDES
    from edgevoice.events import IntentDetected

    return IntentDetected(
        channel=SIDES[side],
        at=0.0,
        segment=0,
        label=intent,
        score=1.0,
        runners_up=(),
        early=False,
        words="this is a test of an action",
    )


def _labels(settings: Settings) -> tuple[str, ...]:
    """What the model in use can announce; only its manifest is read."""
    from edgevoice.asr.bundle import read_manifest

    return read_manifest(find_model(settings.intent_model or settings.model)).labels


def _refuse_unknown(intent: str, settings: Settings) -> None:
    """Raises UsageError for an intent that neither the model nor an action knows."""
    import difflib

    known = [*_labels(settings), *(action.intent for action in settings.actions)]
    if intent not in known:
        nearest = difflib.get_close_matches(intent, known, n=1, cutoff=0.0)
        remedy = f"The nearest is '{plain(nearest[0])}'" if nearest else "The model knows none"
        raise UsageError(f"There is no intent '{plain(intent)}'", remedy)


def _row(number: int, action: ActionSettings, labels: Sequence[str]) -> dict[str, Any]:
    from edgevoice.actions.perform import kind, name

    return {
        "number": number,
        "name": name(action),
        "intent": plain(action.intent),
        "kind": kind(action),
        "when": _when(action),
        "what": _what(action),
        "problem": _problem(action, labels),
    }


def _when(action: ActionSettings) -> str:
    """The conditions, as a person reads them."""
    parts = ["any intent" if action.intent == "*" else plain(action.intent)]
    if action.channel != "any":
        parts.append(f"from {action.channel}")
    if action.minimum_score:
        parts.append(f"score {action.minimum_score:g} or more")
    if not action.early:
        parts.append("when the speaker has finished")
    if action.cooldown_s:
        parts.append(f"once in {action.cooldown_s:g} s")
    return ", ".join(parts)


def _what(action: ActionSettings) -> str:
    from edgevoice.actions import webhook

    if action.run:
        import shlex

        return f"run {plain(shlex.join(action.run))}"
    if action.webhook:
        # the rest of an address often is a secret
        signed = ", signed" if action.secret or action.secret_env else ""
        return f"post to {webhook.host(action.webhook)}{signed}"
    return f"notify: {plain(action.notify)}"


def _problem(action: ActionSettings, labels: Sequence[str]) -> str:
    """What keeps it from running, if anything."""
    from edgevoice.actions.check import check_ready, unknown_intent

    try:
        check_ready(action, "this action")
    except ConfigError as error:
        return f"! {error}"
    unknown = unknown_intent(action, labels)
    return f"! It {unknown[0]}. {unknown[1]}." if unknown else ""


def _code(action: ActionSettings, code: int) -> str:
    if action.webhook:
        return f"HTTP {code}, " if code else ""
    return f"exit code {code}, "
