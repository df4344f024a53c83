"""What only FFmpeg reads: containers, the audio track of videos, and what is wrong with them."""

from __future__ import annotations

import re
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgevoice.audio.file import FileSource
from edgevoice.errors import AudioError

av = pytest.importorskip("av", reason="the extra `media` is not installed")

RATE = 48_000
FORMATS = [
    ("m4a", "aac"),
    ("aac", "aac"),
    ("mp4", "aac"),
    ("mov", "pcm_s16le"),
    ("mkv", "aac"),
    ("mka", "flac"),
    ("webm", "libopus"),
    ("wma", "wmav2"),
    ("3gp", "aac"),
    ("mpg", "mp2"),
    ("avi", "pcm_s16le"),
]


def tone(pitch: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encode(
    path: Path, codec: str, *channels: np.ndarray, rate: int = RATE, picture_s: float = 0, at: float = 0
) -> Path:
    """A file with these channels, which begin at that second, perhaps beside a picture of so many seconds."""
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=10) if picture_s else None
        if video:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        track = container.add_stream(codec, rate=rate)
        track.layout, track.bit_rate = layout, 64_000 * len(channels)
        for number in range(round(picture_s * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        frame = av.AudioFrame.from_ndarray(np.stack(channels).astype(np.float32), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, round(at * rate)
        frame.time_base = Fraction(1, rate)
        track.open(strict=False)
        fitted = av.AudioResampler(
            track.codec_context.format, layout, rate, frame_size=track.codec_context.frame_size or 1024
        )
        for each in [*fitted.resample(frame), *fitted.resample(None)]:
            container.mux(track.encode(each))
        for stream in filter(None, (video, track)):
            container.mux(stream.encode(None))
    return path


def heard(source: FileSource) -> np.ndarray:
    return np.concatenate([block.samples for block in source.blocks()])


def until_it_breaks(source: FileSource) -> tuple[int, str]:
    """Samples heard, and what was said in the end."""
    count = 0
    try:
        for block in source.blocks():
            count += len(block.samples)
    except AudioError as error:
        return count, str(error)
    return count, ""


def pitch(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_reads_both_channels_of_every_common_format(tmp_path: Path, kind: str, codec: str) -> None:
    """Each on its side, in short blocks, and the same when it is read again."""
    path = encode(tmp_path / f"call.{kind}", codec, tone(440), tone(1000))
    source = FileSource(path)
    assert (source.sample_rate, source.name, source.channel) == (RATE, f"call.{kind}", "file")
    assert source.duration == pytest.approx(1, abs=0.3)
    for side, expected in ((0, 440), (1, 1000)):
        samples = heard(FileSource(path, side=side))
        assert len(samples) == pytest.approx(RATE, abs=0.1 * RATE)
        assert pitch(samples, RATE) == pytest.approx(expected, abs=5)
        assert 0.2 < samples.max() < 0.7
    blocks = list(source.blocks())
    assert all(0 < len(block.samples) <= RATE // 10 for block in blocks)
    assert blocks[0].samples.dtype == np.float32
    np.testing.assert_array_equal(heard(source), np.concatenate([block.samples for block in blocks]))


def test_amr_of_old_telephones(tmp_path: Path) -> None:
    path = encode(tmp_path / "note.amr", "libopencore_amrnb", tone(440, rate=8000), rate=8000)
    assert FileSource(path).sample_rate == 8000
    assert pitch(heard(FileSource(path)), 8000) == pytest.approx(440, abs=10)


def test_a_track_is_where_the_picture_wants_it(tmp_path: Path) -> None:
    """A track that begins in the middle of a video is silent until then, so that subtitles fit."""
    path = encode(tmp_path / "late.mkv", "pcm_s16le", tone(440, 1.0), picture_s=4, at=2.0)
    samples = heard(FileSource(path))
    assert len(samples) == pytest.approx(3 * RATE, abs=0.1 * RATE)
    assert np.abs(samples[: round(1.9 * RATE)]).max() == 0
    assert np.abs(samples[round(2.1 * RATE) :]).max() > 0.3


def test_the_length_does_not_show_in_memory(tmp_path: Path) -> None:
    path = encode(tmp_path / "long.mka", "flac", np.zeros(200 * 8000, np.float32), rate=8000)
    tracemalloc.start()
    total = sum(len(block.samples) for block in FileSource(path).blocks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 200 * 8000
    assert peak < 2_000_000


def test_a_video_without_sound(tmp_path: Path) -> None:
    with av.open(tmp_path / "mute.mp4", "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(video.encode(None))
    with pytest.raises(AudioError, match="has no audio track"):
        FileSource(tmp_path / "mute.mp4")


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    """A container without its index is one sentence; one that needs none gives what is there."""
    whole = encode(tmp_path / "whole.m4a", "aac", tone(440, 4)).read_bytes()
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match="cannot be read as audio") as caught:
        FileSource(tmp_path / "cut.m4a")
    assert "\n" not in str(caught.value)
    whole = encode(tmp_path / "whole.aac", "aac", tone(440, 4)).read_bytes()
    (tmp_path / "cut.aac").write_bytes(whole[: len(whole) // 2])
    count, said = until_it_breaks(FileSource(tmp_path / "cut.aac"))
    assert not said or "cannot be decoded after" in said
    assert count == pytest.approx(2 * RATE, abs=0.3 * RATE)


def test_damage_in_the_middle_is_said_and_the_rest_is_heard(tmp_path: Path) -> None:
    data = bytearray(encode(tmp_path / "a.m4a", "aac", tone(440, 4)).read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    data[start : start + 400] = bytes(400)
    (tmp_path / "a.m4a").write_bytes(data)
    count, said = until_it_breaks(FileSource(tmp_path / "a.m4a"))
    assert re.search(r"cannot be decoded after [12]\.\d s", said)
    assert count > 3.5 * RATE


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    """FFmpeg would read other files, and ask servers, because a file says so."""
    soundfile.write(tmp_path / "a.wav", tone(440), RATE)
    lists = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{tmp_path / 'a.wav'}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{tmp_path / 'a.wav'}'\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(AudioError, match="cannot be read as audio"):
            FileSource(tmp_path / name)


def test_without_the_extra_the_sentence_names_it(tmp_path: Path) -> None:
    """And what is no audio at all is not promised to become some."""
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(500))
    (tmp_path / "a.bin").write_bytes(bytes(500))
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from edgevoice.audio.file import FileSource\n"
        "for name in sys.argv[1:]:\n"
        "    try: FileSource(name)\n"
        "    except Exception as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "a.m4a", tmp_path / "a.bin"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "pip install 'edgevoice[media]'" in said[0]
    assert "Convert it first" in said[1]


def test_an_mp3_is_read_without_the_notes_of_its_decoder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Those of libsndfile's, on its own files; one that was cut in the middle of a frame is none that is damaged."""
    file = tmp_path / "a.mp3"
    soundfile.write(file, np.random.default_rng(0).normal(0, 0.1, 160_000), 16_000)
    whole = heard(FileSource(file))
    assert len(whole) == pytest.approx(160_000, abs=2500)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2 + 37])
    assert len(heard(FileSource(file))) == pytest.approx(80_000, abs=4000)
    assert capfd.readouterr() == ("", "")
