"""The sentence set: unseen test sentences, enough of each intent, the same result for a seed."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from training.sentences import NONE, TRAIN_CAP, Sentence, build, content, read_csv, write_csv
from training.spoken import spoken

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "training" / "banking_en"
DATA = Path(os.environ.get("EDGEVOICE_DATA") or ROOT / "../shared/data") / "text-intents"
WRITTEN = ("app_error", "atm_limit", "business_loan", "high_value_payment", "joint_account")
here = pytest.mark.skipif(not DATA.is_dir(), reason="the public sentences are not here")


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return read_csv(FOLDER / "sentences.csv")


def test_no_sentence_is_in_two_splits_in_other_words(sentences: list[Sentence]) -> None:
    splits: dict[frozenset[str], set[str]] = {}
    for sentence in sentences:
        splits.setdefault(content(sentence.text), set()).add(sentence.split)
    assert all(len(found) == 1 for found in splits.values())


def test_each_intent_has_enough_sentences(sentences: list[Sentence]) -> None:
    total = Counter(sentence.intent for sentence in sentences)
    train = Counter(sentence.intent for sentence in sentences if sentence.split == "train")
    assert len(total) == 15
    assert all(total[intent] >= 150 for intent in (*WRITTEN, NONE))
    assert max(train.values()) <= TRAIN_CAP
    assert {(s.intent, s.split) for s in sentences} == {(i, s) for i in total for s in ("train", "dev", "test")}


def test_sentences_are_spoken_text_said_once(sentences: list[Sentence]) -> None:
    texts = [sentence.text for sentence in sentences]
    assert len(set(texts)) == len(texts)
    assert all(re.fullmatch(r"[a-z' ]+", text) and 2 <= len(text.split()) <= 28 for text in texts)


def test_a_text_with_two_intents_is_dropped_and_duplicates_are_merged(tmp_path: Path) -> None:
    written = tmp_path / "written.csv"
    rows = ["Pay £5 now", "pay five pounds now", "my bank card", "stop"]
    written.write_text("text,intent\n" + "".join(f"{row},pay_bill\n" for row in rows) + "my bank card,freeze\n")
    assert [sentence.text for sentence in build(tmp_path / "no-data", written, 1)] == ["pay five pounds now"]


def test_sentences_survive_a_file(tmp_path: Path, sentences: list[Sentence]) -> None:
    write_csv(sentences, tmp_path / "copy.csv")
    assert (tmp_path / "copy.csv").read_bytes() == (FOLDER / "sentences.csv").read_bytes()


@here
def test_the_committed_file_is_what_is_built(sentences: list[Sentence]) -> None:
    assert build(DATA, FOLDER / "written.csv", 14) == sentences
    assert build(DATA, FOLDER / "written.csv", 15) != sentences


def test_the_sample_call_is_unseen(sentences: list[Sentence]) -> None:
    with (FOLDER / "sample_call.csv").open(encoding="utf-8", newline="") as file:
        call = list(csv.DictReader(file))
    known = {content(sentence.text) for sentence in sentences}
    intents = Counter(row["intent"] for row in call if row["side"] == "caller")
    assert (intents.total(), intents[NONE]) == (12, 3)
    assert {row["intent"] for row in call if row["side"] == "agent"} == {NONE}
    assert len(intents) >= 8
    assert set(intents) <= {sentence.intent for sentence in sentences}
    for row in call:
        assert 5 <= len(row["text"].split()) <= 14
        assert content(spoken(row["text"])) not in known
