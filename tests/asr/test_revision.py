"""What becomes of a sentence that is read once more: a reader and a detector that follow a script, real rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.asr.bundle import FeatureSettings, Manifest, ReaderSpec
from edgevoice.asr.reader import Piece, Reading
from edgevoice.asr.revision import NOTHING_SAID, Reviser, Sentence, is_loop, is_plausible, words_of
from edgevoice.events import Word

LETTERS = ("", " ", *"abcdefghijklmnopqrstuvwxyz'")
MANIFEST = Manifest(name="m", graphs={}, files={}, vocabulary=LETTERS, language="en-GB")
FRAME_S = 0.02


def spec(**fields: object) -> ReaderSpec:
    base = {
        "name": "reader",
        "architecture": "moonshine",
        "features": FeatureSettings(kind="waveform"),
        "encoder": {"fp32": "e"},
        "decoder": {"fp32": "d"},
        "tokens": "t",
        "start": (1,),
        "end": 2,
    }
    return ReaderSpec(**{**base, **fields})  # type: ignore[arg-type]


def reading(text: str, log_prob: float = -0.05, *, ended: bool = True) -> Reading:
    pieces = tuple(Piece(f" {word}" if at else word, log_prob, at) for at, word in enumerate(text.split(" ")))
    return Reading(text, pieces if text else (), ended=ended, end_log_prob=log_prob if ended else 0.0)


class ScriptedReader:
    """Reads what stands in the script, and keeps what it was given."""

    batches = False

    def __init__(self, *script: Reading, **fields: object) -> None:
        self.spec = spec(**fields)
        self.script, self.heard = list(script), []

    def read(self, clips: Sequence[np.ndarray], *, language: str = "", prompt: str = "") -> list[Reading]:
        self.heard += [(len(clip), language, prompt) for clip in clips]
        return [self.script.pop(0) if len(self.script) > 1 else self.script[0] for _ in clips]


class ScriptedDetector:
    def __init__(self, speech: float) -> None:
        self.value = speech

    def speech(self, samples: np.ndarray) -> float:
        return self.value


def word(text: str, confidence: float = 0.5) -> Word:
    return Word(word=text, start=10.0, end=10.4, confidence=confidence)


def log_probs(text: str, frames: int = 100) -> np.ndarray:
    rows = np.full((frames, len(LETTERS)), -8.0, dtype=np.float32)
    rows[:, 0] = -0.01
    for at, letter in enumerate(text):
        rows[2 * at + 1] = -8.0
        rows[2 * at + 1, LETTERS.index(letter)] = -0.01
    return rows


def sentence(*first: Word, heard: str | None = None, seconds: float = 2.0) -> Sentence:
    audio = np.zeros(round(seconds * 16_000), dtype=np.float32)
    return Sentence(audio, 10.0, 10.0 + seconds, first, None if heard is None else log_probs(heard))


def revise(read: Reading | ScriptedReader, given: Sentence, speech: float = 1.0):
    reader = read if isinstance(read, ScriptedReader) else ScriptedReader(read)
    return Reviser(reader, ScriptedDetector(speech), MANIFEST, FRAME_S).revise([given])[0]


def test_a_reading_takes_the_place_of_the_words_and_lies_where_they_were_said() -> None:
    found = revise(reading("Hello, you."), sentence(word("helo"), word("yu"), heard="hello you"))
    assert found is not None
    assert [each.word for each in found.words] == ["Hello,", "you."]
    assert found.words[0].start == pytest.approx(10.0 + 1 * FRAME_S)
    assert found.words[1].start == pytest.approx(10.0 + 13 * FRAME_S)
    assert found.words[1].end <= 12.0
    assert found.confidence > 0.9


def test_without_log_probabilities_words_are_spread() -> None:
    found = revise(reading("Hello you."), sentence(word("helo"), word("x"), word("y")))
    assert found is not None
    assert found.words[0].start == 10.0
    assert found.words[0].end == found.words[1].start
    assert found.words[1].end == 12.0


def test_what_the_captions_heard_otherwise_is_less_sure() -> None:
    reader = ScriptedReader(reading("Hello you."), confidence_misfit=0.3)
    agreed = revise(reader, sentence(heard="hello you"))
    reader = ScriptedReader(reading("Hello you."), confidence_misfit=0.3)
    disagreed = revise(reader, sentence(heard="zzzzz you"))
    assert agreed is not None
    assert disagreed is not None
    assert disagreed.words[0].confidence < agreed.words[0].confidence - 0.1
    assert disagreed.words[1].confidence == pytest.approx(agreed.words[1].confidence, abs=0.05)


@pytest.mark.parametrize(
    ("read", "speech"),
    [
        (reading("You"), 0.3),
        (reading("Thank you for watching."), 0.79),
        (reading("♪♪♪"), 1.0),
        (reading("..."), 1.0),
        (reading(""), 1.0),
        (reading("Who's next?", -0.8), 0.85),
        (reading("You"), 0.9),
        (reading("a b " * 30, ended=False), 0.85),
    ],
    ids=[
        "noise",
        "nearly speech",
        "music",
        "a pause",
        "nothing",
        "unsure over a noise",
        "a word for a long noise",
        "a loop over a noise",
    ],
)
def test_nothing_was_said(read: Reading, speech: float) -> None:
    assert revise(read, sentence(word("code"), seconds=5.0), speech) == NOTHING_SAID
    assert revise(read, sentence(seconds=5.0), speech) is None  # which is no news


@pytest.mark.parametrize(
    ("heard", "speech", "stands"),
    [("who is next", 0.9, True), ("zzqqxxzzqqxx", 0.9, False), ("zzqqxxzzqqxx", 1.0, True), (None, 0.9, True)],
    ids=["it fits", "it does not fit", "somebody surely spoke", "nobody knows"],
)
def test_where_speech_is_doubtful_the_text_must_fit_what_was_heard(
    heard: str | None, speech: float, stands: bool
) -> None:
    found = revise(reading("Who is next?"), sentence(word("a"), word("b"), word("c"), heard=heard), speech)
    assert (found != NOTHING_SAID) == stands


@pytest.mark.parametrize(
    "read",
    [
        reading("six six six six six"),
        reading("a little bit of a little bit of a little bit of"),
        reading("and then, and then, and then, and then,"),
        reading("so", ended=False),
        reading("What is", -1.2),
        reading(" ".join(f"w{number}" for number in range(40))),
    ],
    ids=["a word again", "a phrase again", "two words again", "no end", "a guess", "too fast"],
)
def test_clear_speech_that_was_not_read_well_stays_as_it_was(read: Reading) -> None:
    assert revise(read, sentence(word("words"), word("of"), word("mine"))) is None


@pytest.mark.parametrize("text", ["No, no, no.", "zero four four four four", "Bye bye, bye bye.", "Yes."])
def test_people_repeat_themselves(text: str) -> None:
    assert is_plausible(reading(text), 3.0)
    assert not is_loop(text)


@given(st.lists(st.sampled_from(["na", "la", "so", "we", "go"]), min_size=1, max_size=5), st.integers(6, 20))
def test_whatever_comes_again_and_again_is_a_loop(phrase: list[str], often: int) -> None:
    assert is_loop(" ".join(phrase * often))


@pytest.mark.parametrize(
    ("first", "read", "stays"),
    [
        ((word("yes", 0.95),), reading("Yeah.", -0.9), True),
        ((word("yes", 0.3),), reading("Yeah.", -0.1), False),
        ((word("freeze", 0.95), word("it", 0.95)), reading("Is it?", -0.8), True),
        ((word("a", 0.99), word("b", 0.99), word("c", 0.99)), reading("Yeah.", -0.9), False),
        ((), reading("Yeah.", -0.9), False),
    ],
    ids=["the first is surer", "the reader is surer", "two words", "more than two words", "nothing was heard"],
)
def test_of_a_word_or_two_the_surer_stands(first: tuple[Word, ...], read: Reading, stays: bool) -> None:
    assert (revise(read, sentence(*first)) is None) == stays


def test_what_it_is_unsure_of_is_read_again_with_more_silence_and_the_surest_counts() -> None:
    reader = ScriptedReader(reading("Ate", -0.6), reading("Eight.", -0.2), reading("Late", -0.4))
    found = revise(reader, sentence(word("x"), word("y"), word("z")))
    assert found is not None
    assert [each.word for each in found.words] == ["Eight."]
    lengths = [length for length, _, _ in reader.heard]
    assert len(lengths) == 3
    assert len(set(lengths)) == 3
    assert {language for _, language, _ in reader.heard} == {"en"}


def test_what_it_is_sure_of_is_read_once() -> None:
    reader = ScriptedReader(reading("Eight.", -0.05))
    revise(reader, sentence(word("ate")))
    assert len(reader.heard) == 1


def test_a_reader_with_a_window_of_its_own_hears_the_audio_as_it_is() -> None:
    reader = ScriptedReader(reading("Eight.", -0.6), window_s=30.0)
    revise(reader, sentence(word("ate")))
    assert [length for length, _, _ in reader.heard] == [32_000]


def test_what_is_longer_than_a_reader_reads_stays() -> None:
    reader = ScriptedReader(reading("Eight."), longest_s=1.0)
    assert revise(reader, sentence(word("ate"))) is None
    assert not reader.heard


def test_noise_is_not_even_read() -> None:
    reader = ScriptedReader(reading("You"))
    revise(reader, sentence(word("ate")), 0.1)
    assert not reader.heard


def test_several_at_once_are_each_as_if_alone() -> None:
    reader = ScriptedReader(reading("One more."), reading("♪"), reading("Two more."))
    given = [sentence(word("a"), word("b"), word("c"))] * 3
    found = Reviser(reader, ScriptedDetector(1.0), MANIFEST, FRAME_S).revise(given)
    assert [" ".join(each.word for each in one.words) for one in found if one] == ["One more.", "", "Two more."]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((" Hel", "lo", ",", " you"), ["Hello,", "you"]),
        (("-", " Who", "'s"), ["Who's"]),
        ((" a", " ", "b"), ["a", "b"]),
        ((" a\x1b[31m", " b\u202e"), ["a[31m", "b"]),
        ((" one two", "three"), ["one", "twothree"]),
        ((), []),
    ],
)
def test_the_words_of_a_reading(pieces: tuple[str, ...], expected: list[str]) -> None:
    given = Reading("".join(pieces), tuple(Piece(piece, -0.1, at) for at, piece in enumerate(pieces)), ended=True)
    assert [text for text, _ in words_of(given)] == expected


@given(st.lists(st.text(max_size=6), max_size=8))
def test_no_text_breaks_it(texts: list[str]) -> None:
    pieces = tuple(Piece(text, -0.1, at) for at, text in enumerate(texts))
    read = Reading("".join(texts), pieces, ended=True, end_log_prob=-0.1)
    found = revise(read, sentence(word("a"), word("b"), word("c"), heard="abc"))
    for each in found.words if found else ():
        assert each.word.strip() == each.word
        assert 10.0 <= each.start <= each.end <= 12.0
        assert 0 <= each.confidence <= 1
