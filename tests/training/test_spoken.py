"""Written text comes out as it is said, in a-z and the apostrophe only."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from training.spoken import cardinal, ordinal, spoken, year

DATA = Path(os.environ.get("EDGEVOICE_DATA") or Path(__file__).parents[2] / "../shared/data") / "text-intents"

SAID = {
    "Move $20,000": "move twenty thousand dollars",
    "i need $20000 moved": "i need twenty thousand dollars moved",
    "£5.50": "five pounds fifty",
    "£5.05 fee": "five pounds five fee",
    "a 95.98€ card purchase": "a ninety five euros ninety eight card purchase",
    "$1 or €1": "one dollar or one euro",
    "$20k, £1.5m": "twenty thousand dollars one point five million pounds",
    "paid in £": "paid in pounds",
    "between 9 05 and 25 to 7 p.m. any day": "between nine oh five and twenty five to seven pm any day",
    "at 9:30, then 10:00am": "at nine thirty then ten o'clock am",
    "the 2nd, 1st, 3rd, 20th and 31st": "the second first third twentieth and thirty first",
    "a 10% fee, 2.5 %": "a ten percent fee two point five percent",
    "open 24/7": "open twenty four seven",
    "takes 3-4 days": "takes three to four days",
    "in 1999, 2005, 2019 or 2000": "in nineteen ninety nine two thousand five twenty nineteen or two thousand",
    "account 12345678": "account one two three four five six seven eight",
    "my code 007": "my code zero zero seven",
    "k-12": "k twelve",
    "e.g. my ATM & card @ home": "for example my atm and card at home",
    "I\u2019d like a café": "i'd like a cafe",
    "5°, 1,250 items": "five degrees one thousand two hundred fifty items",
    "": "",
}


@pytest.mark.parametrize(("written", "said"), SAID.items())
def test_written_text_is_said(written: str, said: str) -> None:
    assert spoken(written) == said


def test_said_text_stays_as_it_is() -> None:
    assert all(spoken(said) == said for said in SAID.values())


def test_numbers_in_words() -> None:
    assert cardinal(0) == "zero"
    assert cardinal(2_000_015) == "two million fifteen"
    assert ordinal(12) == "twelfth"
    assert ordinal(100) == "one hundredth"
    assert year(1900) == "nineteen hundred"


@pytest.mark.skipif(not DATA.is_dir(), reason="the public sentences are not here")
def test_every_public_sentence_has_only_letters_and_apostrophes() -> None:
    for path in DATA.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                assert re.fullmatch(r"[a-z' ]*", spoken(row.get("text", ""))), row
