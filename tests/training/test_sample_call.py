"""The sample call, spoken by the real engines."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError
from training import sample_call, voices
from training.augment import Audio
from training.sample_call import LEVEL_DBFS, NOISE_DBFS, PAUSES_S, make_call

TEXTS = ("please freeze my card", "what is my balance", "I would like to send fifty pounds to my sister in Norway")
QUIET_DBFS = -45.0
STEP = SAMPLE_RATE // 100


@pytest.fixture(scope="module", params=["flite-slt", "en-us+f2"])
def voice(request: pytest.FixtureRequest) -> str:
    if request.param not in {known.name for known in voices.available()}:
        pytest.skip(f"the voice {request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("sentences") / "three.csv", TEXTS)


@pytest.fixture(scope="module")
def call(sentences: Path, voice: str) -> Audio:
    return make_call(sentences, voice, seed=1)


def written(path: Path, texts: tuple[str, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "intent"), *((text, "none") for text in texts)])
    return path


def level(samples: Audio) -> float:
    return 20 * float(np.log10(np.sqrt(np.mean(samples**2))))


def turns(call: Audio) -> list[tuple[int, int]]:
    """Where each sentence starts and ends, in samples: two loud places belong together unless a pause parts them."""
    frames = call[: len(call) // STEP * STEP].reshape(-1, STEP)
    loud = np.flatnonzero([level(frame) > QUIET_DBFS for frame in frames]) * STEP
    parted = np.flatnonzero(np.diff(loud) > PAUSES_S[0] * SAMPLE_RATE)
    starts, ends = loud[np.r_[0, parted + 1]], loud[np.r_[parted, len(loud) - 1]] + STEP
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def test_every_sentence_is_a_turn_with_a_pause_after_it(call: Audio) -> None:
    """The pause may seem longer than it is by the silence at the ends of what the engine gives."""
    found = turns(call)
    assert len(found) == len(TEXTS)
    next_starts = [start for start, _ in found[1:]] + [len(call)]
    for (_, end), start in zip(found, next_starts, strict=True):
        assert PAUSES_S[0] <= (start - end) / SAMPLE_RATE <= PAUSES_S[1] + 1.0


def test_a_turn_is_as_long_as_its_sentence_takes_to_say(call: Audio) -> None:
    """At an ordinary tempo, after a second in which nobody speaks."""
    found = turns(call)
    seconds = [(end - start) / SAMPLE_RATE for start, end in found]
    assert found[0][0] >= SAMPLE_RATE
    assert max(seconds) == seconds[2]
    for text, length in zip(TEXTS, seconds, strict=True):
        assert 8 < len(text) / length < 30


def test_all_turns_are_equally_loud_over_a_quiet_line(call: Audio) -> None:
    for start, end in turns(call):
        assert LEVEL_DBFS - 0.5 < level(call[start:end]) < LEVEL_DBFS + 3  # without the engine's silence it is louder
    assert level(call[:SAMPLE_RATE]) == pytest.approx(NOISE_DBFS, abs=3)
    assert call.dtype == np.float32
    assert np.abs(call).max() <= 1


def test_the_seed_sets_the_pauses(sentences: Path, voice: str, call: Audio) -> None:
    np.testing.assert_array_equal(make_call(sentences, voice, seed=1), call)
    assert len(make_call(sentences, voice, seed=2)) != len(call)


def test_numbers_are_said_as_words(voice: str, tmp_path: Path) -> None:
    figures, words = written(tmp_path / "1.csv", ("pay £20",)), written(tmp_path / "2.csv", ("pay twenty pounds",))
    np.testing.assert_array_equal(make_call(figures, voice, seed=1), make_call(words, voice, seed=1))


def test_the_command_writes_flac(
    sentences: Path, voice: str, call: Audio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "call.flac"
    assert sample_call.run(["--sentences", str(sentences), "--voice", voice, "--output", str(output)]) == 0
    info = soundfile.info(output)
    assert (info.samplerate, info.channels, info.format, info.subtype) == (SAMPLE_RATE, 1, "FLAC", "PCM_16")
    np.testing.assert_allclose(soundfile.read(output, dtype="float32")[0], call, atol=2 / 2**15)
    assert capsys.readouterr().out == f"{output}: {len(call) / SAMPLE_RATE:.1f} s, {voice}\n"


def test_an_unknown_voice_is_answered_with_the_names_of_the_known(
    sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one line, with the exit code of wrong settings; nothing is written."""
    monkeypatch.setattr(voices, "available", lambda: voices.RECORDED_VOICES[:3])
    output = tmp_path / "call.flac"
    assert sample_call.run(["--sentences", str(sentences), "--voice", "nobody", "--output", str(output)]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "The voice nobody is not installed" in printed.err
    assert all(known.name in printed.err for known in voices.RECORDED_VOICES[:3])
    assert not printed.out
    assert not output.exists()
    with pytest.raises(ConfigError, match="flite-kal16, flite-awb, flite-rms"):
        make_call(sentences, "nobody", seed=1)


def test_the_sentences_that_come_along_can_all_be_spoken() -> None:
    """And are none of those that the models are trained, chosen or tested with."""
    with sample_call.SENTENCES.open(newline="", encoding="utf-8") as stream:
        call = {sample_call.spoken(row["text"]) for row in csv.DictReader(stream)}
    with sample_call.SENTENCES.with_name("sentences.csv").open(newline="", encoding="utf-8") as stream:
        known = {sample_call.spoken(row["text"]) for row in csv.DictReader(stream)}
    assert call
    assert all(call)
    assert not call & known
