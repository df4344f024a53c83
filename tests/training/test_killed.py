"""A run that is killed at any moment goes on, and nothing half-written is ever loaded."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small import TINY_WAV2VEC2, small_corpus
from training.loading import load_checkpoint
from training.run import last_checkpoint

EVERY, STEPS = 3, 18


def steps_logged(folder: Path) -> list[int]:
    history = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return [entry["step"] for entry in history if "loss" in entry]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kill_and_go_on(tmp_path: Path) -> None:
    """Killed as soon as a checkpoint begins to be written, and again; each time no more than an interval is lost."""
    encoder = "".join(f"{key} = {json.dumps(value)}\n" for key, value in TINY_WAV2VEC2.items())
    recipe = (
        f"[model.encoder]\n{encoder}[trainer]\nmax_steps = {STEPS}\nevaluate_every = {EVERY}\nbatch_seconds = 20.0\n"
    )
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    run = tmp_path / "run"
    command = [Path(sys.executable).with_name("edgevoice"), "train", "ctc", "--config", tmp_path / "recipe.toml"]
    command += ["--data", small_corpus(tmp_path), "--output", run]
    reached = 0
    for _ in range(2):
        before = set(run.glob("checkpoint-*"))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not set(run.glob("checkpoint-*")) - before:
                time.sleep(0.002)
            begun = max((int(path.name.split("-")[1]) for path in set(run.glob("checkpoint-*")) - before), default=0)
            process.send_signal(signal.SIGKILL)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == -signal.SIGKILL, said
        whole = last_checkpoint(run)
        kept = int(whole.name.split("-")[1]) if whole else 0
        assert kept >= max(reached, begun - EVERY)
        if whole:
            load_checkpoint(str(whole))
        reached = kept
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr
    assert last_checkpoint(run) == run / f"checkpoint-{STEPS}"
    assert steps_logged(run / f"checkpoint-{STEPS}") == list(range(EVERY, STEPS + 1, EVERY))
    load_checkpoint(str(run))
    assert not list(run.glob(".saving-*"))
    assert not list(run.rglob("*.bin"))


def test_a_checkpoint_that_breaks_off_is_passed_over(tmp_path: Path) -> None:
    """Whichever file it is that broke off."""
    from safetensors.torch import save_file
    from torch import zeros

    def checkpoint(step: int) -> Path:
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"a": zeros(1000)}, folder / "model.safetensors")
        (folder / "trainer_state.json").write_text('{"global_step": 1}', encoding="utf-8")
        return folder

    first = checkpoint(5)
    assert last_checkpoint(tmp_path) == first
    for step, file in ((10, "model.safetensors"), (15, "trainer_state.json")):
        broken = checkpoint(step) / file
        broken.write_bytes(broken.read_bytes()[:-4])
        assert last_checkpoint(tmp_path) == first
    (tmp_path / "checkpoint-20").mkdir()
    (tmp_path / "checkpoint-final").mkdir()
    assert last_checkpoint(tmp_path) == first
