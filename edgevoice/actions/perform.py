"""Does what an action says, whichever of the three it is."""

from __future__ import annotations

import threading
import time
from pathlib import PurePath

from edgevoice.actions import notify, webhook
from edgevoice.actions.outcome import CANCELLED, Outcome
from edgevoice.actions.program import Programs
from edgevoice.config import ActionSettings
from edgevoice.events import IntentDetected
from edgevoice.text import plain


class Performer:
    """Runs actions, in as many threads as call it, until it is stopped."""

    def __init__(self) -> None:
        self._programs = Programs()
        self._stopping = threading.Event()

    def perform(self, action: ActionSettings, intent: IntentDetected) -> Outcome:
        """Does it and waits for its end; never raises."""
        if self.stopped:
            return Outcome(ok=False, seconds=0.0, error=CANCELLED)
        began = time.monotonic()
        try:
            if action.webhook:
                return webhook.post(action, intent, self._stopping)
            argv = notify.command(action, intent) if action.notify else action.run
            return self._programs.run(argv, intent, action.timeout_s)
        except Exception as error:  # noqa: BLE001 - whatever breaks, captions and the other actions go on
            reason = plain(f"{type(error).__name__}: {error}")
            return Outcome(ok=False, seconds=time.monotonic() - began, error=reason)

    @property
    def stopped(self) -> bool:
        """Whether nothing is done any more."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ends everything that runs, from any thread."""
        self._stopping.set()
        self._programs.stop()


def kind(action: ActionSettings) -> str:
    """ "run", "webhook" or "notify"."""
    return "run" if action.run else "webhook" if action.webhook else "notify"


def name(action: ActionSettings) -> str:
    """What an action is called where it is shown."""
    if action.name:
        return plain(action.name)
    if action.run:
        return plain(PurePath(action.run[0]).name)
    return webhook.host(action.webhook) if action.webhook else plain(action.notify)
