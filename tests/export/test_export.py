"""Checkpoints become bundles that do the same thing, or no bundles at all."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgevoice.asr.bundle import load_bundle
from edgevoice.errors import UsageError
from export import convert
from export.build import ExportOptions, export
from export.parity import LOGITS_TOLERANCE, ParityError
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.run import train

ONLY_FP32 = ExportOptions(precisions=("fp32",))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A tiny checkpoint of each task."""
    folder = tmp_path_factory.mktemp("checkpoints")
    manifest = small_corpus(folder)
    plans = {
        "joint": TINY_BERT,
        "ctc": TINY_BERT,
        "intent": TINY_WAV2VEC2,
        "joint-wave": TINY_WAV2VEC2,
        "ctc-wave": TINY_WAV2VEC2,
    }
    for name, encoder in plans.items():
        train(name.split("-")[0], tiny_recipe(manifest, encoder, "trainer.max_steps=5"), folder / name)
    return {name: str(folder / name) for name in plans}


@pytest.mark.parametrize("names", [["joint"], ["ctc"], ["intent"], ["joint-wave"], ["ctc-wave"], ["ctc", "intent"]])
def test_a_bundle_equals_its_checkpoint(tmp_path, checkpoints, names):
    """Log-probabilities within 1e-4, the same text and the same intents on real clips of many lengths."""
    manifest = export([checkpoints[name] for name in names], tmp_path / "bundle", ONLY_FP32)
    figures = manifest.parity["fp32"]
    assert figures["clips"] >= 10
    assert figures["largest_difference"] <= LOGITS_TOLERANCE
    assert (figures["text_error"], figures["intent_agreement"]) == (0.0, 1.0)
    assert load_bundle(tmp_path / "bundle").manifest == manifest


def test_one_wrong_weight_fails_the_command_and_leaves_nothing(tmp_path, checkpoints, monkeypatch):
    """Parity is a proof that can fail: a graph with one changed weight never becomes a bundle."""
    honest = convert.to_onnx

    def corrupted(checkpoint, file):
        honest(checkpoint, file)
        model = onnx.load(str(file))
        weight = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
        values = numpy_helper.to_array(weight).copy()
        values.flat[0] += 5.0
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        onnx.save(model, str(file))

    monkeypatch.setattr(convert, "to_onnx", corrupted)
    with pytest.raises(ParityError, match="differs from PyTorch"):
        export([checkpoints["joint"]], tmp_path / "bundle", ONLY_FP32)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path, checkpoints):
    """Unless it is asked for."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        export([checkpoints["joint"]], tmp_path / "bundle", ONLY_FP32)
    assert (tmp_path / "bundle" / "precious.txt").read_text(encoding="utf-8") == "mine"


def test_two_checkpoints_of_one_kind_do_not_go_together(tmp_path, checkpoints):
    """A bundle has one set of captions and one set of intents."""
    with pytest.raises(UsageError, match="do not go together"):
        export([checkpoints["ctc"], checkpoints["joint"]], tmp_path / "bundle", ONLY_FP32)
