"""SRT and WebVTT subtitles.

Our own writers, because the libraries at hand leave `-->`, `&` and `<` in the text as they are, which other programs
take for times and tags; the tests read the files back with two of those libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgevoice.events import CaptionFinished
from edgevoice.text import plain

LINE_CHARACTERS = 42
LINES = 2
LONGEST_S = 7.0
"""A cue is split before it gets longer than this."""
SHORTEST_S = 1.0
"""A cue stays this long where the next one leaves it the time: a word of 0.2 s cannot be read."""
PAUSE_S = 1.5
"""Words further apart than this go into different cues."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on screen at a time."""

    start: int
    """Milliseconds."""
    end: int
    """Milliseconds, after `start`."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    start: float
    end: float


def to_srt(captions: Iterable[CaptionFinished], *, labelled: bool = False) -> str:
    """Captions as SubRip: numbered cues, a comma before the milliseconds; `labelled` ones say whose words they are."""
    return "".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_for_srt(cue.lines)}\n\n"
        for number, cue in enumerate(cues(captions, labelled=labelled), 1)
    )


def to_vtt(captions: Iterable[CaptionFinished], *, labelled: bool = False) -> str:
    """Captions as WebVTT: a header, a point before the milliseconds, `&`, `<` and `>` escaped; as `to_srt`."""
    return "WEBVTT\n\n" + "".join(
        f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_for_vtt(cue.lines)}\n\n"
        for cue in cues(captions, labelled=labelled)
    )


def cues(captions: Iterable[CaptionFinished], *, labelled: bool = False) -> list[Cue]:
    """Captions as cues of at most two short lines, in order of time. Those of one channel never overlap; two people who
    speak at once are on screen at once."""
    sides: dict[str, list[CaptionFinished]] = {}
    for caption in captions:
        sides.setdefault(caption.channel, []).append(caption)
    said = (_in_turn(side, f"{plain(channel)}: " if labelled else "") for channel, side in sides.items())
    return sorted((cue for each in said for cue in each), key=lambda cue: cue.start)


def _in_turn(captions: Iterable[CaptionFinished], label: str) -> list[Cue]:
    groups = [group for caption in captions for group in _groups(_pieces(caption), label)]
    groups.sort(key=lambda group: group[0].start)
    made: list[Cue] = []
    for index, group in enumerate(groups):
        start = max(_milliseconds(group[0].start), made[-1].end if made else 0)
        end = max(_milliseconds(group[-1].end), start + _milliseconds(SHORTEST_S))
        if index + 1 < len(groups):
            end = min(end, _milliseconds(groups[index + 1][0].start))
        made.append(Cue(start, max(end, start + 1), _lines(group)))
    return made


def _pieces(caption: CaptionFinished) -> list[_Piece]:
    written = caption.text.split()
    if len(written) != len(caption.words):
        written = [word.word for word in caption.words]
    pairs = zip(written, caption.words, strict=True)
    words = [_Piece(text, word.start, word.end) for each, word in pairs if (text := plain(each).strip())]
    words = words or list(_spread(plain(caption.text).split(), caption.start, caption.end))
    return [part for word in words for part in _short(word)]


def _spread(words: Sequence[str], start: float, end: float) -> Iterator[_Piece]:
    """Words without times share the segment in proportion to their letters."""
    per_character = (end - start) / max(1, sum(map(len, words)))
    for word in words:
        yield _Piece(word, start, start + len(word) * per_character)
        start += len(word) * per_character


def _short(word: _Piece) -> Iterator[_Piece]:
    """A word longer than a line, as happens in languages written without spaces, in pieces that fit."""
    parts = [word.text[at : at + LINE_CHARACTERS] for at in range(0, len(word.text), LINE_CHARACTERS)]
    return iter([word]) if len(parts) == 1 else _spread(parts, word.start, word.end)


def _groups(pieces: Sequence[_Piece], label: str) -> Iterator[list[_Piece]]:
    group: list[_Piece] = []
    for piece in pieces:
        if group and (
            len(_lines([*group, piece])) > LINES
            or piece.end - group[0].start > LONGEST_S
            or piece.start - group[-1].end > PAUSE_S
        ):
            yield group
            group = []
        group.append(piece if group else replace(piece, text=label + piece.text))
    if group:
        yield group


def _lines(pieces: Sequence[_Piece]) -> tuple[str, ...]:
    lines = [pieces[0].text]
    for piece in pieces[1:]:
        if len(lines[-1]) + 1 + len(piece.text) <= LINE_CHARACTERS:
            lines[-1] += f" {piece.text}"
        else:
            lines.append(piece.text)
    return tuple(lines)


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _time(milliseconds: int, mark: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{thousandths:03}"


def _for_srt(lines: Iterable[str]) -> str:
    # SubRip has no escapes: players read <...> and {...} as formatting, so the marks give way to look-alikes
    return "\n".join(lines).translate(str.maketrans("<>{}", "‹›()"))


def _for_vtt(lines: Iterable[str]) -> str:
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
