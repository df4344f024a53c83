"""Chunk streaming with a scripted model (exact tables) and with a real tiny one (live is offline)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.chunk_recogniser import ChunkRecogniser
from edgevoice.asr.decoder import Decoder, greedy_decoder
from edgevoice.asr.model import AcousticModel, Encoding, log_softmax
from edgevoice.config import AsrSettings
from edgevoice.errors import ModelError
from tests.tiny import VOCABULARY, WORDS, silence, speak, tiny_bundle

FRAME = 320
CHUNK = 16
MANIFEST = Manifest(name="m", graphs={}, files={}, vocabulary=VOCABULARY, labels=("a", "b"))


def positions(start: float, end: float) -> np.ndarray:
    """Samples that say where in the stream they are."""
    return (np.arange(round(start * 16000), round(end * 16000)) / 16000).astype(np.float32)


class ScriptedStream:
    """A stretch of a `ScriptedModel`; each frame comes out of `advance` once."""

    def __init__(self, model: ScriptedModel) -> None:
        self.model, self.audio, self.done = model, np.zeros(0, dtype=np.float32), 0

    def feed(self, samples: np.ndarray) -> None:
        self.audio = np.concatenate([self.audio, samples])

    @property
    def ready(self) -> int:
        return len(self.audio) // FRAME - self.done

    @property
    def due(self) -> bool:
        return self.ready >= CHUNK

    def advance(self) -> Encoding:
        frames = self.ready // CHUNK * CHUNK
        encoding = self._encoded(frames)
        self.done += frames
        self.model.steps.append(frames)
        return encoding

    def rest(self, samples: int) -> Encoding:
        return self._encoded(max(0, samples // FRAME - self.done))

    def _encoded(self, frames: int) -> Encoding:
        if self.model.failures:
            raise self.model.failures.pop()
        first = self.done * FRAME
        return Encoding(
            self.model.heard(self.audio[first : first + frames * FRAME : FRAME]),
            np.array([self.done + frames, 1.0], dtype=np.float32),
        )


class ScriptedModel:
    """Hears what a script says: (word, start, end) in seconds; the sample values are positions in the stream."""

    frame_seconds, provider, note, heads, running = 0.02, "cpu", "", ("ctc", "intent"), ()

    def __init__(self, script: list[tuple[str, float, float]]) -> None:
        self.manifest, self.script = MANIFEST, script
        self.decoder: Decoder = greedy_decoder(MANIFEST)
        self.failures: list[Exception] = []
        self.steps: list[int] = []

    def heard(self, at: np.ndarray) -> np.ndarray:
        ids = np.zeros(len(at), dtype=int)
        for word, start, end in self.script:
            ids[(at >= start - 1e-3) & (at < end - 1e-3)] = VOCABULARY.index(f" {word}")
        return log_softmax(np.eye(len(VOCABULARY), dtype=np.float32)[ids] * 9)

    def stream(self) -> ScriptedStream:
        return ScriptedStream(self)

    def encode(self, samples: np.ndarray) -> Encoding:
        raise AssertionError("nothing is encoded twice")


def texts(words) -> list[str]:
    return [word.word for word in words]


def live(recogniser: ChunkRecogniser, end: float, start: float = 0.0, step: float = 0.02) -> list:
    """Opens a segment, feeds frames, updates whenever it is due."""
    partials = []
    recogniser.open(round(start * 16000), np.zeros(0, dtype=np.float32))
    for index in range(round((end - start) / step)):
        recogniser.feed(positions(start + index * step, start + (index + 1) * step))
        if recogniser.due:
            partials.append(recogniser.update())
    return partials


SPOKEN = [(word, 0.4 + 0.5 * index, 0.6 + 0.5 * index) for index, word in enumerate(["one", "two", "two", "four"] * 4)]
SAID = [word for word, _, _ in SPOKEN]


# by table


def test_an_update_is_due_at_every_chunk_and_encodes_it_once():
    model = ScriptedModel(SPOKEN)
    assert len(live(ChunkRecogniser(model), 3.3)) == 10
    assert model.steps == [CHUNK] * 10


def test_words_have_their_place_on_the_streams_clock():
    partial = live(ChunkRecogniser(ScriptedModel([("one", 10.4, 10.6), ("two", 11.0, 11.2)])), 12.0, start=10.0)[-1]
    (word,), (open_,) = partial.stable, partial.tentative
    assert (word.start, word.end) == pytest.approx((10.4, 10.6), abs=0.021)
    assert (open_.start, open_.end) == pytest.approx((11.0, 11.2), abs=0.021)


def test_the_audio_from_before_the_detection_counts():
    recogniser = ChunkRecogniser(ScriptedModel([("one", 0.0, 0.1)]))
    recogniser.open(0, positions(0, 0.52))
    assert recogniser.due
    partial = recogniser.update()
    assert texts([*partial.stable, *partial.tentative]) == ["one"]
    assert partial.intent_logits[0] == CHUNK


def test_what_was_skipped_is_encoded_at_once_with_the_next():
    model = ScriptedModel(SPOKEN)
    recogniser = ChunkRecogniser(model)
    recogniser.open(0, np.zeros(0, dtype=np.float32))
    for index in range(3):
        recogniser.feed(positions(index * 0.4, (index + 1) * 0.4))
        assert recogniser.due
        recogniser.skip()
    partial = recogniser.update()
    assert model.steps == [3 * CHUNK]
    assert texts([*partial.stable, *partial.tentative]) == ["one"]  # the next is being said
    assert partial.intent_logits[0] == 3 * CHUNK
    assert not recogniser.due


def test_a_word_is_shown_when_it_is_whole():
    """When another follows, or nothing for a moment; never letter by letter."""
    partials = live(ChunkRecogniser(ScriptedModel([("one", 0.1, 0.3), ("two", 0.34, 0.7)])), 0.97)
    assert [texts([*each.stable, *each.tentative]) for each in partials] == [[], ["one"], ["one", "two"]]


def test_intents_are_those_of_all_frames_so_far():
    partials = live(ChunkRecogniser(ScriptedModel(SPOKEN)), 3.3)
    assert [partial.intent_logits[0] for partial in partials] == [CHUNK * (n + 1) for n in range(10)]


def test_an_update_that_fails_loses_nothing():
    model = ScriptedModel(SPOKEN)
    recogniser = ChunkRecogniser(model)
    live(recogniser, 1.3)
    before = recogniser.end(round(1.3 * 16000)).words
    recogniser.feed(positions(1.3, 2.0))
    model.failures.append(ModelError("gone", "wait"))
    with pytest.raises(ModelError):
        recogniser.update()
    assert recogniser.end(round(1.3 * 16000)).words == before
    partial = recogniser.update()
    assert texts([*partial.stable, *partial.tentative]) == SAID[:3]  # the fourth is being said


def test_a_last_pass_that_fails_can_be_tried_again_while_others_follow():
    model = ScriptedModel(SPOKEN)
    recogniser = ChunkRecogniser(model)
    live(recogniser, 2.0)
    first = recogniser.end(round(1.7 * 16000))
    model.failures.append(ModelError("gone", "wait"))
    with pytest.raises(ModelError):
        first.run()
    assert texts(first.words) == SAID[: len(first.words)]
    live(recogniser, 4.0, start=2.4)
    second = recogniser.end(round(3.7 * 16000))
    assert texts(first.run().words) == SAID[:3]
    assert texts(second.run().words) == SAID[4:7]


@pytest.mark.parametrize(("end", "said"), [(2.0, 4), (1.85, 3), (1.5, 3), (1.3, 3), (0.0, 3)], ids=str)
def test_an_end_before_the_newest_audio_leaves_out_what_begins_behind_it_and_was_not_promised(
    end: float, said: int
) -> None:
    recogniser = ChunkRecogniser(ScriptedModel(SPOKEN))
    live(recogniser, 2.2)
    assert texts(recogniser.end(round(end * 16000)).run().words) == SAID[:said]


def test_an_end_without_any_update():
    recogniser = ChunkRecogniser(ScriptedModel(SPOKEN))
    recogniser.open(0, positions(0, 0.7))
    last_pass = recogniser.end(round(0.7 * 16000))
    assert texts(last_pass.words) == []
    assert texts(last_pass.run().words) == ["one"]
    recogniser.open(0, np.zeros(0, dtype=np.float32))
    assert recogniser.end(0).run().words == ()


@pytest.mark.parametrize("cut", [round(1.0 + 0.02 * step, 2) for step in range(0, 60, 3)])
def test_a_segment_cut_in_mid_speech_says_each_word_once(cut: float) -> None:
    """The cut lies in the past when it is made: the next segment hears the audio behind it again."""
    recogniser = ChunkRecogniser(ScriptedModel(SPOKEN))
    live(recogniser, cut + 0.5)
    before = recogniser.end(round(cut * 16000)).run().words
    recogniser.open(round(cut * 16000), positions(cut, cut + 0.5))
    recogniser.feed(positions(cut + 0.5, 5.0))
    if recogniser.due:
        recogniser.update()
    after = recogniser.end(5 * 16000).run().words
    assert texts([*before, *after]) == [word for word, start, _ in SPOKEN if start < 5]


# with a real graph


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> AcousticModel:
    bundle = tiny_bundle(tmp_path_factory.mktemp("chunked"), chunks=(8, 16))
    return AcousticModel(bundle, AsrSettings(provider="cpu", threads=1))


@pytest.fixture(scope="module")
def searching(tmp_path_factory) -> AcousticModel:
    """The same with a beam search."""
    bundle = tiny_bundle(tmp_path_factory.mktemp("searched"), chunks=(8, 16))
    return AcousticModel(bundle, AsrSettings(provider="cpu", threads=1, decoder="beam"))


def offline(model: AcousticModel, audio: np.ndarray) -> tuple[list, np.ndarray]:
    encoding = model.encode(audio)
    return model.decoder.words(encoding.log_probs, model.frame_seconds, 0.0), encoding.intent_logits


SPEECH = st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=8).map(" ".join)
PIECES = st.lists(st.tuples(st.integers(1, 9000), st.sampled_from(["update", "update", "skip"])), max_size=30)


@pytest.mark.parametrize("which", ["tiny", "searching"])
def test_in_whatever_order_it_is_heard_it_says_what_one_pass_says(which, request):
    """Fed in any pieces, updated or skipped: the final words and intents are those of one pass, and stable words only
    grow and are in the final ones, so that not one of them is ever taken back. A search may think better of where a
    word is while its text stays, and of how often "one one one" says it, live and offline alike."""
    model, greedy = request.getfixturevalue(which), which == "tiny"

    @settings(deadline=None, max_examples=30)
    @given(SPEECH, PIECES)
    def check(text: str, pieces: list[tuple[int, str]]) -> None:
        audio = np.concatenate([silence(0.2), speak(text), silence(0.4)])
        expected, logits = offline(model, audio)
        recogniser = ChunkRecogniser(model)
        recogniser.open(0, np.zeros(0, dtype=np.float32))
        at, stable = 0, []
        for size, what in [*pieces, (len(audio), "update")]:
            recogniser.feed(audio[at : at + size])
            at += size
            if recogniser.due and what == "skip":
                recogniser.skip()
            elif recogniser.due:
                partial = recogniser.update()
                now = [(word.word, word.start, word.end)[: 3 if greedy else 1] for word in partial.stable]
                assert now[: len(stable)] == stable
                stable = now
        final = recogniser.end(len(audio)).run()
        found = [(word.word, word.start, word.end) for word in final.words]
        assert [each[: 3 if greedy else 1] for each in found[: len(stable)]] == stable
        assert texts(final.words) == texts(expected)
        assert not greedy or texts(final.words) == text.split()
        assert [edge for _, *edges in found for edge in edges] == pytest.approx(
            [edge for word in expected for edge in (word.start, word.end)]
        )
        np.testing.assert_allclose(final.intent_logits, logits, atol=1e-3)

    check()


def test_the_last_pass_changes_nothing_for_those_who_go_on(tiny):
    """It may be run to see, and the speaker may go on."""
    audio = np.concatenate([silence(0.2), speak("one two three four one"), silence(0.4)])
    half = len(audio) // 2 + 1000
    recogniser = ChunkRecogniser(tiny)
    recogniser.open(0, audio[:half])
    recogniser.update()
    first, second = (texts(recogniser.end(half).run().words) for _ in range(2))
    assert first == second
    assert "one two three four one".split()[: len(first)] == first
    recogniser.feed(audio[half:])
    recogniser.update()
    assert texts(recogniser.end(len(audio)).run().words) == "one two three four one".split()
