"""The parts of a training run, one by one."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCTC

from edgevoice.asr.bundle import FeatureSettings
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus
from training.attention import use_fast_relative_key
from training.augment import Augmentation
from training.callbacks import SkipBadGradients, WeightAverage
from training.checkpoint import load_features, measure, save_features
from training.config import VocabularyConfig
from training.dataset import Collator, DurationBatches, Preparation
from training.features import Features
from training.manifest import Clip, read_manifest
from training.metrics import collapse, ctc_metrics
from training.models import IGNORE, JointConfig, JointModel
from training.trainer import silence_padding
from training.vocabulary import build_tokenizer, canonical, text_of


def test_fast_relative_key_gives_the_same_numbers():
    """On more frames than there are distances, with and without a mask."""
    torch.manual_seed(0)
    options = {**TINY_BERT, "vocab_size": 30}
    model = AutoModelForCTC.from_config(AutoConfig.for_model(options.pop("model_type"), **options)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    inputs, mask = torch.randn(2, 120, 320), torch.ones(2, 120, dtype=torch.long)
    mask[1, 80:] = 0
    with torch.no_grad():
        slow = [model(inputs).logits, model(inputs, attention_mask=mask).logits[0]]
        use_fast_relative_key(model)
        fast = [model(inputs).logits, model(inputs, attention_mask=mask).logits[0]]
        model.wav2vec2_bert.encoder.layers[0].self_attn.distance_embedding.weight.mul_(2)
        changed = model(inputs).logits
    for a, b in zip(slow, fast, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    assert (changed - fast[0]).abs().max() > 1e-3, "the distances must matter for this test to mean anything"


@pytest.mark.parametrize(("encoder", "name"), [(TINY_BERT, "input_features"), (TINY_WAV2VEC2, "input_values")])
def test_padding_does_not_change_a_joint_models_answer(encoder, name):
    """A clip gives the same intent logits alone and beside a longer one, when the mask is passed."""
    torch.manual_seed(0)
    model = JointModel(JointConfig(encoder=encoder, vocab_size=12, classifier_size=8, num_labels=3)).eval()
    generator = np.random.default_rng(0)
    shape = (lambda n: (n, 320)) if name == "input_features" else (lambda n: (n * 320,))
    clips = [{"inputs": generator.standard_normal(shape(n)).astype(np.float32)} for n in (40, 90)]
    with torch.no_grad():
        alone = model(**Collator(name)(clips[:1])).intent_logits[0]
        beside = model(**Collator(name)(clips)).intent_logits[0]
    torch.testing.assert_close(alone, beside, atol=2e-3, rtol=0)


def test_clips_without_an_intent_do_not_train_the_intent_head():
    """Their label is ignored; a batch of nothing else gives an intent loss of zero and no NaN."""
    model = JointModel(JointConfig(encoder=TINY_BERT, vocab_size=12, classifier_size=8, num_labels=3))
    output = model(input_features=torch.randn(2, 30, 320), intent_labels=torch.tensor([IGNORE, IGNORE]))
    assert float(output.loss.detach()) == 0.0


@given(st.lists(st.floats(0.2, 14.0), min_size=1, max_size=80), st.floats(5.0, 60.0), st.integers(0, 5))
def test_batches_hold_every_clip_and_no_more_than_their_seconds(durations, seconds, seed):
    """Padded to its longest clip, no batch of several clips exceeds the limit; an epoch has each clip once."""
    sampler = DurationBatches(durations, seconds, seed)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    assert sorted(itertools.chain(*batches)) == list(range(len(durations)))
    for batch in batches:
        assert len(batch) == 1 or max(durations[i] for i in batch) * len(batch) <= seconds + 1e-6


def test_every_epoch_has_as_many_batches_as_the_scheduler_was_told():
    """Whatever the shuffling does to the split."""
    sampler = DurationBatches(list(np.random.default_rng(0).uniform(0.5, 12, 200)), 30.0, 1)
    epochs = [list(sampler) for _ in range(5)]
    assert {len(epoch) for epoch in epochs} == {len(sampler)}
    assert epochs[0] != epochs[1]


@given(st.lists(st.integers(0, 3), max_size=12))
def test_collapse_is_ctcs_rule(ids):
    """Against the definition: first join repeats, then drop blanks."""
    assert collapse(ids, 0) == [key for key, _ in itertools.groupby(ids) if key != 0]


def test_ctc_metrics_ignore_padding():
    """Padding of ids and labels is -100; one wrong word of three."""
    vocabulary = ("", " ", "a", "b", "c")
    ids = np.array([[2, 2, 0, 1, 3, 1, 2, IGNORE, IGNORE]])
    labels = np.array([[2, 1, 3, 1, 4, IGNORE]])
    assert ctc_metrics(ids, labels, vocabulary, 0)["wer"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "settings",
    [
        FeatureSettings(kind="waveform", normalise="utterance"),
        FeatureSettings(kind="waveform", normalise="none"),
        FeatureSettings(kind="waveform", normalise="running", mean=(0.01,), std=(0.07,), prior_frames=25),
        FeatureSettings(kind="log_mel", normalise="running", stride=3, mean=(0.5,) * 80, std=(2.0,) * 80),
    ],
)
def test_features_survive_a_checkpoint(tmp_path, settings):
    """What is saved beside the weights is what export and runtime will use."""
    save_features(settings, tmp_path)
    assert load_features(str(tmp_path)) == settings


def test_a_transformers_extractor_is_understood(tmp_path):
    """Wav2Vec2-BERT checkpoints of the hub bring a SeamlessM4TFeatureExtractor."""
    from transformers import SeamlessM4TFeatureExtractor

    SeamlessM4TFeatureExtractor().save_pretrained(tmp_path)
    assert load_features(str(tmp_path)) == FeatureSettings(kind="log_mel", normalise="utterance", mel_bins=80, stride=2)


def test_measured_statistics_make_features_of_unit_size(tmp_path):
    """Over the clips they were measured on, normalised features have about zero mean and unit deviation."""
    from edgevoice.asr.features import model_input
    from training.decoded import load_audio

    clips = read_manifest(small_corpus(tmp_path))
    settings = measure(FeatureSettings(kind="log_mel", normalise="running", stride=1), clips, seed=0)
    frames = np.concatenate([model_input(load_audio(clip.path), settings)[0] for clip in clips])
    assert abs(frames.mean()) < 0.2
    assert 0.8 < frames.std() < 1.2


@pytest.mark.parametrize("text", ["naïve café", "привет мир", "안녕 하세요", "你好 世界"])
def test_characters_of_any_script_make_a_vocabulary(tmp_path, text):
    """Encoding and decoding give the text back."""
    tokenizer = build_tokenizer([text], VocabularyConfig(kind="characters"), tmp_path)
    vocabulary, blank = canonical(tokenizer)
    assert vocabulary[blank] == ""
    assert text_of(tokenizer(text)["input_ids"], vocabulary) == text


def one_parameter(value: float = 0.0) -> torch.nn.Module:
    """A module with a single weight."""
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, value)
    return module


@pytest.mark.parametrize(("gradient", "kept"), [(1.0, True), (float("nan"), False), (float("inf"), False)])
def test_a_gradient_that_is_not_finite_is_dropped(gradient, kept):
    """The optimiser then has nothing to do for that step."""
    module = one_parameter()
    module.weight.grad = torch.full_like(module.weight, gradient)
    SkipBadGradients().on_pre_optimizer_step(None, SimpleNamespace(global_step=1), None, model=module)
    assert (module.weight.grad is not None) == kept


def test_the_average_is_swapped_in_for_evaluation_and_out_again():
    """Evaluation sees the average, training goes on with the working weights."""
    module, average = one_parameter(), WeightAverage(0.5)
    quiet = SimpleNamespace(should_evaluate=False, should_save=False)
    average.on_step_end(None, SimpleNamespace(global_step=1), quiet, model=module)
    torch.nn.init.constant_(module.weight, 1.0)
    loud = SimpleNamespace(should_evaluate=True, should_save=True)
    average.on_step_end(None, SimpleNamespace(global_step=1000), loud, model=module)
    assert float(module.weight) == pytest.approx(0.5)
    average.on_step_begin(None, None, None, model=module)
    assert float(module.weight) == pytest.approx(1.0)


def test_frames_of_padding_say_nothing():
    """Whatever a model puts out there, the metrics must not count it as words."""
    logits = torch.zeros(2, 4, 3)
    logits[:, :, 2] = 5.0
    silence_padding(logits, torch.tensor([4, 1]), blank=1)
    assert logits.argmax(-1).tolist() == [[2, 2, 2, 2], [2, 1, 1, 1]]


def test_sentences_that_mean_nothing_are_heard_as_they_grow() -> None:
    """Some of them, to a random point, and then without their text; commands whole, and all when measuring."""
    features = Features(FeatureSettings(kind="waveform", normalise="none"))
    still = Augmentation(0, equalise_probability=0, room_probability=0, noise_probability=0, telephone_probability=0)
    damaging = Preparation(
        features=features,
        tokenizer=lambda text: {"input_ids": list(text.encode())},
        labels={"none": 0, "pay": 1},
        missing_intent="none",
        augmentation=dataclasses.replace(still, gain_range=(0.0, 0.0)),
        cut_others=0.5,
    )
    samples, rng = np.ones(32_000, dtype=np.float32), np.random.default_rng(1)

    def heard(preparation: Preparation, intent: str) -> list[tuple[int, int]]:
        clip = Clip(path=Path(), text="hello", intent=intent, speaker="", split="", duration_s=2.0, dataset="")
        items = [preparation(samples, clip, rng) for _ in range(200)]
        return [(len(item["inputs"]), len(item["labels"])) for item in items]

    whole = (32_000, 5)
    assert set(heard(damaging, "pay")) == {whole}
    for intent in ("none", ""):
        cut = [each for each in heard(damaging, intent) if each != whole]
        assert 70 < len(cut) < 130
        assert all(8_000 <= length < 32_000 and not tokens for length, tokens in cut)
    assert set(heard(dataclasses.replace(damaging, augmentation=None), "none")) == {whole}
    assert set(heard(dataclasses.replace(damaging, missing_intent=""), "")) == {whole}
