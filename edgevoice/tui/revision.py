"""What a second reading changes in a caption: which of its words are others, and how it is set without lines that jump.

No Textual in here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from edgevoice.lines import CELLS, Line, Ruler, broken, broken_near, words
from edgevoice.text import normalise

MOST_WORDS = 200
"""Longer captions are set anew: nobody says so much in a breath, but a file may hold it."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a text."""

    start: int
    end: int
    letters: str
    """What makes it another word: letters and digits, without capitals, apostrophes and punctuation."""


def changed(before: str, after: str) -> tuple[tuple[int, int], ...]:
    """Where words of the second reading are that the first one did not have: first character, and the one behind the
    last, without the punctuation around them. Words side by side are one place. A capital or a comma makes no other
    word, nor does a space."""
    old, new = _words(before), _words(after)
    if max(len(old), len(new)) > MOST_WORDS:
        return ()
    places: list[tuple[int, int]] = []
    for others, these in _differing(old, new):
        if "".join(word.letters for word in others) == "".join(word.letters for word in these):
            continue
        said = [word for word in these if word.letters]
        if said:
            places.append((_edge(after, said[0], 1), _edge(after, said[-1], -1)))
    return tuple(places)


def reset(
    lines: Sequence[Line], before: str, after: str, width: int, pauses: Sequence[float] = (), ruler: Ruler = CELLS
) -> list[Line]:
    """The second reading in the lines of the first one: words that both have stay on their lines where they fit, and
    there are as many lines as before where that can be.

    Args:
        lines: of the first reading.
        before: its text.
        after: the second reading.
        width: of a line, as the ruler measures it.
        pauses: the silence after each word of the second reading, in seconds, where that is known.
        ruler: cells, if not given.
    """
    old, new = _words(before), _words(after)
    if not new or max(len(old), len(new)) > MOST_WORDS:
        return broken(after, width, pauses, ruler)
    pairs = list(_pairs(old, new))
    wanted = [_place(line.start, old, new, pairs) for line in lines[1:]]
    return broken_near(after, wanted, width, pauses, ruler)


def _words(text: str) -> list[_Word]:
    return [_Word(start, end, _letters(text[start:end])) for start, end in words(text)]


def _letters(word: str) -> str:
    return normalise(word).replace("'", "").replace(" ", "")


def _edge(text: str, word: _Word, step: int) -> int:
    """Where the letters of a word begin, or with -1 where they end."""
    places = range(word.start, word.end) if step > 0 else range(word.end, word.start, -1)
    return next(place for place in places if _letters(text[place] if step > 0 else text[place - 1]))


def _matches(old: Sequence[_Word], new: Sequence[_Word]) -> Iterator[tuple[int, int, int]]:
    """Where both have the same words: where these begin in either, and how many they are."""
    matcher = SequenceMatcher(None, [word.letters for word in old], [word.letters for word in new], autojunk=False)
    return (tuple(block) for block in matcher.get_matching_blocks())  # type: ignore[misc]


def _pairs(old: Sequence[_Word], new: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    """Words that are the same in both, by their numbers."""
    for first, second, count in _matches(old, new):
        yield from ((first + number, second + number) for number in range(count))


def _differing(old: Sequence[_Word], new: Sequence[_Word]) -> Iterator[tuple[Sequence[_Word], Sequence[_Word]]]:
    """What stands in either between the words that both have."""
    at, there = 0, 0
    for first, second, count in _matches(old, new):
        if at < first or there < second:
            yield old[at:first], new[there:second]
        at, there = first + count, second + count


def _place(start: int, old: Sequence[_Word], new: Sequence[_Word], pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Where a line that began there in the first reading may begin in the second one."""
    number = next(number for number, word in enumerate(old) if start < word.end)
    here = dict(pairs).get(number)
    if start > old[number].start and here is not None:  # a word too long for a line
        place = new[here].start + start - old[number].start
        return place, place
    before = [there for this, there in pairs if this < number]
    behind = [there for this, there in pairs if this >= number]
    first = before[-1] + 1 if before else 0
    last = behind[0] if behind else len(new) - 1
    return new[min(first, len(new) - 1)].start, new[last].start
