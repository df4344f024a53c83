"""How well a tool wrote down a set of clips, by rules that favour nobody.

Three counts of the same words. **Plain**: both sides through `edgevoice.text.normalise` (lower case, no punctuation)
and nothing else, the count of all other pages. **Fair**: besides, what is only another spelling does not count: numbers
are written out (`training.spoken`), "Mr." is mister, hesitations (uh, um, hm) are left out, and where digits can be
said in several ways (2021, 0351, 105) the way that is nearest to the reference is taken. **As written**: tokens between
spaces must be the same, capitals and punctuation included; only the shape of apostrophes and quotation marks is not
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jiwer

from bench.peer_sets import Clip
from edgevoice.text import normalise
from training.spoken import spoken

HESITATIONS = frozenset("uh um uhm erm er hm hmm mm mhm".split())
SAME = {"mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay", "alright": "all right"}
"""Two spellings of one word."""
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})
_AND = re.compile(
    r"\b(hundred|thousand) (?=(?:\w+teen|ten|eleven|twelve|\w+ty|one|two|three|four|five|six|seven|eight|nine)\b)"
)


@dataclass(frozen=True)
class Score:
    """Of one tool on one set. Error rates are None where no reference has such a text."""

    clips: int
    minutes: float
    words: int
    """Of the references."""
    plain: float | None
    fair: float | None
    as_written: float | None
    phrases: float | None
    """Share of the phrases that must occur and do."""
    empty: int
    """Clips in which something is said and of which nothing was written."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def score(clips: Sequence[Clip], heard: Sequence[str]) -> Score:
    """How well these texts say what is said in the clips."""
    pairs = list(zip(clips, heard, strict=True))
    said = [(clip.plain, normalise(text)) for clip, text in pairs if clip.plain]
    fair = [nearest(clip.plain, text) for clip, text in pairs if clip.plain]
    written = [(tidy(clip.written), tidy(text)) for clip, text in pairs if clip.written]
    wanted = [
        _occurs(fairly(phrase), fairly(spoken(text)))
        for clip, text in pairs
        if not clip.plain
        for phrase in clip.phrases
    ]
    return Score(
        clips=len(clips),
        minutes=sum(clip.seconds for clip in clips) / 60,
        words=sum(len(clip.plain.split()) for clip in clips),
        plain=_wer(said),
        fair=_wer(fair),
        as_written=_wer(written),
        phrases=sum(wanted) / len(wanted) if wanted else None,
        empty=sum(not text.strip() for _, text in pairs),
    )


def tidy(text: str) -> str:
    """Written text with one space between tokens, and plain apostrophes and quotation marks."""
    return " ".join(text.translate(_QUOTES).split())


def fairly(text: str) -> str:
    """Normalised text with one spelling for each word and without hesitations."""
    return " ".join(SAME.get(word, word) for word in normalise(text).split() if word not in HESITATIONS)


def nearest(said: str, heard: str) -> tuple[str, str]:
    """Reference and hypothesis in fair spelling, digits said as is nearest to the reference."""
    reference = fairly(said)
    return reference, min(readings(heard), key=lambda text: _errors(reference, text))


def readings(text: str) -> list[str]:
    """The ways in which a text can be said: as numbers, with "and", digit by digit, with "oh" for zero."""
    found = [spoken(text)]
    if any(char.isdigit() for char in text):
        single = normalise(re.sub(r"\d", r" \g<0> ", text))
        apart = " ".join(spoken(word) for word in single.split())
        pairs = spoken(re.sub(r"\b(\d\d)(\d\d)\b", r"\1 \2", text))
        found += [_AND.sub(r"\1 and ", found[0]), apart, apart.replace("zero", "oh"), pairs]
    return list(dict.fromkeys(fairly(each) for each in found))


def _occurs(phrase: str, text: str) -> bool:
    return f" {phrase} " in f" {text} "


def _errors(reference: str, heard: str) -> int:
    if not reference:
        return len(heard.split())
    counts = jiwer.process_words(reference, heard)
    return counts.substitutions + counts.deletions + counts.insertions


def _wer(pairs: Iterable[tuple[str, str]]) -> float | None:
    kept = [(said, text) for said, text in pairs if said]
    return float(jiwer.wer([said for said, _ in kept], [text for _, text in kept])) if kept else None
