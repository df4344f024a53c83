"""Ten real steps of each task on real speech."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edgevoice.errors import ConfigError, UsageError
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.config import load_config
from training.run import train


def losses(output: Path) -> list[float]:
    """The training losses a run logged, in order."""
    newest = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    state = json.loads((newest / "trainer_state.json").read_text(encoding="utf-8"))
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


@pytest.mark.parametrize(
    ("task", "encoder", "figures"),
    [
        ("joint", TINY_BERT, {"eval_small_wer", "eval_small_cer", "eval_small_accuracy", "eval_small_f1"}),
        ("ctc", TINY_WAV2VEC2, {"eval_small_wer", "eval_small_cer"}),
        ("intent", TINY_WAV2VEC2, {"eval_small_accuracy", "eval_small_f1"}),
    ],
)
def test_ten_steps_lower_the_loss_and_leave_a_checkpoint(tmp_path, task, encoder, figures):
    """The loss falls, the figures are there, and so are the weights, the recipe and the figures on disk."""
    output = tmp_path / "run"
    config = tiny_recipe(small_corpus(tmp_path), encoder, "trainer.average_decay=0.5")
    found = train(task, config, output)
    assert figures <= set(found)
    first, last = losses(output)[0], losses(output)[-1]
    assert last < first
    assert (output / "model.safetensors").is_file()
    assert json.loads((output / "training.json").read_text())["task"] == task
    assert json.loads((output / "metrics.json").read_text()) == found
    report = (output / "report.md").read_text(encoding="utf-8")
    pictures = ["learning-curve.png", *(["confusion-small.png"] if task != "ctc" else [])]
    for picture in pictures:
        assert f"({picture})" in report
        assert (output / picture).read_bytes().startswith(b"\x89PNG")
    table = next(line for line in report.splitlines() if line.startswith("| small |"))
    name = "wer" if task == "ctc" else "accuracy"
    assert f" {100 * found[f'eval_small_{name}']:.1f} % " in table
    assert table in (output / "README.md").read_text(encoding="utf-8")


def test_a_run_goes_on_where_it_stopped(tmp_path):
    """A second call with more steps continues from the last checkpoint instead of starting again."""
    manifest = small_corpus(tmp_path)
    train("ctc", tiny_recipe(manifest, TINY_BERT), tmp_path / "run")
    train("ctc", tiny_recipe(manifest, TINY_BERT, "trainer.max_steps=15"), tmp_path / "run")
    state = json.loads((tmp_path / "run" / "checkpoint-15" / "trainer_state.json").read_text(encoding="utf-8"))
    assert [entry["step"] for entry in state["log_history"] if "loss" in entry] == [5, 10, 15]


def test_subwords_are_learnt_from_the_transcripts(tmp_path):
    """The vocabulary has whole pieces, and a piece at the head of a word carries the break."""
    from training.checkpoint import load_tokenizer
    from training.vocabulary import canonical, text_of

    assignments = ["vocabulary.kind=subwords", "vocabulary.size=80", "trainer.max_steps=5"]
    train("ctc", tiny_recipe(small_corpus(tmp_path), TINY_BERT, *assignments), tmp_path / "run")
    tokenizer = load_tokenizer(str(tmp_path / "run"))
    vocabulary, blank = canonical(tokenizer)
    assert (len(vocabulary), vocabulary[blank]) == (80, "")
    assert any(len(token) > 2 for token in vocabulary)
    assert text_of(tokenizer("please call stella")["input_ids"], vocabulary) == "please call stella"


def test_an_unknown_key_of_a_recipe_is_refused(tmp_path):
    """The message names the key."""
    with pytest.raises(ConfigError, match="learning_rat"):
        tiny_recipe(small_corpus(tmp_path), TINY_BERT, "trainer.learning_rat=1")


def test_a_finished_run_that_is_started_again_keeps_its_calibration(tmp_path):
    """It is that of the same weights; with more steps it is not."""
    manifest = small_corpus(tmp_path)
    train("intent", tiny_recipe(manifest, TINY_WAV2VEC2), tmp_path / "run")
    calibration = tmp_path / "run" / "calibration.json"
    calibration.write_text("{}", encoding="utf-8")
    train("intent", tiny_recipe(manifest, TINY_WAV2VEC2), tmp_path / "run")
    assert calibration.is_file()
    more = tiny_recipe(manifest, TINY_WAV2VEC2, "trainer.max_steps=15", "trainer.best_metric=eval_small_accuracy")
    train("intent", more, tmp_path / "run")
    assert not calibration.exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    """A project of the user's has a README.md and a config.json too."""
    recipe = tiny_recipe(small_corpus(tmp_path), TINY_WAV2VEC2)
    readme = tmp_path / "project" / "README.md"
    readme.parent.mkdir()
    readme.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"project is not empty and holds no run of 'edgevoice train' \(training.json"):
        train("intent", recipe, readme.parent)
    assert [path.name for path in readme.parent.iterdir()] == ["README.md"]
    assert readme.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("place", ["{}/a file/run", "/proc/x/run", "{}/" + "x" * 300])
def test_a_place_that_cannot_be_written_to_is_found_out_first(tmp_path, place):
    """Before the data are read, which may take minutes: here there are none."""
    (tmp_path / "a file").write_text("mine", encoding="utf-8")
    recipe = tiny_recipe(tmp_path / "no.csv", TINY_WAV2VEC2)
    with pytest.raises(UsageError, match=r"cannot be written to \(.*\)\. Choose another --output"):
        train("intent", recipe, Path(place.format(tmp_path)))


def with_test_clips(manifest: Path, intent: str = "") -> Path:
    """The manifest with every dev clip in the split 'test' too, perhaps with another intent."""
    rows = manifest.read_text(encoding="utf-8").splitlines()
    for row in rows[1:]:
        path, text, was, speaker, split = next(csv.reader([row]))
        if split == "dev":
            rows.append(",".join([path, f'"{text}"', intent or was, speaker, "test"]))
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return manifest


def test_the_test_split_is_measured_once_at_the_end(tmp_path):
    """With the best model, apart from the dev sets, in all that is left of a run; not while it goes on."""
    run = tmp_path / "run"
    manifest = with_test_clips(small_corpus(tmp_path))
    found = train("joint", tiny_recipe(manifest, TINY_WAV2VEC2, "data.evaluate_at_most=4"), run)
    names = {f"test_small_{name}" for name in ("loss", "wer", "cer", "accuracy", "f1")}
    assert names == {name for name in found if name.startswith("test_")}
    assert json.loads((run / "metrics.json").read_text()) == found
    state = json.loads((run / "checkpoint-10" / "trainer_state.json").read_text(encoding="utf-8"))
    assert not [key for entry in state["log_history"] for key in entry if key.startswith("test_")]
    for file in ("report.md", "README.md"):
        text = (run / file).read_text(encoding="utf-8")
        judged = text.partition("measured once with the chosen checkpoint:")[2]
        assert f" {100 * found['test_small_accuracy']:.1f} % " in judged
    found = train("joint", tiny_recipe(manifest, TINY_WAV2VEC2, "data.judge=false"), tmp_path / "unjudged")
    assert not [name for name in found if name.startswith("test_")]
    assert "test sets" not in (tmp_path / "unjudged" / "report.md").read_text(encoding="utf-8")


def test_test_clips_that_cannot_be_right_do_not_count(tmp_path, caplog):
    """Of intents that nothing was trained on; where none is left, nothing is judged."""
    manifest = with_test_clips(small_corpus(tmp_path), "strange")
    found = train("intent", tiny_recipe(manifest, TINY_WAV2VEC2, "trainer.max_steps=5"), tmp_path / "run")
    assert not [name for name in found if name.startswith("test_")]
    assert "12 test clips do not count for intents: no training clip has strange" in caplog.text


def test_what_judges_by_itself_does_not_measure_the_test_clips():
    """It would only take time."""
    assert not load_config(Path("from-phrases")).data.judge
    assert load_config(Path("small")).data.judge
