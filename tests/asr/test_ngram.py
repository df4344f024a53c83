"""ARPA n-grams against a table that is looked up by hand, and against KenLM where it is installed; word lists."""

from __future__ import annotations

import gzip
import math
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.language_model import Weights, load_language_model
from edgevoice.asr.ngram import NgramScorer, read_arpa
from edgevoice.asr.scorer import UNKNOWN, Together, WordList
from edgevoice.asr.spelling import Spelling
from edgevoice.errors import ConfigError, MissingExtraError

ENGLISH = Spelling(("", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
WEIGHTS = Weights(1.0, 0.0)
LN10 = math.log(10)
TRIGRAMS: dict[tuple[str, ...], tuple[float, float]] = {
    ("<unk>",): (-2.5, 0.0),
    ("<s>",): (-99, -0.3),
    ("</s>",): (-1.2, 0.0),
    ("my",): (-0.9, -0.4),
    ("card",): (-1.3, -0.2),
    ("balance",): (-1.5, -0.1),
    ("<s>", "my"): (-0.5, -0.25),
    ("my", "card"): (-0.3, -0.15),
    ("my", "balance"): (-0.6, -0.05),
    ("card", "</s>"): (-0.2, 0.0),
    ("<s>", "my", "card"): (-0.1, 0.0),
    ("my", "card", "</s>"): (-0.05, 0.0),
}


def arpa(table: dict[tuple[str, ...], tuple[float, float]] = TRIGRAMS) -> str:
    order = max(map(len, table))
    by_length = [{words: row for words, row in table.items() if len(words) == n} for n in range(1, order + 1)]
    lines = ["\\data\\", *(f"ngram {n}={len(rows)}" for n, rows in enumerate(by_length, 1)), ""]
    for n, rows in enumerate(by_length, 1):
        lines.append(f"\\{n}-grams:")
        lines += [f"{p}\t{' '.join(words)}" + (f"\t{b}" if n < order else "") for words, (p, b) in rows.items()]
        lines.append("")
    return "\n".join([*lines, "\\end\\", ""])


def by_hand(context: tuple[str, ...], word: str) -> float:
    """Katz backoff, word for word, to base ten."""
    if (*context, word) in TRIGRAMS:
        return TRIGRAMS[*context, word][0]
    if not context:
        return TRIGRAMS[("<unk>",)][0]
    return TRIGRAMS.get(context, (0, 0.0))[1] + by_hand(context[1:], word)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("arpa") / "small.arpa"
    file.write_text(arpa())
    return file


words = st.lists(st.sampled_from(["my", "card", "balance", "zebra"]), max_size=6)


def sentence(scorer, said: list[str], *, begins: bool = True) -> float:
    state, total = scorer.start(begins=begins), 0.0
    for word in said:
        score, state = scorer.word(state, word)
        total += score
    return total + scorer.end(state)


@settings(deadline=None)
@given(said=words, begins=st.booleans())
def test_a_sentence_scores_what_it_does_by_hand(file, said, begins):
    scorer = NgramScorer(read_arpa(file), 1.0, 0.0)
    context = ("<s>",) if begins else ()
    expected = 0.0
    for word in [*said, "</s>"]:
        known = word if (word,) in TRIGRAMS else "<unk>"
        expected += by_hand(context, known) * LN10 + (UNKNOWN if known == "<unk>" else 0)
        context = (*context, known)[-2:]
    assert sentence(scorer, said, begins=begins) == pytest.approx(expected, abs=1e-4)


@settings(deadline=None)
@given(said=words)
def test_kenlm_says_the_same(file, said):
    kenlm = pytest.importorskip("kenlm")
    model = kenlm.Model(str(file))
    strange = sum(word == "zebra" for word in said) * UNKNOWN
    expected = model.score(" ".join(said), bos=True, eos=True) * LN10 + strange
    assert sentence(NgramScorer(read_arpa(file), 1.0, 0.0), said) == pytest.approx(expected, abs=1e-4)


def test_weight_bonus_and_words_that_are_known_otherwise(file):
    model = read_arpa(file)
    plain, weighted = NgramScorer(model, 1.0, 0.0), NgramScorer(model, 0.5, 2.0, known=["zebra"])
    before = plain.start(begins=True)
    assert weighted.word(before, "my")[0] == pytest.approx(0.5 * plain.word(before, "my")[0] + 2)
    assert weighted.word(before, "zebra")[0] == pytest.approx(0.5 * (plain.word(before, "zebra")[0] - UNKNOWN) + 2)
    assert plain.partial(before, "ze") == UNKNOWN
    assert weighted.partial(before, "ze") == plain.partial(before, "ca") == plain.partial(before, "") == 0


def test_without_unk_a_stranger_is_as_rare_as_the_rarest_word(tmp_path):
    """And not as <s>, which is never said."""
    file = tmp_path / "no-unk.arpa"
    file.write_text(arpa({words: row for words, row in TRIGRAMS.items() if words != ("<unk>",)}))
    scorer = NgramScorer(read_arpa(file), 1.0, 0.0)
    score, state = scorer.word(scorer.start(begins=False), "zebra")
    assert score == pytest.approx(-1.5 * LN10 + UNKNOWN, abs=1e-4)
    assert scorer.word(state, "my") == scorer.word(scorer.start(begins=False), "my")


def test_compressed_and_in_capitals(tmp_path, file):
    shouted = arpa().replace("my", "MY").replace("card", "CARD").replace("balance", "BALANCE").replace("<unk>", "<UNK>")
    packed = tmp_path / "shouted.arpa.gz"
    packed.write_bytes(gzip.compress(shouted.encode()))
    scorer = load_language_model(packed, ENGLISH, WEIGHTS)
    expected = load_language_model(file, ENGLISH, WEIGHTS)
    assert sentence(scorer, ["my", "card"]) == sentence(expected, ["my", "card"])


def test_a_unigram_model(tmp_path):
    file = tmp_path / "one.arpa"
    file.write_text(arpa({words: row for words, row in TRIGRAMS.items() if len(words) == 1}))
    scorer = NgramScorer(read_arpa(file), 1.0, 0.0)
    assert sentence(scorer, ["my", "card"]) == pytest.approx((-0.9 - 1.3 - 1.2) * LN10, abs=1e-4)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("\\data\\", "data"), r"line \d+: there is no '\\data\\'"),
        (lambda text: text.replace("ngram 2=4", "ngram 2=four"), "line 3: 'ngram 2=four' should be 'ngram 2='"),
        (lambda text: text.replace("ngram 2=4", "ngram 3=4"), "line 3: .* should be 'ngram 2='"),
        (lambda text: text.replace("ngram 2=4", "ngram 2=99999999999"), "line 19: .* should stand here"),
        (lambda text: text.replace("ngram 2=4", "ngram 2=3"), r"line 18: '\\3-grams:' should stand here"),
        (lambda text: text.replace("\\2-grams:", "\\5-grams:"), r"line 14: '\\2-grams:' should stand here"),
        (lambda text: text.replace("-0.9\tmy", "0.9\tmy"), "line 10: '0.9' is no logarithm"),
        (lambda text: text.replace("-0.9\tmy", "x\tmy"), "line 10: could not convert"),
        (lambda text: text.replace("-0.9\tmy", "nan\tmy"), "line 10: 'nan' is no logarithm"),
        (lambda text: text.replace("-0.3\tmy card", "-0.3\tmy cards"), "line 16: 'cards' is no 1-gram"),
        (lambda text: text.replace("-0.5\t<s> my", "-0.5\tcard my"), "has '<s> my card', and none before"),
        (lambda text: text.replace("\\end\\", ""), r"'\\end\\' should stand here"),
        (lambda text: text[:150], "should stand here"),
        (lambda text: "\\data\\\n", r"line 1: there is no '\\1-grams:'"),
        (lambda text: text.replace("card", "\udcff"), "line 11: .*decode"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(tmp_path, damage, message):
    broken = tmp_path / "broken.arpa"
    broken.write_bytes(damage(arpa()).encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=message) as caught:
        read_arpa(broken)
    assert "broken.arpa" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path, file):
    truncated = tmp_path / "truncated.arpa.gz"
    truncated.write_bytes(gzip.compress(file.read_bytes())[:-20])
    for each in (truncated, tmp_path / "none.arpa", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_language_model(each, ENGLISH, WEIGHTS)


def test_a_model_of_another_alphabet_is_refused(tmp_path, file):
    with pytest.raises(ConfigError, match="no word that the model of the captions can write"):
        load_language_model(file, Spelling(("", " ", *"абвгд")), WEIGHTS)
    listed = tmp_path / "words.txt"
    listed.write_text("карта\n")
    with pytest.raises(ConfigError, match="no word that the model of the captions can write"):
        load_language_model(listed, ENGLISH, WEIGHTS)


def test_a_word_list(tmp_path):
    """Words that cannot be written are left out; the others are known from their first letter to their last."""
    listed = tmp_path / "words.txt"
    listed.write_text("# mine\nCard\nwell-known\nZoë\n\nI'd\n")
    scorer = load_language_model(listed, ENGLISH, WEIGHTS, known=["freeze"])
    assert isinstance(scorer, WordList)
    state = scorer.start(begins=True)
    for word, expected in {"card": 0, "car": UNKNOWN, "well": 0, "i'd": 0, "zoë": UNKNOWN, "freeze": 0}.items():
        assert scorer.word(state, word)[0] == expected
    assert [scorer.partial(state, text) for text in ("", "c", "card", "cards", "fre")] == [0, 0, 0, UNKNOWN, 0]
    assert sentence(scorer, ["card", "cards"]) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "message"), [(b"card\nmy card\n", "Line 2 .* more than a word"), (b"\xff\xfe", "cannot be read")]
)
def test_a_word_list_that_is_none(tmp_path, text, message):
    listed = tmp_path / "words.txt"
    listed.write_bytes(text)
    with pytest.raises(ConfigError, match=message):
        load_language_model(listed, ENGLISH, WEIGHTS)


def test_kenlm_is_an_extra_that_says_how_to_install_it(tmp_path, monkeypatch):
    binary = tmp_path / "big.bin"
    binary.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    monkeypatch.setitem(sys.modules, "kenlm", None)
    with pytest.raises(MissingExtraError, match=r"edgevoice\[kenlm\]"):
        load_language_model(binary, ENGLISH, WEIGHTS)


def test_no_bundle_holds_a_binary(tmp_path):
    """Nobody checks it as it is read."""
    binary = tmp_path / "big.bin"
    binary.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    with pytest.raises(ConfigError, match="no bundle may hold"):
        load_language_model(binary, ENGLISH, WEIGHTS, binary=False)


def test_kenlm_scores_as_our_reader_does(tmp_path, file):
    kenlm = pytest.importorskip("kenlm")
    from edgevoice.asr.kenlm_model import KenlmScorer

    assert kenlm.Model(str(file)).order == 3
    ours, theirs = NgramScorer(read_arpa(file), 0.7, 1.1, ["zebra"]), KenlmScorer(file, 0.7, 1.1, ["zebra"])
    for said in (["my", "card"], ["zebra", "my", "lion"], []):
        for begins in (True, False):
            assert sentence(theirs, said, begins=begins) == pytest.approx(sentence(ours, said, begins=begins), abs=1e-4)
    with pytest.raises(ConfigError, match="KenLM cannot read"):
        KenlmScorer(tmp_path / "none.bin", 1.0, 0.0)


def test_scorers_together_add_up(file, tmp_path):
    one, other = NgramScorer(read_arpa(file), 1.0, 0.0), WordList(["my"])
    both = Together([one, other])
    said = ["my", "card"]
    assert sentence(both, said) == pytest.approx(sentence(one, said) + sentence(other, said))
    assert both.partial(both.start(begins=True), "x") == 2 * UNKNOWN


def test_a_long_stranger_costs_as_much_as_several_short_ones() -> None:
    """Otherwise what is hard to hear would be written without spaces."""
    listed = WordList(["card"])
    state = listed.start(begins=True)
    assert listed.word(state, "alsorelokadidtobretl")[0] < 2 * listed.word(state, "zebra")[0]
    grown = [listed.partial(state, "xy" * length) for length in range(1, 20)]
    assert grown == sorted(grown, reverse=True)
