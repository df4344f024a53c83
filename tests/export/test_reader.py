"""Readers become part of a bundle, or a bundle of their own, that reads as Transformers does; or nothing is written."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast, WhisperConfig, WhisperForAudioClassification

from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import load_model
from edgevoice.asr.reader import Reader
from edgevoice.asr.tokens import TokenTable
from edgevoice.config import AsrSettings
from edgevoice.errors import EdgeVoiceError, ModelError, UsageError
from export import moonshine, onnx_files, reader_graphs, reader_parity, token_table
from export.build import ExportOptions, export
from export.cli import main
from export.parity import ParityError, load_clips
from export.reader_checkpoint import load_reader
from export.triton import write_repository
from tests import readers
from tests.checkpoints import captions
from tests.tiny import tiny_bundle

READ = ("fsdd-01.ogg", "wake-02.ogg", "speechocean762-05.ogg", "librispeech-10.ogg", "coffee-18.ogg")


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """A few of the clips: these models hear two seconds of each."""
    return readers.clips(tmp_path_factory.mktemp("clips"), READ)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """A checkpoint of each kind."""
    root = tmp_path_factory.mktemp("readers")
    return {
        "english": readers.whisper(root / "english"),
        "many": readers.whisper(root / "many", ("de", "en", "zh")),
        "moonshine": readers.moonshine(root / "moonshine"),
        "sure": readers.whisper(root / "sure", sure=True),
        "captions": captions(root / "captions"),
    }


@pytest.fixture
def only(clips) -> ExportOptions:
    """Nothing but fp32."""
    return ExportOptions(precisions=("fp32",), clips=clips)


@pytest.mark.parametrize("kind", ["english", "many", "moonshine"])
def test_a_reader_writes_what_its_checkpoint_does(tmp_path, made, only, kind):
    """Token for token on real clips, and something else for each of them; the manifest says all that it takes."""
    manifest = export([], tmp_path / "desk", dataclasses.replace(only, reader=str(made[kind])))
    spec = manifest.reader
    bundle = load_bundle(tmp_path / "desk")
    assert bundle.manifest == manifest
    assert (manifest.kind, manifest.name, spec.name) == ("reader", "desk", "desk")
    assert (set(spec.encoder), set(spec.decoder)) == ({"fp32"}, {"fp32"})
    assert sorted(manifest.files) == ["reader.decoder.onnx", "reader.encoder.onnx", "reader.tiktoken"]
    assert spec.parity["fp32"]["largest_difference"] <= reader_parity.LOGITS_TOLERANCE
    assert (spec.parity["fp32"]["clips"], spec.parity["fp32"]["text_error"]) == (len(READ), 0.0)
    checkpoint, found = load_reader(str(made[kind])), Reader(bundle, AsrSettings(provider="cpu"))
    language = reader_parity.language_of(spec)
    heard = [clip[: int(spec.longest_s * 16_000)] for clip in load_clips(only.clips)]
    texts = [reading.text for reading in found.read(heard, language=language)]
    assert texts == [checkpoint.text(checkpoint.write(clip, found.limit(len(clip)), language)) for clip in heard]
    assert len(set(texts)) > 2


def test_what_the_manifest_says_of_an_english_whisper(made):
    """Marks by the name that the tokenizer has for them, and what generation_config.json suppresses."""
    spec, known = load_reader(str(made["english"])).spec, _ids(made["english"])
    assert spec.start == (known["<|startoftranscript|>"], known["<|notimestamps|>"])
    assert (spec.end, spec.prompt) == (known["<|endoftext|>"], known["<|startofprev|>"])
    assert (spec.languages, spec.language, spec.window_s, spec.longest_s) == ({}, "en", 2.0, 2.0)
    assert spec.features.kind == "extractor"
    assert spec.features.extractor["feature_extractor_type"] == "WhisperFeatureExtractor"
    assert spec.features.extractor["feature_size"] == 80
    assert known["<|0.00|>"] in spec.suppressed
    assert len(spec.suppressed_first) == 2
    assert spec.longest_tokens == 48


def test_what_the_manifest_says_of_a_whisper_of_many_languages(made):
    """The language goes between the first mark and the others; one alone may be asked for."""
    spec, known = load_reader(str(made["many"])).spec, _ids(made["many"])
    start = ("<|startoftranscript|>", "<|transcribe|>", "<|notimestamps|>")
    assert spec.start == tuple(known[mark] for mark in start)
    assert spec.languages == {code: known[f"<|{code}|>"] for code in ("de", "en", "zh")}
    assert spec.features.extractor["feature_size"] == 128
    assert (spec.language, spec.reads("zh"), spec.reads("fr")) == ("", True, False)
    assert list(load_reader(str(made["many"]), "de").spec.languages) == ["de"]


def test_what_the_manifest_says_of_a_moonshine(made):
    """Raw audio, as long as it is; its language is what one says it is."""
    spec = load_reader(str(made["moonshine"]), "ko").spec
    assert (spec.architecture, spec.features.kind, spec.features.normalise) == ("moonshine", "waveform", "none")
    assert (spec.start, spec.end, spec.window_s, spec.language) == ((1,), 2, 0.0, "ko")
    assert (spec.tokens_per_s, spec.longest_tokens) == (13.0, 64)
    assert load_reader(str(made["moonshine"]), "en").spec.tokens_per_s == 6.5


def test_a_checkpoint_from_before_generation_configurations_said_all(tmp_path, made, only):
    """Marks are known from the tokenizer; what it reads is the same."""
    old = shutil.copytree(made["many"], tmp_path / "old")
    readers.without(old / "generation_config.json", "lang_to_id", "task_to_id", "no_timestamps_token_id")
    manifest = export([], tmp_path / "bundle", dataclasses.replace(only, reader=str(old)))
    expected = load_reader(str(made["many"])).spec
    assert (manifest.reader.start, manifest.reader.languages) == (expected.start, expected.languages)


def test_reduced_precisions_are_measured(tmp_path, made, clips):
    """fp16 and int8 keep inputs and outputs, are smaller, and hold the matrix of tokens reduced, too."""
    options = ExportOptions(clips=clips, reader=str(made["sure"]))
    spec = export([], tmp_path / "bundle", options).reader
    assert list(spec.encoder) == list(spec.decoder) == list(spec.parity) == ["fp32", "fp16", "int8"]
    kinds = {"fp16": onnx.TensorProto.FLOAT16, "int8": onnx.TensorProto.INT8}
    for precision, kind in kinds.items():
        assert spec.parity[precision]["text_error"] <= reader_parity.WER_TOLERANCE
        for names in (spec.encoder, spec.decoder):
            graph = onnx.load(str(tmp_path / "bundle" / names[precision])).graph
            assert sum(tensor.data_type == kind for tensor in graph.initializer) >= 8
            types = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
            assert kind not in types
        size = len(_ids(made["sure"])) + 5
        tokens = [t for t in graph.initializer if len(t.dims) == 2 and size in t.dims]
        assert tokens
        assert onnx.TensorProto.FLOAT not in {t.data_type for t in tokens}


def test_a_precision_that_reads_something_else_is_left_out(tmp_path, made, clips, monkeypatch, caplog):
    """And the command says so; the others are there, and nothing lies about."""
    written = reader_graphs.reduce

    def careless(precision, graphs, model, feeds, encoder, decoder):
        kept = written(precision, graphs, model, feeds, encoder, decoder)
        _disturb(decoder, 1.0, all_of_them=True)
        return kept

    monkeypatch.setattr(reader_graphs, "reduce", careless)
    options = ExportOptions(precisions=("fp32", "int8"), clips=clips, reader=str(made["sure"]))
    spec = export([], tmp_path / "bundle", options).reader
    assert list(spec.encoder) == list(spec.parity) == ["fp32"]
    assert "the reader in int8 is left out: its text differs" in caplog.text
    assert not list((tmp_path / "bundle").glob("*int8*"))


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_graph_that_differs_is_not_written(tmp_path, made, only, monkeypatch, part):
    """Whichever of the two it is."""
    written = reader_graphs.write

    def corrupted(graphs, model, encoder, decoder):
        written(graphs, model, encoder, decoder)
        _disturb(encoder if part == "encoder" else decoder, 0.05)

    monkeypatch.setattr(reader_graphs, "write", corrupted)
    with pytest.raises(ParityError, match=r"logits by up to|Transformers writes"):
        export([], tmp_path / "bundle", dataclasses.replace(only, reader=str(made["english"])))
    assert not list(tmp_path.iterdir())


def test_a_table_of_tokens_that_differs_is_not_written(tmp_path, made, only, monkeypatch):
    """A letter of a word."""
    monkeypatch.setattr(token_table, "of", lambda tokenizer: dict.fromkeys(range(len(tokenizer)), b" x"))
    with pytest.raises(ParityError, match=r"write 'x.*and Transformers writes"):
        export([], tmp_path / "bundle", dataclasses.replace(only, reader=str(made["english"])))
    assert not list(tmp_path.iterdir())


def test_large_weights_lie_beside_their_graphs(tmp_path, made, clips, monkeypatch):
    """In files that the manifest vouches for; the proof runs on them."""
    monkeypatch.setattr(onnx_files, "LARGEST", 4_000)
    options = ExportOptions(precisions=("fp32", "fp16"), clips=clips, reader=str(made["sure"]))
    manifest = export([], tmp_path / "bundle", options)
    assert {"reader.encoder.onnx_data", "reader.decoder.onnx_data"} <= set(manifest.files)
    assert set(manifest.reader.encoder) == {"fp32", "fp16"}
    taken = export([], tmp_path / "other", dataclasses.replace(options, reader=str(tmp_path / "bundle")))
    assert taken.files == manifest.files


def test_a_reader_comes_along_with_captions(tmp_path, made, only):
    """As files of the bundle; what captions is proven as without it, and goes on to be exported with it."""
    options = dataclasses.replace(only, reader=str(made["moonshine"]), language="en", licence="MIT")
    manifest = export([str(made["captions"])], tmp_path / "desk", options)
    assert (manifest.kind, manifest.reader.name, manifest.reader.language) == ("ctc+reader", "moonshine", "en")
    assert (manifest.licence, manifest.reader.licence) == ("MIT", "")
    assert {"model.onnx", *manifest.reader.files, manifest.reader.tokens} <= set(manifest.files)
    assert manifest.parity["fp32"]["text_error"] == 0
    model = load_model(load_bundle(tmp_path / "desk"), None, AsrSettings(provider="cpu"))
    assert model.manifest.kind == "ctc+reader"

    again = export([str(tmp_path / "desk")], tmp_path / "again", only)  # keeps its reader, byte for byte
    assert again.reader == manifest.reader
    kept = {*manifest.reader.files, manifest.reader.tokens}
    assert {name: again.files[name] for name in kept} == {name: manifest.files[name] for name in kept}

    other = dataclasses.replace(only, reader=str(made["english"]), replace=True)
    replaced = export([str(tmp_path / "desk")], tmp_path / "desk", other)
    assert (replaced.reader.architecture, replaced.language) == ("whisper", "en")
    assert load_bundle(tmp_path / "desk").manifest == replaced


def test_a_bundle_gives_its_reader_away(tmp_path, made, only):
    """Its files go along as they are, and so does whose they are."""
    first = export([], tmp_path / "mine", dataclasses.replace(only, reader=str(made["english"]), licence="MIT"))
    second = export(
        [str(made["captions"])], tmp_path / "desk", dataclasses.replace(only, reader=str(tmp_path / "mine"))
    )
    assert second.reader == first.reader
    assert second.reader.licence == "MIT"
    assert {second.files[name] for name in second.reader.files} == {first.files[name] for name in first.reader.files}


def test_a_damaged_reader_is_refused(tmp_path, made, only):
    """Before anything is made of it."""
    export([], tmp_path / "mine", dataclasses.replace(only, reader=str(made["english"])))
    file = tmp_path / "mine" / "reader.decoder.onnx"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"damaged: reader\.decoder\.onnx does not match"):
        load_bundle(tmp_path / "mine")
    with pytest.raises(ModelError, match=r"damaged: reader\.decoder\.onnx"):
        export([str(made["captions"])], tmp_path / "desk", dataclasses.replace(only, reader=str(tmp_path / "mine")))
    assert not (tmp_path / "desk").exists()


def test_what_is_no_reader_is_refused(tmp_path, made, only):
    """In one sentence that says what it is; nothing is left behind."""
    headless = tmp_path / "headless"
    sizes = {"encoder_layers": 1, "encoder_attention_heads": 2, "d_model": 8, "encoder_ffn_dim": 8}
    WhisperForAudioClassification(WhisperConfig(**sizes, num_mel_bins=80)).save_pretrained(headless)
    half = shutil.copytree(made["english"], tmp_path / "half")
    weights = load_file(half / "model.safetensors")
    kept = {name: value for name, value in weights.items() if ".decoder.layers.1" not in name}
    save_file(kept, half / "model.safetensors", metadata={"format": "pt"})
    pickled = shutil.copytree(made["english"], tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04cposix\nsystem\n.")
    shorter = shutil.copytree(made["english"], tmp_path / "shorter")
    preprocessor = shorter / "preprocessor_config.json"
    preprocessor.write_text(preprocessor.read_text().replace('"chunk_length": 2', '"chunk_length": 1'))
    tiny_bundle(tmp_path / "without")
    cases = {
        made["captions"]: "is a wav2vec2, which is no reader",
        headless: "is a WhisperForAudioClassification, without a decoder",
        half: "lacks weights, those of model.decoder.layers.1",
        pickled: "no weights",
        shorter: "hears 200 frames, and its feature extractor makes 100",
        tmp_path / "without": "has no reader",
        tmp_path / "nowhere": "no such folder|no folder",
    }
    for place, said in cases.items():
        with pytest.raises(EdgeVoiceError, match=said) as caught:
            export([], tmp_path / "out" / "bundle", dataclasses.replace(only, reader=str(place)))
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="does not read 'fr'"):
        export([], tmp_path / "out" / "b", dataclasses.replace(only, reader=str(made["many"]), language="fr"))
    with pytest.raises(UsageError, match="does not read 'de'"):
        export([], tmp_path / "out" / "b", dataclasses.replace(only, reader=str(made["english"]), language="de"))
    assert not list((tmp_path / "out").iterdir())


def test_a_reader_alone_is_nothing_else(tmp_path, made, only):
    """It captions nothing, is not served, and is named with --reader."""
    export([], tmp_path / "mine", dataclasses.replace(only, reader=str(made["english"])))
    bundle = load_bundle(tmp_path / "mine")
    with pytest.raises(ModelError, match="is a reader"):
        load_model(bundle, None, AsrSettings(provider="cpu"))
    with pytest.raises(UsageError, match="is a reader"):
        write_repository(bundle, tmp_path / "served")
    with pytest.raises(UsageError, match="is a reader and nothing else"):
        export([str(tmp_path / "mine")], tmp_path / "other", only)


def test_the_command_line(tmp_path, made, clips, capsys):
    """A reader of its own; flags that need more than one are refused."""
    out = str(tmp_path / "mine")
    alone = ["--reader", str(made["english"]), "--output", out, "--clips", str(clips)]
    assert main([*alone, "--precision", "fp32", "--licence", "MIT"]) == 0
    printed = capsys.readouterr().out
    assert "reader fp32\tclips 5" in printed
    assert f"written\t{out}" in printed
    assert load_bundle(out).manifest.reader.licence == "MIT"
    for flags, said in {
        ("--intent", "x"): "--intent needs a checkpoint",
        ("--triton", str(tmp_path / "t")): "--triton needs a checkpoint",
        ("--threshold", "0"): "--threshold needs a checkpoint",
    }.items():
        with pytest.raises(UsageError, match=said):
            main([*alone, *flags])
    with pytest.raises(UsageError, match="nothing to export"):
        main(["--output", out])
    with pytest.raises(UsageError, match="--output is missing"):
        main(["--reader", str(made["english"])])


@pytest.mark.parametrize("kind", ["english", "moonshine"])
def test_tokens_spell_what_the_tokenizer_decodes(tmp_path, made, kind):
    """Through the file, letters of several tokens and spaces among them."""
    tokenizer = AutoTokenizer.from_pretrained(made[kind])
    token_table.write(token_table.of(tokenizer), tmp_path / "table")
    table = TokenTable.load(tmp_path / "table")
    known = tokenizer.get_vocab()
    words = [number for token, number in known.items() if "pay" in token or "Größe" in token or "Gr" in token]
    several = [known.get(token) for token in ("<0xE6>", "<0x97>", "<0xA5>")]
    if kind == "english":
        several = [known[letter] for letter in "æĹ¥"]
    for ids in (words, several, [*words, *several, *words]):
        spelt = "".join(table.texts(ids))
        decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        assert spelt.strip() == decoded.strip() != ""
    marks = [number for token, number in known.items() if token.startswith(("<|", "<<"))]
    assert not "".join(table.texts([*tokenizer.all_special_ids, *marks]))
    assert any(table.texts([number])[0].startswith(" ") for number in known.values())


def test_a_tokenizer_of_another_kind_is_refused():
    """One whose tokens are not known to be bytes."""
    plain = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    with pytest.raises(ModelError, match="decodes by nothing"):
        token_table.of(plain)


def test_the_bundled_readers_tokens_are_read_as_its_package_writes_them():
    """A length of one byte or two, a space that is spelt, and marks that write nothing."""
    long = b"a" * 200
    table = (
        b"\x05<unk>\x03<s>\x04</s>\x01\xff" + "▁the".encode().join([b"\x06", b""]) + bytes([200 % 128 + 128, 1]) + long
    )
    found = list(moonshine.token_bytes(table + b"\x08<<ST_7>>\x02</\x00"))
    assert found == [b"", b"", b"", b"\xff", b" the", long, b"", b"</", b""]
    with pytest.raises(ModelError, match="break off"):
        list(moonshine.token_bytes(b"\x09abc"))


def test_a_graph_in_onnxruntimes_format_becomes_onnx(tmp_path):
    """The same results, and no operator sets that it does not use: others would refuse the file for them."""
    import onnxruntime

    tiny_bundle(tmp_path / "tiny")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    source = tmp_path / "tiny" / "model.onnx"
    before = onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    moonshine.as_onnx(tmp_path / "model.ort", tmp_path / "model.onnx")
    after = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    described = before.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 + number * 20 for number, size in enumerate(described.shape)]
    samples = {described.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    for expected, found in zip(before.run(None, samples), after.run(None, samples), strict=True):
        assert np.array_equal(expected, found)
    proto = onnx.load(str(tmp_path / "model.onnx"))
    used = {node.domain for node in proto.graph.node}
    assert {each.domain for each in proto.opset_import} == used


def _ids(folder: Path) -> dict[str, int]:
    return AutoTokenizer.from_pretrained(folder).get_vocab()


def _disturb(file: Path, amount: float, *, all_of_them: bool = False) -> None:
    """Changes the largest matrix of a graph, or every one."""
    proto = onnx.load(str(file))
    matrices = sorted((t for t in proto.graph.initializer if len(t.dims) == 2), key=lambda t: -int(np.prod(t.dims)))
    for tensor in matrices if all_of_them else matrices[:1]:
        values = numpy_helper.to_array(tensor)
        noise = np.random.default_rng(0).normal(size=values.shape) * amount
        changed = (values + (100 * noise if values.dtype == np.int8 else noise)).astype(values.dtype)
        tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    onnx.save(proto, str(file))
