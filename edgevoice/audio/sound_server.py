"""What PulseAudio, or PipeWire in its place, says about microphones and loudspeakers; the only importer of pulsectl.

PortAudio shows such a server as one device called "pulse", whatever is plugged in, and when the chosen source goes away
the server moves the stream to another one in silence, perhaps to what the loudspeakers play. So the sources are listed
and watched here, and the stream on "pulse" is pointed at one of them (by `PULSE_SOURCE`, which libpulse reads when a
stream is opened).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edgevoice.audio.patience import NoAnswerError, answer
from edgevoice.text import plain

VARIABLE = "PULSE_SOURCE"
_CONNECT_S = 3.0
_LISTEN_S = 0.5


class NoSoundServerError(Exception):
    """There is none, or nothing to ask it with; other ways to a microphone may work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSource:
    """Something that delivers audio."""

    name: str
    """As the server calls it: "alsa_input.usb-..."."""
    description: str
    """As its user calls it: "USB Headset Mono"."""
    is_default: bool
    monitor_of: str = ""
    """The loudspeaker (sink) whose sound it delivers; empty for a microphone."""
    is_default_monitor: bool = False
    """Whether it delivers what the default loudspeaker plays."""


def server_sources() -> list[ServerSource]:
    """All sources of the server, the default marked; also one that `PULSE_SOURCE` makes the default.

    Raises:
        NoSoundServerError: there is no server, or it cannot be asked.
    """
    try:
        return answer(_ask_for_sources)
    except NoAnswerError:
        raise NoSoundServerError from None


@contextlib.contextmanager
def pointed_at(source: str) -> Iterator[None]:
    """Streams that are opened within it on "pulse" record this source; "" for the server's default."""
    with _POINTING:
        before = os.environ.get(VARIABLE)
        if source:
            os.environ[VARIABLE] = source
        try:
            yield
        finally:
            if source:
                os.environ.pop(VARIABLE)
                if before is not None:
                    os.environ[VARIABLE] = before


_POINTING = threading.Lock()


class SourceWatch:
    """Tells when the stream that this process records from a source is moved away from it, or the source is gone.

    Args:
        source: its name.
        gone: called once, from a thread of the watch, when the server records something else for us.
    """

    def __init__(self, source: str, gone: Callable[[], None]) -> None:
        self._source, self._gone = source, gone
        self._ended = threading.Event()
        threading.Thread(target=self._follow, name="edgevoice-source-watch", daemon=True).start()

    def end(self) -> None:
        """Ends the watch soon."""
        self._ended.set()

    def _follow(self) -> None:
        # NB: a server that dies is no news: PortAudio says so itself
        with contextlib.suppress(NoSoundServerError, *_failures()), _connected() as pulse:
            changed = _Changes(pulse)
            while not self._ended.is_set():
                if self._is_elsewhere(pulse):
                    if not self._ended.is_set():
                        self._gone()
                    return
                while not self._ended.is_set() and not changed.wait(_LISTEN_S):
                    pass

    def _is_elsewhere(self, pulse: Any) -> bool:
        """Whether none of our streams is on the source any more. One that is not there yet will come."""
        ours = [output for output in pulse.source_output_list() if _is_ours(output)]
        source = next((each for each in pulse.source_list() if each.name == self._source), None)
        return bool(ours) and (source is None or all(output.source != source.index for output in ours))


class _Changes:
    """Waits until something changes about sources and who records them."""

    def __init__(self, pulse: Any) -> None:
        self._pulse, self._seen = pulse, False
        pulse.event_mask_set("source", "source_output")
        pulse.event_callback_set(self._note)

    def wait(self, seconds: float) -> bool:
        """Whether there was a change within so many seconds."""
        self._seen = False
        self._pulse.event_listen(timeout=seconds)
        return self._seen

    def _note(self, _event: object) -> None:
        import pulsectl

        self._seen = True
        raise pulsectl.PulseLoopStop


def _ask_for_sources() -> list[ServerSource]:
    try:
        with _connected() as pulse:
            server = pulse.server_info()
            found = pulse.source_list()
    except _failures() as error:
        raise NoSoundServerError from error
    wanted = os.environ.get(VARIABLE) or server.default_source_name
    return [
        ServerSource(
            name=each.name,
            description=plain(each.description or each.name),
            is_default=each.name == wanted,
            monitor_of=plain(each.monitor_of_sink_name or ""),
            is_default_monitor=(each.monitor_of_sink_name or "") == server.default_sink_name,
        )
        for each in found
    ]


@contextlib.contextmanager
def _connected() -> Iterator[Any]:
    try:
        import pulsectl
    except (ImportError, OSError) as error:  # the library of the server's own is not there
        raise NoSoundServerError from error
    pulse = pulsectl.Pulse("edgevoice", connect=False)
    try:
        pulse.connect(timeout=_CONNECT_S)
    except _failures() as error:
        raise NoSoundServerError from error
    with pulse:
        yield pulse


def _failures() -> tuple[type[BaseException], ...]:
    """What pulsectl raises."""
    try:
        import pulsectl
    except (ImportError, OSError):
        return (OSError,)
    return (pulsectl.PulseError, OSError)


def _is_ours(output: Any) -> bool:
    return bool(output.proplist.get("application.process.id") == str(os.getpid()))
