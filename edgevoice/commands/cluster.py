"""Recordings on the machines of a Ray cluster, and the only place that knows ray.

Each worker is a process with a model of its own, which takes one recording at a time from a path that it must be able
to read. A recording that one of them cannot read, or dies of, is tried once more on another.
"""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, TextIO

from edgevoice import __version__
from edgevoice.commands.agenda import Agenda
from edgevoice.commands.options import open_model
from edgevoice.commands.output import say
from edgevoice.commands.shipment import Shipment, shipments, unpacked
from edgevoice.commands.transcript import Transcriber, Transcript
from edgevoice.config import Settings
from edgevoice.errors import EdgeVoiceError, MissingExtraError, UsageError
from edgevoice.text import plain

_SLICE_S = 1.0
_ANSWER_S = 10.0
_PATIENCE = 30
"""Slices in which nothing is said of a cluster without a free place."""


def on_cluster(
    files: Sequence[str], settings: Settings, *, address: str, ahead: int
) -> Generator[tuple[int, Transcript], None, None]:
    """The transcripts as they are done, with their numbers.

    Args:
        files: the recordings.
        settings: of all of them; `files.jobs` workers at most, where 1 means as many as there is room for.
        address: of the cluster, or "auto" for the one of this machine.
        ahead: how far one may be ahead of the first that is not done.

    Raises:
        EdgeVoiceError: there is no such cluster, or no worker of it can run the model.
        MissingExtraError: ray is not installed.
        UsageError: a pipe is among the recordings.
    """
    if "-" in files:
        raise UsageError("'-' is a pipe of this machine, which no worker can read", "Leave out --ray")
    with _connected(address) as ray:
        crew = _Crew(ray, files, settings, ahead)
        try:
            yield from crew.transcripts()
        finally:
            crew.dismiss()


@dataclass(frozen=True, slots=True)
class _Report:
    """What a worker says when it has, or has not, got ready."""

    note: str = ""
    error: str = ""


class Worker:
    """What runs on the cluster: a model, and one recording after the other."""

    def __init__(self, version: str, settings: Settings, sent: dict[str, Shipment]) -> None:
        self._version, self._settings, self._sent = version, settings, sent
        self._transcriber: Transcriber | None = None

    def prepare(self) -> _Report:
        """Loads the model, from the path of the driver or from what it sent."""
        import ray

        host = os.uname().nodename
        if self._version != __version__:
            return _Report(error=f"{host} has edgevoice {__version__}, and {self._version} is asked for. Install that.")
        try:
            settings = unpacked(self._settings, self._sent, ray.get)
            model = open_model(settings)
        except (EdgeVoiceError, OSError) as error:
            return _Report(error=f"{host}: {error}")
        self._transcriber = Transcriber(model, settings)
        return _Report(note=f"{host}: {model.note}" if model.note else "")

    def transcribe(self, path: str, file: str) -> Transcript:
        """The transcript of a recording at that path, under the name that it has for the user."""
        assert self._transcriber
        return dataclasses.replace(self._transcriber(path), file=file)


@dataclass(eq=False, slots=True)
class _Hand:
    """A worker as the driver sees it."""

    actor: Any
    number: int | None = None
    """The recording that it has; None while it gets ready or has none."""


@dataclass
class _Crew:
    """All workers, and who has what."""

    ray: Any
    files: Sequence[str]
    settings: Settings
    ahead: int
    busy: dict[Any, _Hand] = field(default_factory=dict)
    """What is waited for -> who does it."""
    idle: list[_Hand] = field(default_factory=list)
    again: dict[int, _Hand] = field(default_factory=dict)
    """Recordings to be tried once more -> who failed."""
    tried: set[int] = field(default_factory=set)
    """Those that were tried before."""
    trouble: str = ""
    """Why a worker could not get ready."""

    def transcripts(self) -> Iterator[tuple[int, Transcript]]:
        """Until all are done."""
        agenda = Agenda(len(self.files), self.ahead)
        sent = shipments(self.settings, self.ray.put)
        for _ in range(min(len(self.files), self._places())):
            self._hire(sent)
        left, waited = len(self.files), 0
        while left:
            self._give_out(agenda)
            if not self.busy and not self.idle:
                raise EdgeVoiceError(f"No worker of the Ray cluster can run the model ({self.trouble.rstrip('.')})")
            ready, _ = self.ray.wait(list(self.busy), timeout=_SLICE_S)
            waited += 1
            if waited == _PATIENCE and not self.idle and all(hand.number is None for hand in self.busy.values()):
                say("No worker of the Ray cluster is ready yet; it may have no free place.")
            for ref in ready:
                for number, result in self._came(ref, sent):
                    agenda.finish(number)
                    left -= 1
                    yield number, result

    def dismiss(self) -> None:
        """Ends all workers, whatever they do."""
        for hand in [*self.busy.values(), *self.idle]:
            self.ray.kill(hand.actor)

    def _places(self) -> int:
        """Workers that the cluster has room for."""
        kind, each = ("GPU", 1) if self._on_gpu else ("CPU", self.settings.asr.threads)
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        room = sum(int(resources.get(kind, 0) // each) for resources in nodes)
        wanted = self.settings.files.jobs
        return max(1, room if wanted == 1 else min(room, wanted))

    @property
    def _on_gpu(self) -> bool:
        return self.settings.asr.provider in ("cuda", "tensorrt")

    def _hire(self, sent: dict[str, Shipment]) -> None:
        options = {"num_cpus": self.settings.asr.threads, "num_gpus": int(self._on_gpu)}
        actor = self.ray.remote(Worker).options(**options).remote(__version__, self.settings, sent)
        self.busy[actor.prepare.remote()] = _Hand(actor)

    def _give_out(self, agenda: Agenda) -> None:
        for hand in list(self.idle):
            alone = len(self.idle) + len(self.busy) == 1
            number = next((each for each, failed in self.again.items() if alone or failed is not hand), None)
            if number is None:
                number = agenda.take()
            else:
                del self.again[number]
            if number is None:
                continue
            self.idle.remove(hand)
            hand.number = number
            file = self.files[number]
            self.busy[hand.actor.transcribe.remote(os.path.abspath(file), file)] = hand  # noqa: PTH100 - links stay

    def _came(self, ref: Any, sent: dict[str, Shipment]) -> Iterator[tuple[int, Transcript]]:
        """What has come of something that was waited for."""
        hand = self.busy.pop(ref)
        number, hand.number = hand.number, None
        try:
            result = self.ray.get(ref)
        except self.ray.exceptions.RayError as error:
            # whatever is left of it: a process that failed once is not trusted again
            self.ray.kill(hand.actor)
            why = _first_line(error)
            if number is None:
                self.trouble = why
                return
            self._hire(sent)
            yield from self._failed(number, hand, f"the worker that had it died: {why}")
            return
        if isinstance(result, _Report):
            self._ready(hand, result)
            return
        self.idle.append(hand)
        assert number is not None
        others = len(self.busy) + len(self.idle) > 1
        if result.error and not result.heard and number not in self.tried and others:
            yield from self._failed(number, hand, "")
        else:
            yield number, result

    def _ready(self, hand: _Hand, report: _Report) -> None:
        if report.error:
            if report.error != self.trouble:
                say(report.error)
            self.trouble = report.error
            self.ray.kill(hand.actor)
            return
        if report.note:
            say(report.note)
        self.idle.append(hand)

    def _failed(self, number: int, hand: _Hand, why: str) -> Iterator[tuple[int, Transcript]]:
        """Once more elsewhere, or not at all."""
        if number not in self.tried:
            self.tried.add(number)
            self.again[number] = hand
            return
        file = self.files[number]
        error = EdgeVoiceError(f"'{plain(file)}' cannot be transcribed ({plain(why)})", "Try it on this machine")
        yield number, Transcript(file, error=str(error))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster that is there."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import: nothing is reported to anybody
    try:
        import ray
    except ImportError:
        raise MissingExtraError("transcribe --ray", "ray") from None
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with redirect_stdout(_BytesOnly(sys.stdout)):
        try:
            _check_answers(ray, address)
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:  # noqa: BLE001 - ray's exceptions for this share no base class
            what = f"The Ray cluster '{plain(address)}' cannot be reached ({_first_line(error)})"
            remedy = "Start one with 'ray start --head --disable-usage-stats', or check --ray"
            raise EdgeVoiceError(what, remedy) from None
        try:
            for number, handler in before.items():  # ray has handlers of its own, which know nothing of exit codes
                signal.signal(number, handler)
            yield ray
        finally:
            ray.shutdown()


def _check_answers(ray: Any, address: str) -> None:
    """Ray itself would wait for minutes where nobody is.

    Raises:
        OSError: nobody answers at this address.
    """
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator or not port.isdigit():
        return
    # a cluster of this machine listens at its address in the network, whatever it is called here
    hosts = [host, ray.util.get_node_ip_address()] if host in ("127.0.0.1", "localhost") else [host]
    for each in hosts:
        try:
            socket.create_connection((each, int(port)), _ANSWER_S).close()
        except OSError as error:
            if each is hosts[-1]:
                raise OSError(error.strerror or "no answer") from None
        else:
            return


class _BytesOnly(io.TextIOBase):
    """Standard output for results, which are written as bytes; what ray prints there, as text, is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self.buffer = stream.buffer

    def write(self, text: str) -> int:
        return len(text)


def _first_line(error: BaseException) -> str:
    lines = [plain(line).strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
