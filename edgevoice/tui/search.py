"""Search in the finished captions: what is found where, and which one is looked at. No Textual in here."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgevoice.tui.views import CaptionLine


@dataclass(frozen=True, slots=True)
class Match:
    """A place in a caption."""

    caption: CaptionLine
    start: int
    """In its text, in characters."""
    end: int


class Search:
    """All places of a text in the captions, oldest first. The one looked at is the newest to begin with."""

    def __init__(self, wanted: str, captions: Iterable[CaptionLine]) -> None:
        self.wanted = wanted
        self.matches = [match for caption in captions for match in _matches(wanted, caption)]
        self._place = len(self.matches) - 1

    @property
    def current(self) -> Match | None:
        """The one looked at."""
        return self.matches[self._place] if self.matches else None

    @property
    def count(self) -> str:
        """Which of how many is looked at, in words."""
        if not self.wanted.strip():
            return ""
        return f"{self._place + 1} of {len(self.matches)}" if self.matches else "not found"

    def add(self, caption: CaptionLine, below: Iterable[CaptionLine] = ()) -> None:
        """A caption was added behind the others, or above those that are named."""
        self.revise(None, caption, below)

    def forget(self, captions: Iterable[CaptionLine]) -> None:
        """Captions are gone."""
        gone = {id(caption) for caption in captions}
        before = sum(id(match.caption) in gone for match in self.matches[: self._place])
        self.matches = [match for match in self.matches if id(match.caption) not in gone]
        self._place = max(0, min(self._place - before, len(self.matches) - 1))

    def revise(self, before: CaptionLine | None, after: CaptionLine | None, below: Iterable[CaptionLine]) -> None:
        """A caption says something else, or is gone. What is looked at stays, or as near to it as something is.

        Args:
            before: the caption as it was; None if it was not there.
            after: as it is; None if it is gone.
            below: the captions behind it.
        """
        later = {id(caption) for caption in below}
        end = len(self.matches)
        while end and id(self.matches[end - 1].caption) in later:
            end -= 1
        start = end
        while start and self.matches[start - 1].caption is before:
            start -= 1
        found = list(_matches(self.wanted, after)) if after else []
        self.matches[start:end] = found
        if self._place >= end:
            self._place += len(found) - (end - start)
        elif self._place >= start:
            self._place = min(self._place, start + max(0, len(found) - 1))
        self._place = max(0, min(self._place, len(self.matches) - 1))

    def look_at(self, place: int) -> None:
        """Looks at one of the matches."""
        self._place = place

    def move(self, step: int) -> None:
        """Looks at the next one, later or with a negative number earlier, round and round."""
        if self.matches:
            self._place = (self._place + step) % len(self.matches)

    def spans(self, caption: CaptionLine) -> list[tuple[int, int, bool]]:
        """Where it is in a caption: first character, the one behind the last, and whether it is looked at."""
        current = self.current
        looked_at = current.start if current is not None and current.caption is caption else -1
        return [(match.start, match.end, match.start == looked_at) for match in _matches(self.wanted, caption)]


def places(wanted: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a text is in another: first character, and the one behind the last."""
    needle = folded(wanted.strip())
    searched, origins = _folded(text)
    at = searched.find(needle) if needle else -1
    while at >= 0:
        # at least one character, where a letter is two without its capital and one of these was looked for
        yield origins[at], max(origins[at] + 1, origins[at + len(needle)])
        at = searched.find(needle, at + len(needle))


def folded(text: str) -> str:
    """A text without capitals and accents."""
    return _folded(text)[0]


def _matches(wanted: str, caption: CaptionLine) -> Iterator[Match]:
    return (Match(caption, start, end) for start, end in places(wanted, caption.text))


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """A text without capitals and accents, and from which character of it each one comes."""
    text = text.replace("\n", " ")
    if text.isascii():  # most are, and a long session has many
        return text.lower(), range(len(text) + 1)
    letters, origins = [], []
    for place, char in enumerate(text):
        for part in unicodedata.normalize("NFKD", char).casefold():
            if not unicodedata.combining(part):
                letters.append(part)
                origins.append(place)
    return "".join(letters), [*origins, len(text)]
