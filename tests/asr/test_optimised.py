"""Large graphs are kept as onnxruntime optimised them; whatever is wrong with that, the bundle's own graph runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgevoice.asr import optimised
from edgevoice.asr import session as sessions
from edgevoice.asr.bundle import Bundle
from edgevoice.asr.model import AcousticModel
from edgevoice.config import AsrSettings
from edgevoice.errors import ModelError
from tests.tiny import speak, tiny_bundle

SAMPLES = speak("one two")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache in which even a tiny graph is worth keeping."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(optimised, "SMALLEST", 0)
    return tmp_path / "cache" / "edgevoice" / "optimised"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A model."""
    return tiny_bundle(tmp_path / "tiny")


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that sessions were made of."""
    names: list[str] = []
    create = sessions._create

    def noted(runtime: object, file: Path, *arguments: object) -> object:
        names.append(file.name)
        return create(runtime, file, *arguments)

    monkeypatch.setattr(sessions, "_create", noted)
    return names


def logits(bundle: Bundle, **settings: bool) -> np.ndarray:
    """What the model makes of two words."""
    found = AcousticModel(bundle, AsrSettings(provider="cpu", **settings)).encode(SAMPLES).log_probs
    assert found is not None
    return found


def test_the_second_start_loads_what_the_first_kept(bundle: Bundle, cache: Path, loaded: list[str]) -> None:
    """With the same outcome, readable by nobody else, and nothing half done beside it."""
    first, second = logits(bundle), logits(bundle)
    assert loaded == ["model.onnx", optimised.GRAPH]
    assert np.array_equal(first, second)
    (place,) = cache.iterdir()
    assert {file.name for file in place.iterdir()} == {optimised.GRAPH, optimised.WEIGHTS, optimised.RECORD}
    assert place.stat().st_mode & 0o077 == 0


def flip(name: str) -> Callable[[Path], object]:
    def change(place: Path) -> None:
        data = (place / name).read_bytes()
        (place / name).unlink()  # a session may have it mapped
        (place / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    return change


def elsewhere(place: Path) -> None:
    shutil.move(place, place.with_name("elsewhere"))
    place.symlink_to(place.with_name("elsewhere"))


@pytest.mark.parametrize(
    "damage",
    [
        flip(optimised.WEIGHTS),
        flip(optimised.GRAPH),
        lambda place: (place / optimised.GRAPH).write_bytes(b""),
        lambda place: (place / optimised.RECORD).unlink(),
        lambda place: (place / optimised.RECORD).write_text("[]"),
        lambda place: (place / optimised.RECORD).write_text("{}"),
        lambda place: place.chmod(0o777),
        elsewhere,
    ],
    ids=["weights", "graph", "empty", "no record", "no object", "empty record", "open to others", "link"],
)
def test_what_is_not_whole_is_not_used(
    bundle: Bundle, cache: Path, loaded: list[str], damage: Callable[[Path], object]
) -> None:
    """The bundle's graph is loaded and kept again."""
    first = logits(bundle)
    (place,) = cache.iterdir()
    damage(place)
    loaded.clear()
    assert np.array_equal(first, logits(bundle))
    assert loaded[-1] == "model.onnx"
    if not place.is_symlink():
        assert np.array_equal(first, logits(bundle))
        assert loaded[-1] == optimised.GRAPH


def test_another_graph_or_runtime_is_kept_elsewhere(bundle: Bundle, cache: Path) -> None:
    """Nothing stale can be found."""
    file, files = bundle.path / "model.onnx", bundle.manifest.files
    places = [
        optimised.place_for(file, files, "1.31.1"),
        optimised.place_for(file, files, "1.32.0"),
        optimised.place_for(file, {**files, "model.onnx": "0" * 64}, "1.31.1"),
        optimised.place_for(file, {**files, "model.data": "0" * 64}, "1.31.1"),
    ]
    assert len(set(places)) == 4
    assert all(place and place.parent == cache for place in places)


def test_small_graphs_and_those_of_nobody_are_not_kept(
    bundle: Bundle, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny one loads at once; without a sha256 nobody knows what it is; and whoever has no room may say so."""
    logits(bundle, keep_optimised=False)
    sessions.open_session(bundle.path / "model.onnx", "cpu")
    monkeypatch.setattr(optimised, "SMALLEST", 1_000_000)
    logits(bundle)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_done_without(bundle: Bundle, cache: Path, tmp_path: Path) -> None:
    """For example on a disk that is full or read only."""
    (tmp_path / "cache").write_text("no folder")
    assert logits(bundle).size


def test_a_broken_graph_is_still_said_to_be_broken(bundle: Bundle, cache: Path) -> None:
    """And nothing is kept of it."""
    (bundle.path / "model.onnx").write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be run"):
        logits(bundle)
    assert list(cache.iterdir()) == []


def test_what_nobody_used_for_long_goes(bundle: Bundle, cache: Path) -> None:
    """And what a killed process left half done."""
    for name, days in (("old", 70), ("recent", 5), (".new-killed", 2), (".new-now", 0)):
        (cache / name).mkdir(parents=True)
        moment = (cache / name).stat().st_mtime - days * 86_400
        os.utime(cache / name, (moment, moment))
    logits(bundle)
    assert {path.name for path in cache.iterdir()} >= {"recent", ".new-now"}
    assert not {path.name for path in cache.iterdir()} & {"old", ".new-killed"}
