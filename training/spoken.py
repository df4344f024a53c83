"""Written English to the words a caller says, so that text and speech share one alphabet of a-z and the apostrophe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from edgevoice.text import normalise

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_CURRENCIES = {"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "€": ("euro", "euros")}
_SUFFIXES = {"k": "thousand", "m": "million", "bn": "billion"}
_ABBREVIATIONS = (
    (r"\be\.?\s?g\.", " for example "),
    (r"\bi\.e\.", " that is "),
    (r"\betc\b\.?", " et cetera "),
    (r"\b([ap])\.\s?m\b\.?", r" \1m "),
    (r"\bu\.\s?s\.\s?a\b\.?", " usa "),
    (r"\bu\.\s?([sk])\b\.", r" u\1 "),
    (r"\bvs\b\.?", " versus "),
    (r"(?<=\d)\s?°", " degrees "),
    (r"\bw/(?=\s)", " with "),
    (r"&", " and "),
    (r"@", " at "),
    (r"\+", " plus "),
)
_NUMBER = r"(\d{1,3}(?:,\d{3})+|\d+)"
_LONG = 5


def cardinal(number: int) -> str:
    """A whole number in words, without "and".

    >>> cardinal(20_350)
    'twenty thousand three hundred fifty'
    """
    for size, name in _SCALES:
        if number >= size:
            rest = f" {cardinal(number % size)}" if number % size else ""
            return f"{cardinal(number // size)} {name}{rest}"
    if number < len(_UNITS):
        return _UNITS[number]
    return _TENS[number // 10] + (f" {_UNITS[number % 10]}" if number % 10 else "")


def ordinal(number: int) -> str:
    """The place that a number names: 2 is "second", 20 is "twentieth"."""
    *head, last = cardinal(number).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = (last[:-1] + "ie" if last.endswith("y") else last) + "th"
    return " ".join([*head, last])


def digits(text: str) -> str:
    """Digits read one by one, as in an account number."""
    return " ".join(_UNITS[int(char)] for char in text)


def year(number: int) -> str:
    """A year as it is said: 1999 is "nineteen ninety nine", 2005 is "two thousand five"."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {_two(rest)}"


def spoken(text: str) -> str:
    """Written text as it is said, in the form of `edgevoice.text.normalise`.

    >>> spoken("Move $20,000 & £5.50 by the 2nd")
    'move twenty thousand dollars and five pounds fifty by the second'
    """
    text = _unaccented(text)
    for pattern, said in _ABBREVIATIONS:
        text = re.sub(pattern, said, text, flags=re.IGNORECASE)
    for pattern, say in _RULES:
        text = re.sub(pattern, lambda match, say=say: f" {say(match)} ", text, flags=re.IGNORECASE)  # type: ignore[misc]
    return normalise(text)


def _unaccented(text: str) -> str:
    """Text whose accented letters have lost their accents."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _two(number: int) -> str:
    """Two digits after an hour or a century: 5 is "oh five"."""
    return cardinal(number) if number > 9 else f"oh {_UNITS[number]}"


def _number(written: str) -> str:
    """A number by its look: digit by digit when it starts with zero or is long and not round, else in words."""
    plain = written.replace(",", "")
    if plain[0] == "0" and len(plain) > 1:
        return digits(plain)
    if "," not in written and len(plain) >= _LONG and (len(plain) > 12 or int(plain) % 100):
        return digits(plain)
    if len(written) == 4 and (1900 <= int(plain) < 2000 or 2000 < int(plain) < 2100):
        return year(int(plain))
    return cardinal(int(plain))


def _money(sign: str, whole: str, cents: str | None, suffix: str | None) -> str:
    """An amount with its currency: "five pounds fifty"."""
    amount = int(whole.replace(",", ""))
    scale = f" {_SUFFIXES[suffix.lower()]}" if suffix else ""
    point = f" point {digits(cents)}" if cents and suffix else ""
    name = _CURRENCIES[sign][0 if amount == 1 and not suffix else 1]
    small = f" {cardinal(int(cents.ljust(2, '0')))}" if cents and int(cents) and not suffix else ""
    return f"{cardinal(amount)}{point}{scale} {name}{small}"


def _clock(match: re.Match[str]) -> str:
    """A time of day: 9:05 is "nine oh five"."""
    hour, minute = cardinal(int(match[1])), int(match[2])
    return f"{hour} {_two(minute)}" if minute else f"{hour} o'clock"


Say = Callable[[re.Match[str]], str]
_RULES: tuple[tuple[str, Say], ...] = (
    (rf"([$£€])\s?{_NUMBER}(?:\.(\d{{1,2}})(?!\d))?(?:\s?(k|m|bn)\b)?", lambda m: _money(m[1], m[2], m[3], m[4])),
    (rf"\b{_NUMBER}(?:\.(\d{{1,2}}))?\s?([$£€])", lambda m: _money(m[3], m[1], m[2], None)),
    (r"\$", lambda _: "dollars"),
    (r"£", lambda _: "pounds"),
    (r"€", lambda _: "euros"),
    (r"\b([01]?\d|2[0-3]):([0-5]\d)(?!\d)", _clock),
    (r"\b([1-9]|1\d|2[0-3]) (0[1-9])\b", _clock),
    (rf"\b{_NUMBER}\s?-\s?{_NUMBER}(?=\s|$|[.,?!])", lambda m: f"{_number(m[1])} to {_number(m[2])}"),
    (rf"\b{_NUMBER}(?:st|nd|rd|th)\b", lambda m: ordinal(int(m[1].replace(",", "")))),
    (rf"{_NUMBER}\.(\d+)", lambda m: f"{_number(m[1])} point {digits(m[2])}"),
    (r"%", lambda _: "percent"),
    (rf"{_NUMBER}(k|bn)\b", lambda m: f"{_number(m[1])} {_SUFFIXES[m[2].lower()]}"),
    (_NUMBER, lambda m: _number(m[1])),
)
