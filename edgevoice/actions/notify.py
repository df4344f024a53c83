"""Notifications on the desktop, by notify-send: it is part of every Linux desktop, or one package away."""

from __future__ import annotations

import html
import os
import sys
from pathlib import Path

from edgevoice.config import ActionSettings
from edgevoice.events import IntentDetected
from edgevoice.text import plain

PROGRAM = "notify-send"
_LONGEST = 300


def command(action: ActionSettings, intent: IntentDetected) -> list[str]:
    """The notification as a command: what was said is text, in which the desktop's markup means nothing."""
    said = plain(intent.words)[:_LONGEST] or plain(intent.label)
    detail = f"{said}\n{plain(intent.label)}, {intent.score:.0%}"
    return [PROGRAM, "--app-name=edgevoice", "--", plain(action.notify), html.escape(detail, quote=False)]


def has_desktop() -> bool:
    """Whether there is a session that could show one."""
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return True
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return sys.platform == "linux" and bool(runtime) and (Path(str(runtime)) / "bus").exists()
