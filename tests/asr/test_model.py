"""`AcousticModel` over real, tiny graphs."""

import dataclasses

import numpy as np
import pytest

from edgevoice.asr import session as sessions
from edgevoice.asr.bundle import Bundle, FeatureSettings, Graph, Manifest
from edgevoice.asr.ctc import greedy, words
from edgevoice.asr.model import AcousticModel, combined_manifest, load_model, log_softmax
from edgevoice.asr.opening import live_lengths, precisions
from edgevoice.config import AsrSettings
from edgevoice.errors import ModelError, ProviderError
from tests.pretended_gpu import CPU as CPU_PROVIDER
from tests.pretended_gpu import CUDA, TENSORRT, Runtime
from tests.tiny import LABELS, VOCABULARY, silence, speak, tiny_bundle

CPU = AsrSettings(provider="cpu", threads=1)


def heard(model: AcousticModel, samples: np.ndarray) -> str:
    tokens = greedy(model.encode(samples).log_probs, model.manifest.vocabulary, model.manifest.blank)
    return " ".join(word.word for word in words(tokens, model.frame_seconds, 0.0))


def test_one_pass_serves_both_heads(tmp_path):
    model = AcousticModel(tiny_bundle(tmp_path), CPU)
    encoding = model.encode(speak("one two two four"))
    assert heard(model, speak("one two two four")) == "one two two four"
    np.testing.assert_allclose(np.exp(encoding.log_probs).sum(axis=1), 1, atol=1e-5)
    assert LABELS[encoding.intent_logits.argmax()] == "pay"
    assert (model.heads, model.frame_seconds, model.provider) == (("ctc", "intent"), 0.02, "cpu")


@pytest.mark.parametrize("samples", [0, 1, 559])
def test_audio_too_short_for_the_graph_gives_an_empty_encoding(tmp_path, samples):
    encoding = AcousticModel(tiny_bundle(tmp_path), CPU).encode(np.zeros(samples, dtype=np.float32))
    assert encoding.log_probs.shape == (0, len(VOCABULARY))
    assert encoding.intent_logits is None


def test_the_shortest_input_gives_a_frame(tmp_path):
    assert len(AcousticModel(tiny_bundle(tmp_path), CPU).encode(silence(0.035)).log_probs) == 1


def test_a_bundle_has_the_heads_it_has(tmp_path):
    captions = AcousticModel(tiny_bundle(tmp_path / "ctc", "ctc"), CPU).encode(speak("one"))
    intents = AcousticModel(tiny_bundle(tmp_path / "intent", "intent"), CPU).encode(speak("one"))
    assert (captions.intent_logits, intents.log_probs) == (None, None)
    assert (len(captions.log_probs), len(intents.intent_logits)) == (17, len(LABELS))


def test_two_bundles_are_one_model(tmp_path):
    captions = tiny_bundle(tmp_path / "ctc", "ctc", windows=(1.0,))
    intents = tiny_bundle(tmp_path / "intent", "intent", thresholds={"pay": 0.9})
    model = load_model(captions, intents, CPU)
    encoding = model.encode(speak("two"))
    assert len(encoding.log_probs) == 17
    assert LABELS[encoding.intent_logits.argmax()] == "pay"
    manifest = model.manifest
    assert (manifest.labels, manifest.threshold("pay"), manifest.windows) == (LABELS, 0.9, (1.0,))
    assert manifest.name == "tiny-ctc + tiny-intent"


def test_a_second_bundle_without_intents_is_refused(tmp_path):
    captions = tiny_bundle(tmp_path, "ctc")
    with pytest.raises(ModelError, match="has no intents"):
        load_model(captions, captions, CPU)


@pytest.mark.parametrize(
    ("provider", "wanted", "variants", "chosen"),
    [
        ("cpu", "auto", ("fp32", "fp16", "int8"), "int8"),
        ("cpu", "auto", ("fp32", "fp16"), "fp32"),
        ("cpu", "auto", ("fp16",), "fp16"),
        ("cuda", "auto", ("fp32", "fp16", "int8"), "fp16"),
        ("cuda", "auto", ("fp32", "int8"), "fp32"),
        ("cpu", "fp32", ("fp32", "int8"), "fp32"),
        ("cuda", "fp32", ("fp32", "fp16"), "fp32"),
    ],
)
def test_the_precision_by_table(provider, wanted, variants, chosen):
    graph = Graph(
        architecture="",
        features=FeatureSettings(kind="waveform"),
        input="",
        outputs={},
        frame_samples=320,
        minimum_samples=400,
        variants=dict.fromkeys(variants, "file"),
    )
    assert precisions(graph, provider, wanted)[0] == chosen


@pytest.mark.parametrize("precision", ["int8", "auto"])
def test_int8_is_refused_on_a_gpu_and_taken_on_the_cpu(tmp_path, precision):
    bundle = tiny_bundle(tmp_path, precisions=("int8",))
    with pytest.raises(ProviderError, match="int8"):
        AcousticModel(bundle, AsrSettings(provider="cuda", precision=precision))
    assert AcousticModel(bundle, AsrSettings(provider="auto", precision=precision)).provider == "cpu"


def test_the_precision_in_use_is_shown(tmp_path):
    assert AcousticModel(tiny_bundle(tmp_path, precisions=("fp32", "int8")), CPU).precision == "int8"


@pytest.mark.parametrize("change", [{"vocabulary": ("", "a")}, {"labels": ("pay",)}])
def test_an_output_that_does_not_fit_the_manifest_is_refused(tmp_path, change):
    with pytest.raises(ModelError, match="its manifest"):
        load_model(tiny_bundle(tmp_path, **change), None, CPU)


def test_outputs_that_are_no_numbers_are_refused(tmp_path):
    model = AcousticModel(tiny_bundle(tmp_path), CPU)
    with pytest.raises(ModelError, match="no numbers"):
        model.encode(np.full(16000, np.nan, dtype=np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_would_give_no_probabilities_are_refused(tmp_path, value):
    model = AcousticModel(tiny_bundle(tmp_path), CPU)
    session = model._passes[0].session
    outputs = session.run(np.zeros((1, 10, 160), dtype=np.float32))
    outputs["intent"][0, 1] = value
    session.run = lambda _: outputs
    with pytest.raises(ModelError, match="no numbers"):
        model.encode(silence(1.0))


def test_an_output_the_graph_lacks_is_refused(tmp_path):
    bundle = tiny_bundle(tmp_path)
    graph = dataclasses.replace(bundle.manifest.graphs["shared"], outputs={"ctc": "ctc", "intent": "moods"})
    wrong = Bundle(bundle.path, dataclasses.replace(bundle.manifest, graphs={"shared": graph}))
    with pytest.raises(ModelError, match="'moods'"):
        AcousticModel(wrong, CPU)


def test_log_softmax_survives_large_logits():
    np.testing.assert_allclose(log_softmax(np.array([1e4, 0.0], dtype=np.float32)), [0.0, -1e4])


def test_everything_about_intents_follows_the_bundle_that_has_them():
    """And everything about captions the other one."""
    captions = Manifest(name="a", graphs={}, files={}, vocabulary=("", "x"), labels=("p",), temperature=1.0)
    intents = Manifest(
        name="b",
        graphs={},
        files={},
        vocabulary=("", "y"),
        labels=("q", "none"),
        thresholds={"q": 0.9},
        default_threshold=0.7,
        early_threshold=0.8,
        temperature=2.5,
        reject_label="none",
    )
    both = combined_manifest(captions, intents)
    assert both.vocabulary == captions.vocabulary
    for name in ("labels", "thresholds", "default_threshold", "early_threshold", "temperature", "reject_label"):
        assert getattr(both, name) == getattr(intents, name)


# on a GPU that is none


@pytest.fixture
def gpu(monkeypatch):
    def install(**options: object) -> Runtime:
        fake = Runtime([TENSORRT, CUDA, CPU_PROVIDER], [CUDA, CPU_PROVIDER], **options)
        monkeypatch.setattr(sessions, "_runtime", lambda: fake)
        monkeypatch.setattr(sessions, "gpu_present", lambda: True)
        return fake

    return install


def test_the_lengths_of_the_live_path_are_kept_on_a_gpu_and_no_others(tmp_path, gpu):
    """Those of the captions also for the intents, whose own windows nobody decodes; none is too short for its graph."""
    captions = tiny_bundle(tmp_path / "ctc", "ctc", windows=(1.0,))
    intents = tiny_bundle(tmp_path / "intent", "intent", windows=(4.0,))
    gpu()
    model = load_model(captions, intents, AsrSettings(provider="cuda", hop_s=0.02))
    shortest, longest = 2 * 320, 16000
    lengths = list(live_lengths(captions.manifest, 0.02, 560))
    assert (lengths[0], lengths[-1]) == (shortest, longest)
    for each in model._passes:
        assert each.session.graphs == len(each.session._bindings)
        assert {shape[1] for shape in each.session._bindings} == {(1 + (n - 400) // 160) // 2 for n in lengths}


def test_the_start_is_quick_on_the_cpu(tmp_path, monkeypatch):
    """Two lengths are run, not all."""
    model = AcousticModel(tiny_bundle(tmp_path), CPU)
    run, seen = model._passes[0].session.run, []
    monkeypatch.setattr(model._passes[0].session, "run", lambda array: (seen.append(array.shape[1]), run(array))[1])
    model.warm_up()
    assert len(seen) == 2


@pytest.mark.parametrize("provider", ["auto", "cuda"])
def test_fp16_that_gives_no_numbers_leaves_cuda_to_fp32(tmp_path, gpu, provider):
    bundle = tiny_bundle(tmp_path, precisions=("fp32", "fp16"))
    gpu(no_numbers="model.fp16")
    model = load_model(bundle, None, AsrSettings(provider=provider))
    assert (model.provider, model.precision) == ("cuda", "fp32")
    assert "model.fp16.onnx puts out values that are no numbers" in model.note


@pytest.mark.parametrize("provider", ["auto", "cuda"])
def test_a_precision_that_was_named_and_gives_no_numbers_says_the_way_out(tmp_path, gpu, provider):
    bundle = tiny_bundle(tmp_path, precisions=("fp32", "fp16"))
    gpu(no_numbers="model.fp16")
    with pytest.raises(ModelError, match=r"puts out values that are no numbers.*EDGEVOICE_ASR_PRECISION=fp32"):
        load_model(bundle, None, AsrSettings(provider=provider, precision="fp16"))


def test_a_provider_that_was_named_and_fails_at_the_start_is_an_error(tmp_path, gpu, monkeypatch):
    """Going on without it is for a session that runs."""
    fake = gpu()
    model = AcousticModel(tiny_bundle(tmp_path), AsrSettings(provider="cuda"))
    fake.left = 0
    with pytest.raises(ProviderError, match=r"failed on cuda: CUDA failure 700.*--provider cpu"):
        model.warm_up()
    assert model.provider == "cuda"


def test_auto_that_fails_at_the_start_goes_on_and_says_why(tmp_path, gpu):
    fake = gpu()
    model = AcousticModel(tiny_bundle(tmp_path), AsrSettings(provider="auto"))
    fake.left = 0
    model.warm_up()
    assert model.provider == "cpu"
    assert "CUDA failure 700" in model.note


def test_tensorrt_is_told_the_shortest_and_the_longest_audio(tmp_path, gpu):
    """The longest that a segment or an utterance may have: a minute."""
    fake = gpu()
    fake.grants = [TENSORRT, CUDA, CPU_PROVIDER]
    model = load_model(tiny_bundle(tmp_path), None, AsrSettings(provider="tensorrt"))
    options = fake.asked[-1][1][0][1]
    assert model.provider == "tensorrt"
    assert options["trt_profile_min_shapes"] == "frames:1x1x160"
    assert options["trt_profile_opt_shapes"] == "frames:1x191x160"
    assert options["trt_profile_max_shapes"] == "frames:1x3049x160"
