"""How far `transcribe` is: a line on stderr, as long as that is a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from edgevoice.text import plain

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


class Meter:
    """Counts what was heard, and shows it; a context manager. Any thread may tell it.

    Args:
        files: how many there are.
        shown: whether there is a line.
    """

    def __init__(self, files: int, *, shown: bool) -> None:
        self.files = files
        self.finished = 0
        """Files."""
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._over = 0.0
        self._running: dict[str, tuple[float, float]] = {}
        self._line: Progress | None = _line(self) if shown else None
        self._task = self._line.add_task("", total=files) if self._line else None

    @property
    def seconds(self) -> float:
        """Of audio heard."""
        return self._over + sum(at for at, _ in list(self._running.values()))

    @property
    def speed(self) -> float:
        """Seconds of audio in a second."""
        return self.seconds / max(0.001, time.monotonic() - self._began)

    @property
    def newest(self) -> str:
        """The recording that was begun last, among those that are running; empty for none."""
        return "".join(list(self._running)[-1:])

    def heard(self, file: str, at: float, duration: float) -> None:
        """A recording is at that second of so many; 0 where nobody knows."""
        with self._lock:
            self._running[file] = at, duration
        self._show()

    def finish(self, file: str, seconds: float) -> None:
        """A recording is done, after so many seconds of audio."""
        with self._lock:
            self._running.pop(file, None)
            self._over += seconds
            self.finished += 1
        self._show()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within it the line is away, so that something can be written where it was."""
        if self._line is None:
            yield
            return
        self._line.stop()
        try:
            yield
        finally:
            self._line.start()

    def __enter__(self) -> Self:
        if self._line:
            self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line:
            self._line.stop()

    def _show(self) -> None:
        if self._line and self._task is not None:
            with self._lock:
                parts = sum(min(1.0, at / duration) for at, duration in self._running.values() if duration)
                done = self.finished + parts
            self._line.update(self._task, completed=done)


def _line(meter: Meter) -> Progress:
    """A bar, what was done, how fast, how long it will take, and the name of a recording."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = [BarColumn(20), _column(meter), TimeRemainingColumn(compact=True), _column(meter, names=True)]
    return Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=4,
        expand=False,
    )


def _column(meter: Meter, *, names: bool = False) -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Told(ProgressColumn):
        """What the meter says."""

        def render(self, task: Task) -> Text:  # noqa: ARG002 - what rich calls
            # a Text and not a str, in which brackets of a file name would be markup
            text = plain(Path(meter.newest).name) if names else told(meter)
            return Text(text, no_wrap=True, overflow="ellipsis")

    return Told()


def told(meter: Meter) -> str:
    """What was done, and how fast: "12/340 files, 1:02:03 of audio, 41x"."""
    minutes, seconds = divmod(int(meter.seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{meter.finished}/{meter.files} files, {hours}:{minutes:02}:{seconds:02} of audio, {meter.speed:.1f}x"
