"""What a saved session says, as the screen takes it, and what plays its recording. No Textual in here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from edgevoice.text import plain
from edgevoice.tui.search import folded
from edgevoice.tui.views import CaptionLine, finite, short


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptLine:
    """What was said at a time, or a note about it."""

    start: float
    """Seconds."""
    speaker: str
    text: str
    is_note: bool = False


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A session that was read."""

    lines: tuple[TranscriptLine, ...] = ()
    length: float = 0.0
    """Seconds."""
    words: int = 0
    intents: int = 0
    speakers: tuple[str, ...] = ()
    """Whose words they are, where there are several."""
    damaged: int = 0
    """Lines of its file that could not be read."""
    problem: str = ""
    """Why there is nothing to be read, in one sentence."""
    foreign: bool = False
    """Whether it is no session at all, but something of somebody else."""

    @cached_property
    def captions(self) -> tuple[CaptionLine, ...]:
        """The lines as they are shown: each in one line, and harmless."""
        return tuple(map(_caption, self.lines))

    @cached_property
    def folded(self) -> str:
        """All of them to be searched at once, without capitals and accents, a line each."""
        return "\n".join(folded(caption.text) for caption in self.captions)

    @property
    def note(self) -> str:
        """What is to be known of its file, if anything."""
        lines = f"{self.damaged} lines" if self.damaged > 1 else "1 line"
        return f"{lines} of its file could not be read" if self.damaged else ""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """A session to be shown."""

    name: str
    contents: Contents
    player: RecordingPlayer
    files: tuple[str, ...] = ()
    """What it consists of."""


class RecordingPlayer(Protocol):
    """What plays the recording."""

    @property
    def position(self) -> float | None:
        """Seconds; None for silence."""
        ...

    @property
    def problem(self) -> str:
        """Why nothing is heard; empty if nothing is wrong."""
        ...

    def play(self, at: float) -> None:
        """Plays from there.

        Raises:
            EdgeVoiceError: that cannot be.
        """
        ...

    def stop(self) -> None:
        """Falls silent."""
        ...


def copied(lines: Iterable[TranscriptLine], captions: Iterable[CaptionLine]) -> str:
    """Lines with their times, to be pasted somewhere."""
    pairs = zip(lines, captions, strict=True)
    return "\n".join(caption.as_line(labelled=bool(caption.channel) and not line.is_note) for line, caption in pairs)


def _caption(line: TranscriptLine) -> CaptionLine:
    text = " ".join(plain(line.text).split())
    return CaptionLine("" if line.is_note else short(line.speaker), max(0.0, finite(line.start)), text)
