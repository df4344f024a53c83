"""The sink that acts: intents set off actions, which run in threads of their own and never keep captions waiting, nor
programs and notifications a web server that does not answer."""

from __future__ import annotations

import atexit
import queue
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgevoice.actions.check import unknown_intent
from edgevoice.actions.log import ActionLog
from edgevoice.actions.outcome import CANCELLED, Outcome
from edgevoice.actions.perform import Performer, kind, name
from edgevoice.actions.slots import WAITING, Slots
from edgevoice.actions.trigger import Trigger
from edgevoice.config import ActionSettings
from edgevoice.events import ActionFinished, ActionStarted, Event, Failed, IntentDetected, StreamStarted
from edgevoice.files import why
from edgevoice.text import plain

CLOSING_S = 5.0
"""How long actions may go on when there is no more audio."""


@dataclass(frozen=True, slots=True)
class _Task:
    number: int
    action: ActionSettings
    intent: IntentDetected


class Actions:
    """Runs the actions of the settings. `write` and `close` are called by one thread.

    Args:
        actions: that could run, see `check`.
        at_once: how many programs and notifications run at once, and how many posts beside them.
        log: what they say goes there.
        dry_run: say what would run, and run nothing.
        closing_s: how long they may go on when there is no more audio.
    """

    def __init__(
        self,
        actions: Sequence[ActionSettings],
        *,
        at_once: int,
        log: ActionLog,
        dry_run: bool = False,
        closing_s: float = CLOSING_S,
    ) -> None:
        self._actions, self._log = actions, log
        self._dry_run, self._closing_s = dry_run, closing_s
        self._trigger = Trigger(actions)
        self._performer = Performer()
        self._here, self._posts = Slots(self._run, at_once), Slots(self._run, at_once)
        self._told: queue.SimpleQueue[tuple[_Task, Outcome | None]] = queue.SimpleQueue()
        """What became of tasks: begun, or over with an outcome."""
        self._open: dict[int, _Task] = {}
        """Tasks that were set off and whose end was not said yet, by number."""
        self._count = 0
        self._at: dict[str, float] = {}
        self._warned: set[str] = set()
        self._unwritable = ""
        atexit.register(self._performer.stop)  # the screen does not wait for a run to be over

    def write(self, event: Event) -> Iterable[Event]:
        """Sets off what the event sets off; tells which runs were begun, and which are over, since."""
        self._at[event.channel] = event.at
        said = list(self._news())
        if isinstance(event, StreamStarted):
            said += self._warnings(event)
        for action, intent in self._trigger.take(event):
            said += self._begin(action, intent)
        return said

    def close(self) -> Iterable[Event]:
        """Waits a while for what runs, then ends it; tells how each run ended."""
        # who pressed Ctrl-C twice does not wait
        patience = 0.0 if isinstance(sys.exception(), SystemExit) else self._closing_s
        said = list(self._news(patience))
        if self._open:
            self._performer.stop()
            said += self._news(1.0)
        for task in list(self._open.values()):
            said.append(self._finished(task, Outcome(ok=False, seconds=0.0, error=CANCELLED)))
        atexit.unregister(self._performer.stop)
        return said

    def _warnings(self, started: StreamStarted) -> Iterator[Event]:
        for number, action in enumerate(self._actions, 1):
            unknown = unknown_intent(action, started.labels)
            if unknown and f"intent {number}" not in self._warned:  # once, and not for each side of a call
                self._warned.add(f"intent {number}")
                what, remedy = f"Action {number} {unknown[0]}", unknown[1]
                yield Failed(channel=started.channel, at=started.at, what=what, recoverable=True, remedy=remedy)

    def _begin(self, action: ActionSettings, intent: IntentDetected) -> Iterator[Event]:
        self._count += 1
        task = _Task(self._count, action, intent)
        if self._dry_run:
            yield self._started(task)
            return
        self._open[task.number] = task
        # a server may keep a post for minutes, tries and pauses between them
        slots = self._posts if action.webhook else self._here
        if not slots.take(task):
            error = f"not run: {WAITING} others wait already"
            yield self._finished(task, Outcome(ok=False, seconds=0.0, error=error))

    def _run(self, task: _Task) -> None:
        if not self._performer.stopped:
            self._told.put((task, None))
        outcome = self._performer.perform(task.action, task.intent)
        try:
            self._log.write(name(task.action), task.intent.label, outcome)
        except OSError as error:
            self._unwritable = why(error)
        self._told.put((task, outcome))

    def _news(self, patience: float = 0.0) -> Iterator[Event]:
        """The runs that were begun and those that are over, waiting for all that were set off for so many seconds."""
        end = time.monotonic() + patience
        while self._open:
            try:
                task, outcome = self._told.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            yield self._finished(task, outcome) if outcome else self._started(task)
        yield from self._log_lost()

    def _started(self, task: _Task) -> Event:
        return ActionStarted(
            channel=task.intent.channel,
            at=self._now(task),
            segment=task.intent.segment,
            name=name(task.action),
            label=task.intent.label,
            kind=kind(task.action),
            dry_run=self._dry_run,
        )

    def _finished(self, task: _Task, outcome: Outcome) -> Event:
        del self._open[task.number]
        return ActionFinished(
            channel=task.intent.channel,
            at=self._now(task),
            segment=task.intent.segment,
            name=name(task.action),
            label=task.intent.label,
            ok=outcome.ok,
            code=outcome.code,
            seconds=outcome.seconds,
            error=plain(outcome.error),
        )

    def _now(self, task: _Task) -> float:
        return self._at.get(task.intent.channel, task.intent.at)

    def _log_lost(self) -> Iterator[Event]:
        """Once: that the log cannot be written."""
        if self._unwritable and "log" not in self._warned:
            self._warned.add("log")
            channel, at = next(iter(self._at.items()))
            what = f"The log of actions, {plain(str(self._log.file))}, cannot be written: {self._unwritable}"
            remedy = "Actions run all the same; make the file writable to see what they say"
            yield Failed(channel=channel, at=at, what=what, recoverable=True, remedy=remedy)
