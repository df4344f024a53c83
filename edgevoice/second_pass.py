"""`SecondPass`: sentences that are over are read once more, in a thread beside the live words, which it never delays.

What waits is bounded. A recording that waits for us waits for the reader too; what is heard live does not: where the
reader cannot keep up, sentences stay as they were first heard until it has time again.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgevoice.asr.revision import Revision, Sentence
from edgevoice.config import SAMPLE_RATE

WAITING = 16
"""Sentences of a recording that may wait for the reader."""
BATCH = 8
"""Sentences that are read at once, where the reader reads several."""
LATEST_S = 6.0
"""A reading that would come later than this is not begun: by then people look elsewhere."""
_FAST = 0.1
"""Seconds for a second of speech, before any was read."""


class Reads(Protocol):
    """What is needed of `edgevoice.asr.revision.Reviser`."""

    @property
    def batches(self) -> bool:
        """Whether it reads several sentences at once."""
        ...

    def revise(self, sentences: Sequence[Sentence]) -> list[Revision | None]:
        """The sentences as they are read; None for one that stays as it was first heard.

        Raises:
            ModelError: the reader failed.
        """
        ...


@dataclass(eq=False, slots=True)
class Job:
    """A sentence on its way."""

    segment: int
    sentence: Sentence
    finished: float
    """When its first reading was shown, in seconds on the clock."""
    revision: Revision | None = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self) -> float:
        """Of audio."""
        return len(self.sentence.audio) / SAMPLE_RATE


class SecondPass:
    """One stream's readings, in the order in which its sentences were said.

    Args:
        reviser: reads.
        clock: seconds, monotonic.
    """

    def __init__(self, reviser: Reads, clock: Callable[[], float] = time.monotonic) -> None:
        self._reviser, self._clock = reviser, clock
        self._jobs: deque[Job] = deque()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._pace = _FAST
        """Seconds that the reader takes for a second of speech."""

    @property
    def full(self) -> bool:
        """Whether a source that waits for us has to wait now."""
        return len(self._jobs) >= WAITING

    @property
    def waiting(self) -> int:
        """Sentences whose results were not taken yet."""
        return len(self._jobs)

    @property
    def behind(self) -> bool:
        """Whether what was given to it now would come too late for somebody who listens."""
        waiting = [job for job in self._jobs if not job.done.is_set()]
        stuck = bool(waiting) and self._clock() - waiting[0].finished > LATEST_S
        return stuck or sum(job.seconds for job in waiting) * self._pace > LATEST_S

    def add(self, segment: int, sentence: Sentence) -> None:
        """Gives it a sentence to read."""
        job = Job(segment, sentence, self._clock())
        self._jobs.append(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._read_all, name="edgevoice-reader", daemon=True)
            self._thread.start()
        self._queue.put(job)

    def results(self, *, patience_s: float = 0.0) -> Iterator[Job]:
        """The jobs that are done, oldest first.

        Args:
            patience_s: how long the first of them may take.
        """
        while self._jobs and self._jobs[0].done.wait(patience_s):
            yield self._jobs.popleft()
            patience_s = 0.0

    def close(self) -> None:
        """Nothing more is read; what waits is forgotten."""
        self._closed = True
        self._jobs.clear()
        self._queue.put(None)

    def _read_all(self) -> None:
        while (job := self._queue.get()) is not None:
            jobs, over = self._joined(job)
            if self._closed:
                return
            self._read(jobs)
            if over:
                return

    def _joined(self, first: Job) -> tuple[list[Job], bool]:
        """The job and those that wait behind it; whether there is nothing to come after them."""
        jobs: list[Job] = [first]
        most = BATCH if self._reviser.batches else 1  # a sentence does not wait for those behind it
        with contextlib.suppress(queue.Empty):
            while len(jobs) < most:
                job = self._queue.get_nowait()
                if job is None:
                    return jobs, True
                jobs.append(job)
        return jobs, False

    def _read(self, jobs: Sequence[Job]) -> None:
        began = self._clock()
        try:
            for job, revision in zip(jobs, self._reviser.revise([job.sentence for job in jobs]), strict=True):
                job.revision = revision
        except Exception as error:  # noqa: BLE001 - it is said where the results are taken
            for job in jobs:
                job.error = error
        seconds = sum(job.seconds for job in jobs)
        if seconds:
            self._pace += 0.3 * ((self._clock() - began) / seconds - self._pace)
        for job in jobs:
            job.done.set()
