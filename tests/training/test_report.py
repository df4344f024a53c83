"""What is left to look at after a run, whatever the data call their labels."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from training.config import TrainConfig
from training.report import Outcome, write_report

LABELS = ("a|b", "pay $5 \\x $", "plain", "esc\x1b[31m", "한국어")


def outcome(dataset: str, labels: tuple[str, ...]) -> Outcome:
    truth = np.arange(20) % len(labels)
    return Outcome(
        task="intent",
        config=TrainConfig(),
        base="",
        labels=labels,
        parameters=10,
        trained_on={dataset: (20, 0.1)},
        left_out={},
        history=[{"step": step, "loss": 1.0, f"eval_{dataset}_accuracy": 0.5} for step in (1, 2)],
        steps=2,
        figures={dataset: {"accuracy": 0.5, "f1": 0.5}},
        intents={dataset: (truth, np.roll(truth, 1))},
    )


@pytest.mark.parametrize("dataset", ["calls", "$x^$", "통화"])
def test_names_of_the_data_are_names_and_nothing_else(tmp_path: Path, dataset: str) -> None:
    """No formula, no column of a table, no command to a terminal; what the font cannot write has its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(outcome(dataset, LABELS), tmp_path)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / f"confusion-{dataset}.png").read_bytes().startswith(b"\x89PNG")
    assert "| 1 | a\\|b | 4 |" in report
    assert "| 5 | 한국어 | 4 |" in report
    assert "\x1b" not in report + (tmp_path / "README.md").read_text(encoding="utf-8")
