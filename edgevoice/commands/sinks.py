"""Who gets the events besides the screen and stdout, as the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.config import Settings
from edgevoice.errors import ConfigError

if TYPE_CHECKING:
    from edgevoice.sinks.delivery import Sink


def open_sinks(settings: Settings) -> list[Sink]:
    """Savers first, so that whatever others do, it is on disk.

    Raises:
        ConfigError: one of them cannot do what it is there for.
    """
    return _savers(settings)


def _savers(settings: Settings) -> list[Sink]:
    from edgevoice.session import Session
    from edgevoice.sinks.last_lines import LastLines
    from edgevoice.sinks.session_files import SessionFiles

    sinks: list[Sink] = []
    if settings.save.record and not settings.save.folder:
        raise ConfigError("--record has no folder to record into", "Add --save DIR, or set save.folder")
    if settings.save.folder:
        session = Session(user_path(settings.save.folder))
        sinks.append(SessionFiles(session))
        if settings.save.record:
            from edgevoice.audio.recording import Recorder

            sinks.append(Recorder(session.recording))
    if settings.save.last_lines:
        sinks.append(LastLines(user_path(settings.save.last_lines)))
    return sinks


def user_path(text: str) -> Path:
    """A path as a person writes it, with ~ for their home.

    Raises:
        ConfigError: there is no such user.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(f"'{text}' names the home of nobody known here", "Write the whole path") from None
