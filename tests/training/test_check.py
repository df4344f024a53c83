"""Data is looked at before the first step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.tiny import speak
from training.check import check, report, run
from training.config import DataConfig

HEADER = "path,text,intent,speaker,split\n"


def corpus(folder: Path, rows: str) -> DataConfig:
    """A good clip for every case, and what is wrong with others."""
    good = speak("one two")
    sounds = {
        "good.wav": good,
        "other.wav": good[::-1],
        "silent.wav": np.zeros(16000, np.float32),
        "clipped.wav": np.clip(good * 30, -1, 1),
        "short.wav": good[:1600],
        "short2.wav": good[4000:],
        "long.wav": np.tile(good, 40)[: 20 * 16000],
    }
    for name, samples in sounds.items():
        soundfile.write(folder / name, samples, 16000)
    soundfile.write(folder / "phone.wav", good[::2], 8000)
    broken = np.array(good)
    broken[100:103] = np.nan, np.inf, -np.inf
    soundfile.write(folder / "nan.wav", broken, 16000, subtype="FLOAT")
    (folder / "text.wav").write_text("this is no audio", encoding="utf-8")
    (folder / "manifest.csv").write_text(HEADER + rows, encoding="utf-8")
    return DataConfig(sources=(str(folder / "manifest.csv"),), split_by="column")


def told(config: DataConfig, task: str = "intent") -> list[str]:
    return [f"{each.severity} {each.where}: {each.what}" for each in check(task, config, 1).problems]  # type: ignore[arg-type]


GOOD = "good.wav,one two,pay,anna,train\n" * 8 + "short2.wav,b,stop,anna,train\n" * 8 + "other.wav,x,pay,bert,dev\n"


def test_good_data_has_no_problems(tmp_path: Path) -> None:
    assert told(corpus(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("text.wav,x,pay,anna,train", "cannot be read"),
        ("silent.wav,x,pay,anna,train", "silent"),
        ("clipped.wav,x,pay,anna,train", "clipped"),
        ("nan.wav,x,pay,anna,train", "warning .*: 3 of its samples are no numbers"),
        ("phone.wav,x,pay,anna,train", "note .*: 8000 Hz, and is resampled to 16000 Hz"),
        ("short.wav,x,pay,anna,train", "shorter than"),
        ("long.wav,x,pay,anna,train", "longer than"),
        ("phone.wav,x,,anna,train", "no intent"),
        ("phone.wav,x,greet,anna,train", "label 'greet': 1 training clips, too few"),
        ("phone.wav,x,greet,carl,dev", "label 'greet': in dev, but never trained"),
        ("phone.wav,x,pay,bert,train", "speaker 'bert': is in the splits dev, train"),
        ("other.wav,x,pay,carl,train", "the same recording is in dev, train"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path: Path, row: str, complaint: str) -> None:
    """File and line for a clip; the label or speaker for what concerns several."""
    (problem,) = [each for each in told(corpus(tmp_path, GOOD + row + "\n")) if re.search(complaint, each)]
    if "label" not in problem and "speaker" not in problem:
        assert "manifest.csv, line " in problem


def test_a_length_that_is_not_true(tmp_path: Path) -> None:
    config = corpus(tmp_path, GOOD)
    file = tmp_path / "manifest.csv"
    rows = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([rows[0] + ",duration_s", *(row + ",9" for row in rows[1:])]), encoding="utf-8")
    found = told(config)
    assert len(found) == 17
    assert all("not 9.00 s" in each for each in found)


def test_captions_need_texts(tmp_path: Path) -> None:
    problem, _ = told(corpus(tmp_path, GOOD + "phone.wav,,pay,anna,train\n"), "ctc")
    assert problem.endswith("(phone.wav): no text; it is left out")


def test_what_is_few_can_be_said_and_a_clip_that_teaches_nothing_is_named(tmp_path: Path) -> None:
    config = corpus(tmp_path, GOOD + "phone.wav,,,anna,train\n")
    found = [f"{each.where}: {each.what}" for each in check("joint", config, 1, few=9).problems]
    assert "label 'pay': 8 training clips, too few to learn from" in found
    assert any(each.endswith("(phone.wav): neither text nor intent; it is left out") for each in found)


def test_a_data_set_without_dev_clips_would_measure_nothing(tmp_path: Path) -> None:
    assert "error all sources: no clip belongs to the split 'dev'" in told(
        corpus(tmp_path, "good.wav,a,pay,anna,train\n" * 8)
    )


def test_one_label_is_no_choice(tmp_path: Path) -> None:
    rows = "good.wav,a,pay,anna,train\n" * 8 + "other.wav,x,pay,bert,dev\n"
    assert "error all sources: the training clips have 1 labels, and intents need two" in told(corpus(tmp_path, rows))


def test_a_split_of_which_nothing_can_be_used(tmp_path: Path) -> None:
    rows = GOOD.replace("other.wav,x,pay,bert,dev", "short.wav,x,pay,bert,dev")
    assert "error all sources: no clip of the split 'dev' can be used" in told(corpus(tmp_path, rows))


@pytest.mark.slow
def test_the_time_that_training_would_take(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Found out by taking steps: more of them take longer in proportion; nothing is left behind."""
    config = corpus(tmp_path, GOOD)
    before = set(tmp_path.iterdir())
    arguments = [
        "intent",
        "--model",
        "banking-en",
        "--data",
        config.sources[0],
        "--set",
        "data.split_by=column",
        "--json",
    ]
    expected = []
    for steps in (20, 2000):
        assert run([*arguments, "--set", f"trainer.max_steps={steps}"]) == 0
        expected.append(json.loads(capsys.readouterr().out)["expected"])
    assert [each["steps"] for each in expected] == [20, 2000]
    assert expected[1]["seconds"] > 10 * expected[0]["seconds"] > 0
    assert set(tmp_path.iterdir()) == before


def test_the_report_and_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Tables of lengths, labels and rates, the alphabet, and one line for each problem."""
    config = corpus(tmp_path, GOOD + "phone.wav,Zwölf!,pay,anna,train\n")
    text = report(check("joint", config, 1))
    for piece in ("train         17", "0.5 to 1 s", "pay", "8000 Hz: 1", "written with", "0 errors, 0 warnings in 18"):
        assert piece in text
    assert run(["joint", "--data", config.sources[0], "--set", "data.split_by=column", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == {"train": 17, "dev": 1}
    (tmp_path / "manifest.csv").write_text(HEADER + "good.wav,a,pay,anna,train\n", encoding="utf-8")
    assert run(["joint", "--data", config.sources[0], "--set", "data.split_by=column"]) == 1


def test_what_is_only_noted_does_not_hide_the_rest(tmp_path: Path) -> None:
    """A whole data set may be at another rate."""
    found = check("intent", corpus(tmp_path, GOOD + "phone.wav,x,pay,anna,train\n" * 30), 1)
    text = report(found)
    assert text.count("note: ") == 21
    assert "note: 10 more notes are listed with --json\n0 errors, 0 warnings in 47 clips" in text
    assert sum(problem.severity == "note" for problem in found.problems) == 30


def test_nothing_of_the_data_commands_the_terminal(tmp_path: Path) -> None:
    """Names of splits and labels are shown without control characters."""
    rows = GOOD + "other.wav,x,pay,bert,te\x1b[31mst\nother.wav,x,p\x1b]0;ay,bert,train\n"
    assert "\x1b" not in report(check("intent", corpus(tmp_path, rows), 1))
