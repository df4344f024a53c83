"""Window streaming with a scripted model (which windows, what is stable) and with a real tiny one (the text)."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.decoder import greedy_decoder
from edgevoice.asr.model import AcousticModel, Encoding, log_softmax
from edgevoice.asr.opening import live_lengths
from edgevoice.asr.window_recogniser import WindowRecogniser
from edgevoice.config import AsrSettings
from tests.tiny import VOCABULARY, WORDS, silence, speak, tiny_bundle

HOP = 5120
SETTINGS = AsrSettings(provider="cpu", threads=1)
MANIFEST = Manifest(name="m", graphs={}, files={}, vocabulary=VOCABULARY, labels=("a", "b"), windows=(2.0, 4.0))


class ScriptedModel:
    """Hears what a script says: the sample values are positions in the stream, so each window knows its place.

    Args:
        script: (word, start, end) in seconds on the stream's clock.
    """

    frame_seconds, provider, note, heads, running = 0.02, "cpu", "", ("ctc", "intent"), ()

    def __init__(self, script: list[tuple[str, float, float]], manifest: Manifest = MANIFEST) -> None:
        self.manifest, self.script = manifest, script
        self.decoder = greedy_decoder(manifest)
        self.windows: list[tuple[int, int]] = []

    def stream(self) -> None:
        """It hears whole windows."""

    def front(self) -> None:
        """And has nothing to keep from one for the next."""

    def encode(self, samples: np.ndarray) -> Encoding:
        if not len(samples):
            return Encoding(np.zeros((0, len(VOCABULARY)), dtype=np.float32), None)
        first, last = round(float(samples[0]) * 16000), round(float(samples[-1]) * 16000) + 1
        self.windows.append((first, last))
        ids = np.zeros((last - first) // 320, dtype=int)
        for word, start, end in self.script:
            left = max(0, round((start * 16000 - first) / 320))
            if end * 16000 <= last:
                ids[left : max(0, round((end * 16000 - first) / 320))] = VOCABULARY.index(f" {word}")
        logits = np.eye(len(VOCABULARY), dtype=np.float32)[ids] * 9
        return Encoding(log_softmax(logits), np.array([first / 16000, 1.0], dtype=np.float32))


def positions(start: float, end: float) -> np.ndarray:
    return (np.arange(round(start * 16000), round(end * 16000)) / 16000).astype(np.float32)


def stream(recogniser: WindowRecogniser, end: float, start: float = 0.0, step: float = 0.02) -> list:
    """Feeds frames and updates whenever it is due."""
    partials = []
    recogniser.open(round(start * 16000), np.zeros(0, dtype=np.float32))
    for index in range(round((end - start) / step)):
        recogniser.feed(positions(start + index * step, start + (index + 1) * step))
        if recogniser.due:
            partials.append(recogniser.update())
    return partials


def texts(words) -> list[str]:
    return [word.word for word in words]


SPOKEN = [(word, 0.4 + 0.5 * index, 0.6 + 0.5 * index) for index, word in enumerate(["one", "two", "two", "four"] * 4)]


def test_an_update_is_due_at_every_hop():
    model = ScriptedModel([])
    assert len(stream(WindowRecogniser(model, SETTINGS, MANIFEST), 3.2)) == 10


def test_the_first_update_comes_a_hop_after_the_detection():
    recogniser = WindowRecogniser(ScriptedModel([]), SETTINGS, MANIFEST)
    recogniser.open(0, positions(0, 0.52))
    assert not recogniser.due
    recogniser.feed(positions(0.52, 0.64))
    assert recogniser.due


def test_windows_are_whole_hops_of_few_lengths_and_never_longer_than_the_largest():
    model = ScriptedModel(SPOKEN)
    stream(WindowRecogniser(model, SETTINGS, MANIFEST), 8.0)
    lengths = {last - first for first, last in model.windows}
    assert lengths <= set(live_lengths(MANIFEST, SETTINGS.hop_s))
    assert max(lengths) <= 4 * 16000


def test_the_lengths_of_the_live_path_are_whole_hops():
    """From the shortest that the graph takes; one at least, however long the hop is."""
    assert list(live_lengths(MANIFEST, 0.32)) == [count * HOP for count in range(1, 13)]
    assert list(live_lengths(MANIFEST, 0.32, shortest=HOP + 1))[:2] == [2 * HOP, 3 * HOP]
    assert live_lengths(MANIFEST, 0.32, shortest=2 * HOP)[0] == 2 * HOP
    assert list(live_lengths(MANIFEST, 5.0)) == [80_000]


def test_words_have_their_place_on_the_streams_clock():
    model = ScriptedModel([("one", 10.4, 10.6)])
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    partial = stream(recogniser, 12.0, start=10.0)[-1]
    (word,) = partial.stable
    assert (word.start, word.end) == pytest.approx((10.4, 10.6))


def test_a_window_begins_a_second_before_the_first_word_that_is_not_stable():
    model = ScriptedModel(SPOKEN)
    stream(WindowRecogniser(model, SETTINGS, MANIFEST), 8.0)
    first, last = model.windows[-1]
    assert 1.0 <= (last - first) / 16000 <= 2.6


def test_text_that_never_settles_is_committed_before_it_leaves_the_window():
    class Fickle(ScriptedModel):
        def encode(self, samples: np.ndarray) -> Encoding:
            self.script = [
                (word, start, end) for (word, start, end) in SPOKEN if (len(self.windows) % 2) or word != "one"
            ]
            return super().encode(samples)

    model = Fickle(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    partials = stream(recogniser, 8.0)
    assert max(last - first for first, last in model.windows) <= 4 * 16000
    assert len(partials[-1].stable) > 8
    for before, after in itertools.pairwise(partials):
        assert after.stable[: len(before.stable)] == before.stable


def test_noise_without_words_slides_the_window():
    model = ScriptedModel([])
    stream(WindowRecogniser(model, SETTINGS, MANIFEST), 10.0)
    assert model.windows[-1][1] - model.windows[-1][0] == 12 * HOP


def test_the_final_pass_hears_the_whole_segment_up_to_its_end():
    model = ScriptedModel(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    stream(recogniser, 7.2)
    final = recogniser.end(7 * 16000).run()
    assert model.windows[-1] == (0, 7 * 16000)
    assert texts(final.words) == [word for word, _, end in SPOKEN if end <= 7]


def test_words_promised_beyond_a_cut_are_not_said_again():
    model = ScriptedModel(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    stream(recogniser, 6.0)
    first = recogniser.end(4 * 16000).run()
    second = stream(recogniser, 9.0, start=4.0)[-1]
    assert first.words[-1].end > 4
    assert texts(first.words + second.stable + second.tentative) == [word for word, _, _ in SPOKEN]


def test_a_failing_final_pass_keeps_the_promise_beyond_the_cut():
    model = ScriptedModel(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    stream(recogniser, 6.0)
    first = recogniser.words
    encode, model.encode = model.encode, lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):
        recogniser.end(4 * 16000).run()
    model.encode = encode
    second = stream(recogniser, 9.0, start=4.0)[-1]
    assert first[-1].end > 4
    assert texts(first + second.stable + second.tentative) == [word for word, _, _ in SPOKEN]


def test_the_final_words_begin_with_the_stable_ones_even_if_the_final_pass_disagrees():
    model = ScriptedModel(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    stable = stream(recogniser, 4.0)[-1].stable
    model.script = [("three", start, end) for _, start, end in SPOKEN]
    final = recogniser.end(4 * 16000).run()
    assert final.words[: len(stable)] == stable
    assert set(texts(final.words[len(stable) :])) == {"three"}


def test_skipping_lets_the_hop_pass():
    recogniser = WindowRecogniser(ScriptedModel([]), SETTINGS, MANIFEST)
    recogniser.open(0, np.zeros(0, dtype=np.float32))
    recogniser.feed(positions(0, 0.4))
    recogniser.skip()
    assert not recogniser.due


def test_early_intents_are_those_of_the_window_while_it_reaches_the_start_and_then_a_mean():
    model = ScriptedModel([])
    partials = stream(WindowRecogniser(model, SETTINGS, MANIFEST), 5.12)
    from_start = [first for first, _ in model.windows if first == 0]
    for partial in partials[: len(from_start)]:
        np.testing.assert_allclose(partial.intent_logits, log_softmax(np.array([0.0, 1.0])), atol=1e-6)
    rest = [log_softmax(np.array([first / 16000, 1.0])) for first, _ in model.windows[len(from_start) - 1 :]]
    np.testing.assert_allclose(partials[-1].intent_logits, np.mean(rest, axis=0), atol=1e-5)


def test_a_new_segment_knows_nothing_of_the_last():
    model = ScriptedModel(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    stream(recogniser, 4.0)
    partial = stream(recogniser, 22.0, start=20.0)[-1]
    assert (partial.stable, partial.tentative) == ((), ())


def test_a_segment_longer_than_expected_is_kept_whole():
    model = ScriptedModel(SPOKEN)
    recogniser = WindowRecogniser(model, SETTINGS, MANIFEST)
    stream(recogniser, 30.0, step=0.1)
    recogniser.end(30 * 16000).run()
    assert model.windows[-1] == (0, 30 * 16000)


def test_an_intent_model_makes_no_captions(tmp_path):
    model = AcousticModel(tiny_bundle(tmp_path, "intent"), SETTINGS)
    recogniser = WindowRecogniser(model, SETTINGS, model.manifest)
    recogniser.open(0, speak("one one one"))
    assert recogniser.update().tentative == ()
    final = recogniser.end(16000).run()
    assert final.words == ()
    assert final.intent_logits.argmax() == 0


def test_a_caption_model_has_no_intents(tmp_path):
    model = AcousticModel(tiny_bundle(tmp_path, "ctc"), SETTINGS)
    recogniser = WindowRecogniser(model, SETTINGS, model.manifest)
    recogniser.open(0, speak("one two"))
    assert recogniser.update().intent_logits is None
    assert texts(recogniser.end(16000).run().words) == ["one", "two"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return AcousticModel(tiny_bundle(tmp_path_factory.mktemp("tiny")), SETTINGS)


@settings(max_examples=25, deadline=None)
@given(
    spoken=st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=25),
    word_s=st.sampled_from([0.12, 0.2, 0.37]),
    gap_s=st.sampled_from([0.1, 0.16, 0.3]),
)
def test_the_live_path_hears_what_the_offline_path_hears(tiny, spoken, word_s, gap_s):
    samples = np.concatenate([silence(0.4), speak(" ".join(spoken), word_s, gap_s), silence(0.2)])
    recogniser = WindowRecogniser(tiny, SETTINGS, tiny.manifest)
    recogniser.open(0, samples[:8320])
    stable: tuple = ()
    for place in range(8320, len(samples), 320):
        recogniser.feed(samples[place : place + 320])
        if recogniser.due:
            partial = recogniser.update()
            assert partial.stable[: len(stable)] == stable
            stable = partial.stable
    assert texts(recogniser.end(len(samples)).run().words) == spoken
