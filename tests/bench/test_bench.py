"""False alarms per hour, and the speed of training, on a few clips."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

import bench.cli
from bench.training import compare, table
from export.parity import CLIPS
from training.manifest import read_manifest


def manifest(folder: Path, intents: list[str]) -> Path:
    """Real speech, with these intents."""
    file = folder / "talk" / "manifest.csv"
    file.parent.mkdir()
    clips = sorted(read_manifest(CLIPS), key=lambda clip: clip.duration_s)[3 : 3 + len(intents)]
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = [[clip.path, clip.text, intent] for clip, intent in zip(clips, intents, strict=True)]
        csv.writer(stream).writerows([["path", "text", "intent"], *rows])
    return file


def test_alarms_are_counted_through_the_live_path(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """What is announced on speech without commands; a clip that is a command is left out."""
    figures = tmp_path / "figures.json"
    file = manifest(tmp_path, ["", "", "freeze", ""])
    arguments = ["alarms", "models/banking-en", "--data", str(file), "--output", str(figures)]
    assert bench.cli.main(arguments) == 0
    (row,) = json.loads(figures.read_text())
    assert (row["dataset"], row["clips"]) == ("talk", 3)
    assert row["alarms"] == sum(row["labels"].values())
    assert row["per_hour"] == pytest.approx(row["alarms"] * 60 / row["minutes"], rel=0.01)
    assert "| talk | 3 |" in capsys.readouterr().out
    # the same model, had it never learnt that most speech means nothing
    loud = shutil.copytree("models/banking-en", tmp_path / "loud")
    tree = json.loads((loud / "edgevoice.json").read_text(encoding="utf-8"))
    tree |= {"reject_label": "", "thresholds": dict.fromkeys(tree["labels"], 0.01)}
    (loud / "edgevoice.json").write_text(json.dumps(tree), encoding="utf-8")
    arguments[1] = str(loud)
    assert bench.cli.main(arguments) == 0
    (row,) = json.loads(figures.read_text())
    assert row["alarms"] >= 3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ways_of_training_take_turns(tmp_path: Path) -> None:
    """All go through all the speech but their first batch."""
    clips = [clip for clip in read_manifest(CLIPS) if clip.text]
    speeds = compare(clips, 25.0, 1, tmp_path / "compare")
    whole = sum(clip.duration_s for clip in clips)
    assert all(0.3 * whole < speed.heard_s < whole for speed in speeds)
    assert table({"few": (clips, *speeds)}).splitlines()[-1].startswith(f"| few | {len(clips)} | ")
