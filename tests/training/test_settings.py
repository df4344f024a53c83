"""What a recipe's settings do to a run."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, TrainingArguments

from tests.architectures import encoder
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.callbacks import TrainingError
from training.config import ModelConfig, load_config
from training.loading import load_checkpoint
from training.models import JointModel, build_model
from training.run import last_checkpoint, prepared, train


def history(run: Path) -> list[dict[str, Any]]:
    newest = last_checkpoint(run)
    assert newest
    entries: list[dict[str, Any]] = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    return entries


def losses(run: Path) -> list[float]:
    return [entry["loss"] for entry in history(run) if "loss" in entry]


def trained(folder: Path, name: str, *assignments: str, task: Any = "intent") -> Path:
    """A run of six steps or fewer, each of them logged."""
    steps = ("trainer.max_steps=6", "trainer.evaluate_every=2", *assignments)
    train(task, tiny_recipe(small_corpus(folder), TINY_WAV2VEC2, *steps), folder / name)
    return folder / name


def test_dropout_and_masking_are_the_recipes(tmp_path: Path) -> None:
    """Of a model with random weights, and of one that goes on from a checkpoint, with either heads."""
    set_to = {"mask_time_prob": 0.3, "hidden_dropout": 0.2, "layerdrop": 0.25}
    sizes: dict[str, Any] = {"vocabulary_size": 30, "blank": 0, "labels": ["a", "b"], "intent_weight": 1.0}

    def taken(model: Any) -> dict[str, float]:
        config = model.encoder.config if isinstance(model, JointModel) else model.config
        dropout = {each.p for each in model.modules() if isinstance(each, torch.nn.Dropout)}
        assert 0.2 in dropout
        return {key: getattr(config, key) for key in set_to}

    for task in ("ctc", "intent", "joint"):
        new = build_model(task, ModelConfig(encoder=TINY_WAV2VEC2, regularisation=set_to), **sizes)
        assert taken(new) == set_to
        plain = build_model(task, ModelConfig(encoder=TINY_WAV2VEC2), **sizes)
        plain.save_pretrained(tmp_path / task)
        for further in {task, "joint"} if task != "intent" else {task}:
            start = ModelConfig(checkpoint=str(tmp_path / task), regularisation=set_to)
            assert taken(build_model(further, start, **sizes)) == set_to
    joint = ModelConfig(checkpoint=str(tmp_path / "joint"), regularisation=set_to)
    assert taken(build_model("ctc", joint, **sizes)) == set_to


def test_what_a_model_does_not_have_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A recipe is for all of the family; that a setting has no effect is said."""
    with caplog.at_level("INFO"):
        start = ModelConfig(encoder=encoder("audio-spectrogram-transformer"), regularisation={"layerdrop": 0.1})
        build_model("intent", start, vocabulary_size=0, blank=0, labels=["a", "b"], intent_weight=1.0)
    assert "audio-spectrogram-transformer has no layerdrop" in caplog.text


def test_gradient_checkpointing_changes_memory_only(tmp_path: Path) -> None:
    plain = trained(tmp_path, "plain")
    assert losses(trained(tmp_path, "less", "trainer.gradient_checkpointing=true")) == pytest.approx(losses(plain))
    joint = trained(tmp_path, "joint", "trainer.gradient_checkpointing=true", task="joint")
    assert all(math.isfinite(loss) for loss in losses(joint))


def test_accumulated_batches_make_one_step(tmp_path: Path) -> None:
    """An epoch of eight batches and four of two: half the steps, so the schedule ends after half as many."""
    assignments = ("trainer.epochs=2", "trainer.batch_seconds=8", "trainer.evaluate_by_epoch=true")
    one = trained(tmp_path, "one", *assignments)
    two = trained(tmp_path, "two", *assignments, "trainer.gradient_accumulation_steps=2")
    steps = [max(entry["step"] for entry in history(run)) for run in (one, two)]
    assert steps[1] == pytest.approx(steps[0] / 2, abs=1)


def test_evaluation_by_epoch(tmp_path: Path) -> None:
    """A figure and a checkpoint after each pass over the data."""
    run = trained(tmp_path, "run", "trainer.epochs=3", "trainer.evaluate_by_epoch=true", "trainer.save_total_limit=9")
    epochs = [entry["epoch"] for entry in history(run) if "eval_small_accuracy" in entry]
    assert epochs == pytest.approx([1, 2, 3])
    assert len(list(run.glob("checkpoint-*"))) == 3


def test_averaged_weights_are_what_is_measured_by_epoch_too(tmp_path: Path) -> None:
    """An average that hardly moves stays near the weights it began with, whatever the steps did."""
    assignments = ("trainer.epochs=2", "trainer.evaluate_by_epoch=true", "trainer.learning_rate=0.05")
    moved = history(trained(tmp_path, "moved", *assignments))
    still = history(trained(tmp_path, "still", *assignments, "trainer.average_decay=0.9"))
    first, second = (
        [entry["eval_small_loss"] for entry in each if "eval_small_loss" in entry] for each in (moved, still)
    )
    assert first != pytest.approx(second)


def test_early_stopping(tmp_path: Path) -> None:
    """What does not get better ends, long before its last step."""
    still = ("trainer.learning_rate=1e-12", "trainer.early_stopping=2", "trainer.max_steps=100")
    assert max(entry["step"] for entry in history(trained(tmp_path, "run", *still))) == 6


def test_warm_up(tmp_path: Path) -> None:
    """The learning rate rises over the share that was asked for."""
    run = trained(tmp_path, "run", "trainer.warmup_ratio=0.6", "trainer.evaluate_every=1", "trainer.max_steps=5")
    rates = [entry["learning_rate"] for entry in history(run) if "learning_rate" in entry]
    assert rates[0] < rates[1] < rates[2]
    assert rates[-1] < max(rates)


def test_half_precision_on_the_cpu(tmp_path: Path) -> None:
    """Weights stay float32; what is learnt is about the same."""
    run = trained(tmp_path, "run", "trainer.precision=bf16")
    assert losses(run) == pytest.approx(losses(trained(tmp_path, "full")), rel=0.05)
    assert {weight.dtype for weight in load_checkpoint(str(run)).model.state_dict().values()} == {torch.float32}


def test_labels_are_kept_in_the_configuration(tmp_path: Path) -> None:
    """Number to name and name to number, as every tool of the family reads them."""
    config = AutoConfig.from_pretrained(trained(tmp_path, "run"))
    assert config.id2label == {0: "long", 1: "short"}
    assert config.label2id == {"long": 0, "short": 1}


@pytest.mark.parametrize("encoder", [TINY_BERT, TINY_WAV2VEC2], ids=["bert", "wav2vec2"])
def test_first_captions_then_both(tmp_path: Path, encoder: dict[str, Any]) -> None:
    """A joint model goes on from a CTC checkpoint with its encoder and its CTC head."""
    clips = small_corpus(tmp_path)
    train("ctc", tiny_recipe(clips, encoder, "trainer.max_steps=4"), tmp_path / "captions")
    first = load_checkpoint(str(tmp_path / "captions"))
    model = build_model(
        "joint",
        ModelConfig(checkpoint=str(tmp_path / "captions")),
        vocabulary_size=len(first.vocabulary),
        blank=first.blank,
        labels=["long", "short"],
        intent_weight=0.5,
    )
    inputs = torch.randn(1, *((40, 320) if encoder is TINY_BERT else (32_000,)))
    with torch.no_grad():
        expected = first.model.eval()(inputs).logits
        found = model.eval()(**{first.compute.input_name: inputs}).ctc_logits
    assert torch.allclose(expected, found, atol=1e-5)
    both = tiny_recipe(clips, {}, f"model.checkpoint={tmp_path / 'captions'}", "trainer.encoder_learning_rate=1e-4")
    figures = train("joint", both, tmp_path / "both")
    assert {"eval_small_wer", "eval_small_accuracy"} <= set(figures)


def test_of_equals_the_later_is_the_best(tmp_path: Path) -> None:
    """A small dev set is full marks long before the training is over."""
    run = trained(tmp_path, "run", "trainer.learning_rate=1e-12", "trainer.best_metric=eval_small_accuracy")
    newest = last_checkpoint(run)
    assert newest
    state = json.loads((newest / "trainer_state.json").read_text())
    assert (state["best_global_step"], newest.name) == (6, "checkpoint-6")


@pytest.mark.parametrize("assignment", ["trainer.learning_rate=1e37", "trainer.intent_weight=1e39"])
def test_a_run_that_comes_apart_ends_with_a_sentence(tmp_path: Path, assignment: str) -> None:
    """And not with figures of weights that mean nothing."""
    with pytest.raises(TrainingError, match=r"came apart: at step .* no finite number .* lower trainer\.learning_rate"):
        trained(tmp_path, "run", assignment, "trainer.warmup_steps=0", task="joint")
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_the_tutorials_recipe_has_the_tutorials_settings(tmp_path: Path) -> None:
    """What the guide does not set is Transformers' own: nothing is frozen, nothing smoothed."""
    recipe = load_config(Path("minds14-intent-tutorial"))
    small = tiny_recipe(small_corpus(tmp_path), TINY_WAV2VEC2)
    model = dataclasses.replace(small.model, freeze_features=recipe.model.freeze_features)
    config = dataclasses.replace(recipe, model=model, data=dataclasses.replace(recipe.data, sources=small.data.sources))
    usual = TrainingArguments(output_dir=str(tmp_path / "usual"))
    with prepared("intent", config, tmp_path / "run") as run:
        found = run.trainer.args
        assert all(parameter.requires_grad for parameter in run.trainer.model.parameters())
    for name in ("adam_beta1", "adam_beta2", "adam_epsilon", "weight_decay", "max_grad_norm", "label_smoothing_factor"):
        assert getattr(found, name) == getattr(usual, name)
    assert (found.learning_rate, found.num_train_epochs, found.warmup_ratio) == (3e-5, 10, 0.1)
    assert (found.bf16, found.fp16, found.gradient_accumulation_steps) == (False, False, 4)


def test_label_smoothing_is_the_recipes(tmp_path: Path) -> None:
    """Of the joint model; a checkpoint that says nothing of it was trained with 0.05."""
    one = ("trainer.max_steps=1", "trainer.evaluate_every=1")
    usual = trained(tmp_path, "usual", *one, task="joint")
    much = trained(tmp_path, "much", *one, "trainer.label_smoothing=0.5", task="joint")
    assert losses(usual)[0] != losses(much)[0]
    assert [load_checkpoint(str(run)).model.config.label_smoothing for run in (usual, much)] == [0.05, 0.5]
    again = ModelConfig(checkpoint=str(much))
    sizes: dict[str, Any] = {"vocabulary_size": 30, "blank": 0, "labels": ["long", "short"], "intent_weight": 1.0}
    assert build_model("joint", again, **sizes, label_smoothing=0.1).config.label_smoothing == 0.1
