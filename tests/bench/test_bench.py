"""False alarms per hour, and the speed of training, on a few clips."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

import bench.cli
from bench import early, recipes
from bench.phrases import said_by_people
from bench.recipes import digits
from bench.training import compare, table
from edgevoice.errors import ModelError, UsageError
from edgevoice.events import CaptionFinished, SpeechEnded, Word
from export.parity import CLIPS
from tests.tiny import silence, speak, tiny_bundle
from training.manifest import read_manifest
from training.phrases import read_intents


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


@pytest.mark.parametrize("minutes", ["nan", "0"])
def test_alarms_in_no_time_or_on_nothing_are_explained(tmp_path: Path, minutes: str) -> None:
    file = manifest(tmp_path, ["freeze"])
    with pytest.raises(UsageError, match="minutes make no sense"):
        bench.cli.main(["alarms", "models/banking-en", "--data", str(file), "--minutes", minutes])
    with pytest.raises(UsageError, match="no speech without the model's intents"):
        bench.cli.main(["alarms", "models/banking-en", "--data", str(file)])


def test_early_intents_are_measured_through_the_live_path(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Of tones that are words: when they came, and whether they are right."""
    spoken = {"pay": "two two two two two two", "greet": "one one one one", "stop": "three four"}
    rows = [["path", "text", "intent", "split"]]
    for label, text in spoken.items():
        soundfile.write(tmp_path / f"{label}.wav", np.concatenate([silence(0.5), speak(text), silence(1)]), 16_000)
        rows.append([str(tmp_path / f"{label}.wav"), text, label, "test"])
    rows += [[rows[1][0], "", "unknown to it", "test"], [rows[1][0], "", "pay", "dev"]]
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    data = ["--data", str(tmp_path / "manifest.csv"), "--split", "test", "--output", str(tmp_path / "figures.json")]
    for name, chunks in (("window", ()), ("cached", (16,))):
        bundle = tiny_bundle(tmp_path / name, chunks=chunks, thresholds={"pay": 0.9, "greet": 0.9, "stop": 0.9})
        assert bench.cli.main(["early", str(bundle.path), *data]) == 0
        (row,) = json.loads((tmp_path / "figures.json").read_text())
        assert (row["split"], row["clips"]) == ("test", 3)
        assert row["early"] >= 2
        assert 0.3 < row["share_heard"] <= row["share_heard_p90"] <= 1
        assert row["before_end_s"] > 0.2
        assert row["right_early"] == row["right_final"] == 1
        assert "| test | 3 |" in capsys.readouterr().out
    with pytest.raises(UsageError, match="No clip has an intent"):
        bench.cli.main(["early", str(tmp_path / "window"), *data[:2], "--split", "train"])
    with pytest.raises(ModelError, match="has no intents"):
        bench.cli.main(["early", str(tiny_bundle(tmp_path / "deaf", "ctc").path), *data])


def test_figures_of_early_intents_by_hand() -> None:
    found = early.figures(
        [
            early.Announced("pay", "pay", True, "pay", 0.4, 1.0),
            early.Announced("pay", "stop", True, "pay", 0.6, 0.5),
            early.Announced("pay", "pay", False, "pay"),
            early.Announced("stop", "", False, ""),
        ]
    )
    assert (found.clips, found.early, found.share_heard, found.before_end_s) == (4, 2, 0.5, 0.75)
    assert (found.right_early, found.right_final, found.accuracy, found.accuracy_final) == (0.5, 1.0, 0.5, 0.75)
    assert early.figures([early.Announced("pay", "", False, "pay")]).share_heard is None


def test_a_clip_with_a_pause_in_it_is_heard_from_its_first_word_to_its_last() -> None:
    words = [(Word(word="stop", start=start, end=start + 0.5, confidence=0.9),) for start in (1.0, 4.0)]
    place = {"channel": "file", "at": 5.0, "end": 5.0, "start": 0.5, "segment": 1}
    finals = [CaptionFinished(**place, text="stop", words=each, latency=0.0) for each in words]
    assert early._spoken([SpeechEnded(**place), *finals]) == (1.0, 4.5)
    assert early._spoken([SpeechEnded(**place)]) == (0.5, 5.0)


def test_people_who_say_a_command_word_for_word(tmp_path: Path) -> None:
    """Numbers are the words that are said; what is no command is left out."""
    said = ["set a timer for 5 minutes", "Cancel all timers!", "what a day"]
    rows = [[str(CLIPS), text, "1.0"] for text in said]
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["path", "text", "duration_s"], *rows])
    clips = said_by_people(read_intents(Path("bench/real_commands.toml")), tmp_path / "manifest.csv")
    assert [clip.intent for clip in clips] == ["set_timer", "cancel_timer"]


def test_every_speaker_judges_what_the_others_taught(tmp_path: Path) -> None:
    """And is in no other split."""
    (tmp_path / "fsdd").mkdir()
    people = [f"fsdd-{name}" for name in ("ann", "bob", "cy")]
    rows = [["a.wav", str(n % 5), who, "train", "0.5"] for who in people for n in range(40)]
    with (tmp_path / "fsdd" / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["path", "text_norm", "speaker", "split", "duration_s"], *rows])
    corpora = digits(tmp_path)
    assert set(corpora) == {"ann", "bob", "cy"}
    for judge, clips in corpora.items():
        assert {clip.speaker for clip in clips if clip.split == "test"} == {f"fsdd-{judge}"}
        assert {clip.split for clip in clips if clip.speaker != f"fsdd-{judge}"} == {"train", "dev"}
        assert {clip.intent for clip in clips} == set("01234")


def test_all_judges_together_and_each(tmp_path: Path) -> None:
    """Weighted by their clips."""
    runs = [
        recipes.Result("digits", judge, "ours", 100, 7, 10, {"as cut": (count, share)})
        for judge, count, share in (("ann", 100, 0.9), ("bob", 300, 0.7))
    ]
    last = recipes.table(runs).splitlines()[-1]
    assert last == "| digits | ours | 7 | 10 % | as cut | 75.0 % of 400 | ann 90.0 %, bob 70.0 % |"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ways_of_training_take_turns(tmp_path: Path) -> None:
    """All go through all the speech but their first batch."""
    clips = [clip for clip in read_manifest(CLIPS) if clip.text]
    speeds = compare(clips, 25.0, 1, tmp_path / "compare")
    whole = sum(clip.duration_s for clip in clips)
    assert all(0.3 * whole < speed.heard_s < whole for speed in speeds)
    assert table({"few": (clips, *speeds)}).splitlines()[-1].startswith(f"| few | {len(clips)} | ")
