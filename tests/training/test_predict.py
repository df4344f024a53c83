"""What a checkpoint makes of recordings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

from edgevoice.asr.bundle import load_bundle
from edgevoice.errors import ConfigError
from export.build import ExportOptions, export
from export.parity import CLIPS, load_clips
from tests.command_line import Cli
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training import calibrate, hub
from training.config import Task
from training.loading import load_checkpoint
from training.predict import predict, run
from training.run import train


@pytest.fixture(scope="module")
def intents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with an intent head."""
    folder = tmp_path_factory.mktemp("predict")
    train("intent", tiny_recipe(small_corpus(folder), TINY_WAV2VEC2, "trainer.max_steps=5"), folder / "run")
    return folder / "run"


def test_scores_are_those_of_the_hugging_face_pipeline(intents: Path) -> None:
    """Label for label, on clips of every length."""
    theirs = pipeline("audio-classification", model=str(intents), device="cpu")
    checkpoint = load_checkpoint(str(intents))
    for clip in load_clips()[:6]:
        expected = theirs({"raw": clip.copy(), "sampling_rate": 16000}, top_k=2)
        found = predict(checkpoint, clip, top_k=2)["intents"]
        assert [each["label"] for each in found] == [each["label"] for each in expected]
        assert np.allclose([each["score"] for each in found], [each["score"] for each in expected], atol=1e-4)


def test_calibration_lies_beside_the_weights_and_goes_into_the_bundle(
    intents: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Chosen on the dev clips of the sources."""
    run_folder = shutil.copytree(intents, tmp_path / "run")
    assert calibrate.run([str(run_folder), "--false-accept-rate", "0.2"]) == 0
    said = capsys.readouterr().out.splitlines()[-2:]
    assert [line.partition("\t")[0] for line in said] == ["temperature", "announced early from"]
    found = calibrate.load(str(run_folder))
    assert found
    manifest = export([str(run_folder)], tmp_path / "bundle", ExportOptions(precisions=("fp32",)))
    assert (manifest.temperature, manifest.thresholds) == (found.temperature, dict(found.thresholds))
    assert manifest.early_threshold == found.early_threshold


def test_the_reject_label_of_the_calibration_goes_into_the_bundle(intents: Path, tmp_path: Path) -> None:
    """It has no threshold, so without that it would be announced as an intent. The one asked for wins."""
    run_folder = shutil.copytree(intents, tmp_path / "run")
    assert calibrate.run([str(run_folder), "--reject-label", "short"]) == 0
    manifest = export([str(run_folder)], tmp_path / "bundle", ExportOptions(precisions=("fp32",)))
    assert (manifest.reject_label, set(manifest.thresholds)) == ("short", {"long"})
    other = ExportOptions(precisions=("fp32",), reject_label="long")
    assert export([str(run_folder)], tmp_path / "other", other).reject_label == "long"


def test_a_step_of_a_run_has_a_calibration_of_its_own(intents: Path, tmp_path: Path) -> None:
    """That of the run's best weights is not that of others."""
    run_folder = shutil.copytree(intents, tmp_path / "run")
    step = next(run_folder.glob("checkpoint-*"))
    assert calibrate.run([str(run_folder)]) == 0
    assert calibrate.load(str(step)) is None
    assert calibrate.run([str(step)]) == 0
    assert calibrate.load(str(step))


@pytest.mark.parametrize("task", ["intent", "joint"])
def test_what_was_pushed_can_be_fetched(tmp_path: Path, task: Task) -> None:
    """A checkpoint with features of our own and a calibration, by its name on the hub: predicted, and exported."""
    made = tmp_path / "run"
    train(task, tiny_recipe(small_corpus(tmp_path), TINY_BERT, "trainer.max_steps=2"), made)
    calibration = calibrate.calibrate_run(made, "none", 0.2)
    snapshot = tmp_path / "home" / "hub" / "models--me--bert" / "snapshots" / ("0" * 40)
    shutil.copytree(made, snapshot, ignore=shutil.ignore_patterns(*hub.KEPT_BACK, "checkpoint-*"))
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "HF_HOME": str(tmp_path / "home")}
    cli = Cli(tmp_path, Path(), {**environment, "HF_HUB_OFFLINE": "1"})
    predicted = cli("train", "predict", "me/bert", next(CLIPS.parent.glob("*.ogg")).resolve(), timeout=120)
    assert predicted.returncode == 0, predicted.stderr.decode()
    exported = cli("export", "me/bert", "--output", tmp_path / "bundle", "--precision", "fp32", timeout=200)
    assert exported.returncode == 0, exported.stderr.decode()
    manifest = load_bundle(tmp_path / "bundle").manifest
    assert manifest.temperature == calibration.temperature
    assert manifest.thresholds == calibration.thresholds


def test_calibration_on_other_clips(intents: Path, tmp_path: Path) -> None:
    """A manifest of nothing but dev clips will do; a label that there is not is said, with those there are."""
    rows = (intents.parent / "small" / "manifest.csv").read_text(encoding="utf-8").splitlines()
    only_dev = tmp_path / "manifest.csv"
    only_dev.write_text("\n".join([rows[0], *(row for row in rows if row.endswith(",dev"))]), encoding="utf-8")
    run_folder = shutil.copytree(intents, tmp_path / "run")
    assert calibrate.run([str(run_folder), "--data", str(only_dev)]) == 0
    with pytest.raises(ConfigError, match=r"no label 'nothing'\. Choose one of long, short"):
        calibrate.run([str(run_folder), "--data", str(only_dev), "--reject-label", "nothing"])
    with pytest.raises(ConfigError, match=r"false-accept rate of 2\.0 is no rate"):
        calibrate.run([str(run_folder), "--false-accept-rate", "2"])


def test_the_command(intents: Path, capsys: pytest.CaptureFixture) -> None:
    """A line for each label, or JSON."""
    file = str(next(CLIPS.parent.glob("*.ogg")))
    assert run([str(intents), file, "--top-k", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [set(each) for each in found["intents"]] == [{"score", "label"}]
    assert run([str(intents), file]) == 0
    assert found["intents"][0]["label"] in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_file_that_cannot_be_heard_does_not_stop_the_others(
    intents: Path, tmp_path: Path, capsys: pytest.CaptureFixture, form: list[str]
) -> None:
    """It gets a sentence of its own, which knows of no manifest; the command has failed in the end."""
    good = str(next(CLIPS.parent.glob("*.ogg")))
    (tmp_path / "notes.wav").write_text("no recording", encoding="utf-8")
    assert run([str(intents), str(tmp_path / "gone.wav"), str(tmp_path / "notes.wav"), good, *form]) == 1
    out, err = capsys.readouterr()
    if form:
        first, second, third = map(json.loads, out.splitlines())
        errors = [first["error"], second["error"]]
        assert third["intents"]
    else:
        errors = err.splitlines()
        assert out.splitlines()[0] == good
    way_out = "Name files that libsndfile reads: WAV, FLAC, Ogg or MP3."
    assert errors[0].endswith(f"gone.wav is not there. {way_out}")
    assert errors[1].endswith(f"notes.wav cannot be read: Format not recognised. {way_out}")
