"""All recordings of one `edgevoice transcribe`: taken down here or on a cluster, written in order or into a folder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path

from edgevoice.commands.options import open_model
from edgevoice.commands.output import say, write_out
from edgevoice.commands.progress import Meter
from edgevoice.commands.recordings import Target
from edgevoice.commands.transcribe import Format
from edgevoice.commands.transcript import Transcriber, Transcript, rendered, write_file
from edgevoice.config import Settings
from edgevoice.errors import EdgeVoiceError
from edgevoice.files import is_full, way_out
from edgevoice.text import plain

_WORKERS = 64
"""Of a cluster, for which enough transcripts may wait."""
_AHEAD = 4
"""Transcripts for each recording that runs, at most, that may wait for one that must be printed before them."""


class Archive:
    """Recordings and where their transcripts go.

    Args:
        files: the recordings.
        settings: of all of them.
        format_: of their transcripts.
        quiet: no progress, also on a terminal.
        cluster: the address of a Ray cluster, or "auto"; None for this machine.
    """

    def __init__(
        self, files: Sequence[str], settings: Settings, format_: Format, *, quiet: bool, cluster: str | None
    ) -> None:
        self._files, self._targets = list(files), [Path()] * len(files)
        self._settings, self._format, self._cluster = settings, format_, cluster
        self._quiet, self._printed = quiet, True
        self._failed = False

    def write_to(self, targets: Sequence[Target]) -> None:
        """Transcripts go into files, each as soon as it is done; those that are done are left out."""
        done = sum(target.done for target in targets)
        if done:
            say(f"{done} of {len(targets)} transcripts are already there.")
        pairs = [(file, each.file) for file, each in zip(self._files, targets, strict=True) if not each.done]
        self._files, self._targets = [file for file, _ in pairs], [target for _, target in pairs]
        self._printed = False

    def transcribe(self) -> int:
        """Takes them down and gives the exit code."""
        if not self._files:
            return 0
        shown = sys.stderr.isatty() and not self._quiet
        # closed at once, whatever happens here: threads must not work on for nobody
        with Meter(len(self._files), shown=shown) as meter, closing(self._done(meter)) as done:
            for number, result in _in_order(done) if self._printed else done:
                self._write(result, self._targets[number], meter)
        return int(self._failed)

    def _done(self, meter: Meter) -> Generator[tuple[int, Transcript], None, None]:
        """The transcripts as they are done, with the numbers of their recordings."""
        with closing(self._on_cluster(self._cluster) if self._cluster else self._here(meter)) as done:
            for number, result in done:
                meter.finish(result.file, result.seconds)
                yield number, result

    def _here(self, meter: Meter) -> Generator[tuple[int, Transcript], None, None]:
        from edgevoice.commands.at_once import at_once

        model = open_model(self._settings)
        for note in filter(None, (model.note, model.reader_note)):
            with meter.aside():
                say(note)
        jobs = min(self._settings.files.jobs, len(self._files))
        transcriber = Transcriber(model, self._settings, meter.heard)
        return at_once(self._files, transcriber, jobs=jobs, ahead=self._ahead(jobs))

    def _on_cluster(self, address: str) -> Generator[tuple[int, Transcript], None, None]:
        from edgevoice.commands.cluster import on_cluster

        return on_cluster(self._files, self._settings, address=address, ahead=self._ahead(_WORKERS))

    def _ahead(self, jobs: int) -> int:
        return _AHEAD * jobs if self._printed else len(self._files)

    def _write(self, result: Transcript, target: Path, meter: Meter) -> None:
        messages = [message for message in (result.error, *result.warnings) if message]
        self._failed = self._failed or bool(messages)
        text = rendered(result, self._format)
        with meter.aside() if messages or self._printed else nullcontext():
            for message in messages:
                say(message)
            if self._printed:
                write_out(text)
        if self._printed:
            return
        if not result.error or self._format is Format.JSON:  # which says itself that it is not whole
            self._keep(text, target, meter)
            with contextlib.suppress(OSError):
                _partial(target).unlink()
        elif result.heard and self._keep(text, _partial(target), meter):
            with meter.aside():
                say(f"What was heard of '{result.file}' until then is in '{_partial(target)}'.")

    def _keep(self, text: str, target: Path, meter: Meter) -> bool:
        """Writes a transcript, or says why it cannot be; whether it is there."""
        try:
            write_file(target, text)
        except OSError as error:
            remedy = way_out(error)
            what = f"'{plain(str(target))}' cannot be written ({error.strerror})"
            failure = EdgeVoiceError(what, f"{remedy[0].upper()}{remedy[1:]}")
            if is_full(error):  # the next one would find no room either
                raise failure from None
            self._failed = True
            with meter.aside():
                say(str(failure))
            return False
        return True


def _partial(target: Path) -> Path:
    """Where the beginning of a transcript goes: a name that does not count as one, so that it is tried again."""
    return target.with_name(f"{target.name}.partial")


def _in_order(done: Iterator[tuple[int, Transcript]]) -> Iterator[tuple[int, Transcript]]:
    """Each when all before it were."""
    waiting: dict[int, Transcript] = {}
    due = 0
    for number, result in done:
        waiting[number] = result
        while due in waiting:
            yield due, waiting.pop(due)
            due += 1
