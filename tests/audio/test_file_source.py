"""Recordings of every kind, the damaged and the dishonest included."""

from __future__ import annotations

import os
import struct
import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.audio.file import FileSource
from edgevoice.errors import AudioError


def noise(seconds: float, rate: int, channels: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(-0.9, 0.9, (int(seconds * rate), channels))


def heard(source: FileSource) -> np.ndarray:
    return np.concatenate([block.samples for block in source.blocks()])


def wav(rate: int = 16_000, channels: int = 1, bits: int = 16, tag: int = 1, **sizes: int) -> bytes:
    """A second of a WAV file; `riff` and `data` replace the true sizes."""
    audio = (noise(1, 16_000, 1) * 32767).astype("<i2").tobytes()
    frame = max(1, channels * bits // 8)
    fields = struct.pack("<HHIIHH", tag, channels, rate, (rate * frame) & 0xFFFFFFFF, frame & 0xFFFF, bits)
    riff, data = sizes.get("riff", 36 + len(audio)), sizes.get("data", len(audio))
    header = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + fields
    return header + b"data" + struct.pack("<I", data) + audio


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("coding", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8"])
def test_reads_what_soundfile_reads(tmp_path: Path, coding: str, rate: int, channels: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.73, rate, channels), rate, subtype=coding)
    source = FileSource(path)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    assert (source.sample_rate, source.name, source.channel) == (rate, "a.wav", "file")
    assert source.duration == pytest.approx(0.73, abs=1e-4)
    np.testing.assert_allclose(heard(source), expected, atol=1e-7)
    assert all(block.samples.dtype == np.float32 for block in source.blocks())


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "aiff"])
def test_reads_other_formats(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, noise(1, 16_000, 1), 16_000)
    assert len(heard(FileSource(path))) == pytest.approx(16_000, abs=2500)


def test_blocks_are_short_and_the_file_can_be_read_again(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1.05, 8_000, 1), 8_000)
    source = FileSource(tmp_path / "a.wav")
    assert [len(block.samples) for block in source.blocks()] == [800] * 10 + [400]
    assert len(heard(source)) == 8_400


def test_close_ends_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1, 8_000, 1), 8_000)
    source = FileSource(tmp_path / "a.wav")
    blocks = source.blocks()
    next(blocks)
    source.close()
    assert list(blocks) == []


def test_an_hour_does_not_show_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(60):
            file.write(np.zeros(60 * 16_000, np.int16))
    tracemalloc.start()
    total = sum(len(block.samples) for block in FileSource(path).blocks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 3600 * 16_000
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello, this is no audio at all\n" * 20, "cannot be read as audio"),
        (b"RIFF", "cannot be read as audio"),
        (wav(channels=0), "channels|cannot be read"),
        (wav(channels=65_535), "channels|cannot be read"),
        (wav(rate=0), "sample rate|cannot be read"),
        (wav(rate=4_294_967_295), "sample rate|cannot be read"),
        (wav(rate=7), "sample rate of 7 Hz"),
        (wav(data=0, riff=36 + 32_000), "contains no audio"),
        (wav()[:44], "contains no audio"),
    ],
)
def test_what_is_no_audio_is_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=says) as caught:
        list(FileSource(path).blocks())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_FFFF, 320_000, 32_001])
def test_sizes_that_are_too_large_do_not_matter(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav(data=size))
    assert len(heard(FileSource(tmp_path / "a.wav"))) == 16_000


@pytest.mark.parametrize("riff", [0, 36, 0xFFFF_FFFF])
def test_a_recorder_that_was_killed_leaves_size_zero(tmp_path: Path, riff: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav(data=0, riff=riff) + b"\x01")
    assert len(heard(FileSource(tmp_path / "a.wav"))) == 16_000


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_the_readable_part_of_a_truncated_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, noise(4, 16_000, 1), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    damaged = pytest.raises(AudioError, match=r"cannot be decoded after \d") if kind == "flac" else nullcontext()
    count = 0
    with damaged:  # of these libsndfile notices it only in FLAC
        for block in FileSource(path).blocks():
            count += len(block.samples)
    assert count > 12_000


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path / "none.wav", "does not exist"),
        (tmp_path, "is a folder"),
        ("a\0b", "cannot be opened"),
    ):
        with pytest.raises(AudioError, match=says):
            FileSource(path)
    os.mkfifo(tmp_path / "fifo.wav")
    with pytest.raises(AudioError, match="no regular file"):
        FileSource(tmp_path / "fifo.wav")
    (tmp_path / "samples.raw").write_bytes(bytes(3200))
    with pytest.raises(AudioError, match="raw audio without a header"):
        FileSource(tmp_path / "samples.raw")


def test_what_is_only_called_mp3_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """And its decoder keeps its notes to itself; one that is an MP3 is read whatever it begins with."""
    (tmp_path / "a.mp3").write_bytes(b"nothing here" * 100)
    with pytest.raises(AudioError, match="Format not recognised"):
        FileSource(tmp_path / "a.mp3")
    assert capfd.readouterr() == ("", "")
    soundfile.write(tmp_path / "b.mp3", noise(1, 16_000, 1), 16_000)
    tag = b"ID3\x04\0\0\0\0\x07\x76" + bytes(1014)
    (tmp_path / "c.mp3").write_bytes(tag + (tmp_path / "b.mp3").read_bytes())
    for name in ("b.mp3", "c.mp3"):
        assert len(heard(FileSource(tmp_path / name))) == pytest.approx(16_000, abs=2500)


def test_control_characters_of_a_name_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb.wav"
    with pytest.raises(AudioError) as caught:
        FileSource(path)
    assert "\x1b" not in str(caught.value)
    soundfile.write(str(path), noise(0.1, 8_000, 1), 8_000, format="WAV")
    assert FileSource(path).name == "a[31m b.wav"


def test_poisoned_samples_pass_without_a_warning(tmp_path: Path) -> None:
    poisoned = np.array([[np.nan, 1], [np.inf, -np.inf], [1e30, 1e30], [0.5, 0.5]], np.float32)
    soundfile.write(tmp_path / "a.wav", poisoned, 16_000, subtype="FLOAT")
    assert heard(FileSource(tmp_path / "a.wav"))[3] == 0.5
