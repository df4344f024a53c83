"""Text rules shared by training and runtime, so that what is trained and what is shown cannot drift apart."""

from __future__ import annotations

import re
import unicodedata

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})
_BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def normalise(text: str) -> str:
    """A transcript as the models are trained on it: lower case, letters, digits, combining marks and inner
    apostrophes; everything else becomes a word break.

    >>> normalise("I’d like to pay -- e.g. my ‘bill’!")
    "i'd like to pay e g my bill"
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
    kept = "".join(char if char == "'" or unicodedata.category(char)[0] in "LNM" else " " for char in text)
    return " ".join(word for word in (part.strip("'") for part in kept.split()) if word)


def plain(text: str) -> str:
    """Text that is safe to show: line breaks and tabs become spaces; control characters (C0, DEL, C1), bidirectional
    controls and unpaired surrogates are removed. Every label, caption, device name and file name passes through here
    before it reaches a screen or a file."""
    if text.isascii() and text.isprintable():  # as most is
        return text
    text = _BIDIRECTIONAL.sub("", re.sub(r"[\t\r\n\v\f\u2028\u2029]+", " ", text))
    return "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cs"))


def sentence(text: str) -> str:
    """Text with a full stop at its end."""
    return text if not text or text[-1] in ".!?…" else f"{text}."


def primary_language(tag: str) -> str:
    """The language of a tag as in a manifest: "en" of "en-GB" and of "en_US"."""
    return tag.replace("_", "-").split("-")[0].lower()


def clock(seconds: float) -> str:
    """Seconds as mm:ss, from the first hour on as h:mm:ss."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    return f"{minutes:02d}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
