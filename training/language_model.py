"""N-gram models of sentences, in the ARPA format: which words a model's captions are to expect.

The probabilities are those of interpolated absolute discounting (Ney, Essen and Kneser, "On structuring probabilistic
dependences in stochastic language modelling", 1994): what is taken from each n-gram that was seen goes to the ones one
word shorter.

python -m training.language_model --sentences sentences.csv --split train --output words.arpa.gz
edgevoice export BUNDLE --language-model words.arpa.gz
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgevoice.errors import UsageError
from edgevoice.text import normalise

BEGIN, END, OTHER = "<s>", "</s>", "<unk>"
ORDER = 3
DISCOUNT = 0.75
"""Taken from the count of each n-gram that was seen."""
_NEVER = -99.0
"""What ARPA files say of the beginning of a sentence, which is never said."""

Ngram = tuple[str, ...]


class Ngrams:
    """The probabilities of words after others.

    Args:
        texts: sentences, normalised.
        order: the longest n-gram, 2 or more.
    """

    def __init__(self, texts: Iterable[str], order: int = ORDER) -> None:
        counts = _counts(texts, order)
        self.probabilities: list[dict[Ngram, float]] = [_words(counts[0])]
        """Of each length, from 1."""
        self.backoffs: dict[Ngram, float] = {}
        """Before what was not seen after these words."""
        for longer in counts[1:]:
            self.probabilities.append(self._discounted(longer))

    def _discounted(self, counts: Counter[Ngram]) -> dict[Ngram, float]:
        followed, kinds = Counter[Ngram](), Counter[Ngram]()
        for ngram, count in counts.items():
            followed[ngram[:-1]] += count
            kinds[ngram[:-1]] += 1
        self.backoffs |= {before: DISCOUNT * kinds[before] / followed[before] for before in followed}
        shorter = self.probabilities[-1]
        return {
            ngram: (count - DISCOUNT) / followed[ngram[:-1]] + self.backoffs[ngram[:-1]] * shorter[ngram[1:]]
            for ngram, count in counts.items()
        }

    def lines(self) -> Iterable[str]:
        """The model as the lines of an ARPA file."""
        sections = [self._section(ngrams) for ngrams in self.probabilities]
        sections[0].append(f"{_NEVER}\t{BEGIN}{self._backoff((BEGIN,))}")
        yield "\\data\\"
        yield from (f"ngram {order}={len(section)}" for order, section in enumerate(sections, 1))
        for order, section in enumerate(sections, 1):
            yield from ("", f"\\{order}-grams:", *section)
        yield from ("", "\\end\\")

    def _section(self, ngrams: dict[Ngram, float]) -> list[str]:
        return [f"{math.log10(p):.4f}\t{' '.join(ngram)}{self._backoff(ngram)}" for ngram, p in ngrams.items()]

    def _backoff(self, ngram: Ngram) -> str:
        return f"\t{math.log10(self.backoffs[ngram]):.4f}" if ngram in self.backoffs else ""


def _counts(texts: Iterable[str], order: int) -> list[Counter[Ngram]]:
    """How often each n-gram stands in the texts, by length."""
    counts: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for text in texts:
        words = (BEGIN, *text.split(), END)
        for length in range(1, order + 1):
            counts[length - 1].update(words[at : at + length] for at in range(len(words) - length + 1))
    counts[0].pop((BEGIN,), None)
    return counts


def _words(counts: Counter[Ngram]) -> dict[Ngram, float]:
    known = {word: (count - DISCOUNT) / counts.total() for word, count in counts.items()}
    return known | {(OTHER,): 1 - sum(known.values())}


def write_arpa(texts: Iterable[str], file: Path, order: int = ORDER) -> None:
    """Writes the model of some sentences, compressed where the name ends with `.gz`."""
    text = "".join(f"{line}\n" for line in Ngrams(texts, order).lines()).encode()
    # without a time, so that the same sentences give the same file
    file.write_bytes(gzip.compress(text, mtime=0) if file.suffix == ".gz" else text)


def read_sentences(file: Path, split: str = "") -> list[str]:
    """The column `text` of a CSV file, normalised.

    Args:
        file: has a column `split` too, if one is named.
        split: whose sentences; empty for all.

    Raises:
        UsageError: there are none.
    """
    with file.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if not split or row.get("split") == split]
    texts = [text for row in rows if (text := normalise(row.get("text") or ""))]
    if not texts:
        raise UsageError(
            f"{file} has no sentences{f' of the split {split}' if split else ''}", "Give a CSV with 'text'"
        )
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the model."""
    parser = argparse.ArgumentParser(prog="python -m training.language_model", description=__doc__)
    parser.add_argument("--sentences", type=Path, required=True, help="CSV with a column 'text'")
    parser.add_argument("--split", default="", help="rows with this in their column 'split' alone")
    parser.add_argument(
        "--order", type=int, default=ORDER, choices=range(2, 6), help="the longest n-gram (%(default)s)"
    )
    parser.add_argument("--output", type=Path, required=True, help="FILE.arpa or FILE.arpa.gz")
    options = parser.parse_args(arguments)
    try:
        write_arpa(read_sentences(options.sentences, options.split), options.output, options.order)
    except (OSError, UsageError) as error:
        sys.exit(f"training.language_model: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
