"""Where clips come from: tables, folders, and data sets laid out as on the hub."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile

from edgevoice.errors import ConfigError
from tests.tiny import speak
from training.check import check
from training.config import DataConfig
from training.corpus import read_corpus
from training.manifest import Columns, read_manifest
from training.sources import read_source, set_names


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache" / "datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def record(file: Path, rate: int = 8000) -> Path:
    """Half a second at a telephone's rate."""
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, speak("one")[: rate // 2], rate)
    return file


def test_recordings_that_need_no_label_may_lie_anywhere(tmp_path: Path) -> None:
    """Of one's own room, say; where labels are learnt, they are asked for."""
    files = [record(tmp_path / "calls" / name) for name in ("a.wav", "monday/b.wav")]
    clips = read_source(str(tmp_path / "calls"), labelled=False)
    assert [(clip.path, clip.intent) for clip in clips] == [(files[0], ""), (files[1], "monday")]
    with pytest.raises(ConfigError, match="lies in no folder named after a label"):
        read_source(str(tmp_path / "calls"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"holds no recordings\. It needs audio files, or a manifest"):
        read_source(str(tmp_path / "empty"), labelled=False)


def test_json_lines_are_a_manifest(tmp_path: Path) -> None:
    """With the rows' own types; what is missing is empty."""
    record(tmp_path / "a.wav")
    rows = [{"path": "a.wav", "text": "Hello, World!", "intent": "greet", "split": "validation"}, {"path": "a.wav"}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    first, second = read_source(str(tmp_path))
    assert (first.text, first.intent, first.split, first.duration_s) == ("hello world", "greet", "dev", 0.5)
    assert (second.text, second.intent, second.split) == ("", "", "")
    assert second.origin.endswith("manifest.jsonl, line 2")


@pytest.mark.parametrize("line", ["{", "[1]", '"x"'])
def test_lines_that_are_no_objects_are_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "clips.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_manifest(tmp_path / "clips.jsonl")


def test_columns_can_be_named(tmp_path: Path) -> None:
    """And one that is not there is answered with those that are."""
    record(tmp_path / "a.wav")
    (tmp_path / "m.csv").write_text("file,said,wants\na.wav,Stop,halt\n", encoding="utf-8")
    (clip,) = read_source(str(tmp_path / "m.csv"), Columns(text="said", intent="wants"))
    assert (clip.text, clip.intent) == ("stop", "halt")
    with pytest.raises(ConfigError, match=r"no column 'meant' .it has file, said, wants."):
        read_source(str(tmp_path / "m.csv"), Columns(intent="meant"))


def test_a_folder_for_each_label(tmp_path: Path) -> None:
    """Perhaps in folders of splits, perhaps with a folder for each speaker, perhaps with texts beside."""
    record(tmp_path / "pay" / "a.wav")
    record(tmp_path / "pay" / "anna" / "b.flac")
    record(tmp_path / "dev" / "greet" / "c.wav").with_suffix(".txt").write_text("Good day!", encoding="utf-8")
    (tmp_path / "notes.md").write_text("not a recording", encoding="utf-8")
    found = {clip.path.name: clip for clip in read_source(str(tmp_path))}
    assert [(found[n].intent, found[n].speaker, found[n].split) for n in sorted(found)] == [
        ("pay", "", ""),
        ("pay", "anna", ""),
        ("greet", "", "dev"),
    ]
    assert found["c.wav"].text == "good day"


def test_an_audio_folder_of_the_hub(tmp_path: Path) -> None:
    """A table beside the recordings of each split."""
    for name in ("train", "test"):
        record(tmp_path / name / "a.wav")
        (tmp_path / name / "metadata.csv").write_text("file_name,transcription\na.wav,Hi!\n", encoding="utf-8")
    first, second = read_source(str(tmp_path))
    assert [(clip.text, clip.split, clip.path.is_file()) for clip in (first, second)] == [
        ("hi", "train", True),
        ("hi", "test", True),
    ]


def test_a_recording_without_a_label_is_pointed_out(tmp_path: Path) -> None:
    record(tmp_path / "a.wav")
    with pytest.raises(ConfigError, match=r"a.wav lies in no folder named after a label"):
        read_source(str(tmp_path))


def test_an_empty_folder_is_pointed_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no recordings"):
        read_source(str(tmp_path))


@pytest.fixture
def minds(tmp_path: Path) -> Path:
    """A data set with MInDS-14's columns in the hub's own layout: tables by configuration, named in the card."""
    folder = tmp_path / "minds14"
    audio = [{"bytes": record(tmp_path / f"{n}.wav").read_bytes(), "path": f"en-US~X/{n}.wav"} for n in range(3)]
    features = datasets.Features(
        {
            "path": datasets.Value("string"),
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "transcription": datasets.Value("string"),
            "english_transcription": datasets.Value("string"),
            "intent_class": datasets.ClassLabel(names=["abroad", "address"]),
            "lang_id": datasets.ClassLabel(names=["en-US", "de-DE"]),
        }
    )
    for number, config in enumerate(("en-US", "de-DE")):
        table = datasets.Dataset.from_dict(
            {
                "path": [f"{config}~X/{n}.wav" for n in range(3)],
                "audio": audio,
                "transcription": ["I'd like to move.", "", "Address, please"],
                "english_transcription": ["x", "y", "z"],
                "intent_class": [1, 0, 1],
                "lang_id": [number] * 3,
            },
            features=features,
        ).cast_column("audio", datasets.Audio(sampling_rate=8000, decode=False))
        (folder / config).mkdir(parents=True)
        table.to_parquet(folder / config / "train-00000-of-00001.parquet")
    card = "".join(
        f"- config_name: {config}\n  data_files:\n  - split: train\n    path: {config}/train-*\n"
        for config in ("en-US", "de-DE")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{card}---\n", encoding="utf-8")
    return folder


def test_a_hub_data_set_by_configuration(minds: Path) -> None:
    """Labels by name, audio as files that can be listened to, several configurations at once."""
    one = read_source(f"{minds}:en-US")
    assert [clip.intent for clip in one] == ["address", "abroad", "address"]
    assert [clip.text for clip in one] == ["i'd like to move", "", "address please"]
    assert {clip.dataset for clip in one} == {"minds14-en-US"}
    assert [soundfile.info(clip.path).samplerate for clip in one] == [8000] * 3
    both = read_source(f"{minds}:en-US,de-DE")
    assert [clip.dataset for clip in both] == ["minds14-en-US"] * 3 + ["minds14-de-DE"] * 3
    assert set_names(f"{minds}:en-US,de-DE") == ["minds14-en-US", "minds14-de-DE"]


def test_an_unknown_configuration_is_answered_with_those_there_are(minds: Path) -> None:
    with pytest.raises(ConfigError, match=r"en-US.*de-DE|de-DE.*en-US"):
        read_source(f"{minds}:en-XX")


def test_another_column_of_the_hub(minds: Path) -> None:
    (first, *_) = read_source(f"{minds}:de-DE", Columns(intent="lang_id", text="english_transcription"))
    assert (first.intent, first.text) == ("de-DE", "x")
    with pytest.raises(ConfigError, match="it has path, transcription, english_transcription, intent_class, lang_id"):
        read_source(f"{minds}:de-DE", Columns(intent="nothing"))


def test_a_data_set_without_audio(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    datasets.Dataset.from_dict({"text": ["a"]}).to_parquet(tmp_path / "texts" / "train.parquet")
    with pytest.raises(ConfigError, match=r"has no audio .its columns: text."):
        read_source(str(tmp_path / "texts"))


def test_a_hub_data_set_without_the_network() -> None:
    """One sentence with its name."""
    with pytest.raises(ConfigError, match="'PolyAI/minds14' is not in the cache, and the hub cannot be reached"):
        read_source("PolyAI/minds14:en-US")


def test_stereo_recordings_and_any_rate_are_read(tmp_path: Path) -> None:
    file = tmp_path / "pay" / "stereo.wav"
    file.parent.mkdir()
    soundfile.write(file, np.zeros((4410, 2)), 44100)
    (clip,) = read_source(str(tmp_path))
    assert clip.duration_s == pytest.approx(0.1)


def test_recordings_that_are_files_of_a_data_set(tmp_path: Path) -> None:
    """As audio folders of the hub have them; nothing decodes them on the way, so no codec is missed."""
    for name in ("pay", "stop"):
        record(tmp_path / "lab" / "train" / name / "a.wav")
    found = read_source(f"{tmp_path / 'lab'}:default")
    assert [(clip.intent, clip.split, clip.path.name) for clip in found] == [
        ("pay", "train", "a.wav"),
        ("stop", "train", "a.wav"),
    ]
    assert found[0].duration_s == pytest.approx(0.36, abs=0.2)


def test_recordings_in_an_archive_of_a_data_set(tmp_path: Path) -> None:
    """They are taken out of it, each to a file of its own."""
    record(tmp_path / "a.wav")
    (tmp_path / "lab").mkdir()
    with zipfile.ZipFile(tmp_path / "lab" / "train.zip", "w") as archive:
        archive.write(tmp_path / "a.wav", "a.wav")
        archive.write(tmp_path / "a.wav", "b.wav")
        archive.writestr("metadata.csv", "file_name,intent\na.wav,pay\nb.wav,stop\n")
    found = read_source(f"{tmp_path / 'lab'}:default")
    assert [clip.intent for clip in found] == ["pay", "stop"]
    assert [clip.path.read_bytes() for clip in found] == [(tmp_path / "a.wav").read_bytes()] * 2


def test_a_data_set_that_is_damaged_is_one_sentence(tmp_path: Path) -> None:
    """With what is wrong inside, not that something was."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "train.parquet").write_bytes(b"no table")
    with pytest.raises(ConfigError, match=r"The data set '.*lab' cannot be loaded: .*Parquet") as caught:
        read_source(str(tmp_path / "lab"))
    assert "An error occurred while generating" not in str(caught.value)


@pytest.mark.parametrize("spec", ["", " ", ":en-US"])
def test_a_source_without_a_name(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"has no name\. Name a manifest, a folder or OWNER/NAME"):
        read_source(spec)


def test_rows_without_a_recording_do_not_stop_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are left out and counted where there is training, and named where data is looked at."""
    sound = {"bytes": record(tmp_path / "a.wav").read_bytes(), "path": "a.wav"}
    rows = [{"audio": sound, "intent": "pay" if n % 2 else "stop"} for n in range(40)]
    rows[3]["audio"], rows[5]["audio"] = None, {"bytes": None, "path": None}
    (tmp_path / "lab").mkdir()
    table = datasets.Dataset.from_list(rows).cast_column("audio", datasets.Audio(decode=False))
    table.to_parquet(tmp_path / "lab" / "train.parquet")
    config = DataConfig(sources=(str(tmp_path / "lab"),), test_share=0.0, split_by="fraction")
    corpus = read_corpus("intent", config, seed=1)
    trained, measured = len(corpus.train), sum(map(len, corpus.dev.values()))
    assert trained + measured == 38
    assert corpus.left_out == {"without a recording": 36 - trained}
    assert "2 rows have no recording, so left out: " in caplog.text
    assert "train, row 3; " in caplog.text
    found = [each for each in check("intent", config, 1).problems if "no recording" in each.what]
    assert {(each.severity, each.where[-5:]) for each in found} == {("warning", "row 3"), ("warning", "row 5")}
