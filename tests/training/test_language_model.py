"""N-gram models of sentences, as the decoder reads them."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.ngram import read_arpa
from training.language_model import BEGIN, END, Ngrams, write_arpa

TEXTS = ["freeze my card", "freeze my account", "what is my balance", "card"]
SENTENCES = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(" ".join), min_size=2, max_size=12)


@given(SENTENCES, st.integers(2, 4))
def test_what_may_follow_adds_up_to_one(texts: list[str], order: int) -> None:
    made = Ngrams(texts, order)
    words = {ngram[0] for ngram in made.probabilities[0]}
    contexts = {ngram[:-1] for ngrams in made.probabilities[1:] for ngram in ngrams}

    def probability(before: tuple[str, ...], word: str) -> float:
        found = made.probabilities[len(before)].get((*before, word))
        if found is not None:
            return found
        return made.backoffs.get(before, 1.0) * probability(before[1:], word)

    for before in [(), *contexts]:
        assert sum(probability(before, word) for word in words) == pytest.approx(1)


def test_the_decoder_reads_what_is_written(tmp_path: Path) -> None:
    write_arpa(TEXTS, tmp_path / "words.arpa.gz")
    model = read_arpa(tmp_path / "words.arpa.gz")
    ids = model.ids
    likely, unlikely = (model.score((ids["freeze"], ids["my"]), ids[word]) for word in ("card", "what"))
    assert model.order == 3
    assert likely > unlikely
    assert model.score((ids[BEGIN],), ids["freeze"]) == pytest.approx(
        math.log(Ngrams(TEXTS).probabilities[1][BEGIN, "freeze"]), abs=0.001
    )
    assert END in ids


def test_the_same_sentences_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.arpa.gz", "b.arpa.gz"):
        write_arpa(TEXTS, tmp_path / name)
    assert (tmp_path / "a.arpa.gz").read_bytes() == (tmp_path / "b.arpa.gz").read_bytes()


def test_from_a_file_of_sentences(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("text,split\nFreeze my card!,train\nmy secret,test\n", encoding="utf-8")
    command = [sys.executable, "-m", "training.language_model", "--sentences", str(tmp_path / "s.csv")]
    subprocess.run([*command, "--split", "train", "--output", str(tmp_path / "w.arpa")], check=True)
    text = (tmp_path / "w.arpa").read_text(encoding="utf-8")
    assert "freeze my card" in text
    assert "secret" not in text
    run = subprocess.run(
        [*command, "--split", "none", "--output", str(tmp_path / "n.arpa")], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "has no sentences" in run.stderr
