"""Recordings: sample by sample what the engine hears, readable whatever ends the process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.audio.file import FileSource
from edgevoice.audio.lasting import LastingSource
from edgevoice.audio.recording import FlacFile, Recorder
from edgevoice.audio.source import Block, Samples, Source
from edgevoice.events import Event, Failed
from tests.sinks.test_session_files import limited

NOISE = np.random.default_rng(0).integers(-20_000, 20_000, 32_000, np.int16)


class Blocks:
    """A source of blocks that are given."""

    name, channel = "USB Headset", "mic"

    def __init__(self, blocks: list[Block], sample_rate: int = 16_000) -> None:
        self._blocks, self.sample_rate = blocks, sample_rate
        self.closed = False

    def blocks(self) -> Iterator[Block]:
        yield from self._blocks

    def close(self) -> None:
        self.closed = True


def floats(samples: np.ndarray) -> Samples:
    return samples.astype(np.float32) / np.float32(32768)


def cut(samples: Samples, size: int = 320) -> list[Block]:
    return [Block(samples[at : at + size], arrived=at / 16_000) for at in range(0, len(samples), size)]


def said(recorder: Recorder) -> list[Event]:
    return list(recorder.write(Event(channel="mic", at=0.0)))


def test_it_is_what_was_heard_and_the_blocks_pass_as_they_are(tmp_path: Path) -> None:
    blocks = cut(floats(NOISE))
    recorder = Recorder(lambda channel: tmp_path / f"{channel}.flac")
    source = recorder.recorded(Blocks(blocks))
    assert (source.name, source.channel, source.sample_rate) == ("USB Headset", "mic", 16_000)
    assert list(source.blocks()) == blocks
    kept, rate = soundfile.read(tmp_path / "mic.flac", dtype="int16")
    assert rate == 16_000
    assert np.array_equal(kept, NOISE)
    assert said(recorder) == list(recorder.close()) == []


def test_another_rate_keeps_its_time(tmp_path: Path) -> None:
    """A click after a second is a second into the file."""
    samples = np.zeros(88_200, np.float32)
    samples[44_100] = 0.9
    source = Recorder(lambda _: tmp_path / "a.flac").recorded(Blocks(cut(samples, 441), 44_100))
    list(source.blocks())
    kept, _ = soundfile.read(tmp_path / "a.flac")
    assert abs(len(kept) - 32_000) <= 1
    assert np.argmax(np.abs(kept)) == pytest.approx(16_000, abs=1)


def test_lost_audio_is_silence_in_its_place(tmp_path: Path) -> None:
    """As in the events, whose clock goes on too."""
    blocks = cut(floats(NOISE[:640]))
    blocks[1] = Block(blocks[1].samples, arrived=blocks[1].arrived, lost=2.5, lost_where="queue full")
    lasting = LastingSource(lambda _wanted, _again: Blocks(blocks))
    heard = list(Recorder(lambda _: tmp_path / "a.flac").recorded(lasting).blocks())
    samples = np.concatenate([block.samples for block in heard])
    assert np.array_equal(samples, floats(np.concatenate([NOISE[:320], np.zeros(40_000, np.int16), NOISE[320:640]])))
    kept, _ = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert np.array_equal(floats(kept), samples)


def test_bad_samples_become_sound(tmp_path: Path) -> None:
    bad = np.array([np.nan, np.inf, -np.inf, 7, -7, 1, -1, 0], np.float32)
    list(Recorder(lambda _: tmp_path / "a.flac").recorded(Blocks([Block(bad)])).blocks())
    kept, _ = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert kept.tolist() == [0, 0, 0, 32767, -32768, 32767, -32768, 0]


def test_a_killed_process_leaves_a_file_that_every_reader_takes(tmp_path: Path) -> None:
    file = tmp_path / "a.flac"
    code = (
        "import sys, os, numpy as np; from pathlib import Path; from edgevoice.audio.recording import FlacFile\n"
        "noise = np.random.default_rng(0).integers(-20_000, 20_000, 32_000, np.int16)\n"
        "file = FlacFile(Path(sys.argv[1]))\n"
        "for at in range(0, 32_000, 320): file.write(noise[at : at + 320].astype(np.float32) / 32768)\n"
        "os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(file)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    kept, _ = soundfile.read(file, dtype="int16")
    assert len(kept) >= 32_000 - 8_000 - 4096, "all but less than a second"
    assert np.array_equal(kept, NOISE[: len(kept)])
    source: Source = FileSource(file)
    assert sum(len(block.samples) for block in source.blocks()) == len(kept)
    with soundfile.SoundFile(file) as sound:
        sound.seek(16_000)
        assert np.array_equal(sound.read(320, dtype="int16"), NOISE[16_000:16_320])


def test_a_full_disk_ends_the_recording_and_not_the_captions(tmp_path: Path) -> None:
    recorder = Recorder(lambda _: tmp_path / "a.flac")
    blocks = cut(floats(NOISE))
    source = recorder.recorded(Blocks(blocks))
    with limited(30_000):
        assert list(source.blocks()) == blocks
    (failed,) = said(recorder)
    assert isinstance(failed, Failed)
    assert failed.recoverable
    assert "a.flac" in failed.what
    assert "File too large" in failed.what
    kept, _ = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert 0 < len(kept) < len(NOISE)
    assert np.array_equal(kept, NOISE[: len(kept)])


def test_a_recording_that_is_removed_comes_back_whole(tmp_path: Path) -> None:
    """With its folder, and it is said."""
    folder = tmp_path / "calls"
    folder.mkdir()
    recorder = Recorder(lambda _: folder / "a.flac")
    source = recorder.recorded(Blocks(cut(floats(NOISE))))
    for number, _ in enumerate(source.blocks()):
        if number == 50:
            shutil.rmtree(folder)
    (failed,) = said(recorder)
    assert isinstance(failed, Failed)
    assert "was removed" in failed.what
    kept, _ = soundfile.read(folder / "a.flac", dtype="int16")
    assert np.array_equal(kept, NOISE)


def test_a_file_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_text("mine")
    recorder = Recorder(lambda _: tmp_path / "a.flac")
    blocks = cut(floats(NOISE[:640]))
    assert list(recorder.recorded(Blocks(blocks)).blocks()) == blocks
    assert [type(event) for event in said(recorder)] == [Failed]
    assert (tmp_path / "a.flac").read_text() == "mine"


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    file = FlacFile(tmp_path / "a.flac")
    file.write(floats(NOISE[:100]))
    file.close()
    file.close()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as numbers
    FlacFile(tmp_path / "b.flac").close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as numbers
