"""Every architecture of the training table, from a checkpoint through ONNX to the same text or intent."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from optimum.exporters.tasks import TasksManager

from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import load_model
from edgevoice.config import AsrSettings
from export.build import ExportOptions, export
from export.fuse import FUSABLE, node_counts
from export.parity import CLIPS, LOGITS_TOLERANCE
from tests.architectures import CTC, INTENT, random_checkpoint
from tests.tiny import speak
from training.manifest import read_manifest

ROWS = [*(("ctc", each) for each in CTC), *(("intent", each) for each in INTENT)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shorter clips of the parity set: some extractors take longer than the models."""
    file = tmp_path_factory.mktemp("clips") / "manifest.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "text"])
        writer.writerows((clip.path, clip.text) for clip in read_manifest(CLIPS) if clip.duration_s < 4)
    return file


def test_optimum_knows_what_it_lacks() -> None:
    """Our configurations are registered with it, so that it exports these models as it does its own."""
    supported = TasksManager.get_supported_tasks_for_model_type
    heads = {"automatic-speech-recognition", "audio-classification"}
    assert heads <= set(supported("wav2vec2-bert", "onnx", library_name="transformers"))
    assert supported("edgevoice-joint", "onnx", library_name="transformers")


@pytest.mark.parametrize(("task", "model_type"), ROWS, ids=lambda value: value)
def test_the_bundle_says_what_the_checkpoint_says(tmp_path: Path, clips: Path, task: Any, model_type: str) -> None:
    """Logits within 1e-4 on every clip and the same text and intents, through the runtime as it runs live."""
    checkpoint = random_checkpoint(tmp_path / "checkpoint", task, model_type)
    options = ExportOptions(precisions=("fp32",), clips=clips)
    manifest = export([str(checkpoint)], tmp_path / "bundle", options)
    figures = manifest.parity["fp32"]
    assert figures["clips"] >= 4
    assert figures["largest_difference"] <= LOGITS_TOLERANCE
    assert (figures["text_error"], figures["intent_agreement"]) == (0.0, 1.0)
    nodes = node_counts(onnx.load(str(tmp_path / "bundle" / "model.onnx")))
    assert nodes["Attention"] == (2 if model_type in FUSABLE else 0)  # of two layers
    assert not nodes["ReduceL2"]  # of weight norm
    if model_type in FUSABLE:
        assert not nodes["Shape"]
        assert not nodes["Gather"]
    model = load_model(load_bundle(tmp_path / "bundle"), None, AsrSettings(provider="cpu"))
    shortest = np.zeros(model.manifest.graphs[task].minimum_samples, dtype=np.float32)
    shortest[:] = speak("one")[: len(shortest)]
    encoding = model.encode(shortest)
    if task == "intent":
        assert encoding.intent_logits is not None
        assert encoding.intent_logits.shape == (3,)
    else:
        assert encoding.log_probs is not None
        assert 1 <= len(encoding.log_probs) <= 4  # M-CTC-T pads its input
