"""Build the sentence set of the banking example: what callers say, their intent, and the split each falls into."""

from __future__ import annotations

import argparse
import csv
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path

from training.calibrate import NONE
from training.spoken import spoken
from training.synthesis.plan import Sentence

TRAIN_CAP = 650
NONE_CAP = 500
SHARES = (("test", 0.08), ("dev", 0.04))
WORDS = range(2, 29)

DROPPED = frozenset({"exchange_rate"})
"""Mapped categories that are plainly another request than the intent of the map."""

REQUIRED = {
    "edit_personal_details": re.compile(r"address|mov(e|ed|ing)\b|post ?code|zip code"),
    "top_up_by_cash_or_cheque": re.compile(r"\bcash\b"),
    "lost_or_stolen_card": re.compile(r"lost|stolen|stole|missing|find|gone|freeze|block|taken|mugged|robbed|cancel"),
}
"""Mapped categories of which only some sentences are the intent: those in which this is said."""

OTHER = frozenset(
    """age_limit change_pin exchange_charge exchange_via_app fiat_currency_support terminate_account
    verify_my_identity visa_or_mastercard why_verify_identity
    apr credit_score improve_credit_score interest_rate order_checks pin_change redeem_rewards routing oos""".split()
)
"""Categories without a counterpart that cannot be mistaken for one of the 14 intents."""

OTHER_NLUPP = frozenset(
    """acknowledge affirm deny dont_know greet thank repeat end_call handoff mortgage pin appointment
    savings higher lower more_higher_after less_lower_before""".split()
)
"""Spoken-style intents that, alone or together, are none of the 14."""

CONFUSABLE = re.compile(
    r"\b(address|wires?|transfer\w*|withdraw\w*|atm|balance|direct debits?|abroad|bills?|app|freeze|block\w*|business|"
    r"joint|deposit\w*|overseas|travel\w*|limits?|transactions?|statements?|firm|foreign|countr\w+|declin\w+|"
    r"credit line|line of credit|cash)\b"
)
"""Words that make a sentence of no known intent too close to one of the 14."""

STOP = frozenset(
    """a about ah all also am an and any are as at be been but by can could did do does er erm for from get got had has
    have hello hey hi how i i'd i'll i'm i've if in is it it's just know let like may me might mm my need of oh ok okay
    on or our please right so some tell that that's the there they think this to uh um us want wanted was we we'd we're
    we've well were what what's when where which who why will with would yeah yes you you're your""".split()
)


def content(text: str) -> frozenset[str]:
    """The words that carry the meaning: all but stop words and fillers."""
    return frozenset(text.split()) - STOP


def build(data_dir: Path, written: Path, seed: int) -> list[Sentence]:
    """Our own sentences and the public ones, normalised, without duplicates, split and capped; the same for a seed."""
    ours = [Sentence(row["text"], row["intent"], "", "written") for row in _rows(written)]
    mapped, others = _public(data_dir)
    pool = _unique([*ours, *mapped])
    taken = {sentence.text for sentence in pool}
    spare = [sentence for sentence in _unique(others) if sentence.text not in taken]
    count = min(NONE_CAP, len(spare))
    pool += random.Random(f"{seed} {NONE}").sample(spare, count)
    chosen = _capped(_split(pool, seed), seed)
    return sorted(chosen, key=lambda sentence: (sentence.intent, sentence.split, sentence.text))


def write_csv(sentences: Iterable[Sentence], path: Path) -> None:
    """Write sentences with a head line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Sentence)])
        writer.writerows(astuple(sentence) for sentence in sentences)


def read_csv(path: Path) -> list[Sentence]:
    """Read back what `write_csv` wrote."""
    return [Sentence(row["text"], row["intent"], row["split"], row["source"]) for row in _rows(path)]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file by their head line."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _public(data_dir: Path) -> tuple[list[Sentence], list[Sentence]]:
    """The public sentences that have one of the 14 intents, and those that have none of them."""
    mapped, others = [], []
    for path in sorted(data_dir.glob("*.csv")):
        if path.name == "minds14_map.csv":
            continue
        source = path.name.split("_")[0]
        for row in _rows(path):
            category = row.get("category") or row.get("intents") or ""
            sentence = Sentence(row["text"], row["minds14_intent"], "", source)
            if row["minds14_intent"] and _is_intent(category, row["text"]):
                mapped.append(sentence)
            elif not row["minds14_intent"] and _is_other(category, row["text"]):
                others.append(replace(sentence, intent=NONE))
    return mapped, others


def _is_intent(category: str, text: str) -> bool:
    """Whether a mapped sentence really is the intent of the map."""
    labels = set(category.split())
    if {"international", "transfer_payment_deposit"} <= labels and "card" not in labels:
        return False  # money sent abroad, not an account used abroad
    if {"balance", "wrong_notworking_notshowing"} <= labels:
        return False  # a payment or a page that is missing, not a question for the balance
    return category not in DROPPED and (category not in REQUIRED or bool(REQUIRED[category].search(text.lower())))


def _is_other(category: str, text: str) -> bool:
    """Whether a sentence without a counterpart is clearly none of the 14 intents."""
    known = category in OTHER or (category != "" and set(category.split()) <= OTHER_NLUPP)
    return known and not CONFUSABLE.search(text.lower())


def _unique(sentences: Iterable[Sentence]) -> list[Sentence]:
    """Sentences as they are said, each once, of usable length; a text with two intents is dropped."""
    found: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in sentences:
        text = spoken(sentence.text)
        if len(text.split()) in WORDS:
            found[text].append(replace(sentence, text=text))
    return [same[0] for same in found.values() if len({sentence.intent for sentence in same}) == 1]


def _split(sentences: list[Sentence], seed: int) -> list[Sentence]:
    """Give each sentence a split; sentences with the same content words share it."""
    groups: dict[frozenset[str], list[Sentence]] = defaultdict(list)
    for sentence in sentences:
        groups[content(sentence.text)].append(sentence)
    by_intent: dict[str, list[list[Sentence]]] = defaultdict(list)
    for group in groups.values():
        by_intent[group[0].intent].append(group)
    return [done for intent in sorted(by_intent) for done in _shared(by_intent[intent], f"{seed} {intent}")]


def _shared(groups: list[list[Sentence]], seed: str) -> Iterator[Sentence]:
    """Shuffle the groups of an intent and hand them out: first the test share, then the dev share, the rest train."""
    groups = sorted(groups, key=lambda group: min(sentence.text for sentence in group))
    random.Random(seed).shuffle(groups)
    total = sum(map(len, groups))
    wanted = [name for name, share in SHARES for _ in range(round(total * share))]
    for group in groups:
        split = wanted[0] if wanted else "train"
        del wanted[: len(group)]
        yield from (replace(sentence, split=split) for sentence in group)


def _capped(sentences: list[Sentence], seed: int) -> Iterator[Sentence]:
    """At most `TRAIN_CAP` training sentences of each intent, our own before the public ones."""
    train: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in sentences:
        if sentence.split == "train":
            train[sentence.intent].append(sentence)
        else:
            yield sentence
    for intent, found in sorted(train.items()):
        random.Random(f"{seed} cap {intent}").shuffle(found)
        yield from sorted(found, key=lambda sentence: sentence.source != "written")[:TRAIN_CAP]


def counts(sentences: Iterable[Sentence]) -> str:
    """A Markdown table of how many sentences each intent has in each split."""
    found = Counter((sentence.intent, sentence.split) for sentence in sentences)
    splits = ("train", "dev", "test")
    lines = ["| intent | train | dev | test |", "|---|---|---|---|"]
    lines += [
        f"| {intent} | " + " | ".join(str(found[intent, split]) for split in splits) + " |"
        for intent in sorted({intent for intent, _ in found})
    ]
    lines.append("| all | " + " | ".join(str(sum(found[key] for key in found if key[1] == s)) for s in splits) + " |")
    return "\n".join(lines)


def main() -> None:
    """Build the file of sentences and print its counts."""
    here = Path(__file__).parent / "banking_en"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public text-intents CSV files")
    parser.add_argument("--written", type=Path, default=here / "written.csv", help="our own sentences")
    parser.add_argument("--output", type=Path, default=here / "sentences.csv")
    parser.add_argument("--seed", type=int, default=14)
    options = parser.parse_args()
    sentences = build(options.data, options.written, options.seed)
    write_csv(sentences, options.output)
    print(counts(sentences))


if __name__ == "__main__":
    main()
