"""The model repository for Triton: what Triton's own definitions say of it, and that a batch changes nothing."""

from __future__ import annotations

import dataclasses
import json
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest

from edgevoice.asr.bundle import Graph, load_bundle, sha256, write_manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.model import AcousticModel, log_softmax
from edgevoice.asr.opening import live_lengths
from edgevoice.asr.remote import served_name
from edgevoice.config import AsrSettings
from edgevoice.errors import UsageError
from edgevoice.paths import bundled_model
from export.cli import main
from export.triton import write_repository
from tests.command_line import Cli, one_sentence
from tests.inference_server import server_python
from tests.tiny import speak, tiny_bundle

# the first run makes the environment that holds Triton's definitions
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PARSE = """if True:
    import json, sys
    from google.protobuf import json_format, text_format
    from tritonclient.grpc import model_config_pb2
    configs = [text_format.Parse(open(name).read(), model_config_pb2.ModelConfig()) for name in sys.argv[1:]]
    print(json.dumps([json_format.MessageToDict(each, preserving_proto_field_name=True) for each in configs]))
"""


def parsed(repository) -> dict[str, dict]:
    """Each model's configuration, read with Triton's own messages; an unknown field or value would not parse."""
    files = sorted(repository.glob("*/config.pbtxt"))
    done = subprocess.run(
        [str(server_python()), "-c", PARSE, *map(str, files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {file.parent.name: config for file, config in zip(files, json.loads(done.stdout), strict=True)}


def test_the_bundled_model(tmp_path):
    bundle = load_bundle(bundled_model())
    (name,) = write_repository(bundle, tmp_path / "repository")
    config = parsed(tmp_path / "repository")[name]
    assert (config["name"], config["backend"], config["max_batch_size"]) == (name, "onnxruntime", 16)
    assert config["input"] == [{"name": "input_features", "data_type": "TYPE_FP32", "dims": ["-1", "240"]}]
    assert config["output"] == [
        {"name": "ctc_logits", "data_type": "TYPE_FP32", "dims": ["-1", str(len(bundle.manifest.vocabulary))]},
        {"name": "intent_logits", "data_type": "TYPE_FP32", "dims": [str(len(bundle.manifest.labels))]},
    ]
    assert int(config["dynamic_batching"]["max_queue_delay_microseconds"]) <= 10_000
    assert config["parameters"] == {"cudnn_conv_algo_search": {"string_value": "1"}}
    graph = bundle.manifest.graphs["shared"]
    lengths = live_lengths(bundle.manifest, 0.32, graph.minimum_samples)
    shapes = [model_input(np.zeros(length, np.float32), graph.features).shape for length in lengths]
    warmed = [each["inputs"]["input_features"] for each in config["model_warmup"]]
    assert [each["dims"] for each in warmed] == [[str(size) for size in shape[1:]] for shape in shapes]
    assert all(each["random_data"] for each in warmed)
    assert {each["batch_size"] for each in config["model_warmup"]} == {1}
    served = tmp_path / "repository" / name / "1" / "model.onnx"
    assert served.read_bytes() == bundle.file(graph, "fp32").read_bytes()
    assert sorted(file.name for file in (tmp_path / "repository").rglob("*")) == sorted(
        [name, "config.pbtxt", "1", "model.onnx"]
    )


def test_a_batch_gives_each_desk_what_it_gets_alone(tmp_path):
    """What dynamic batching does, done by hand."""
    bundle = load_bundle(bundled_model())
    graph = bundle.manifest.graphs["shared"]
    session = onnxruntime.InferenceSession(str(bundle.file(graph, "fp32")))
    clips = [model_input(speak(text)[:32_000], graph.features) for text in ("one two " * 9, "three four " * 9)]
    together = session.run(None, {graph.input: np.concatenate(clips)})
    for index, clip in enumerate(clips):
        for alone, both in zip(session.run(None, {graph.input: clip}), together, strict=True):
            np.testing.assert_allclose(both[index], alone[0], atol=1e-4)


def test_what_hears_in_chunks_is_served_in_windows(tmp_path):
    """Its memory stays out of it: one input, and the outputs that desks ask for."""
    bundle = tiny_bundle(tmp_path / "bundle", chunks=(8, 16))
    (name,) = write_repository(bundle, tmp_path / "repository")
    config = parsed(tmp_path / "repository")[name]
    assert [each["name"] for each in config["input"]] == ["frames"]
    assert [each["name"] for each in config["output"]] == ["ctc", "intent"]
    assert config["max_batch_size"] == 16
    served = onnxruntime.InferenceSession(tmp_path / "repository" / name / "1" / "model.onnx")
    clip = speak("one two three")
    array = model_input(clip, bundle.manifest.graphs["shared"].features)
    ctc, intent = served.run(["ctc", "intent"], {"frames": array})
    expected = AcousticModel(bundle, AsrSettings(provider="cpu")).encode(clip)
    np.testing.assert_allclose(log_softmax(ctc[0]), expected.log_probs, atol=1e-5)
    np.testing.assert_allclose(intent[0], expected.intent_logits, atol=1e-5)


def test_a_graph_of_fixed_batch_is_not_batched(tmp_path):
    """Its dimensions are then written whole."""
    (name,) = write_repository(tiny_bundle(tmp_path / "tiny"), tmp_path / "repository")
    config = parsed(tmp_path / "repository")[name]
    assert "max_batch_size" not in config  # 0
    assert "dynamic_batching" not in config
    assert config["input"][0]["dims"] == ["1", "-1", "160"]
    assert config["output"][1]["dims"] == ["1", "4"]
    assert config["model_warmup"][0]["inputs"]["frames"]["dims"][::2] == ["1", "160"]


def test_a_model_for_each_graph(tmp_path):
    """Two encoders in one bundle are two models, each named after what it does."""
    captions, intents = tiny_bundle(tmp_path / "ctc", "ctc"), tiny_bundle(tmp_path / "intent", "intent")
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "ctc.onnx").write_bytes((captions.path / "model.onnx").read_bytes())
    (folder / "intent.onnx").write_bytes((intents.path / "model.onnx").read_bytes())

    def renamed(graph: Graph, name: str) -> Graph:
        return dataclasses.replace(graph, variants={"fp32": name})

    manifest = dataclasses.replace(
        captions.manifest,
        name="both",
        labels=intents.manifest.labels,
        graphs={
            "ctc": renamed(captions.manifest.graphs["ctc"], "ctc.onnx"),
            "intent": renamed(intents.manifest.graphs["intent"], "intent.onnx"),
        },
        files={name: sha256(folder / name) for name in ("ctc.onnx", "intent.onnx")},
    )
    write_manifest(folder, manifest)
    names = write_repository(load_bundle(folder), tmp_path / "repository")
    assert [name.rpartition("-")[0] for name in names] == ["both-ctc", "both-intent"]
    outputs = {
        name: [each["name"] for each in config["output"]] for name, config in parsed(tmp_path / "repository").items()
    }
    assert outputs == {names[0]: ["ctc"], names[1]: ["intent"]}


@pytest.mark.parametrize(
    ("precisions", "served"), [(("fp32", "int8"), "fp32"), (("fp32", "fp16", "int8"), "fp16"), (("int8",), "int8")]
)
def test_the_variant_that_suits_a_gpu(tmp_path, precisions, served):
    bundle = tiny_bundle(tmp_path / "tiny", precisions=precisions)
    for file in bundle.path.glob("*.onnx"):
        proto = onnx.load(str(file))
        proto.doc_string = file.name
        onnx.save(proto, str(file))
    (name,) = write_repository(bundle, tmp_path / "repository")
    copied = onnx.load(str(tmp_path / "repository" / name / "1" / "model.onnx"))
    assert copied.doc_string == bundle.manifest.graphs["shared"].variants[served]


def test_names_with_quotation_marks_stay_text(tmp_path):
    """What a graph calls its outputs is data."""
    bundle = tiny_bundle(tmp_path / "tiny")
    proto = onnx.load(str(bundle.path / "model.onnx"))
    odd = 'a"b\\c\n}'
    proto.graph.output[1].name = odd
    proto.graph.node[-1].output[0] = odd
    onnx.save(proto, str(bundle.path / "model.onnx"))
    (name,) = write_repository(bundle, tmp_path / "repository")
    assert parsed(tmp_path / "repository")[name]["output"][1]["name"] == odd


def test_weights_beside_the_graph_come_along(tmp_path):
    """As in graphs of more than 2 GB."""
    bundle = tiny_bundle(tmp_path / "tiny")
    file = bundle.path / "model.onnx"
    proto = onnx.load(str(file))
    file.unlink()
    onnx.save(proto, str(file), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (name,) = write_repository(bundle, tmp_path / "repository")
    onnxruntime.InferenceSession(str(tmp_path / "repository" / name / "1" / "model.onnx"))


def test_a_folder_with_something_in_it_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine is not empty\. Choose another --triton"):
        write_repository(tiny_bundle(tmp_path / "tiny"), tmp_path / "mine")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["precious.txt"]


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    """Also where an empty folder is there already."""
    monkeypatch.setattr("export.triton._text", lambda *_: (_ for _ in ()).throw(OSError("full")))
    (tmp_path / "repository").mkdir()
    with pytest.raises(OSError, match="full"):
        write_repository(tiny_bundle(tmp_path / "tiny"), tmp_path / "repository")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["repository", "tiny"]
    assert list((tmp_path / "repository").iterdir()) == []


class TestTheCommand:
    """`edgevoice export --triton`."""

    def test_a_bundle_that_is_there(self, tmp_path, capsys):
        bundle = tiny_bundle(tmp_path / "tiny")
        assert main([str(bundle.path), "--triton", str(tmp_path / "repository")]) == 0
        name = served_name(bundle.manifest, bundle.manifest.graphs["shared"])
        assert capsys.readouterr().out == f"written\t{tmp_path / 'repository' / name}\n"
        assert load_bundle(bundle.path) == bundle

    def test_needs_neither_pytorch_nor_transformers(self, tmp_path):
        """For a bundle that is there."""
        cli = Cli(tmp_path, tiny_bundle(tmp_path / "tiny").path)
        arguments = ["export", str(cli.model), "--triton", str(tmp_path / "repository")]
        probe = f"import sys; from edgevoice.cli import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
        command = [cli.command([])[0], "-c", probe]
        done = subprocess.run(command, capture_output=True, text=True, env=cli.environment, check=True)
        assert not {"torch", "transformers"} & set(done.stderr.split())

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["no-such-run", "--triton", "{0}/new"], "no-such-run is no bundle, and --output is missing"),
            (["no-such-run"], "--output is missing"),
            (["{0}/tiny", "--triton", "{0}/tiny"], "tiny is not empty"),
            (["{0}/tiny", "--triton", "{0}/tiny/model.onnx"], "model.onnx is no folder"),
            (["{0}/tiny", "--output", "{0}/new", "--triton", "{0}/new/triton"], "lies in the bundle"),
            (["{0}/tiny", "--output", "{0}/new/bundle", "--triton", "{0}/new"], "lies in"),
            (["{0}/tiny", "--output", "{0}/new", "--triton", "{0}/new"], "lies in the bundle"),
            (["{0}/tiny", "--triton", "{0}/tiny/triton"], "lies in the bundle"),
            (["{0}/tiny", "--triton", "/proc/x"], "/proc/x cannot be written"),
            (["{0}/tiny", "--output", "{0}/new", "--triton", "/proc/x"], "/proc/x cannot be written"),
            (["{0}/tiny", "--triton", "{0}/tiny/model.onnx/x/y"], "cannot be written: Not a directory"),
        ],
    )
    def test_wrong_usage_is_one_sentence(self, tmp_path, arguments, sentence):
        cli = Cli(tmp_path, tiny_bundle(tmp_path / "tiny").path)
        result = cli("export", *(each.format(tmp_path) for each in arguments))
        assert result.returncode == 2
        assert sentence in one_sentence(result)
        assert not (tmp_path / "new").exists()
        assert sorted(item.name for item in (tmp_path / "tiny").iterdir()) == ["edgevoice.json", "model.onnx"]

    def test_a_checkpoint_becomes_a_bundle_and_a_repository(self, tmp_path, capsys):
        """In one go; the name on the server is that of the bundle's graph."""
        from tests.small import TINY_WAV2VEC2, small_corpus, tiny_recipe
        from training.run import train

        run, bundle, repository = (tmp_path / name for name in ("run", "bundle", "repository"))
        train("joint", tiny_recipe(small_corpus(tmp_path), TINY_WAV2VEC2, "trainer.max_steps=2"), run)
        assert main([str(run), "--output", str(bundle), "--precision", "fp32", "--triton", str(repository)]) == 0
        manifest = load_bundle(bundle).manifest
        name = served_name(manifest, manifest.graphs["shared"])
        assert f"written\t{repository / name}\n" in capsys.readouterr().out
        config = parsed(repository)[name]
        assert (config["max_batch_size"], config["input"][0]["dims"]) == (16, ["-1"])
        warmed = [each["inputs"]["input_values"]["dims"] for each in config["model_warmup"]]
        assert warmed == [[str(5120 * hops)] for hops in range(1, 13)]
