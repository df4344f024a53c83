"""Speed of a model, side by side: real processes that take turns."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import bench.cli
from bench.model import contenders_of, table
from bench.turns import Contender, Row, measure
from edgevoice.cli import main
from edgevoice.errors import UsageError
from export.build import ExportOptions, export
from tests.checkpoints import captions
from tests.tiny import tiny_bundle

QUICK = ("--rounds", "1", "--calls", "1", "--threads", "1")


def row(precision: str, rounds: list[list[float]]) -> Row:
    """One that was measured."""
    return Row(Contender("edgevoice", Path("x"), "cpu", precision, 1.0), rounds={4.0: rounds})


def test_a_machine_that_grows_slower_favours_nobody() -> None:
    """The ratio is that of calls made at the same time."""
    slow = row("fp32", [[0.2, 0.2, 0.9], [0.2, 0.2, 0.2], [2.0, 2.0, 2.0]])
    fast = row("int8", [[0.1, 0.1, 0.1], [0.1, 0.1, 0.4], [1.0, 1.0, 1.0]])
    assert fast.faster_than(slow, 4.0) == pytest.approx(2.0)
    assert slow.faster_than(fast, 4.0) == pytest.approx(0.5)
    assert fast.percentile(4.0, 50) == pytest.approx(100.0)


def test_every_precision_of_a_bundle_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Also where there is no checkpoint to compare with; why is said."""
    bundle = tiny_bundle(tmp_path / "tiny", precisions=("fp32", "int8"), windows=(1.0, 2.0))
    output = tmp_path / "figures.md"
    arguments = ["model", str(bundle.path), *QUICK, "--json", "--output", str(output)]
    assert bench.cli.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))
    assert "\n| edgevoice int8 / edgevoice fp32 | " in output.read_text(encoding="utf-8")
    assert [each["name"] for each in report["rows"]] == ["edgevoice fp32", "edgevoice int8"]
    for each in report["rows"]:
        assert each["error"] == ""
        assert set(each["windows"]) == {"1", "2", "8"}
        assert 0 < each["windows"]["8"]["p50_ms"] <= each["windows"]["8"]["p95_ms"]
        assert 20 < each["resident_mb"] <= each["peak_mb"] + 1
        assert min(each["load_s"], each["load_first_s"], each["verify_s"], each["first_call_ms"], each["disk_mb"]) >= 0
    assert [(each["fast"], each["slow"]) for each in report["ratios"]] == [("edgevoice int8", "edgevoice fp32")]
    assert report["left_out"][0].startswith("PyTorch and Optimum. The model 'tiny-shared' does not hold its weights")
    assert report["threads"] == 1
    assert report["machine"]["packages"]["onnxruntime"]


def test_one_that_fails_says_so_in_its_row(tmp_path: Path) -> None:
    """The others are measured all the same."""
    bundle = tiny_bundle(tmp_path / "tiny")
    good, *_ = contenders_of(bundle, None, None)
    bad = [
        Contender("edgevoice", bundle.path, "cpu", "fp16", 1.0),
        Contender("edgevoice", tmp_path, "cpu", "fp32", 1.0),
        Contender("nothing", bundle.path, "cpu", "fp32", 1.0),
    ]
    rows = measure([good, *bad], [1.0], threads=1, rounds=2, calls=2)
    assert [bool(each.error) for each in rows] == [False, True, True, True]
    assert "has no fp16 variant" in rows[1].error
    assert len(rows[0].rounds[1.0]) == len(rows[0].rounds[1.0][0]) == 2
    lines = table(rows, [1.0]).splitlines()
    assert len({line.count("|") for line in lines[:6]}) == 1
    assert "has no fp16 variant" in lines[3]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_same_weights_run_in_pytorch_and_optimum(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """With the checkpoint that the bundle holds, all four ways, and none is left out."""
    checkpoint = captions(tmp_path / "checkpoint", sure=20.0)
    export([str(checkpoint)], tmp_path / "bundle", ExportOptions(name="small"))
    assert bench.cli.main(["model", str(tmp_path / "bundle"), *QUICK]) == 0
    shown = capsys.readouterr().out
    for name in ("edgevoice fp32", "edgevoice int8", "Transformers pipeline", "Optimum ORTModel"):
        assert f"\n| {name} | 0 MB | " in shown
    for pair in ("int8 / edgevoice fp32", "int8 / Transformers pipeline", "fp32 / Optimum ORTModel"):
        assert f"| edgevoice {pair} | " in shown
    assert "Left out" not in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a bundle, or --base-size, and not both"),
        (["banking-en", "--base-size"], "Name a bundle, or --base-size, and not both"),
        (["banking-en", "--checkpoint", "models"], "models is no checkpoint"),
        (["banking-en", "--output", "nowhere/figures.json"], "There is no folder nowhere"),
        (["banking-en", "--output", "figures.txt"], "neither .json nor .md"),
        (["banking-en", "--rounds", "0"], "at least 1"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_measured(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bench.cli.main(["model", *arguments])


def test_a_model_that_is_not_there(capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, through the command line."""
    monkeypatch.setattr(sys, "argv", ["edgevoice"])
    assert main(["bench", "model", "nothing"]) == 1
    assert "There is no model 'nothing'" in capfd.readouterr().err
