"""Intents from nothing but phrases."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from transformers import WhisperConfig

from edgevoice.asr.bundle import load_bundle
from edgevoice.errors import EdgeVoiceError
from tests.command_line import Cli
from training import others
from training.calibrate import NONE
from training.from_phrases import PhrasesConfig, from_phrases, sentence_rows
from training.judgement import tally
from training.manifest import Clip, read_manifest
from training.others import resembles
from training.phrases import read_intents

PHRASES = """
[intents]
lights = ["switch|turn on the lights", "make it brighter [please]"]
music = ["play some|more music", "i want to hear (jazz|rock|{band})"]

[slots]
band = ["the beatles"]

[reject]
phrases = ["my dog is called rex"]
"""


@pytest.fixture
def phrases(tmp_path: Path) -> Path:
    """Two intents."""
    file = tmp_path / "home.toml"
    file.write_text(PHRASES, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("freeze my card", "please freeze the card", True),
        ("freeze my card", "what is the balance on my card", True),
        ("freeze my card", "how is the weather in spain", False),
        ("what is the", "how do i", False),
        ("no", "no", True),
        ("no", "now", False),
    ],
)
def test_sentences_that_may_mean_the_same(one: str, other: str, alike: bool) -> None:
    """They share words of meaning; words that all sentences have do not count."""
    assert resembles(one, other) == resembles(other, one) == alike


def test_the_sentences_of_a_corpus(phrases: Path) -> None:
    """The intents' own in every split; of the others each in one, none like an intent; the user's are not judged by."""
    intents = read_intents(phrases)
    said = {name: intents.sentences(name, 60, 1) for name in intents.phrases}
    rows = [dict(zip(("text", "intent", "split"), row, strict=True)) for row in sentence_rows(said, intents, seed=1)]
    by_split = {split: [row for row in rows if row["split"] == split] for split in ("train", "dev", "test")}
    for own in by_split.values():
        assert {row["text"] for row in own if row["intent"] == "lights"} == set(said["lights"])
    rejected = {split for split, own in by_split.items() if "my dog is called rex" in {row["text"] for row in own}}
    assert rejected == {"train", "dev"}
    others = {
        s: {r["text"] for r in rows if r["intent"] == NONE} - {"my dog is called rex"} for s, rows in by_split.items()
    }
    assert not others["train"] & others["test"]
    assert not others["train"] & others["dev"]
    assert len(others["train"]) >= 100
    texts = [text for group in said.values() for text in group]
    assert not [text for each in others.values() for text in each if any(resembles(text, own) for own in texts)]


def test_the_users_own_recordings(tmp_path: Path) -> None:
    """Long ones are cut, sentences like a command are left out, and part is kept for the thresholds. Files of one name
    in different folders stay different, and no rate or length of a recording changes what is heard."""
    room = tmp_path / "room"
    second = np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100).astype(np.float32)
    for name, loudness in (("kitchen", 0.1), ("study", 0.2)):
        (room / name).mkdir(parents=True)
        soundfile.write(room / name / "day.wav", loudness * np.tile(second, 31), 44_100)
    for name, text in (("a", "switch the lights on please"), ("b", "what a lovely day")):
        soundfile.write(room / f"{name}.wav", 0.1 * np.tile(second, 2), 44_100)
        (room / f"{name}.txt").write_text(text)
    sources = others.recordings([str(room)], ["turn on the lights", "yes"])
    clips = read_manifest(others.cut(sources, tmp_path / "recorded", seed=1))
    own = [clip for clip in clips if tmp_path in clip.path.parents]
    come_along = [clip for clip in clips if clip not in own]
    assert {clip.intent for clip in clips} == {NONE}
    assert {clip.split for clip in come_along} == {"train", "dev", "test"}
    assert "yes" in {clip.text for clip in read_manifest(others.COME_ALONG)} - {clip.text for clip in come_along}
    assert {clip.split for clip in own} == {"train", "dev"}
    assert [clip.text for clip in own if clip.text] == ["what a lovely day"]
    speakers = {name: {c.speaker for c in come_along if c.split == name} - {"unknown"} for name in ("train", "dev")}
    assert not speakers["train"] & speakers["dev"]
    assert sorted(clip.duration_s for clip in own) == [2.0, *[5.0] * 12]
    heard = {clip.path: soundfile.read(clip.path) for clip in own if clip.duration_s == 5.0}
    assert {(len(samples), rate) for samples, rate in heard.values()} == {(80_000, 16_000)}
    loudness = [round(float(np.sqrt(2 * np.mean(samples**2))), 2) for samples, _ in heard.values()]
    assert sorted(loudness) == [0.1] * 6 + [0.2] * 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"others": ("nowhere",)}, "nowhere"),
        ({"hours": float("nan")}, "nan hours"),
        ({"hours": 0.0}, "0 hours"),
        ({"steps": -5}, "-5 steps"),
        ({"seed": -1}, "-1 seed"),
        ({"false_accept_rate": 1.5}, "1.5 is no rate"),
        ({"work": "file/work"}, "file/work cannot be written"),
        ({"work": "mine"}, "mine holds files of something else"),
        ({"work": "bundle"}, "overlap"),
        ({"work": "bundle/work"}, "overlap"),
        ({"output": "file/bundle"}, "file/bundle cannot be written"),
        ({"output": "."}, "cannot be replaced"),
        ({"output": "mine"}, "is not empty"),
        ({"checkpoint": "whisper"}, "cannot be trained for captions"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    tmp_path: Path, phrases: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], said: str
) -> None:
    """And what lies there already stays as it was."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("mine").mkdir()
    Path("mine/run.txt").write_text("mine")
    if "checkpoint" in change:
        WhisperConfig(d_model=32).save_pretrained("whisper")
    paths = {name: Path(value) if name in ("work", "output") else value for name, value in change.items()}
    config = PhrasesConfig(**{"phrases": phrases, "output": Path("bundle"), "work": Path("work"), **paths})
    with pytest.raises(EdgeVoiceError, match=re.escape(said)):
        from_phrases(config)
    assert not list(tmp_path.glob("*/speech"))
    assert Path("mine/run.txt").read_text() == "mine"


def heard(*clips: tuple[str, str, str]) -> list[tuple[Clip, str]]:
    """Clips of these sets and intents, and what they were taken for."""
    return [
        (Clip(path=Path(), text="", intent=meant, speaker=f"s{n}", split="test", duration_s=1.0, dataset=name), label)
        for n, (name, meant, label) in enumerate(clips)
    ]


def test_the_judgement() -> None:
    """Commands are right, missed or confused; whatever means nothing is counted by what it is."""
    commands = [("speech", "lights", "lights"), ("speech", "lights", NONE), ("speech", "music", "lights")]
    rest = [("speech", NONE, "music"), ("speech", NONE, NONE), ("recorded", NONE, NONE), ("noise", NONE, "lights")]
    found = tally(heard(*commands, ("speech", "music", "music"), *rest))
    assert (found.commands, found.accuracy, found.confused) == (4, 0.5, 0.25)
    assert (found.others, found.false_accepts) == (2, 0.5)
    assert (found.people, found.people_accepts, found.noises, found.noise_accepts) == (1, 0.0, 1, 1.0)
    right, accepts, *advice = found.lines()
    assert (
        right == "right\t50.0% of 4 commands in 4 voices that were not trained on (25.0% were taken for another intent)"
    )
    assert accepts.endswith(
        "50.0% of 2 other sentences in the same voices, 0.0% of 1 recordings of other people, 100.0% of 1 noises"
    )
    assert len(advice) == 2
    assert len(tally(heard(("speech", "lights", "lights"))).lines()) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_command_from_phrases_to_a_bundle(tmp_path: Path, phrases: Path) -> None:
    """A few steps on a few minutes of audio: not a good model, but all of one, and the command that runs it."""
    cli = Cli(tmp_path, Path(), {"PYTHONPATH": str(Path(__file__).parents[2]), "EDGEVOICE_MODEL": ""})
    output = tmp_path / "bundle"
    arguments = ["--hours", "0.06", "--max-steps", "4", "--work", str(tmp_path / "work")]
    result = cli("train", "from-phrases", phrases, "--output", output, *arguments, timeout=500)
    assert result.returncode == 0, result.stderr.decode()
    manifest = load_bundle(output).manifest
    assert manifest.labels == ("lights", "music", NONE)
    assert manifest.reject_label == NONE
    assert set(manifest.thresholds) == {"lights", "music"}
    assert (
        json.loads((tmp_path / "work" / "run" / "calibration.json").read_text())["temperature"] == manifest.temperature
    )
    assert {clip.intent for clip in read_manifest(tmp_path / "work" / "noise" / "manifest.csv")} == {NONE}
    shown = result.stdout.decode()
    assert f"edgevoice live --model {output}" in shown
    assert 0.5 <= manifest.early_threshold <= 1
    assert "recordings of other people" in shown
    told = [line for line in shown.splitlines() if line.startswith(("right", "false accepts", "what helps"))]
    assert len(told) >= 2
    card = (output / "README.md").read_text(encoding="utf-8")
    assert all(line.replace("\t", ": ") in card for line in told)
    missing = cli("train", "from-phrases", phrases, "--output", output, *arguments, "--others", tmp_path / "nowhere")
    assert missing.returncode == 2
    assert "Traceback" not in missing.stderr.decode()
    run = tmp_path / "work" / "run" / "report.md"
    made = run.stat().st_mtime_ns
    shutil.rmtree(output)  # as if it had been stopped before the end
    resumed = cli("train", "from-phrases", phrases, "--output", output, *arguments, timeout=300)
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert resumed.stdout == result.stdout
    assert run.stat().st_mtime_ns == made  # neither trained nor judged again
    assert load_bundle(output).manifest.files == manifest.files
    again = cli("train", "from-phrases", phrases, "--output", output)
    assert again.returncode == 2
    assert b"is not empty" in again.stderr
