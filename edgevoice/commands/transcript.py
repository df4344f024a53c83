"""What one recording says, in each of the formats of `edgevoice transcribe`."""

from __future__ import annotations

import heapq
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevoice import events
from edgevoice.captions import final_captions
from edgevoice.commands.options import open_pipeline, open_sides
from edgevoice.commands.transcribe import Format
from edgevoice.config import Settings
from edgevoice.errors import AudioError, EdgeVoiceError
from edgevoice.files import replace_file
from edgevoice.sinks.subtitles import to_srt, to_vtt
from edgevoice.sinks.text import to_text
from edgevoice.text import plain

if TYPE_CHECKING:
    from edgevoice.asr.model import AcousticModel
    from edgevoice.pipeline import Pipeline

HEARD = (events.CaptionFinished, events.IntentDetected)
"""Events that make a transcript worth keeping."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was heard in one file."""

    file: str
    heard: tuple[events.Event, ...] = ()
    error: str = ""
    """Why there is nothing, or nothing more; one sentence."""
    labelled: bool = False
    """Whether its channels are heard apart, so that everything said has a channel."""

    @property
    def seconds(self) -> float:
        """Of audio."""
        return max((event.duration for event in self.heard if isinstance(event, events.StreamEnded)), default=0.0)

    @property
    def captions(self) -> list[events.CaptionFinished]:
        """The captions as they stand at the end, by their beginning."""
        return sorted(final_captions(self.heard), key=lambda caption: caption.start)

    @property
    def warnings(self) -> list[str]:
        """What went wrong; everything that was heard all the same is there."""
        failures = [event for event in self.heard if isinstance(event, events.Failed) and event.recoverable]
        return [f"{self.file}: {EdgeVoiceError(failure.what, failure.remedy)}" for failure in failures]


def _unheard(_file: str, _at: float, _duration: float) -> None:
    """Nobody wants to know how far a recording is."""


class Transcriber:
    """Takes recordings down with one model, in as many threads as call it.

    Args:
        model: heard by all of them.
        settings: of all of them.
        heard: is told the recording, the second at which it is and how many it has, 0 if nobody knows.
    """

    def __init__(
        self, model: AcousticModel, settings: Settings, heard: Callable[[str, float, float], None] = _unheard
    ) -> None:
        self._model, self._settings, self._heard = model, settings, heard
        self._stopped = False
        self._running: list[Pipeline] = []
        self._changing = threading.Lock()

    def __call__(self, file: str) -> Transcript:
        """Runs one recording; one in which nothing can be read gives a transcript with an error, as does one of which
        something breaks inside."""
        try:
            return self._transcript(file)
        except EdgeVoiceError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is about this recording, the others are done
            what = f"'{plain(file)}' cannot be transcribed ({plain(f'{type(error).__name__}: {error}')})"
            return Transcript(file, error=str(EdgeVoiceError(what, "The others go on without it; please report this")))

    def _transcript(self, file: str) -> Transcript:
        try:
            sides = open_sides(file, self._settings.files)
            pipelines = [open_pipeline(side, self._model, self._settings, waits=True) for side in sides]
        except AudioError as error:
            return Transcript(file, error=str(error))
        self._begin(pipelines)
        try:
            heard = self._run(file, pipelines, getattr(sides[0], "duration", 0.0))
        except AudioError as error:
            return Transcript(file, error=str(error))
        finally:
            self._end(pipelines)
        # a recording that breaks off keeps what was heard until then
        broken = next((str(pipeline.failed) for pipeline in pipelines if pipeline.failed), "")
        if broken and not any(isinstance(event, HEARD) for event in heard):
            heard = ()
        return Transcript(file, heard, broken, labelled=len(sides) > 1)

    def stop(self) -> None:
        """Ends the recordings that are running, and those that are begun, soon, from any thread. Their transcripts are
        not whole."""
        with self._changing:
            self._stopped = True
            for pipeline in self._running:
                pipeline.stop()

    def _run(self, file: str, pipelines: Sequence[Pipeline], duration: float) -> tuple[events.Event, ...]:
        from edgevoice.streams import Streams

        by_channel: dict[str, list[events.Event]] = {}
        for event in pipelines[0].run() if len(pipelines) == 1 else Streams(pipelines).run():
            if isinstance(event, events.LevelMeasured):
                self._heard(file, event.at, duration)
            if not isinstance(event, events.PASSING):
                by_channel.setdefault(event.channel, []).append(event)
        # which thread was quicker is no matter of what was said when
        return tuple(heapq.merge(*(said for _, said in sorted(by_channel.items())), key=lambda event: event.at))

    def _begin(self, pipelines: Sequence[Pipeline]) -> None:
        with self._changing:
            self._running += pipelines
            if self._stopped:
                for pipeline in pipelines:
                    pipeline.stop()

    def _end(self, pipelines: Sequence[Pipeline]) -> None:
        with self._changing:
            for pipeline in pipelines:
                self._running.remove(pipeline)


def rendered(result: Transcript, format_: Format) -> str:
    """The transcript as text of a format; one in which nothing could be read is empty, except in JSON."""
    if format_ is Format.JSON:
        return json.dumps(_object(result), ensure_ascii=False) + "\n"
    if not result.heard:
        return ""
    if format_ is Format.JSONL:
        return "".join(events.to_json(event) + "\n" for event in result.heard)
    write = {Format.TXT: to_text, Format.SRT: to_srt, Format.VTT: to_vtt}[format_]
    return write(result.captions, labelled=result.labelled)


def write_file(target: Path, text: str) -> None:
    """Writes a file whole or not at all, and never through a link.

    Raises:
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, text.encode(errors="replace"))


def _object(result: Transcript) -> dict[str, Any]:
    failed = {"error": result.error} if result.error else {}
    if failed and not result.heard:
        return {"file": result.file, **failed}
    whose = ("channel",) if result.labelled else ()
    segments = [events.to_dict(caption) for caption in result.captions]
    found = [events.to_dict(event) for event in result.heard if isinstance(event, events.IntentDetected)]
    keys = ("start", "end", *whose, "text", "words")
    intent_keys = ("segment", *whose, "at", "label", "score", "runners_up")
    return {
        "file": result.file,
        **failed,
        "text": " ".join(caption.text for caption in result.captions if caption.text),
        "segments": [{key: each[key] for key in keys} for each in segments],
        "intents": [{key: each[key] for key in intent_keys} for each in found],
    }
