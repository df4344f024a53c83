"""Samples out of bytes: libsndfile for everything it can seek in, and a WAV reader for streams whose header lies."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from edgevoice.audio.source import Samples
from edgevoice.errors import AudioError

Frames = npt.NDArray[np.float32]
"""[frames, channels]"""

RATES = range(1_000, 768_001)
"""Sample rates worth believing, in hertz."""
MAX_CHANNELS = 64
BLOCK_S = 0.1
"""Of the pieces in which recordings are read, at most."""
CONVERT = "Convert it first, for example: ffmpeg -i INPUT -ar 16000 -ac 1 output.wav"
_ENDLESS = 0x7FFF_0000  # sox, arecord and ffmpeg write a data size from here up when they do not know it


def mono(frames: Frames) -> Samples:
    """The mean of all channels: [frames, channels] -> float32 [frames]."""
    if frames.shape[1] == 1:
        return np.asarray(frames[:, 0], dtype=np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and Inf pass; the resampler cleans them
        return np.asarray(frames.mean(axis=1, dtype=np.float32))


def check_format(name: str, sample_rate: int, channels: int) -> None:
    """Refuses headers that no recording has.

    Raises:
        AudioError: the rate or the number of channels is absurd.
    """
    if sample_rate not in RATES:
        raise AudioError(f"'{name}' claims a sample rate of {sample_rate} Hz, so its header is damaged", CONVERT)
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"'{name}' claims {channels} channels, so its header is damaged", CONVERT)


def decoded(sound: soundfile.SoundFile, name: str) -> Iterator[Frames]:
    """Pieces of at most 0.1 s; the readable part of a truncated file, then its end.

    Raises:
        AudioError: the file is damaged at this point, or holds no audio at all.
    """
    heard = 0
    while True:
        try:
            frames = sound.read(int(sound.samplerate * BLOCK_S), dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            position = f"after {heard / sound.samplerate:.1f} s " if heard else ""
            raise AudioError(f"'{name}' cannot be decoded {position}({reason(error)})", CONVERT) from error
        if not len(frames):
            break
        heard += len(frames)
        yield frames
    if not heard:
        raise AudioError(f"'{name}' contains no audio", "Check that the recording was finished")


def reason(error: BaseException) -> str:
    """What libsndfile says, in its own words, without the file name in front of them."""
    return str(getattr(error, "error_string", "") or error).rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class WavFormat:
    """What a WAV header says about the bytes after it."""

    sample_rate: int
    """Hertz."""
    channels: int
    sample_bytes: int
    floating: bool
    data_bytes: int | None
    """None where the writer did not know it: the audio goes on until the stream ends."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * self.sample_bytes

    def frames(self, data: bytes) -> Frames:
        """Samples -1..1 from whole frames of interleaved little-endian bytes."""
        samples: Frames = _as_float(data, self.sample_bytes, floating=self.floating).astype(np.float32, copy=False)
        return samples.reshape(-1, self.channels)


def wav_format(read: Callable[[int], bytes], name: str) -> WavFormat:
    """Reads a WAV header, from the bytes "RIFF" to the first byte of audio.

    Args:
        read: gives exactly that many bytes, fewer only at the end of the stream.
        name: what to call the stream in an error.

    Raises:
        AudioError: this is no WAV header, or one of a coding that is not plain samples.
    """
    riff = read(12)
    if len(riff) < 12 or riff[8:] != b"WAVE":
        raise AudioError(f"'{name}' begins like a WAV file but is none", CONVERT)
    riff_bytes = struct.unpack("<I", riff[4:8])[0]
    fields, position = b"", 12
    while True:
        header = read(8)
        if len(header) < 8:
            raise AudioError(f"'{name}' is a WAV file that ends before its audio", CONVERT)
        kind, size = struct.unpack("<4sI", header)
        position += 8
        if kind == b"data":
            return _checked(fields, _data_bytes(size, riff_bytes, position), name)
        padded = size + size % 2
        if kind == b"fmt ":
            fields = read(min(padded, 64))
            padded -= len(fields)
        position += size + size % 2
        while padded > 0 and (skipped := read(min(padded, 65_536))):
            padded -= len(skipped)


def _data_bytes(size: int, riff_bytes: int, position: int) -> int | None:
    """The size of the audio, or None if the writer could not go back to fill it in."""
    # An honest zero leaves the RIFF size covering whatever follows the empty chunk.
    unfinished = size == 0 and (riff_bytes + 8 <= position or riff_bytes >= _ENDLESS)
    return None if unfinished or size >= _ENDLESS else size


def _checked(fields: bytes, data_bytes: int | None, name: str) -> WavFormat:
    if len(fields) < 16:
        raise AudioError(f"'{name}' is a WAV file without a description of its format", CONVERT)
    tag, channels, sample_rate, _, _, bits = struct.unpack("<HHIIHH", fields[:16])
    if tag == 0xFFFE and len(fields) >= 26:
        tag = struct.unpack("<H", fields[24:26])[0]
    check_format(name, sample_rate, channels)
    if (tag, bits) not in {(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)}:
        what = f"'{name}' is a WAV stream of a kind that cannot be piped (format {tag}, {bits} bits)"
        raise AudioError(what, CONVERT)
    return WavFormat(
        sample_rate=sample_rate, channels=channels, sample_bytes=bits // 8, floating=tag == 3, data_bytes=data_bytes
    )


def _as_float(data: bytes, sample_bytes: int, *, floating: bool) -> np.ndarray:
    if floating:
        with np.errstate(over="ignore"):
            return np.frombuffer(data, f"<f{sample_bytes}").astype(np.float32)
    if sample_bytes == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    if sample_bytes == 3:  # each sample becomes the upper three bytes of an int32
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    return np.frombuffer(data, f"<i{sample_bytes}").astype(np.float32) / np.float32(2 ** (8 * sample_bytes - 1))
