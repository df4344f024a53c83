"""The same command in several processes: `torchrun --nproc_per_node 2 -m edgevoice train ...`."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.parity import CLIPS
from tests.small import TINY_BERT
from training.decoded import load_audio
from training.manifest import read_manifest

ENCODER = {key: value for key, value in TINY_BERT.items() if key != "model_type"}
RECIPE = f"""
[model]
classifier_size = 16
[model.encoder]
model_type = "wav2vec2-bert"
{chr(10).join(f"{key} = {json.dumps(value)}" for key, value in ENCODER.items())}
hidden_dropout = 0.0
attention_dropout = 0.0
activation_dropout = 0.0
conformer_conv_dropout = 0.0
final_dropout = 0.0
feat_proj_dropout = 0.0
[model.features]
kind = "log_mel"
normalise = "running"
stride = 4
[data]
split_by = "column"
[trainer]
max_steps = 6
learning_rate = 0.003
warmup_steps = 2
evaluate_every = 2
precision = "fp32"
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Eight clips of exactly two seconds, so that every share of a batch weighs the same."""
    folder = tmp_path / "even"
    folder.mkdir()
    clips = [clip for clip in read_manifest(CLIPS) if clip.duration_s > 2][:4]
    rows = []
    for number, clip in enumerate(clips * 2):
        samples = np.resize(load_audio(clip.path), 32_000) * (1 if number < 4 else 0.5)
        soundfile.write(folder / f"{number}.wav", samples, 16_000)
        rows += [[f"{number}.wav", "one two three", f"label{number % 2}", "", split] for split in ("train", "dev")]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["path", "text", "intent", "speaker", "split"], *rows])
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder / "manifest.csv"


def losses(output: Path) -> list[float]:
    newest = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    history = json.loads((newest / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return [entry["loss"] for entry in history if "loss" in entry]


def run(launcher: list[str], corpus: Path, output: Path, batch_seconds: float) -> subprocess.CompletedProcess:
    arguments = ["edgevoice", "train", "joint", "--config", str(corpus.parents[1] / "recipe.toml")]
    arguments += ["--data", str(corpus), "--output", str(output), "--set", f"trainer.batch_seconds={batch_seconds}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, *launcher, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


LAUNCHERS = {
    "torchrun": ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"],
    # which on a CPU, without MPI, starts several processes only if it is told that they are for GPUs
    "accelerate": [
        *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"),
        *("--mixed_precision=no", "--dynamo_backend=no"),
    ],
}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_processes_learn_as_one_with_the_doubled_batch(tmp_path: Path, corpus: Path) -> None:
    """The same losses, step by step, whoever starts them; files are written by one of them, and one speaks."""
    one = run([], corpus, tmp_path / "one", 8.5)
    assert one.returncode == 0, one.stderr
    for name, launcher in LAUNCHERS.items():
        two = run(launcher, corpus, tmp_path / name, 4.25)
        assert two.returncode == 0, two.stderr
        assert losses(tmp_path / name) == pytest.approx(losses(tmp_path / "one"), rel=2e-3)
        first, second = (json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("one", name))
        assert second["eval_even_loss"] == pytest.approx(first["eval_even_loss"], rel=2e-3)
        assert (tmp_path / name / "report.md").is_file()
        assert two.stderr.count("training on 8 clips") == 1
