"""Checkpoints become bundles that do the same thing, or no bundles at all."""

from __future__ import annotations

import dataclasses
import gzip
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgevoice.asr.beam import BeamSearch
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.decoder import make_decoder
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.config import AsrSettings
from edgevoice.errors import EdgeVoiceError, UsageError
from export import build, convert, onnx_files
from export.build import ExportOptions, export
from export.cli import main
from export.fuse import node_counts
from export.parity import LOGITS_TOLERANCE, NOISE_TOLERANCE, ParityError, load_clips
from export.precision import quantise
from tests.checkpoints import captions
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
    assert figures["clips"] >= 20
    assert figures["largest_difference"] <= LOGITS_TOLERANCE
    assert (figures["text_error"], figures["intent_agreement"]) == (0.0, 1.0)
    assert load_bundle(tmp_path / "bundle").manifest == manifest
    if names in (["ctc-wave"], ["joint-wave"]):  # with one head or with two: attention as one node a layer
        nodes = node_counts(onnx.load(str(tmp_path / "bundle" / "model.onnx")))
        assert nodes["Attention"] == TINY_WAV2VEC2["num_hidden_layers"]


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


def test_every_precision_is_measured_and_the_runtime_picks(tmp_path, checkpoints):
    """fp16 keeps inputs and outputs; int8 has MatMul only, per channel; both are compared with fp32 on the clips
    and on many people. On the CPU the runtime takes int8."""
    manifest = export([checkpoints["joint-wave"]], tmp_path / "bundle", ExportOptions())
    assert list(manifest.parity) == ["fp32", "fp16", "int8"]
    assert manifest.graphs["shared"].variants == {
        "fp32": "model.onnx",
        "fp16": "model.fp16.onnx",
        "int8": "model.int8.onnx",
    }
    for precision in ("fp16", "int8"):
        assert manifest.parity[precision]["clips"] > 100
        assert manifest.parity[precision]["text_error"] <= 0.01
        assert manifest.parity[precision]["intent_agreement"] >= 0.99
        graph = onnx.load(str(tmp_path / "bundle" / f"model.{precision}.onnx"))
        types = {value.type.tensor_type.elem_type for value in (*graph.graph.input, *graph.graph.output)}
        assert types == {onnx.TensorProto.FLOAT}
        nodes, weights = node_counts(graph), Counter(tensor.data_type for tensor in graph.graph.initializer)
        if precision == "fp16":
            assert weights[onnx.TensorProto.FLOAT16] > 20
        else:
            assert nodes["MatMulInteger"] > 10
            assert not nodes["ConvInteger"]
            scales = [t for t in graph.graph.initializer if t.name.endswith("_scale") and np.prod(t.dims) > 1]
            assert len(scales) >= nodes["MatMulInteger"] - 4  # those without a weight have none
    chosen = {
        wanted: load_model(load_bundle(tmp_path / "bundle"), None, AsrSettings(provider="cpu", precision=wanted))
        for wanted in ("auto", "fp32", "fp16", "int8")
    }
    assert {wanted: model.precision for wanted, model in chosen.items()} == {**{n: n for n in chosen}, "auto": "int8"}


def test_a_precision_that_says_something_else_is_not_written(tmp_path, checkpoints, monkeypatch, caplog):
    """And the command says so; the others are there."""
    monkeypatch.setattr(build, "quantise", _careless)
    manifest = export([checkpoints["joint-wave"]], tmp_path / "bundle", ExportOptions(precisions=("fp32", "int8")))
    assert list(manifest.parity) == list(manifest.graphs["shared"].variants) == ["fp32"]
    assert not (tmp_path / "bundle" / "model.int8.onnx").exists()
    assert "int8 is left out: text differs by" in caplog.text
    assert load_bundle(tmp_path / "bundle").manifest == manifest


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


@pytest.mark.parametrize("names", [["joint"], ["ctc", "intent"]])
def test_a_bundle_is_made_anew_from_its_own_weights(tmp_path, checkpoints, names):
    """With the same answers, and all that it said of itself, calibration and files included."""
    extras = tmp_path / "extras"
    extras.mkdir()
    (extras / "README.md").write_text("a card", encoding="utf-8")
    first = ExportOptions(precisions=("fp32",), extras=extras, licence="MIT", threshold=0.7, name="first")
    before = export([checkpoints[name] for name in names], tmp_path / "bundle", first)
    tuned = dataclasses.replace(
        before, temperature=1.5, early_threshold=0.8, reject_label=before.labels[0], reject_bias=0.25
    )
    build.seal(tmp_path / "bundle", tuned)
    answers = _answers(tmp_path / "bundle")

    again = ExportOptions(precisions=("fp32",), language="en", replace=True)
    after = export([str(tmp_path / "bundle")], tmp_path / "bundle", again)
    assert load_bundle(tmp_path / "bundle").manifest == after
    new = {"language": "en", "files": after.files, "parity": after.parity, "graphs": after.graphs}
    assert after == dataclasses.replace(tuned, **new)
    assert after.files["README.md"] == before.files["README.md"]
    for old, new in zip(answers, _answers(tmp_path / "bundle"), strict=True):
        np.testing.assert_allclose(old, new, atol=1e-5)


def test_the_name_is_that_of_the_folder_or_stays(tmp_path, checkpoints, caplog):
    """A bundle that is exported again keeps its own, wherever it goes; and the log calls it by it."""
    caplog.set_level("INFO")
    common = ["--precision", "fp32"]
    assert main([checkpoints["ctc"], "--output", str(tmp_path / "mine"), *common]) == 0
    assert load_bundle(tmp_path / "mine").manifest.name == "mine"
    caplog.clear()
    assert main([str(tmp_path / "mine"), "--output", str(tmp_path / "copy"), *common]) == 0
    assert load_bundle(tmp_path / "copy").manifest.name == "mine"
    assert "converting mine (ctc)" in caplog.text
    assert ".export-" not in caplog.text
    assert (
        main([str(tmp_path / "mine"), "--output", str(tmp_path / "copy"), *common, "--name", "other", "--force"]) == 0
    )
    assert load_bundle(tmp_path / "copy").manifest.name == "other"


def test_a_folder_goes_before_a_known_model_of_its_name(tmp_path, checkpoints, monkeypatch):
    """Whoever stands in a folder of runs means the run."""
    (tmp_path / "banking-en").symlink_to(checkpoints["ctc"])
    monkeypatch.chdir(tmp_path)
    assert export(["banking-en"], tmp_path / "bundle", ONLY_FP32).kind == "ctc"


def test_nothing_is_kept_in_the_cache(tmp_path, checkpoints, monkeypatch):
    """The graphs that an export runs are not those that anybody will."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("edgevoice.asr.optimised.SMALLEST", 0)
    export([checkpoints["joint-wave"]], tmp_path / "bundle", ExportOptions())
    assert not list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize("name", ["ctc-wave", "joint"])
def test_optimum_may_put_weights_into_a_second_file(tmp_path, checkpoints, monkeypatch, name):
    """As it does with models of more than 2 GB. What fits into one file is one in the bundle."""
    monkeypatch.setenv("FORCE_ONNX_EXTERNAL_DATA", "1")
    export([checkpoints[name]], tmp_path / "bundle", ONLY_FP32)
    assert sorted(file.name for file in (tmp_path / "bundle").iterdir()) == ["edgevoice.json", "model.onnx"]


@pytest.mark.parametrize("name", ["ctc-wave", "joint-wave"])
def test_weights_that_do_not_fit_into_one_file_lie_in_two(tmp_path, checkpoints, monkeypatch, name):
    """In every precision; the bundle vouches for both, says the same, and can be exported again."""
    export([checkpoints[name]], tmp_path / "whole", ONLY_FP32)
    monkeypatch.setenv("FORCE_ONNX_EXTERNAL_DATA", "1")
    monkeypatch.setattr(onnx_files, "LARGEST", 10_000)
    manifest = export([checkpoints[name]], tmp_path / "bundle", ExportOptions())
    files = {"model.onnx", "model.fp16.onnx", "model.int8.onnx"}
    assert set(load_bundle(tmp_path / "bundle").manifest.files) == files | {f"{file}_data" for file in files}
    assert list(manifest.parity) == ["fp32", "fp16", "int8"]
    again = export([str(tmp_path / "bundle")], tmp_path / "again", ExportOptions())
    assert set(again.files) == set(manifest.files)
    for other in ("bundle", "again"):
        for expected, found in zip(_answers(tmp_path / "whole"), _answers(tmp_path / other), strict=True):
            if expected is not None:
                np.testing.assert_allclose(found, expected, atol=1e-5)
    monkeypatch.undo()
    small = export([str(tmp_path / "bundle")], tmp_path / "small", ONLY_FP32)
    assert set(small.files) == {"model.onnx"}


def test_a_model_that_says_nothing_is_held_to_its_log_probabilities(tmp_path, monkeypatch, caplog):
    """Equal texts of nothing at all would let any graph pass."""
    silent = str(captions(tmp_path / "silent", sure=20.0))
    manifest = export([silent], tmp_path / "bundle", ExportOptions(precisions=("fp32", "int8")))
    assert manifest.parity["fp32"]["words"] == 0
    assert 0 < manifest.parity["int8"]["noise"] < NOISE_TOLERANCE
    assert "says nothing on the clips" in caplog.text
    monkeypatch.setattr(build, "quantise", _careless)
    manifest = export([silent], tmp_path / "careless", ExportOptions(precisions=("fp32", "int8")))
    assert list(manifest.parity) == ["fp32"]
    assert "int8 is left out: nothing is said on the clips" in caplog.text


def _careless(source, target):
    """int8 with wrong scales."""
    quantise(source, target)
    model = onnx.load(str(target))
    for tensor in model.graph.initializer:
        if tensor.name.endswith("_scale"):
            rng = np.random.default_rng(1)
            values = numpy_helper.to_array(tensor) * rng.uniform(-3, 3, tuple(tensor.dims)).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(values, np.float32), tensor.name))
    onnx.save(model, str(target))


def _answers(bundle):
    """Log-probabilities and intent logits of a recording."""
    found = AcousticModel(load_bundle(bundle), AsrSettings(provider="cpu", precision="fp32")).encode(load_clips()[3])
    return [found.log_probs, found.intent_logits]


def test_a_bundle_is_exported_alone(tmp_path, checkpoints):
    """Beside another checkpoint nobody knows which calibration counts."""
    export([checkpoints["ctc"]], tmp_path / "bundle", ONLY_FP32)
    with pytest.raises(UsageError, match="a bundle already"):
        export([str(tmp_path / "bundle"), checkpoints["intent"]], tmp_path / "both", ONLY_FP32)
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("packed", [False, True])
def test_a_language_model_goes_along(tmp_path, checkpoints, packed):
    """The runtime uses it unasked, and a bundle made anew keeps it."""
    arpa = "\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-0.5 balance\n-9 <unk>\n\n\\end\\\n"
    file = tmp_path / "bank.arpa"
    file.write_bytes(gzip.compress(arpa.encode()) if packed else arpa.encode())
    flags = ["--precision", "fp32", "--language-model", str(file), "--language-model-weight", "0.7"]
    assert main([checkpoints["ctc"], "--output", str(tmp_path / "bundle"), *flags]) == 0
    assert main([str(tmp_path / "bundle"), "--output", str(tmp_path / "again"), "--precision", "fp32"]) == 0
    for name in ("bundle", "again"):
        bundle = load_bundle(tmp_path / name)
        decoding = bundle.manifest.decoding
        assert decoding.language_model == ("language_model.arpa.gz" if packed else "language_model.arpa")
        assert (decoding.language_model_weight, decoding.word_bonus) == (0.7, 1.5)
        assert decoding.language_model in bundle.manifest.files
        assert isinstance(make_decoder(bundle, AsrSettings())._search, BeamSearch)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--word-bonus", "1"], "--word-bonus is about --language-model"),
        (["--language-model", "nowhere.txt"], "'nowhere.txt' cannot be read"),
        (["--language-model", "{}", "--language-model-weight", "-1"], "--language-model-weight is negative"),
        (["--language-model", "{}"], "has no word that the model of the captions can write"),
    ],
)
def test_a_language_model_that_cannot_be_used_is_refused_at_once(tmp_path, checkpoints, flags, what):
    file = tmp_path / "words.txt"
    file.write_text("\u0436\n")
    with pytest.raises(EdgeVoiceError, match=what):
        main([checkpoints["ctc"], "--output", str(tmp_path / "b"), *(flag.format(file) for flag in flags)])
    assert not (tmp_path / "b").exists()
