"""SRT and WebVTT subtitles.

Our own writers, because the libraries at hand leave `-->`, `&` and `<` in the text as they are, which other programs
take for times and tags; the tests read the files back with two of those libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from edgevoice.events import Event, IntentDetected
from edgevoice.sinks.conversation import Block, Conversation, Entry, milliseconds
from edgevoice.sinks.line_breaks import Phrase

SHORTEST_S = 1.0
"""A cue stays this long where the next one leaves it the time: a word of 0.2 s cannot be read."""
CHARACTERS_A_SECOND = 17.0
"""Nor can more than this, in cells, so that fast speech stays longer where it can."""
VTT_HEAD = "WEBVTT\n\n"


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on screen at a time."""

    start: int
    """Milliseconds."""
    end: int
    """Milliseconds, after `start`."""
    lines: tuple[str, ...]


def to_srt(heard: Iterable[Event], *, labelled: bool | None = None) -> str:
    """Captions as SubRip: numbered cues, a comma before the milliseconds.

    Args:
        heard: events, of which only finals are used.
        labelled: whether cues say whose words they are; by default where there are several channels.
    """
    conversation = Conversation.of(heard, labelled=labelled)
    return "".join(block.text for block in srt_blocks(conversation.entries))


def to_vtt(heard: Iterable[Event], *, labelled: bool | None = None) -> str:
    """Captions as WebVTT: a header, a point before the milliseconds, `&`, `<` and `>` escaped; intents as notes.

    Args:
        heard: events, of which finals and intents are used.
        labelled: as for `to_srt`.
    """
    conversation = Conversation.of(heard, labelled=labelled)
    return VTT_HEAD + "".join(block.text for block in vtt_blocks(conversation.entries))


def srt_blocks(entries: Sequence[Entry], first: int = 1) -> list[Block]:
    """The cues of a SubRip file, numbered from `first`."""
    return [
        Block(cue.start, f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_for_srt(cue.lines)}\n\n")
        for number, cue in enumerate(_timed(entries), first)
    ]


def vtt_blocks(entries: Sequence[Entry]) -> list[Block]:
    """The cues of a WebVTT file, and before them, as notes, the intents of their segments."""
    made = [
        Block(cue.start, f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_for_vtt(cue.lines)}\n\n")
        for cue in _timed(entries)
    ]
    notes = [
        Block(milliseconds(entry.start), f"NOTE {_for_vtt(entry.lines)}\n\n")
        for entry in entries
        if isinstance(entry.event, IntentDetected)
    ]
    return sorted([*notes, *made], key=lambda block: block.start)


def cues(heard: Iterable[Event]) -> list[Cue]:
    """Captions as cues of at most two short lines, in order of time. Those of one channel never overlap; two people
    who speak at once are on screen at once."""
    return _timed(Conversation.of(heard).entries)


def _timed(entries: Iterable[Entry]) -> list[Cue]:
    sides: dict[str, list[Phrase]] = {}
    for entry in entries:
        for phrase in entry.phrases:
            sides.setdefault(phrase.channel, []).append(phrase)
    made = [(cue.start, channel, cue) for channel, said in sides.items() for cue in _in_turn(said)]
    return [cue for _, _, cue in sorted(made, key=lambda each: each[:2])]


def _in_turn(phrases: list[Phrase]) -> list[Cue]:
    """The cues of one channel: each as long as it is said, and where the next one leaves the time, as long as it takes
    to read."""
    phrases.sort(key=lambda phrase: phrase.start)
    made: list[Cue] = []
    for index, phrase in enumerate(phrases):
        start = max(milliseconds(phrase.start), made[-1].end if made else 0)
        reading = sum(map(cell_len, phrase.lines)) / CHARACTERS_A_SECOND
        end = max(milliseconds(phrase.end), start + milliseconds(max(SHORTEST_S, reading)))
        if index + 1 < len(phrases):
            end = min(end, milliseconds(phrases[index + 1].start))
        made.append(Cue(start, max(end, start + 1), phrase.lines))
    return made


def _time(thousandths: int, mark: str) -> str:
    seconds, thousandths = divmod(thousandths, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{thousandths:03}"


def _for_srt(lines: Iterable[str]) -> str:
    # SubRip has no escapes: players read <...> and {...} as formatting, so the marks give way to look-alikes
    return "\n".join(lines).translate(str.maketrans("<>{}", "‹›()"))


def _for_vtt(lines: Iterable[str]) -> str:
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
