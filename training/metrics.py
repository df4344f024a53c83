"""What a run is judged by: word and character error rate (jiwer), accuracy and macro-F1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jiwer
import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, f1_score

from training.models import IGNORE
from training.vocabulary import text_of

Ids = npt.NDArray[np.int64]


def collapse(ids: Sequence[int] | Ids, blank: int) -> list[int]:
    """CTC's rule for one row of frame-wise best ids: join repeats, drop blanks and padding."""
    row = np.asarray(ids)
    row = row[row >= 0]
    if not len(row):
        return []
    starts = np.concatenate([[True], row[1:] != row[:-1]])
    return [int(i) for i in row[starts] if i != blank]


def error_rates(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float]:
    """Word and character error rate over rows that have a reference."""
    pairs = [(r, h) for r, h in zip(references, hypotheses, strict=True) if r]
    if not pairs:
        return {}
    said, heard = [r for r, _ in pairs], [h for _, h in pairs]
    return {"wer": float(jiwer.wer(said, heard)), "cer": float(jiwer.cer(said, heard))}


def classification(truth: Ids, predicted: Ids) -> dict[str, float]:
    """Accuracy and macro-F1 over rows that have a label."""
    known = truth != IGNORE
    if not known.any():
        return {}
    return {
        "accuracy": float(accuracy_score(truth[known], predicted[known])),
        "f1": float(f1_score(truth[known], predicted[known], average="macro")),
    }


def ctc_metrics(ids: Ids, labels: Ids, vocabulary: tuple[str, ...], blank: int) -> dict[str, float]:
    """Error rates from frame-wise best ids [rows, frames] and labels [rows, tokens], both padded with `IGNORE`."""
    heard = [text_of(collapse(row, blank), vocabulary) for row in ids]
    said = [text_of([int(i) for i in row if i >= 0], vocabulary) for row in labels]
    return error_rates(said, heard)


def best_ids(logits: Any) -> Any:
    """Keeps the best id of each frame instead of all logits while evaluating, to spare memory."""
    return logits.argmax(dim=-1)
