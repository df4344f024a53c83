"""Several streams at once, such as the two sides of a call: a pipeline in a thread for each, their events in one line.

They share a model, so that it is loaded once, and what several of them want of it at a time is run as one batch
(`edgevoice.asr.batching`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence

from edgevoice.events import Event
from edgevoice.pipeline import Pipeline

WAITING = 256
"""Events that may wait for whoever takes them; beyond it the streams wait, so that fast files cannot fill the
memory."""


class Streams:
    """Pipelines that run together. Their events are told apart by `channel`, and are in order for each of them.

    Args:
        pipelines: each with a source of its own.
    """

    def __init__(self, pipelines: Sequence[Pipeline]) -> None:
        self._pipelines = pipelines
        self._arrived: queue.Queue[Event | _Over] = queue.Queue(WAITING)

    def run(self) -> Iterator[Event]:
        """The events of all streams as they come, until the last has ended; once.

        Raises:
            Exception: what a pipeline raised, after the others were stopped and heard out.
        """
        threads = [
            threading.Thread(target=self._drive, args=(pipeline,), name=f"edgevoice-stream-{number}", daemon=True)
            for number, pipeline in enumerate(self._pipelines, 1)
        ]
        for thread in threads:
            thread.start()
        failure: BaseException | None = None
        running = len(threads)
        try:
            while running:
                item = self._arrived.get()
                if isinstance(item, _Over):
                    running -= 1
                    if item.error and not failure:
                        failure = item.error
                        self.stop()
                else:
                    yield item
        finally:
            if running:  # nobody listens any more
                self.stop()
                self._drain(running)
        if failure:
            raise failure

    def stop(self) -> None:
        """Ends the streams soon, from any thread; what they have taken in is finished."""
        for pipeline in self._pipelines:
            pipeline.stop()

    def set_threshold(self, label: str, value: float) -> None:
        """Announces an intent from this score on, in all streams; from any thread."""
        for pipeline in self._pipelines:
            pipeline.set_threshold(label, value)

    def _drive(self, pipeline: Pipeline) -> None:
        error: BaseException | None = None
        try:
            for event in pipeline.run():
                self._arrived.put(event)
        except BaseException as caught:  # noqa: BLE001 - it is raised where the events are taken
            error = caught
        self._arrived.put(_Over(error))

    def _drain(self, running: int) -> None:
        while running:
            running -= isinstance(self._arrived.get(), _Over)


class _Over:
    """A stream has ended, with an exception if one ended it."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
