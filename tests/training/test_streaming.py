"""Training on a data set that is read while it trains."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from torch.utils.data import DataLoader

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.errors import ConfigError
from export.parity import CLIPS
from tests.small import TINY_WAV2VEC2, small_clips, small_corpus, tiny_recipe
from training.config import DataConfig
from training.dataset import Preparation
from training.decoded import Samples
from training.features import Features
from training.manifest import Clip
from training.run import train
from training.sources import clip_cache
from training.streaming import StreamDataset, Tally, open_stream

COPIES = 6


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """The parity clips, several times over, as tables in four files, with speakers; labels as plain text."""
    folder = tmp_path / "spoken"
    folder.mkdir()
    clips = small_clips()
    rows = [
        {
            "audio": {"bytes": clip.path.read_bytes() + bytes([copy]), "path": clip.path.name},
            "transcription": clip.text,
            "intent": "short" if number < 6 else "long",
            "speaker_id": f"{number}-{copy}",
        }
        for copy in range(COPIES)
        for number, clip in enumerate(clips)
    ]
    rows[3]["audio"] = {"bytes": b"no recording", "path": "broken.wav"}
    rows[5]["audio"] = None
    for number in range(4):
        table = datasets.Dataset.from_list(rows[number::4])
        table.cast_column("audio", datasets.Audio(decode=False)).to_parquet(
            folder / f"train-{number:05d}-of-00004.parquet"
        )
    return folder


def data(folder: Path, **options: object) -> DataConfig:
    return DataConfig(sources=(str(folder),), streaming=True, dev_share=0.25, minimum_s=0.5, **options)  # type: ignore[arg-type]


def test_what_measures_is_never_trained_on(shards: Path) -> None:
    """Whatever the order and the process: a speaker is on one side only, and each clip comes once a pass."""
    stream = open_stream(data(shards), "intent")
    measuring = {clip.speaker for clip in stream.dev}
    tally = Tally(("too short", "too long", "unreadable", "unknown intent"))
    passes = []
    for seed, parts in ((1, 1), (2, 1), (3, 2)):
        heard = [clip for part in range(parts) for clip, _ in stream.clips([seed], part, parts, tally)]
        passes.append([clip.speaker for clip in heard])
        assert len(set(passes[-1])) == len(passes[-1])
    assert len({frozenset(each) for each in passes}) == 1
    assert passes[0] != passes[1]
    assert not measuring & set(passes[0])
    assert 0.1 < len(measuring) / (len(measuring) + len(passes[0])) < 0.4
    assert stream.intents == ("long", "short")
    number = next(number for number, clip in enumerate(small_clips()) if clip.duration_s < 0.5)
    short = {f"{number}-{copy}" for copy in range(COPIES)} - measuring
    # in each pass the row without a recording, and the one with what is none
    assert tally.left_out == {"too short": len(passes) * len(short), "unreadable": len(passes) * 2}


def test_workers_and_processes_share_the_files(shards: Path) -> None:
    """Each reads some of them and leaves the others alone; together they read all, once."""
    stream = open_stream(data(shards), "intent")
    everything = Preparation(features=Features(FeatureSettings(kind="waveform", normalise="none")))

    def heard(workers: int, part: int, parts: int) -> list[str]:
        dataset = StreamDataset(
            stream, Named(**vars(everything)), seconds=1e9, room=bool, seed=[1], part=part, parts=parts
        )
        loader = DataLoader(dataset, batch_size=None, num_workers=workers, collate_fn=list)
        first = list(itertools.islice(iter(loader), max(1, workers)))
        return [item["inputs"] for batch in first for item in batch]

    alone = heard(0, 0, 1)
    assert sorted(heard(2, 0, 1)) == sorted(alone)
    halves = [heard(0, part, 2) for part in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(alone)
    assert all(halves)
    quarters = [heard(2, part, 2) for part in (0, 1)]
    assert [sorted(each) for each in quarters] == [sorted(each) for each in halves]


class Named(Preparation):
    """Passes a clip's speaker on in place of its sound."""

    def __call__(self, samples: Samples, clip: Clip, rng: np.random.Generator) -> dict[str, Any]:
        return {"inputs": clip.speaker}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_learns_and_stores_nothing_of_the_training_split(shards: Path, tmp_path: Path, workers: int) -> None:
    """The loss falls; only clips that measure lie in the cache; what was heard and left out is reported."""
    config = tiny_recipe(
        small_corpus(tmp_path),
        TINY_WAV2VEC2,
        f'data.sources=["{shards}"]',
        "data.streaming=true",
        "data.dev_share=0.25",
        "trainer.max_steps=15",
        f"trainer.workers={workers}",
    )
    figures = train("joint", config, tmp_path / "run")
    assert {"eval_spoken_wer", "eval_spoken_accuracy"} <= set(figures)
    state = json.loads((tmp_path / "run" / "checkpoint-15" / "trainer_state.json").read_text())
    losses = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    assert losses[-1] < losses[0]
    written = [file for file in clip_cache().rglob("*") if file.is_file()]
    stream = open_stream(data(shards), "either")
    assert 0 < len(written) == len({clip.path for clip in stream.dev})
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "Left out: " in report
    assert "unreadable" in report
    # and it goes on where it stopped
    more = dataclasses.replace(config, trainer=dataclasses.replace(config.trainer, max_steps=20))
    train("joint", more, tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint-20").is_dir()


def test_a_stream_that_holds_nothing_of_use_is_explained(shards: Path, tmp_path: Path) -> None:
    """Epochs of what has no length, a manifest, and clips that are all too long."""
    manifest = small_corpus(tmp_path)
    with pytest.raises(ConfigError, match=r"trainer\.epochs: a stream has no known length"):
        tiny_recipe(manifest, TINY_WAV2VEC2, "data.streaming=true", "trainer.epochs=2")
    for source, kind in ((manifest, "manifest"), (CLIPS.parent, "folder")):
        with pytest.raises(ConfigError, match=rf"Only data sets of the hub can be streamed, and .* is a {kind}\."):
            train("ctc", tiny_recipe(source, TINY_WAV2VEC2, "data.streaming=true"), tmp_path / "run")
    with pytest.raises(ConfigError, match="The source '' has no name"):
        train("ctc", tiny_recipe(Path(), TINY_WAV2VEC2, 'data.sources=[""]', "data.streaming=true"), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"data\.repeat: what is streamed comes as often as it is read"):
        tiny_recipe(manifest, TINY_WAV2VEC2, "data.streaming=true", "data.repeat={spoken = 2}")
    short = ["data.streaming=true", "data.dev_share=0.25", "data.maximum_s=0.51"]
    with pytest.raises(ConfigError, match="no split to measure on"):
        train("ctc", tiny_recipe(manifest, TINY_WAV2VEC2, f'data.sources=["{shards}"]', *short), tmp_path / "run")


def sorted_by_label(folder: Path, files: int, labels: str) -> Path:
    """Short clips in so many files; the label changes only now and then, and so does the file."""
    recording = next(clip for clip in small_clips() if clip.duration_s > 1).path.read_bytes()
    rows = [
        {
            "audio": {"bytes": recording + str(number).encode(), "path": "a.ogg"},
            "intent": label,
            "speaker_id": str(number),
        }
        for number, label in enumerate(label for label in labels for _ in range(20))
    ]
    folder.mkdir()
    size = len(rows) // files
    for number in range(files):
        table = datasets.Dataset.from_list(rows[number * size : (number + 1) * size])
        table = table.cast_column("audio", datasets.Audio(decode=False))
        table.to_parquet(folder / f"train-{number:05d}-of-{files:05d}.parquet")
    return folder


def test_labels_of_sorted_data_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first rows would have one of them; there are more rows than are looked through, in several files."""
    monkeypatch.setattr("training.streaming.LOOKED_THROUGH", 20)
    monkeypatch.setattr("training.streaming.MIXED_ROWS", 20)
    stream = open_stream(data(sorted_by_label(tmp_path / "sorted", 4, "abcd")), "intent")
    assert stream.intents == ("a", "b", "c", "d")
    assert len({clip.intent for clip in stream.dev}) > 1


def test_an_intent_that_nobody_knew_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And counted; captions do not mind."""
    monkeypatch.setattr("training.streaming.LOOKED_THROUGH", 30)
    monkeypatch.setattr("training.streaming.MIXED_ROWS", 1)
    folder = sorted_by_label(tmp_path / "sorted", 1, "abc")
    stream = open_stream(data(folder), "intent")
    assert stream.intents == ("a", "b")
    tally = Tally(("unknown intent",))
    heard = [clip for clip, _ in stream.clips([1], 0, 1, tally)]
    assert {clip.intent for clip in heard} == {"a", "b"}
    assert tally.left_out["unknown intent"] > 1
    assert [each.getMessage() for each in caplog.records if "'c'" in each.getMessage()] == [
        "clips of the intent 'c' are left out: it was not among the rows that were looked through"
    ]
    captions = dataclasses.replace(stream, needs="text")
    untold = Tally(("no text",))
    assert not list(captions.clips([1], 0, 1, untold))  # none of these has a text
    assert set(untold.left_out) == {"no text"}


def test_recordings_that_are_files_are_streamed_too(tmp_path: Path) -> None:
    """As audio folders of the hub have them, a folder for each label."""
    for number, clip in enumerate(small_clips()):
        target = tmp_path / "lab" / "train" / ("short" if number < 6 else "long") / clip.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(clip.path.read_bytes())
    config = dataclasses.replace(data(tmp_path), sources=(f"{tmp_path / 'lab'}:default",))
    stream = open_stream(config, "intent")
    assert stream.intents == ("long", "short")
    tally = Tally(("too short", "unreadable"))
    heard = [clip for clip, _ in stream.clips([1], 0, 1, tally)]
    assert len(heard) + len(stream.dev) + tally.left_out["too short"] == 13
