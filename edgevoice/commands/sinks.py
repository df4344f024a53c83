"""Who gets the events besides the screen and stdout: files, actions, programs that listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevoice.config import Settings
from edgevoice.config_file import action_place, said_in
from edgevoice.errors import ConfigError
from edgevoice.paths import user_path

if TYPE_CHECKING:
    from edgevoice.sinks.delivery import Sink


def open_sinks(settings: Settings) -> list[Sink]:
    """What the settings ask for: savers first, then actions, then servers. Each is checked before a model is loaded,
    which takes its time.

    Raises:
        EdgeVoiceError: one of them cannot do its work.
    """
    return [*_savers(settings), *_actions(settings), *_servers(settings)]


def _savers(settings: Settings) -> list[Sink]:
    from edgevoice.session import Session
    from edgevoice.sinks.last_lines import LastLines
    from edgevoice.sinks.session_files import SessionFiles

    sinks: list[Sink] = []
    if settings.save.record and not settings.save.folder:
        what = f"{said_in('save.record', settings.save.record)} has no folder to record into"
        raise ConfigError(what, "Add --save DIR, or set save.folder")
    if settings.save.folder:
        session = Session(user_path(settings.save.folder))
        sinks.append(SessionFiles(session))
        if settings.save.record:
            from edgevoice.audio.recording import Recorder

            sinks.append(Recorder(session.recording))
    if settings.save.last_lines:
        sinks.append(LastLines(user_path(settings.save.last_lines)))
    return sinks


def _actions(settings: Settings) -> list[Sink]:
    if not settings.actions:
        return []
    from edgevoice.actions.check import check
    from edgevoice.actions.log import ActionLog
    from edgevoice.actions.sink import Actions
    from edgevoice.paths import action_log

    dry_run = settings.intent.dry_run_actions
    check(settings.actions, action_place, dry_run=dry_run)
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
