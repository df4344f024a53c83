"""Audio through a pipe: raw, WAV with every kind of size, and formats that need the whole file."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
from typing import BinaryIO

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.audio.intake import ROOM
from edgevoice.audio.pipe import PcmSource
from edgevoice.errors import AudioError

pytestmark = pytest.mark.alone

NOISE = np.random.default_rng(3).integers(-30_000, 30_000, 16_000).astype("<i2")


def heard(source: PcmSource) -> np.ndarray:
    blocks = list(source.blocks())
    assert all(len(block.samples) <= source.sample_rate // 10 for block in blocks)
    return np.concatenate([block.samples for block in blocks])


def encoded(kind: str, coding: str | None = None, rate: int = 16_000, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    samples = NOISE[: len(NOISE) // channels * channels].reshape(-1, channels)
    soundfile.write(buffer, samples, rate, format=kind, subtype=coding)
    return buffer.getvalue()


class Piped:
    """A real pipe, written to by a thread in pieces of the given size."""

    def __init__(self, data: bytes, piece: int = 1000, *, stay_open: bool = False) -> None:
        reading, self._writing = os.pipe()
        self.stream: BinaryIO = os.fdopen(reading, "rb")
        self._data, self._piece, self._stay_open = data, piece, stay_open
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> BinaryIO:
        self._thread.start()
        return self.stream

    def __exit__(self, *_: object) -> None:
        self._thread.join(5)
        self.stream.close()
        if self._stay_open:
            os.close(self._writing)

    def _write(self) -> None:
        for start in range(0, len(self._data), self._piece):
            os.write(self._writing, self._data[start : start + self._piece])
        if not self._stay_open:
            os.close(self._writing)


@pytest.mark.parametrize("piece", [1, 2, 333, 60_000])
def test_raw_samples(piece: int) -> None:
    with Piped(NOISE[:3000].tobytes(), piece) as stream:
        source = PcmSource(stream, 8_000)
        assert (source.sample_rate, source.channel, source.name) == (8_000, "stdin", "standard input")
        np.testing.assert_array_equal(heard(source), NOISE[:3000] / np.float32(32_768))


def test_half_a_sample_at_the_end_is_dropped() -> None:
    assert len(heard(PcmSource(io.BytesIO(NOISE.tobytes() + b"\x01")))) == 16_000


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("coding", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_of_every_coding(coding: str, channels: int) -> None:
    data = encoded("WAV", coding, 44_100, channels)
    expected = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0].mean(axis=1)
    with Piped(data) as stream:
        source = PcmSource(stream)
        assert source.sample_rate == 44_100
        np.testing.assert_allclose(heard(source), expected, atol=1e-7)


def test_wav_in_the_extensible_form() -> None:
    data = encoded("WAVEX", "PCM_24")
    np.testing.assert_allclose(heard(PcmSource(io.BytesIO(data))), NOISE / 32_768, atol=1e-6)


@pytest.mark.parametrize("piece", [1000, 32_000])
@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0xFFFF_FFFF])
def test_wav_without_end(size: int, piece: int) -> None:
    data = bytearray(encoded("WAV", "PCM_16"))
    data[40:44] = struct.pack("<I", size)
    data[4:8] = struct.pack("<I", size or 36)
    with Piped(bytes(data), piece, stay_open=True) as stream:
        source = PcmSource(stream)
        count = 0
        for block in source.blocks():
            count += len(block.samples)
            if count > 16_000 - 320:  # while the stream stays open, up to a block's 20 ms wait for the rest of theirs
                source.close()
    assert 16_000 - 320 < count <= 16_000


def test_chunks_around_the_audio_are_not_heard() -> None:
    data = encoded("WAV", "PCM_16")
    junk = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    assert len(heard(PcmSource(io.BytesIO(data[:12] + junk + data[12:] + junk)))) == 16_000


@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_formats_that_are_collected_first(kind: str) -> None:
    with Piped(encoded(kind, rate=48_000)) as stream:
        source = PcmSource(stream)
        assert source.sample_rate == 48_000
        assert len(heard(source)) == 16_000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "before any audio"),
        (b"\x01", "before any audio"),
        (b"RIFF\0\0\0\0AVI ", "none"),
        (b"RIFF\0\0\0\0WAVE", "ends before its audio"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "without a description"),
        (encoded("WAV", "ALAW"), "cannot be piped"),
        (encoded("WAV")[:44], "before any audio"),
        (b"fLaC" + bytes(500), "cannot be read as audio"),
        (b"OggS" + bytes(500), "cannot be read as audio"),
    ],
)
def test_what_is_no_audio_is_one_sentence(data: bytes, says: str) -> None:
    source = PcmSource(io.BytesIO(data))
    assert source.sample_rate == 16_000
    with pytest.raises(AudioError, match=says) as caught:
        list(source.blocks())
    assert "\n" not in str(caught.value)


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"RIFF", b"RIFF0000WAVE", b"RIFF0000WAVEfmt \x10\0\0\0", b"fLaC"])
)
def test_no_bytes_whatever_do_more_than_an_audio_error(data: bytes, prefix: bytes) -> None:
    try:
        for block in PcmSource(io.BytesIO(prefix + data)).blocks():
            assert block.samples.ndim == 1
    except AudioError:
        pass


@pytest.mark.parametrize("data", [b"", b"ab", NOISE.tobytes(), b"RIFF", b"fLaC"])
def test_close_ends_the_wait_for_a_silent_writer(data: bytes) -> None:
    with Piped(data, stay_open=True) as stream:
        source = PcmSource(stream)
        threading.Timer(0.2, source.close).start()
        began = time.monotonic()
        try:
            list(source.blocks())
        except AudioError:
            assert data[:1] in (b"R", b"f")
        assert time.monotonic() - began < 2


def test_a_live_pipe_is_not_held_back() -> None:
    with Piped(NOISE[:800].tobytes(), stay_open=True) as stream:
        source = PcmSource(stream)
        blocks = source.blocks()
        count = 0
        while count < 800 - 319:
            count += len(next(blocks).samples)
        source.close()


class Writer:
    """A real pipe whose other end the test writes to."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.stream: BinaryIO = os.fdopen(reading, "rb")

    def write(self, seconds: float) -> float:
        """So much audio at 16 kHz; gives the time when it was written."""
        os.write(self._writing, bytes(2 * round(16_000 * seconds)))
        return time.monotonic()

    def end(self) -> None:
        os.close(self._writing)


def test_what_is_said_while_we_are_busy_is_known_to_be_late() -> None:
    """Each block carries the time when it came, not the one when somebody had time for it."""
    writer = Writer()
    source = PcmSource(writer.stream)
    writer.write(0.1)
    blocks = source.blocks()
    next(blocks)
    written = [writer.write(0.1), (time.sleep(0.6), writer.write(0.1))[1]]
    time.sleep(0.5)
    now = time.monotonic()
    heard = [next(blocks) for _ in range(2)]
    assert [block.arrived for block in heard] == pytest.approx(written, abs=0.5)
    assert now - heard[0].arrived > 0.9
    source.close()
    writer.end()


@pytest.mark.parametrize("seconds", [1.5, 30.0, 200.0])
def test_a_file_that_is_piped_in_is_never_late(seconds: float) -> None:
    """Its writer waits for us, in the pipe or with all of it written; nothing is lost, and little of it in memory."""
    data = np.arange(round(16_000 * seconds), dtype="<u2").tobytes()
    with Piped(data, 60_000) as stream:
        source = PcmSource(stream)
        count = 0
        for number, block in enumerate(source.blocks()):
            if 0 < number <= 2:  # what a slow machine takes for each
                assert time.monotonic() - block.arrived < 0.3
                time.sleep(0.8)
            count += len(block.samples)
    assert count == len(data) // 2


def test_memory_for_a_pipe_is_bounded() -> None:
    """Beyond it the writer waits, as it did without a thread."""
    with Piped(bytes(3 * ROOM), 60_000) as stream:
        source = PcmSource(stream)
        blocks = source.blocks()
        first = len(next(blocks).samples)
        time.sleep(0.5)
        assert source._bytes._intake._held <= ROOM
        assert first + sum(len(block.samples) for block in blocks) == 3 * ROOM // 2


def test_what_was_said_before_close_is_heard() -> None:
    """Somebody who ends a stream that is behind loses nothing that was said."""
    writer = Writer()
    source = PcmSource(writer.stream)
    writer.write(0.1)
    blocks = source.blocks()
    heard = len(next(blocks).samples)
    writer.write(0.5)
    time.sleep(0.5)
    source.close()
    assert heard + sum(len(block.samples) for block in blocks) == pytest.approx(0.6 * 16_000, abs=320)
    writer.end()
