"""Small corpora made by the real engines."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.cli import main
from edgevoice.errors import ConfigError, EdgeVoiceError, UsageError
from training import synthesise, voices
from training.synthesis import casting, plan
from training.synthesis.corpus import MANIFEST_COLUMNS, OtherCorpusError
from training.synthesis.plan import SynthesisConfig, SynthesisError
from training.synthesis.speaking import is_plausible
from training.voices import Utterance, Voice

needs_engines = pytest.mark.skipif(
    shutil.which("espeak-ng") is None or shutil.which("flite") is None, reason="espeak-ng and flite are not installed"
)

TEXTS = {
    "train": [
        "I want to pay a bill.",
        "freeze my card please",
        "what is my balance?",
        "how do I change my address",
        "send fifty pounds to my sister",
        'he said "pay" - \\ twice',
    ],
    "dev": ["is my card frozen", "my app has crashed", "where is the nearest branch"],
    "test": ["transfer money abroad", "-v is a strange way to start a question", "open a joint account"],
}
SHARD_SIZE = 6
HOURS = {"hours": 0.012, "dev_hours": 0.004, "test_hours": 0.006, "other_engines_hours": 0.0}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sentences") / "sentences.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "intent", "split", "source"])
        writer.writerows([text, "some_intent", split, "test"] for split, texts in TEXTS.items() for text in texts)
    return path


@pytest.fixture(scope="module", autouse=True)
def small_shards() -> Iterator[None]:
    """Make little more than is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SHARD_SIZE", SHARD_SIZE)
        yield


@pytest.fixture(scope="module")
def corpus(sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> SynthesisConfig:
    """A corpus made once, with two processes."""
    config = SynthesisConfig(sentences, tmp_path_factory.mktemp("corpus") / "made", seed=3, jobs=2, **HOURS)
    assert synthesise.synthesise(config) == config.output
    return config


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@needs_engines
def test_the_corpus_is_what_the_manifest_says(corpus: SynthesisConfig) -> None:
    listed = rows(corpus.output)
    assert tuple(listed[0]) == MANIFEST_COLUMNS
    assert {row["path"] for row in listed} == {
        path.relative_to(corpus.output).as_posix() for path in corpus.output.rglob("*.flac")
    }
    for row in listed:
        samples, rate = soundfile.read(corpus.output / row["path"], dtype="float32")
        info = soundfile.info(corpus.output / row["path"])
        assert (rate, samples.ndim, info.format, info.subtype) == (16_000, 1, "FLAC", "PCM_16")
        assert samples.size / rate == pytest.approx(float(row["duration_s"]), abs=1e-3)
        assert 0.01 < np.abs(samples).max() < 0.99
        assert row["text"] in TEXTS[row["split"]]
        assert row["intent"] == "some_intent"


@needs_engines
def test_the_hours_are_kept_to_within_one_utterance(corpus: SynthesisConfig) -> None:
    for split, hours in corpus.split_hours().items():
        durations = [float(row["duration_s"]) for row in rows(corpus.output) if row["split"] == split]
        assert sum(durations) >= hours * 3600
        assert sum(durations[:-1]) <= hours * 3600


@needs_engines
def test_every_sentence_comes_before_any_comes_again(corpus: SynthesisConfig) -> None:
    spoken = [row["text"] for row in rows(corpus.output) if row["split"] == "train"]
    assert set(spoken[: len(TEXTS["train"])]) == set(TEXTS["train"])


@needs_engines
def test_no_speaker_serves_two_splits(corpus: SynthesisConfig) -> None:
    listed = rows(corpus.output)
    speakers = {split: {row["speaker"] for row in listed if row["split"] == split} for split in TEXTS}
    assert not speakers["train"] & speakers["test"]
    assert not speakers["train"] & speakers["dev"]
    assert not speakers["dev"] & speakers["test"]
    licences = json.loads((corpus.output / "voices.json").read_text(encoding="utf-8"))
    assert sum(entry["utterances"] for split in licences.values() for entry in split) == len(listed)
    assert all(entry["licence"] and entry["shippable"] for entry in licences["train"])


@needs_engines
def test_half_of_the_test_clips_are_clean(corpus: SynthesisConfig) -> None:
    damage = [row["augmentation"] for row in rows(corpus.output) if row["split"] == "test"]
    assert damage[::2] == ["clean"] * len(damage[::2])
    assert damage[1::2] == ["noise+telephone"] * len(damage[1::2])


@needs_engines
def test_the_same_seed_gives_the_same_corpus_with_any_number_of_processes(
    corpus: SynthesisConfig, tmp_path: Path
) -> None:
    again = replace(corpus, output=tmp_path / "again", jobs=1)
    synthesise.synthesise(again)
    assert (again.output / "manifest.csv").read_bytes() == (corpus.output / "manifest.csv").read_bytes()
    for row in rows(corpus.output):
        first, second = (soundfile.read(made.output / row["path"])[0] for made in (corpus, again))
        np.testing.assert_array_equal(first, second)


@needs_engines
def test_a_broken_off_run_goes_on(corpus: SynthesisConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(corpus, output=tmp_path / "broken", jobs=1)
    shutil.copytree(corpus.output, broken.output)
    paths = [broken.output / row["path"] for row in rows(broken.output)]
    (broken.output / "manifest.csv").unlink()
    paths[1].unlink()
    kept = {path: path.stat().st_mtime_ns for path in paths if path.exists()}
    spoken: list[str] = []

    def note(voice: Voice, text: str, rate: float, pitch: float, output: Path) -> Utterance:
        spoken.append(text)
        return Utterance(voice, text, rate, pitch, output)

    monkeypatch.setattr(casting, "Utterance", note)
    synthesise.synthesise(broken)
    assert (broken.output / "manifest.csv").read_bytes() == (corpus.output / "manifest.csv").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(spoken) < 3 * SHARD_SIZE + 1


@needs_engines
def test_a_row_of_another_plan_is_made_anew(corpus: SynthesisConfig, tmp_path: Path) -> None:
    mended = replace(corpus, output=tmp_path / "mended", jobs=1)
    shutil.copytree(corpus.output, mended.output)
    rows_file = mended.output / "train" / "0000" / "rows.csv"
    rows_file.write_text(rows_file.read_text(encoding="utf-8").replace(TEXTS["train"][0], "old"), encoding="utf-8")
    synthesise.synthesise(mended)
    assert (mended.output / "manifest.csv").read_bytes() == (corpus.output / "manifest.csv").read_bytes()


@needs_engines
def test_two_corpora_do_not_mix(corpus: SynthesisConfig) -> None:
    with pytest.raises(OtherCorpusError, match=r"made with another seed\. Delete that folder, or name another one"):
        synthesise.synthesise(replace(corpus, seed=4))


@needs_engines
def test_a_corpus_of_other_voices_says_so(corpus: SynthesisConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another engine is installed between two calls."""
    fewer = voices.available()[1:]
    monkeypatch.setattr(voices, "available", lambda: fewer)
    with pytest.raises(OtherCorpusError, match="made with another set of installed voices"):
        synthesise.synthesise(corpus)


@needs_engines
def test_recordings_of_the_users_are_left_alone(corpus: SynthesisConfig, sentences: Path, tmp_path: Path) -> None:
    """In a folder of theirs, and in one of a corpus."""
    theirs = tmp_path / "recordings" / "train" / "anna" / "hello.flac"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"is not empty and holds no corpus of 'edgevoice train synthesise'"):
        synthesise.synthesise(SynthesisConfig(sentences, tmp_path / "recordings"))
    assert theirs.read_bytes() == b"mine"
    made = replace(corpus, output=tmp_path / "made", hours=0.004, jobs=1)
    shutil.copytree(corpus.output, made.output)
    added = [made.output / "train" / name / "mine.flac" for name in ("0000", "0001", "anna")]
    for path in added:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    before = {row["path"] for row in rows(made.output) if row["split"] == "train"}
    synthesise.synthesise(made)
    after = {row["path"] for row in rows(made.output) if row["split"] == "train"}
    assert after < before
    assert set((made.output / "train").rglob("*.flac")) == {*added, *(made.output / row for row in after)}


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--hours", "nan"], "--hours nan is no number of hours"),
        (["--hours", "inf"], "--hours inf is no number of hours"),
        (["--dev-hours", "-1"], "--dev-hours -1 is no number of hours"),
        (["--seed", "-1"], "--seed -1 is less than 0"),
    ],
)
def test_numbers_that_cannot_be_meant(sentences: Path, tmp_path: Path, flags: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        synthesise.run(["--sentences", str(sentences), "--output", str(tmp_path / "made"), *flags])
    assert not (tmp_path / "made").exists()


@needs_engines
def test_another_voice_steps_in_for_one_that_fails(
    sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = voices.command
    broken = voices.Command(("false",))
    monkeypatch.setattr(voices, "command", lambda item: broken if item.voice.engine == "flite" else real(item))
    config = SynthesisConfig(sentences, tmp_path / "made", 0.006, 0.0, 0.0, 0.0, jobs=1)
    synthesise.synthesise(config)
    assert {row["voice"] for row in rows(config.output)}
    assert not any(row["voice"].startswith("flite") for row in rows(config.output))
    listed = json.loads((config.output / "voices.json").read_text(encoding="utf-8"))["train"]
    assert sum(entry["failures"] for entry in listed if entry["engine"] == "flite") > 0


@pytest.mark.parametrize(
    ("text", "seconds", "plausible"),
    [
        ("no", 0.15, True),
        ("no", 0.6, True),
        ("no", 2.0, False),
        ("cancel all timers", 0.2, False),
        ("cancel all timers", 1.2, True),
        ("cancel all timers", 7.0, False),
    ],
)
def test_speech_has_the_length_of_its_text(text: str, seconds: float, plausible: bool) -> None:
    """Single short words included; an engine that stuttered or broke off does not count."""
    assert is_plausible(text, seconds) == plausible


def test_a_machine_without_engines_is_told_what_to_install(
    sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(voices, "available", tuple)
    with pytest.raises(SynthesisError, match="apt install espeak-ng"):
        synthesise.synthesise(SynthesisConfig(sentences, tmp_path))
    arguments = ["train", "synthesise", "--sentences", str(sentences), "--output", str(tmp_path)]
    assert main(arguments) == 1
    assert "apt install espeak-ng" in capsys.readouterr().err
    monkeypatch.setenv("EDGEVOICE_DEBUG", "1")
    assert main(arguments) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,split\nhello,train\n", "no column intent"),
        ("text,intent,split\nhello,x,dev\n", "no sentence of the split"),
    ],
)
def test_a_wrong_sentences_file_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, complaint: str
) -> None:
    path = tmp_path / "sentences.csv"
    path.write_text(content, encoding="utf-8")
    monkeypatch.setattr(voices, "available", lambda: voices.RECORDED_VOICES)
    with pytest.raises(EdgeVoiceError, match=complaint):
        synthesise.synthesise(SynthesisConfig(path, tmp_path))


def test_a_missing_sentences_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        plan.read_sentences(tmp_path / "none.csv")


def test_speakers_are_dealt_to_one_split_whatever_the_engine() -> None:
    variants: list[tuple[str, voices.Gender | None]] = [("f5", "female"), ("f2", "female"), ("f1", "female")]
    dealt = voices.by_split(voices.RECORDED_VOICES + voices.espeak_voices([*variants, ("whisper", "male")]))
    speakers = [{voice.speaker for voice in listed} for listed in dealt.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    assert {"bdl", "ked", "espeak-f5"} == {voice.speaker for voice in dealt["test"]}
    assert {"slt", "kal", "rms"} <= {voice.speaker for voice in dealt["train"]}
    assert {voice.speaker for voice in dealt["dev"]} == {"espeak-f1"}
    assert not any(voice.selector.startswith(voices.TEST_ACCENT) for voice in dealt["train"] + dealt["dev"])
    assert not any("whisper" in voice.name for listed in dealt.values() for voice in listed)
    assert all(not voice.shippable for voice in dealt["test-other-engines"])


def test_without_bdl_rms_is_held_out() -> None:
    installed = [voice for voice in voices.RECORDED_VOICES if voice.engine != "rhvoice"]
    dealt = voices.by_split(installed)
    assert {voice.speaker for voice in dealt["test"]} == {"rms", "ked"}


def test_commands_are_argument_lists_with_the_text_untouched() -> None:
    text = '-x "; rm $HOME <&'
    for voice in voices.RECORDED_VOICES:
        item = Utterance(voice, text, 1.25, 0.9, Path("out.wav"))
        if voice.engine == "festival":
            assert '"-x \\"; rm $HOME <&"' in voices.festival_script([item])
            continue
        command = voices.command(item)
        assert command.argv[0] == voices.PROGRAMS["espeak-ng" if voice.engine == "mbrola" else voice.engine]
        assert "out.wav" in command.argv
        spoken = (*command.argv, command.stdin)
        escaped = '-x "; rm $HOME &lt;&amp;'  # pico takes XML
        assert text in spoken or (voice.engine == "pico" and any(escaped in part for part in spoken))
