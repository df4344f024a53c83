"""A microphone for machines without one: a private PulseAudio server whose sources deliver what a test plays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

SINK = "ev_sys"
MICROPHONE = "ev_mic"
"""Delivers what is played to the sink."""
PIPE = "ev_pipe"
"""Delivers what is written to `PulseRig.fifo`; nothing while nobody writes."""
RATE = 16_000

_SCRIPT = f"""
load-module module-native-protocol-unix auth-anonymous=1
load-module module-null-sink sink_name={SINK} rate={RATE} channels=1
load-module module-remap-source master={SINK}.monitor source_name={MICROPHONE}
load-module module-pipe-source source_name={PIPE} file=ev.fifo format=s16le rate={RATE} channels=1
set-default-source {MICROPHONE}
"""
_PROGRAMS = ("pulseaudio", "pactl", "pacat", "paplay")


def missing_programs() -> list[str]:
    """What has to be installed before a `PulseRig` can run."""
    return [program for program in _PROGRAMS if shutil.which(program) is None]


def best_correlation(recorded: np.ndarray, played: np.ndarray) -> float:
    """Pearson's correlation of the two where they fit best."""
    size = 1 << (len(recorded) + len(played)).bit_length()
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)[: len(recorded) - len(played) + 1]))
    return float(np.corrcoef(recorded[lag : lag + len(played)], played)[0, 1])


class PulseRig:
    """A PulseAudio server of our own; use it as a context manager.

    Programs started with `environment()` find it as ALSA device `pulse`, which PortAudio lists.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="edgevoice-rig-"))
        self._runtime = self._folder / "run"
        self._runtime.mkdir(mode=0o700)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._before = 0

    @property
    def fifo(self) -> Path:
        """Where the samples of `PIPE` are written: s16le, mono, 16 kHz."""
        return self._runtime / "pulse" / "ev.fifo"

    def environment(self, source: str = MICROPHONE) -> dict[str, str]:
        """`os.environ` for a program whose microphone shall be this source."""
        return {
            **os.environ,
            "XDG_RUNTIME_DIR": str(self._runtime),
            "PULSE_SERVER": f"unix:{self._runtime}/pulse/native",
            "PULSE_COOKIE": str(self._folder / "cookie"),
            "PULSE_SOURCE": source,
            "PULSE_SINK": SINK,
        }

    def play(self, wav: str | os.PathLike[str], sink: str = SINK) -> None:
        """Plays a file to a sink, in real time, to its end."""
        subprocess.run(["paplay", "-d", sink, os.fspath(wav)], env=self.environment(), check=True, timeout=120)

    def pactl(self, *arguments: str) -> str:
        """What `pactl` answers, for example to `pactl("suspend-source", MICROPHONE, "1")`."""
        command = ["pactl", *arguments]
        result = subprocess.run(command, env=self.environment(), check=True, timeout=10, capture_output=True, text=True)
        return result.stdout.strip()

    def feeder(self, samples: npt.NDArray[np.int16] | None = None) -> PipeFeeder:
        """Somebody who speaks into `PIPE`: a context manager."""
        return PipeFeeder(self.fifo, np.zeros(0, np.int16) if samples is None else samples)

    @contextlib.contextmanager
    def plugged(self, name: str, description: str, hears: str = SINK) -> Iterator[None]:
        """A microphone more, which delivers what is played to a sink, until the context ends."""
        properties = f"source_properties='device.description=\"{description}\"'"
        with self._module("module-remap-source", f"master={hears}.monitor", f"source_name={name}", properties):
            yield

    @contextlib.contextmanager
    def room(self, name: str) -> Iterator[None]:
        """A sink more."""
        with self._module("module-null-sink", f"sink_name={name}", f"rate={RATE}", "channels=1"):
            yield

    @contextlib.contextmanager
    def echo(self, room: str) -> Iterator[None]:
        """What the loudspeaker plays is heard in a room too, a little later."""
        options = [f"source={SINK}.monitor", f"sink={room}", "latency_msec=60", "adjust_time=0"]
        with self._module("module-loopback", *options):
            yield

    @contextlib.contextmanager
    def _module(self, *arguments: str) -> Iterator[None]:
        number = self.pactl("load-module", *arguments)
        try:
            yield
        finally:
            self.pactl("unload-module", number)

    def kill(self) -> None:
        """Ends the server without a word to its clients."""
        self._server.kill()
        self._server.wait(5)
        for rest in (self._runtime / "pulse").glob("*"):
            rest.unlink()

    def restart(self) -> None:
        """A server again in place of the one that was killed."""
        self._processes.clear()
        self._start_server()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A server that takes connections and never answers."""
        self._before = self._connections()
        self._server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(signal.SIGCONT)

    def wait_for_client(self) -> None:
        """Waits until somebody new waits for the frozen server."""
        self._wait_until(lambda: self._connections() > self._before, "a client")

    def __enter__(self) -> Self:
        try:
            self._start_server()
            # Without a reader in a hurry the null sink renders two seconds at a time.
            keep = ["pacat", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=20"]
            self._start([*keep, "-d", SINK, "/dev/zero"])
            self._wait_until(lambda: self.pactl("list", "short", "sink-inputs") != "", "the keep-alive player")
            time.sleep(0.5)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start_server(self) -> None:
        script = self._folder / "rig.pa"
        script.write_text(_SCRIPT)
        options = ["--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "--use-pid-file=no"]
        self._start(["pulseaudio", "-n", "-F", str(script), *options, f"--log-target=file:{self._folder}/log"])
        self._wait_until(self._answers, "the PulseAudio server")

    def _answers(self) -> bool:
        try:
            return MICROPHONE in self.pactl("list", "short", "sources")
        except subprocess.SubprocessError:
            return False

    @property
    def _server(self) -> subprocess.Popen[bytes]:
        return self._processes[0]

    def _connections(self) -> int:
        """How many connections to the server there are, taken or waiting."""
        socket = f" {self._runtime}/pulse/native"
        return sum(line.endswith(socket) for line in Path("/proc/net/unix").read_text().splitlines())

    def _wait_until(self, condition: Callable[[], bool], what: str, limit_s: float = 15.0) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                log = self._folder / "log"
                raise RuntimeError(f"{what} did not start\n{log.read_text() if log.exists() else ''}")
            time.sleep(0.05)

    def _start(self, command: list[str]) -> None:
        quiet = subprocess.DEVNULL
        environment = {**self.environment(), "HOME": str(self._folder)}
        environment.pop("PULSE_SERVER" if command[0] == "pulseaudio" else "", None)
        process = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
        self._processes.append(process)

    def _end(self) -> None:
        """Ends what was started, by process id, last first."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(3)
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


class PipeFeeder:
    """Writes samples to the pipe source in real time, then silence, until the context ends: then the source stalls."""

    def __init__(self, fifo: Path, samples: npt.NDArray[np.int16]) -> None:
        self._fifo = fifo
        self._samples = samples
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(2)

    def _write(self) -> None:
        block = RATE // 50
        started = time.monotonic()
        position = 0
        with contextlib.suppress(BrokenPipeError), self._fifo.open("wb", buffering=0) as fifo:
            while not self._ended.is_set():
                piece = self._samples[position : position + block].astype("<i2").tobytes()
                fifo.write(piece.ljust(2 * block, b"\0"))
                position += block
                self._ended.wait(max(0.0, started + position / RATE - time.monotonic()))
