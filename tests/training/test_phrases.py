"""Intents as a list of phrases."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.errors import ConfigError
from training.phrases import Node, expand, parse, read_intents


def all_of(text: str, **slots: list[str]) -> set[str]:
    nodes = {name: Node("choice", children=tuple(parse(value) for value in values)) for name, values in slots.items()}
    return set(expand([parse(text, nodes)], 1000, 1))


@pytest.mark.parametrize(
    ("phrase", "sentences"),
    [
        ("stop", {"stop"}),
        ("block|freeze my card", {"block my card", "freeze my card"}),
        ("a|b|c d", {"a d", "b d", "c d"}),
        ("a b|c d", {"a b d", "a c d"}),
        ("(turn on|switch on) it", {"turn on it", "switch on it"}),
        ("my (debit|credit) card", {"my debit card", "my credit card"}),
        ("block|(put a stop on) it", {"block it", "put a stop on it"}),
        ("please|(oh please) go", {"please go", "oh please go"}),
        ("(a|b)|c", {"a", "b", "c"}),
        ("[please] stop [now|at once]", {"stop", "please stop", "stop now", "please stop now", "stop at once"}
         | {"please stop at once"}),
        ("go (to [the] (bank|shop)|home)", {"go to bank", "go to the bank", "go to shop", "go to the shop", "go home"}),
        ("pay 20 dollars", {"pay twenty dollars"}),
        ("Stop, it's ENOUGH!", {"stop it's enough"}),
    ],
)  # fmt: skip
def test_what_a_phrase_stands_for(phrase: str, sentences: set[str]) -> None:
    assert all_of(phrase) == sentences


def test_slots_may_hold_alternatives() -> None:
    assert all_of("fly to {city}", city=["Paris", "New|Old York"]) == {
        "fly to paris",
        "fly to new york",
        "fly to old york",
    }


@pytest.mark.parametrize(
    ("phrase", "complaint"),
    [
        ("(a|b", "'.' is not closed"),
        ("[a", "'.' is not closed"),
        ("a)", "without its partner"),
        ("(a]", "is not closed"),
        ("|a", "nothing before"),
        ("a|", "nothing after"),
        ("a||b", "nothing before"),
        ("(a|)", "alternative in parentheses is empty"),
        ("()", "alternative in parentheses is empty"),
        ("{city}", "no slot 'city'"),
        ("{", "no slot"),
        ("}", "has no '{'"),
        ("", "is empty"),
        ("  ", "is empty"),
    ],
)
def test_what_the_grammar_does_not_allow(phrase: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse(phrase)


WORDS = st.sampled_from(["red", "green", "blue", "dog", "cat", "runs"])
TREES = st.recursive(
    WORDS.map(lambda word: ([word], {word})),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: (
                [f"({'|'.join(' '.join(text) for text, _ in parts)})"],
                set().union(*(sentences for _, sentences in parts)),
            )
        ),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: (
                [piece for text, _ in parts for piece in text],
                {" ".join(words) for words in itertools.product(*(sorted(sentences) for _, sentences in parts))},
            )
        ),
    ),
    max_leaves=6,
)


@given(TREES)
def test_every_sentence_and_no_other(tree: tuple[list[str], set[str]]) -> None:
    """Against a brute-force expansion made along with the phrase."""
    text, sentences = " ".join(tree[0]), tree[1]
    node = parse(text)
    assert {" ".join(node.phrase(number)) for number in range(node.count())} == sentences
    assert set(expand([node], len(sentences), 3)) == sentences


def test_a_limit_is_shared_evenly_and_a_seed_is_kept() -> None:
    """However many sentences a phrase stands for."""
    wide = parse("a|b|c|d|e|f|g|h " * 30)
    assert wide.count() == 8**30
    found = expand([wide, parse("one|two|three|four|five|six")], 10, 7)
    assert len(set(found)) == 10
    assert sum(text in {"one", "two", "three", "four", "five", "six"} for text in found) == 5
    assert found == expand([wide, parse("one|two|three|four|five|six")], 10, 7)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_text(
        '[intents]\nfreeze = ["freeze my (debit|credit) card", "lost in {city}"]\nbalance = ["my balance"]\n'
        '[slots]\ncity = ["Rome"]\n[reject]\nphrases = ["hello there"]\n',
        encoding="utf-8",
    )
    intents = read_intents(file)
    assert intents.name == "desk"
    assert sorted(intents.sentences("freeze", 9, 1)) == [
        "freeze my credit card",
        "freeze my debit card",
        "lost in rome",
    ]
    assert expand(intents.reject, 9, 1) == ["hello there"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "names 0 intents"),
        ('[intents]\na = ["x"]\n', "names 1 intents"),
        ("[intents]\na = 3\nb = ['x']\n", r"intents\.a in .* is no list of phrases"),
        ("[intents]\na = ['x']\nb = []\n", r"intents\.b in .* is no list of phrases"),
        ("[intents]\na = ['x']\nb = ['(y']\n", r"intents\.b in .* is not closed"),
        ("intents = 3\n", r"\[intents\] in .* is no table"),
        ("[intent]\n", "unknown key 'intent'. The nearest name is 'intents'"),
        ("[", "cannot be read"),
        (f"a = {'[' * 5000}", "cannot be read: its lists lie too deep"),
        ("[intents]\na = ['x']\nnone = ['y']\n", "called 'none', which stands for what means none"),
        ("[intents]\na = ['x']\nNone = ['y']\n", "called 'None', which stands for what means none"),
        ("[intents]\na = ['!!!']\nb = ['x']\n", r"intents\.a in .*: '!!!' has nothing that can be said"),
        ("[intents]\na = ['x']\nb = ['x', 'y']\n", "'x' in .* stands under the intent 'a' and under the intent 'b'"),
        ("[intents]\na = ['2 x']\nb = ['Two|three x!']\n", "'two x' in .* under the intent 'a' and .* 'b'"),
        ("[intents]\na=['x']\nb=['y']\n[reject]\nphrases=['y']\n", r"'y' in .* the intent 'b' and under \[reject\]"),
        (
            "[intents]\na=['x']\nb=['y']\n[reject]\nphrase=['z']\n",
            "unknown key 'phrase'. The nearest name is 'phrases'",
        ),
        (
            "[intents]\na = ['x']\nb = ['привет']\n",
            r"intents\.b in .* letters в е и п р, and all voices .* are English",
        ),
        ("[intents]\na = ['x']\nb = ['go {c}']\n[slots]\nc = ['北京']\n", "letters 京 北, and all voices"),
        (f"[intents]\na = ['x']\nb = ['{'[' * 1500}y{']' * 1500}']\n", r"intents\.b in .* brackets within each other"),
        ('[intents]\na = ["x"]\n"b\\u001b[31m" = ["y"]\n', "name that cannot be shown"),
        ('[intents]\na = ["x"]\n"" = ["y"]\n', "name that cannot be shown"),
        ('name = 3\n[intents]\na = ["x"]\nb = ["y"]\n', "name in .* is no text"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "intents.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_intents(file)


def test_accents_numbers_and_a_phrase_given_twice_are_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "intents.toml"
    file.write_text("[intents]\na = ['a café', 'a café!', 'pay £20']\nb = ['[please] stop']\n", encoding="utf-8")
    assert read_intents(file).sentences("a", 9, 1) == ["a cafe", "pay twenty pounds"]
