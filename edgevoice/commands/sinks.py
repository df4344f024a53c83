"""Who gets the events besides the screen and stdout: files, actions, programs that listen."""

from __future__ import annotations

from edgevoice.config import Settings
from edgevoice.sinks.delivery import Sink


def open_sinks(settings: Settings) -> list[Sink]:
    """What the settings ask for: savers first, then actions, then servers. Each is checked before a model is loaded,
    which takes its time.

    Raises:
        EdgeVoiceError: one of them cannot do its work.
    """
    return [*_actions(settings), *_servers(settings)]


def _actions(settings: Settings) -> list[Sink]:
    if not settings.actions:
        return []
    from edgevoice.actions.check import check
    from edgevoice.actions.log import ActionLog
    from edgevoice.actions.sink import Actions
    from edgevoice.paths import action_log, config_file
    from edgevoice.text import plain

    dry_run = settings.intent.dry_run_actions
    check(settings.actions, plain(str(config_file())), dry_run=dry_run)
    at_once = settings.intent.actions_at_once
    return [Actions(settings.actions, at_once=at_once, log=ActionLog(action_log()), dry_run=dry_run)]


def _servers(settings: Settings) -> list[Sink]:
    if not settings.serve.address:
        return []
    from edgevoice.commands.output import say
    from edgevoice.serve.server import Server

    server = Server(settings.serve)
    say(f"Captions for other programs: {server.url}")
    return [server]
