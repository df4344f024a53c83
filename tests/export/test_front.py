"""Convolutions as a graph of their own: each frame is heard once, and nothing changes by it."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest

from edgevoice.asr import session as sessions
from edgevoice.asr.bundle import Bundle, FeatureSettings, load_bundle, write_manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.front import TwoGraphs
from edgevoice.asr.model import AcousticModel
from edgevoice.asr.window_recogniser import WindowRecogniser
from edgevoice.config import AsrSettings
from edgevoice.errors import ModelError
from export import convert, front
from export.build import ExportOptions, export
from export.parity import load_clips
from export.triton import write_repository
from tests.checkpoints import RUNNING, captions, intents
from tests.pretended_gpu import CPU, CUDA, Runtime
from tests.small import small_clips
from training.loading import load_checkpoint

PLAIN = FeatureSettings(kind="waveform")
SETTINGS = AsrSettings(provider="cpu", threads=1, precision="fp32", keep_optimised=False)
HOP = 5120


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> ExportOptions:
    """A comparison on few clips: here it is not what is tested."""
    clips = [clip for clip in small_clips() if clip.duration_s < 4][:6]
    file = tmp_path_factory.mktemp("clips") / "manifest.csv"
    file.write_text("path,text,split\n" + "".join(f"{clip.path},,dev\n" for clip in clips), encoding="utf-8")
    return ExportOptions(clips=file)


@pytest.fixture(scope="module")
def only_fp32(options) -> ExportOptions:
    """The same without further precisions."""
    return dataclasses.replace(options, precisions=("fp32",))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, options, only_fp32) -> dict[str, Bundle]:
    """A model of captions in all precisions; one of captions and one of intents in one bundle."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, features in (("none", PLAIN), ("running", RUNNING)):
        export([str(captions(folder / "checkpoint", sure=20.0, features=features))], folder / name, options)
    two = [str(captions(folder / "captions", features=PLAIN)), str(intents(folder / "intents", features=RUNNING))]
    export(two, folder / "two", only_fp32)
    return {name: load_bundle(folder / name) for name in ("none", "running", "two")}


def sound(seconds: float = 7.3) -> np.ndarray:
    """Something that varies."""
    rng = np.random.default_rng(1)
    time = np.arange(round(seconds * 16_000)) / 16_000
    return ((0.02 + 0.1 * np.sin(3 * time) ** 2) * rng.normal(size=len(time)) + 0.01).astype(np.float32)


def test_a_bundle_has_a_front_in_float_and_encoders_in_every_precision(bundles) -> None:
    """The convolutions of an int8 model are those in fp32."""
    graph = bundles["none"].manifest.graphs["ctc"]
    assert graph.front == {"fp32": "model.front.onnx", "fp16": "model.front.fp16.onnx"}
    assert graph.variants == {"fp32": "model.onnx", "fp16": "model.fp16.onnx", "int8": "model.int8.onnx"}
    assert [file.name for file in bundles["none"].whole(graph, "int8")] == ["model.front.onnx", "model.int8.onnx"]
    encoder = onnx.load(bundles["none"].path / "model.onnx").graph
    convolutions = [node for node in encoder.node if node.op_type == "Conv"]
    assert len(convolutions) == 1  # that of the positions
    assert graph.input == "input_values"
    assert [each.name for each in encoder.input] == [front.FEATURES]


@pytest.mark.parametrize("name", ["none", "running", "two"])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_kept_is_what_would_be_computed(bundles, name, seed) -> None:
    """However the audio comes, the whole segment gives what it gives at once, to 1e-5."""
    model = AcousticModel(bundles[name], SETTINGS)
    audio = sound()
    kept = model.front()
    assert kept is not None
    rng = np.random.default_rng(seed)
    for end in np.sort(rng.integers(0, len(audio), 9)):
        kept.hear(audio[:end])
    found, expected = kept.encode(audio, 0, len(audio)), model.encode(audio)
    np.testing.assert_allclose(found.log_probs, expected.log_probs, atol=1e-5)
    if name == "two":
        np.testing.assert_allclose(found.intent_logits, expected.intent_logits, atol=1e-5)


@pytest.mark.parametrize("start", [0, HOP, 5 * HOP])
def test_a_window_hears_what_it_would_hear_alone(bundles, start) -> None:
    """With a running normalisation it hears what it would as part of the segment, and so what the last pass hears."""
    audio, end = sound(), 18 * HOP
    for name in ("none", "running"):
        model = AcousticModel(bundles[name], SETTINGS)
        kept = model.front()
        assert kept is not None
        kept.encode(audio, 0, 9 * HOP)
        found = kept.encode(audio, start, end).log_probs
        session = model._passes[0].session
        assert isinstance(session, TwoGraphs)
        window = model_input(audio, model._passes[0]._graph.features)[:, start:end]
        np.testing.assert_allclose(
            found, model.encoding({"ctc": session.run(window)["logits"][0]}).log_probs, atol=1e-5
        )
        if name == "none":
            np.testing.assert_allclose(found, model.encode(audio[start:end]).log_probs, atol=1e-5)


def test_live_every_sample_is_heard_once(bundles) -> None:
    """Windows overlap; what the front is given does not, but for what a frame shares with the next. The last pass
    gives it the end of the segment and no more."""
    model = AcousticModel(bundles["none"], SETTINGS)
    session = model._passes[0].session
    assert isinstance(session, TwoGraphs)
    hear, heard, windows = session.hear, [], []
    session.hear = lambda array: (heard.append(array.shape[1]), hear(array))[1]
    encode = session.encode
    session.encode = lambda features: (windows.append(features.shape[1]), encode(features))[1]
    recogniser = WindowRecogniser(model, SETTINGS, model.manifest)
    audio = sound(6.0)
    recogniser.open(0, audio[:3000])
    for begin in range(3000, len(audio), 320):
        recogniser.feed(audio[begin : begin + 320])
        if recogniser.due:
            recogniser.update()
    recogniser.end(95_000).run()
    frames, reach = 95_000 // 320, model._passes[0]._graph.minimum_samples - 320
    assert sum((samples - reach) // 320 + 1 for samples in heard) == frames
    assert sum(windows) > 5 * frames
    assert windows[-1] == frames


def test_hops_that_are_no_whole_frames_decode_windows_as_before(bundles) -> None:
    settings = dataclasses.replace(SETTINGS, hop_s=0.25)
    model = AcousticModel(bundles["none"], settings)
    assert model.front() is None
    recogniser = WindowRecogniser(model, settings, model.manifest)
    recogniser.open(0, sound(1.0))
    recogniser.feed(sound(1.0))
    assert recogniser.due
    recogniser.update()


@pytest.mark.parametrize(
    ("features", "changes"),
    [
        (FeatureSettings(kind="waveform", normalise="utterance"), {}),
        (PLAIN, {"feat_extract_norm": "group", "do_stable_layer_norm": False}),
    ],
    ids=["normalised over the window", "convolutions normalised over time"],
)
def test_what_depends_on_the_whole_window_has_no_front(tmp_path, only_fp32, features, changes) -> None:
    checkpoint = captions(tmp_path / "checkpoint", features=features, **changes)
    manifest = export([str(checkpoint)], tmp_path / "bundle", only_fp32)
    assert manifest.graphs["ctc"].front == {}
    assert AcousticModel(load_bundle(tmp_path / "bundle"), SETTINGS).front() is None


def test_a_bundle_with_a_front_is_made_anew_from_its_own_weights(tmp_path, bundles, only_fp32) -> None:
    """Those of the front included."""
    export([str(bundles["running"].path)], tmp_path / "again", only_fp32)
    found = AcousticModel(load_bundle(tmp_path / "again"), SETTINGS).encode(load_clips()[3])
    expected = AcousticModel(bundles["running"], SETTINGS).encode(load_clips()[3])
    np.testing.assert_allclose(found.log_probs, expected.log_probs, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_server_gets_one_graph(tmp_path, bundles, precision) -> None:
    """It knows nothing of segments; the graph does what the two do."""
    bundle = bundles["running"]
    graph = bundle.manifest.graphs["ctc"]
    only = dataclasses.replace(graph, variants={precision: graph.variants[precision]})
    (name,) = write_repository(
        Bundle(bundle.path, dataclasses.replace(bundle.manifest, graphs={"ctc": only})), tmp_path / "repository"
    )
    session = onnxruntime.InferenceSession(
        tmp_path / "repository" / name / "1" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"input_values": model_input(sound(), RUNNING)})
    model = AcousticModel(bundle, dataclasses.replace(SETTINGS, precision=precision))
    expected = model.encode(sound()).log_probs
    np.testing.assert_allclose(model.encoding({"ctc": found[0]}).log_probs, expected, atol=1e-4)


def test_both_graphs_run_on_a_gpu_and_go_on_without_it(bundles, monkeypatch) -> None:
    """The features that were kept stay of use."""
    fake = Runtime([CUDA, CPU], [CUDA, CPU])
    monkeypatch.setattr(sessions, "_runtime", lambda: fake)
    monkeypatch.setattr(sessions, "gpu_present", lambda: True)
    model = AcousticModel(bundles["none"], dataclasses.replace(SETTINGS, provider="auto"))
    assert model.provider == "cuda"
    kept, audio = model.front(), sound()
    assert kept is not None
    kept.encode(audio, 0, 9 * HOP)
    fake.left = 0
    found = kept.encode(audio, 0, len(audio)).log_probs
    assert model.provider == "cpu"
    np.testing.assert_allclose(found, model.encode(audio).log_probs, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"front": {"fp16": "model.front.fp16.onnx"}}, "none in fp32"),
        ({"chunks": (8, 16)}, "cannot be computed as it comes"),
        ({"features": FeatureSettings(kind="waveform", normalise="utterance")}, "cannot be computed as it comes"),
        ({"frame_samples": 0, "outputs": {"intent": "logits"}}, "without a length"),
    ],
)
def test_a_front_that_cannot_be_is_refused(tmp_path, bundles, change, said) -> None:
    manifest = bundles["none"].manifest
    graph = dataclasses.replace(manifest.graphs["ctc"], **change)
    role = "intent" if "intent" in graph.outputs else "ctc"
    mode = "cached" if graph.chunks else "window"
    write_manifest(tmp_path, dataclasses.replace(manifest, graphs={role: graph}, streaming=mode))
    with pytest.raises(ModelError, match=said):
        load_bundle(tmp_path)


def test_a_damaged_front_is_noticed(tmp_path, bundles) -> None:
    for file in bundles["none"].path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.front.onnx").write_bytes((tmp_path / "model.front.onnx").read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"model\.front\.onnx does not match"):
        load_bundle(tmp_path)


def test_a_graph_without_a_place_to_cut_stays_one(tmp_path) -> None:
    """Whatever its nodes are called."""
    checkpoint = load_checkpoint(str(captions(tmp_path / "checkpoint", features=PLAIN)))
    convert.to_onnx(checkpoint, tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    for node in proto.graph.node:
        node.name = node.name.replace("feature_extractor", "other")
    onnx.save(proto, tmp_path / "model.onnx")
    before = (tmp_path / "model.onnx").read_bytes()
    assert not front.split(tmp_path / "model.onnx", tmp_path / "front.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == before
