"""Intents as a list of phrases: a small grammar in a TOML file, expanded to what people say.

    [intents]
    freeze = ["block|freeze my (debit|credit) card", "i lost my card [in {city}]"]
    balance = ["what is my balance", "how much (money do i have|is there) on my account"]

    [slots]
    city = ["Paris", "New York"]

`|` joins the words or groups right beside it; within parentheses it parts whole alternatives; brackets hold what may be
left out; `{name}` stands for any value of a slot. All of it is English: that is what the synthetic voices speak and the
bundled model writes.
"""

from __future__ import annotations

import difflib
import itertools
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevoice.errors import ConfigError
from edgevoice.text import plain
from training.calibrate import NONE
from training.spoken import spoken

_TOKEN = re.compile(r"[()\[\]|]|\{[^{}]*\}|[^\s()\[\]|{}]+|[{}]")
_KEYS = ("name", "intents", "slots", "reject")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz' ")
"""What `spoken` makes of English."""
_DEEPEST = 20
"""Brackets within brackets that nobody writes by hand; each takes a level of Python's stack."""
_COMPARED = 1000
"""Sentences of a phrase, or of an intent, that are looked at: all of them, but where slots make many thousands."""


class PhraseError(ConfigError):
    """A phrase that the grammar does not allow."""


@dataclass(frozen=True)
class Node:
    """A part of a phrase: words, or children in a row or to choose from."""

    kind: str
    """ "word", "row" or "choice"."""
    word: str = ""
    children: tuple[Node, ...] = ()

    def count(self) -> int:
        """How many phrases it stands for."""
        if self.kind == "word":
            return 1
        counts = [child.count() for child in self.children]
        return math.prod(counts) if self.kind == "row" else sum(counts)

    def phrase(self, number: int) -> list[str]:
        """The words of phrase `number`, 0 to `count() - 1`."""
        if self.kind == "word":
            return [self.word] if self.word else []
        if self.kind == "choice":
            for child in self.children:
                if number < child.count():
                    return child.phrase(number)
                number -= child.count()
        words: list[str] = []
        for child in self.children:
            number, place = divmod(number, child.count())
            words += child.phrase(place)
        return words


@dataclass(frozen=True)
class Intents:
    """What a phrases file says."""

    name: str
    phrases: Mapping[str, tuple[Node, ...]]
    """Intent -> its phrases."""
    reject: tuple[Node, ...]
    """What people say that is none of the intents, besides what edgevoice knows itself."""

    def sentences(self, intent: str, at_most: int, seed: int) -> list[str]:
        """Up to `at_most` different sentences of an intent as they are said, evenly from all its phrases."""
        return expand(self.phrases[intent], at_most, seed)


def read_intents(file: Path) -> Intents:
    """Reads a phrases file.

    Raises:
        ConfigError: it cannot be read, has no intents, or a phrase does not fit the grammar.
    """
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = "its lists lie too deep in each other" if isinstance(error, RecursionError) else error
        raise ConfigError(f"The phrases in {file} cannot be read: {reason}", "See training/phrases.py") from None
    _refuse_unknown(tree, _KEYS, str(file))
    slots = {name: parse_slot(file, name, values) for name, values in _table(file, tree, "slots").items()}
    phrases = {}
    for intent, lines in _table(file, tree, "intents").items():
        _check_name(file, intent)
        phrases[intent] = _phrases(file, f"intents.{intent}", lines, slots)
    if len(phrases) < 2:
        raise ConfigError(f"{file} names {len(phrases)} intents", "Name two or more under [intents]")
    reject = _table(file, tree, "reject")
    _refuse_unknown(reject, ("phrases",), f"[reject] in {file}")
    rest = reject.get("phrases", [])
    intents = Intents(
        name=_name(file, tree),
        phrases=phrases,
        reject=_phrases(file, "reject.phrases", rest, slots) if rest else (),
    )
    _check_apart(file, intents)
    return intents


def parse(text: str, slots: Mapping[str, Node] | None = None) -> Node:
    """One phrase as a tree.

    Raises:
        PhraseError: it does not fit the grammar; the message says what is wrong.
    """
    tokens = _TOKEN.findall(text)
    depths = itertools.accumulate((each in "([") - (each in ")]") for each in tokens)
    if max(depths, default=0) > _DEEPEST:
        raise PhraseError(f"'{plain(text)[:40]}...' has more than {_DEEPEST} brackets within each other")
    node, rest = _row(tokens, slots or {}, closing="")
    if rest:
        raise PhraseError(f"'{plain(text)}' has a '{rest[0]}' without its partner")
    if not any(node.phrase(0)) and node.count() == 1:
        raise PhraseError(f"'{plain(text)}' is empty")
    return node


def expand(nodes: Sequence[Node], at_most: int, seed: int) -> list[str]:
    """Different sentences as they are said (numbers as words, lower case), at most `at_most`, evenly from all nodes.

    Args:
        nodes: phrases.
        at_most: the limit.
        seed: which ones, where there are more than that.
    """
    rng = np.random.default_rng(seed)
    orders = [_some_numbers(node.count(), at_most, rng) for node in nodes]
    found: dict[str, None] = {}
    while orders and len(found) < at_most:
        remaining = []
        for node, order in zip(nodes, orders, strict=True):
            number = next(order, None)
            if number is not None and len(found) < at_most:
                text = spoken(" ".join(node.phrase(number)))
                if text:
                    found[text] = None
            remaining.append((node, order, number))
        if all(number is None for _, _, number in remaining):
            break
    return list(found)


def parse_slot(file: Path, name: str, values: Any) -> Node:
    """A slot's values as a choice; each may itself be a phrase without slots."""
    return Node("choice", children=_phrases(file, f"slots.{name}", values, {}))


def _some_numbers(count: int, at_most: int, rng: np.random.Generator) -> Iterator[int]:
    if count <= 4 * at_most:
        yield from (int(number) for number in rng.permutation(count))
        return
    seen: set[int] = set()
    while len(seen) < at_most:  # a phrase with many slots stands for millions; a permutation of them would not fit
        number = int(rng.integers(count)) if count < 2**62 else int(rng.random() * count)
        if number not in seen:
            seen.add(number)
            yield number


def _table(file: Path, tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = tree.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"[{key}] in {file} is no table", "See training/phrases.py")
    return value


def _name(file: Path, tree: Mapping[str, Any]) -> str:
    name = tree.get("name", file.stem)
    if not isinstance(name, str) or name != plain(name) or not name.strip():
        raise ConfigError(f"The name in {file} is no text that can be shown", 'Write name = "..." on one line')
    return name


def _refuse_unknown(table: Iterable[str], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise ConfigError(f"{where} has the unknown key '{plain(key)}'", f"The nearest name is '{nearest[0]}'")


def _check_name(file: Path, intent: str) -> None:
    if intent != plain(intent) or not intent.strip():
        raise ConfigError(
            f"The intent '{plain(intent)}' in {file} has a name that cannot be shown",
            "Name it in letters, without line breaks or control characters",
        )
    if intent.strip().casefold() == NONE:
        raise ConfigError(
            f"An intent in {file} is called '{intent}', which stands for what means none of the intents",
            "Give it another name, or write its phrases as [reject] phrases",
        )


def _check_apart(file: Path, intents: Intents) -> None:
    """Raises ConfigError for a sentence that means two things: a model would be taught both, and learn neither."""
    meant: dict[str, str] = {}
    for where, nodes in [*intents.phrases.items(), ("[reject]", intents.reject)]:
        for text in expand(nodes, _COMPARED, 0):
            other = meant.setdefault(text, where)
            if other != where:
                raise ConfigError(
                    f"'{text}' in {file} stands under {_place(other)} and under {_place(where)}",
                    "Leave it in the one that it means",
                )


def _place(where: str) -> str:
    return where if where == "[reject]" else f"the intent '{where}'"


def _phrases(file: Path, key: str, lines: Any, slots: Mapping[str, Node]) -> tuple[Node, ...]:
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise ConfigError(
            f"{plain(key)} in {file} is no list of phrases",
            f'Write {plain(key.rsplit(".", maxsplit=1)[-1])} = ["...", "..."]',
        )
    try:
        return tuple(_sayable(line, slots) for line in lines)
    except PhraseError as error:
        raise ConfigError(f"{plain(key)} in {file}: {error.what}", error.remedy) from None


def _sayable(line: str, slots: Mapping[str, Node]) -> Node:
    """A phrase of which something is left when it is said, in the letters of English.

    Raises:
        PhraseError: it is not that, or does not fit the grammar.
    """
    node = parse(line, slots)
    said = expand([node], _COMPARED, 0)
    if not said:
        raise PhraseError(f"'{plain(line)}' has nothing that can be said", "Write it in words, or leave it out")
    foreign = sorted(set("".join(said)) - _LETTERS)
    if foreign:
        raise PhraseError(
            f"'{plain(line)}' has the letter{'s' * (len(foreign) > 1)} {' '.join(foreign[:5])}, and all voices and the "
            "bundled model are English",
            "Write it in the letters a to z",
        )
    return node


def _row(tokens: list[str], slots: Mapping[str, Node], closing: str) -> tuple[Node, list[str]]:
    """Items up to `closing`. Outside parentheses `|` joins its neighbours; inside it parts the whole."""
    options: list[list[Node]] = [[]]
    joined = False
    while tokens and tokens[0] not in (")", "]"):
        head, *tokens = tokens
        if head == "|":
            if closing:
                options.append([])
                continue
            if not options[-1] or joined:
                raise PhraseError("there is nothing before a '|'")
            joined = True
            continue
        item, tokens = _item(head, tokens, slots)
        if joined:
            before = options[-1].pop()
            alternatives = before.children if before.kind == "choice" and before.word == "|" else (before,)
            item = Node("choice", "|", (*alternatives, item))
            joined = False
        options[-1].append(item)
    if joined:
        raise PhraseError("there is nothing after a '|'")
    if not closing:
        return Node("row", children=tuple(options[0])), tokens
    if not tokens or tokens[0] != closing:
        raise PhraseError(f"a '{'(' if closing == ')' else '['}' is not closed")
    if not all(options):
        raise PhraseError("an alternative in parentheses is empty; use brackets for what may be left out")
    return Node("choice", children=tuple(Node("row", children=tuple(option)) for option in options)), tokens[1:]


def _item(head: str, tokens: list[str], slots: Mapping[str, Node]) -> tuple[Node, list[str]]:
    if head == "(":
        return _row(tokens, slots, ")")
    if head == "[":
        node, tokens = _row(tokens, slots, "]")
        return Node("choice", children=(*node.children, Node("word"))), tokens
    if head.startswith("{"):
        name = head.strip("{}").strip()
        if not head.endswith("}") or name not in slots:
            known = ", ".join(slots) or "none"
            raise PhraseError(f"there is no slot '{plain(name)}'", f"Write it under [slots]; known: {known}")
        return slots[name], tokens
    if head == "}":
        raise PhraseError("a '}' has no '{'")
    return Node("word", head), tokens
