"""Decoded clips, kept for all who need them."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.errors import AudioError
from training.decoded import DecodedClips, load_audio
from training.manifest import Clip


def clip(file: Path, seconds: float) -> Clip:
    return Clip(path=file, text="", intent="", speaker="", split="", duration_s=seconds, dataset="x")


def recordings(folder: Path, count: int = 4) -> list[Clip]:
    """Of several rates and lengths."""
    made = []
    rng = np.random.default_rng(0)
    for number in range(count):
        file, rate, length = folder / f"{number}.wav", (8000, 16000, 22050, 44100)[number % 4], 3000 + 1777 * number
        soundfile.write(file, rng.uniform(-0.9, 0.9, length), rate)
        made.append(clip(file, length / rate))
    return made


LOUDEST = 32767 / 32768
"""That 16 bits hold."""


@settings(deadline=None, max_examples=25)
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_whatever_the_order_they_are_the_recordings(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    """To half a step of 16 bits, decoded or kept."""
    clips = recordings(tmp_path_factory.mktemp("decoded"))
    audio = DecodedClips(clips)
    for number in order:
        expected = np.clip(load_audio(clips[number].path), -1, LOUDEST)
        assert np.allclose(audio.load(clips[number].path), expected, rtol=0, atol=0.51 / 32768)


def test_a_second_time_the_recording_is_not_opened(tmp_path: Path) -> None:
    clips = recordings(tmp_path)
    audio = DecodedClips(clips)
    first = [audio.load(each.path) for each in clips]
    for each in clips:
        each.path.unlink()
    assert all(np.array_equal(a, audio.load(each.path)) for a, each in zip(first, clips, strict=True))


def _decode(audio: DecodedClips, paths: list[Path]) -> None:
    for path in paths:
        audio.load(path)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_one_process_decodes_all_have(tmp_path: Path, start: str) -> None:
    """And the end of a worker leaves the others their file, of which nothing is seen."""
    clips = recordings(tmp_path)
    audio = DecodedClips(clips)
    worker = multiprocessing.get_context(start).Process(target=_decode, args=(audio, [each.path for each in clips]))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    expected = [load_audio(each.path) for each in clips]
    for each in clips:
        each.path.unlink()
    for each, samples in zip(clips, expected, strict=True):
        assert np.allclose(audio.load(each.path), np.clip(samples, -1, LOUDEST), rtol=0, atol=0.51 / 32768)
    assert not list(Path(tempfile.gettempdir()).glob("edgevoice-decoded-*"))


def test_a_length_that_is_said_wrong_or_not_at_all(tmp_path: Path) -> None:
    """Such a clip is decoded whenever it is needed; it takes no other clip's place."""
    first, second, third, _ = recordings(tmp_path)
    audio = DecodedClips([clip(first.path, 0.01), clip(second.path, float("nan")), third])
    for _ in range(2):
        for each in (first, second, third):
            assert len(audio.load(each.path)) == len(load_audio(each.path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_costs_time_and_nothing_else(tmp_path: Path) -> None:
    (first, *_) = recordings(tmp_path)
    audio = DecodedClips([first])
    audio._descriptor = os.open("/dev/full", os.O_RDWR)
    for _ in range(2):
        assert np.allclose(audio.load(first.path), np.clip(load_audio(first.path), -1, 1), atol=1e-4)


def test_no_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no recording", encoding="utf-8")
    with pytest.raises(AudioError, match=r"a\.wav cannot be read: Format not recognised"):
        DecodedClips([]).load(tmp_path / "a.wav")
