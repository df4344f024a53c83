"""Every architecture of the Transformers guides, from a tiny random configuration through ten real steps and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import CTC, INTENT, encoder, features
from tests.small import small_corpus, tiny_recipe
from training import run
from training.decoded import load_audio
from training.features import Features
from training.loading import load_checkpoint

ROWS = [*(("ctc", each) for each in CTC), *(("intent", each) for each in INTENT)]


@pytest.mark.parametrize(("task", "model_type"), ROWS, ids=lambda value: value)
def test_ten_steps_then_saved_and_reloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Any, model_type: str
) -> None:
    """The loss falls, and the checkpoint, loaded as an export does it, gives the logits of the model that was saved."""
    kept: list[Any] = []
    build = run.build_trainer
    monkeypatch.setattr(run, "build_trainer", lambda *arguments: kept.append(build(*arguments)) or kept[-1])
    corpus = small_corpus(tmp_path)
    recipe = tiny_recipe(corpus, encoder(model_type), "trainer.seed=3", *features(model_type))
    run.train(task, recipe, tmp_path / "run")
    (trainer,) = kept
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0]
    checkpoint = load_checkpoint(str(tmp_path / "run"))
    compute = Features(checkpoint.features)
    clip = trainer.eval_dataset["small"].clips[5]
    given = {compute.input_name: torch.from_numpy(compute(load_audio(clip.path)))[None]}
    with torch.no_grad():
        expected, found = (model.eval()(**given).logits for model in (trainer.model, checkpoint.model))
    assert torch.allclose(expected, found, atol=1e-4)
    assert expected.std() > 0
