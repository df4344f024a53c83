"""`python -m bench.gpu`, and PyTorch as a contender on a GPU, as far as a machine without one can tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench import contender
from tests.checkpoints import captions


def test_a_folder_without_graphs_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.gpu", "measure", str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path / 'nothing'} has no plain.onnx. Run the stage 'prepare' first.\n"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_pytorch_on_a_gpu_that_is_not_there_gives_no_figures(tmp_path: Path) -> None:
    """Not those of the CPU under another name. In a process of its own, since it silences the logs of that it has."""
    checkpoint = captions(tmp_path / "checkpoint", sure=20.0)
    command = [sys.executable, "-m", "bench.contender", "pytorch", str(checkpoint), "--provider", "cuda"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error" in json.loads(done.stdout)


def test_pytorch_says_the_same_on_its_device(tmp_path: Path) -> None:
    """Inputs go there and come back."""
    import argparse

    from edgevoice.asr import ctc
    from tests.tiny import speak
    from training.loading import load_checkpoint

    path = captions(tmp_path / "checkpoint", sure=20.0)
    run, _ = contender.pytorch(argparse.Namespace(path=path, threads=1, provider="cpu"))
    checkpoint = load_checkpoint(str(path))
    found = checkpoint.encode(speak("one two"))
    assert found.log_probs is not None
    assert run(speak("one two")) == (ctc.text(found.log_probs, checkpoint.vocabulary, checkpoint.blank), None)
