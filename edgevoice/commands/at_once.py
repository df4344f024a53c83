"""Several recordings at once on this machine, in threads that share one model."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from edgevoice.commands.agenda import Agenda
from edgevoice.commands.transcript import Transcriber, Transcript


def at_once(
    files: Sequence[str], transcriber: Transcriber, *, jobs: int, ahead: int
) -> Generator[tuple[int, Transcript], None, None]:
    """The transcripts as they are done, with their numbers.

    Args:
        files: the recordings.
        transcriber: takes them down.
        jobs: how many at once.
        ahead: how far one may be ahead of the first that is not done.
    """
    agenda = Agenda(len(files), ahead)
    running: dict[Future[Transcript], int] = {}
    with ThreadPoolExecutor(jobs, thread_name_prefix="edgevoice-file") as pool:
        try:
            while True:
                while len(running) < jobs and (number := agenda.take()) is not None:
                    running[pool.submit(transcriber, files[number])] = number
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    number = running.pop(future)
                    agenda.finish(number)
                    yield number, future.result()
        finally:
            transcriber.stop()  # whoever left early does not wait for the end of every recording
