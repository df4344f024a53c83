"""What one recording says, in each of the formats of `edgevoice transcribe`."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevoice import events
from edgevoice.commands.options import open_pipeline, open_recording
from edgevoice.commands.transcribe import Format
from edgevoice.config import Settings
from edgevoice.errors import AudioError, EdgeVoiceError, UsageError
from edgevoice.sinks.subtitles import to_srt, to_vtt
from edgevoice.sinks.text import to_text
from edgevoice.text import plain

if TYPE_CHECKING:
    from edgevoice.asr.model import AcousticModel

HEARD = (events.CaptionFinished, events.IntentDetected)
"""Events that make a transcript worth keeping."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was heard in one file."""

    file: str
    heard: tuple[events.Event, ...] = ()
    error: str = ""
    """Why there is nothing, or nothing more; one sentence."""

    @property
    def captions(self) -> list[events.CaptionFinished]:
        """The final captions."""
        return [event for event in self.heard if isinstance(event, events.CaptionFinished)]

    @property
    def warnings(self) -> list[str]:
        """What went wrong; everything that was heard all the same is there."""
        failures = [event for event in self.heard if isinstance(event, events.Failed) and event.recoverable]
        return [f"{self.file}: {EdgeVoiceError(failure.what, failure.remedy)}" for failure in failures]


def transcript(file: str, model: AcousticModel, settings: Settings) -> Transcript:
    """Runs one recording through the pipeline; one in which nothing can be read gives a transcript with an error."""
    try:
        pipeline = open_pipeline(open_recording(file), model, settings)
        heard = tuple(event for event in pipeline.run() if not isinstance(event, events.PASSING))
    except AudioError as error:
        return Transcript(file, error=str(error))
    # a recording that breaks off keeps what was heard until then
    broken = str(pipeline.failed) if pipeline.failed else ""
    return Transcript(file, heard if not broken or any(isinstance(event, HEARD) for event in heard) else (), broken)


def rendered(result: Transcript, format_: Format) -> str:
    """The transcript as text of a format; one in which nothing could be read is empty, except in JSON."""
    if format_ is Format.JSON:
        return json.dumps(_object(result), ensure_ascii=False) + "\n"
    if not result.heard:
        return ""
    if format_ is Format.JSONL:
        return "".join(events.to_json(event) + "\n" for event in result.heard)
    write = {Format.TXT: to_text, Format.SRT: to_srt, Format.VTT: to_vtt}[format_]
    return write(result.captions)


def written_to(files: Sequence[str], format_: Format, folder: Path, *, force: bool) -> list[Path]:
    """Where each transcript goes.

    Raises:
        UsageError: the folder cannot be used, two would have the same name, or one is already there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"'{plain(str(folder))}' cannot be a folder ({error.strerror})", "Choose another") from None
    targets = [folder / f"{'stdin' if file == '-' else Path(file).stem}.{format_.value}" for file in files]
    for index, target in enumerate(targets):
        if target in targets[:index]:
            raise UsageError(f"Two recordings would be written to '{plain(str(target))}'", "Transcribe them one by one")
        if os.path.lexists(target) and not force:
            raise UsageError(f"'{plain(str(target))}' is already there", "Use --force to replace it")
    return targets


def write_file(target: Path, text: str) -> None:
    """Writes a file whole or not at all, and never through a link.

    Raises:
        EdgeVoiceError: it cannot be written.
    """
    # a name of its own beside the target, so that a reader never sees half of it
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            with part.open("x", encoding="utf-8", errors="replace", newline="\n") as stream:
                stream.write(text)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise EdgeVoiceError(
            f"'{plain(str(target))}' cannot be written ({error.strerror})", "Free some space or choose another folder"
        ) from None


def _object(result: Transcript) -> dict[str, Any]:
    failed = {"error": result.error} if result.error else {}
    if failed and not result.heard:
        return {"file": result.file, **failed}
    segments = [events.to_dict(caption) for caption in result.captions]
    found = [events.to_dict(event) for event in result.heard if isinstance(event, events.IntentDetected)]
    return {
        "file": result.file,
        **failed,
        "text": " ".join(caption.text for caption in result.captions if caption.text),
        "segments": [{key: each[key] for key in ("start", "end", "text", "words")} for each in segments],
        "intents": [{key: each[key] for key in ("segment", "at", "label", "score", "runners_up")} for each in found],
    }
