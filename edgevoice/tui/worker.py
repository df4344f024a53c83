"""The thread that iterates a run: the only thread of the screen. It posts messages and touches nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from textual.message import Message

from edgevoice.errors import EdgeVoiceError
from edgevoice.events import Event
from edgevoice.tui.messages import EventArrived, RunFinished
from edgevoice.tui.terminal import default_log_file
from edgevoice.tui.threads import spawn
from edgevoice.tui.views import Problem

_LOG = logging.getLogger(__name__)

QUEUE_LIMIT = 500
"""Messages that may wait for the screen; beyond it the thread waits, so that a fast file cannot fill the memory."""


class EventRun(Protocol):
    """A run as the screen sees it: `edgevoice.pipeline` behind a few switches."""

    def run(self) -> Iterator[Event]:
        """Events until the audio ends or `stop` is called."""
        ...

    def stop(self) -> None:
        """Ends `run` soon, after its last events; callable from any thread, any number of times."""
        ...

    def pause(self) -> None:
        """Audio is ignored until `resume`."""
        ...

    def resume(self) -> None:
        """Audio is listened to again."""
        ...


@runtime_checkable
class DecidingRun(Protocol):
    """A run whose intents are decided as it goes; one that is replayed was decided when it was said."""

    def set_threshold(self, label: str, value: float) -> None:
        """Announces an intent from this score on, 0 to 1, in what is decided from now on; at once, from any thread."""
        ...


class MessageTarget(Protocol):
    """The part of an app that a thread may use."""

    def post_message(self, message: Message) -> bool:
        """Queues a message."""
        ...

    @property
    def message_queue_size(self) -> int:
        """How many messages wait."""
        ...


class RunThread:
    """Iterates a run in a thread and posts what it yields."""

    def __init__(self, run: EventRun, target: MessageTarget) -> None:
        self._run = run
        self._target = target
        self._stop_asked = False
        self._deaf = False

    def start(self) -> None:
        """Starts to iterate."""
        spawn(self._iterate, "edgevoice-run")

    def stop(self) -> None:
        """Asks the run to end, without waiting: closing a sound device can take its time."""
        if not self._stop_asked:
            self._stop_asked = True
            spawn(self._run.stop, "edgevoice-stop")

    def _iterate(self) -> None:
        error: BaseException | None = None
        try:
            for event in self._run.run():
                self._post(EventArrived(event))
                self._wait_for_screen()
        except Exception as caught:  # noqa: BLE001 - whatever broke the run, the screen says so and stays
            _LOG.exception("the run failed")
            error = caught
        self._post(RunFinished(error))

    def _post(self, message: Message) -> None:
        if self._deaf:
            return
        try:
            self._target.post_message(message)
        except RuntimeError:  # the screen's event loop is gone; the sinks still get the rest
            self._deaf = True

    def _wait_for_screen(self) -> None:
        while not self._deaf and not self._stop_asked and self._target.message_queue_size > QUEUE_LIMIT:
            time.sleep(0.005)


def broken(error: BaseException) -> Problem:
    """What to say about a run that ended with an exception."""
    if isinstance(error, EdgeVoiceError):
        return Problem(error.what, error.remedy, recoverable=False)
    what = f"The run stopped: {str(error) or type(error).__name__}"
    return Problem(what, f"Start it again; the cause is in {default_log_file()}", recoverable=False)
