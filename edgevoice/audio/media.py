"""The audio track of everything libsndfile does not read (M4A, WebM, MP4, WMA, AMR, ...), and the only place that knows
PyAV. It brings FFmpeg along and comes with the extra `media`, so it is imported inside functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgevoice.audio.decode import BLOCK_S, CONVERT, Frames, check_format
from edgevoice.errors import AudioError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container.input import InputContainer

SUFFIXES = frozenset(
    ".m4a .m4b .mp4 .m4v .mov .3gp .3g2 .aac .mka .mkv .webm .wma .wmv .asf .amr .avi .flv .mpg .mpeg .m2ts .mts "
    ".vob .ac3 .eac3 .dts .ape .wv .tta .mpc .ra .rm".split()
)
"""How such files are called."""
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,asf,amr,amrnb,amrwb,avi,flv,mpeg,mpegts,ac3,eac3,dts,ape,wv,tta,mpc,mpc8,"
    "rm,mp3,ogg,flac,wav,w64,aiff,au,caf,loas,gsm,voc,dsf"
)
"""Containers and streams only: playlists, of which FFmpeg knows several, name other files and servers."""
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none"}
_GAP_S = 0.5
"""A hole in the track's own time line that is longer than this is heard as silence; a shorter one is a clock that
drifts."""
_LONGEST_GAP_S = 3600.0
"""A longer one is a damaged time stamp."""


class NotMediaError(AudioError):
    """No container that FFmpeg knows."""


class Media:
    """The audio track of a media file; see `edgevoice.audio.formats.Recording`.

    Raises:
        NotMediaError: it is none.
        AudioError: it has no audio track, or one that cannot be decoded.
        ImportError: PyAV is not installed.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown
        with self._opened() as (container, track):
            # a header may name half the rate, or other channels than the decoder finds
            first = next(self._decoded(container, track), None)
            if first is None:
                raise AudioError(f"'{shown}' contains no audio", "Check that the recording was finished")
            self.sample_rate, self.layout = first.sample_rate, first.layout.name
            self.channels = first.layout.nb_channels
            self.duration = max(0.0, (container.duration or 0) / 1e6)
        check_format(shown, self.sample_rate, self.channels)

    def frames(self) -> Iterator[Frames]:
        """Pieces of at most 0.1 s, on the time line of the file: a track that begins later than the picture, or has
        holes, is silent there.

        Raises:
            AudioError: something in it could not be decoded; all the rest was yielded.
        """
        with self._opened() as (container, track):
            line, as_float = _TimeLine(self.sample_rate, (container.start_time or 0) / 1e6), _Floats(self)
            for frame in self._decoded(container, track):
                for missing in line.silences(frame.time):
                    yield np.zeros((missing, self.channels), np.float32)
                frames = as_float(frame)
                line.position += len(frames)
                yield from (frames[start : start + line.piece] for start in range(0, len(frames), line.piece))

    def _decoded(self, container: InputContainer, track: AudioStream) -> Iterator[AudioFrame]:
        """Frames as they are in the file. A packet that is damaged is left out, and said when all the others came; the
        last one of an MP3 is not missed, which is a stream that ends wherever it was cut."""
        from av.error import FFmpegError

        heard, damaged, count = 0.0, None, 0
        try:
            for packet in container.demux(track):
                try:
                    frames = packet.decode()
                except FFmpegError as error:
                    count += 1
                    if heard and damaged is None:  # streams that were cut out of others begin in the middle of a frame
                        damaged = heard, error
                    continue
                for frame in frames:
                    heard += frame.samples / frame.sample_rate
                    yield frame
        except FFmpegError as error:
            damaged = damaged or (heard, error)
        if damaged and not (container.format.name == "mp3" and count == 1 and damaged[0] == heard):
            at, why = damaged
            what = f"'{self._shown}' cannot be decoded {f'after {at:.1f} s ' if at else ''}({_reason(why)})"
            raise AudioError(what, CONVERT)

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, AudioStream]]:
        import av

        try:
            # a stream and not a name: names of files may look like addresses to FFmpeg
            with self._path.open("rb") as file, av.open(file, "r", options=_OPTIONS, metadata_errors="replace") as it:
                track = it.streams.best("audio")
                if not isinstance(track, av.AudioStream):
                    kind = AudioError if it.streams.video else NotMediaError
                    raise kind(f"'{self._shown}' has no audio track", "Choose a file with sound")
                yield it, track
        except av.error.FFmpegError as error:
            raise NotMediaError(f"'{self._shown}' cannot be read as audio ({_reason(error)})", CONVERT) from error
        except OSError as error:
            raise AudioError(f"'{self._shown}' cannot be read ({error.strerror})", "Copy it again") from error


class _Floats:
    """Frames of any sample format as those of a media file's first one: streams may change in the middle."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._converters: dict[object, AudioResampler] = {}

    def __call__(self, frame: AudioFrame) -> Frames:
        from av.audio.resampler import AudioResampler

        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form not in self._converters:
            self._converters[form] = AudioResampler("fltp", self._media.layout, self._media.sample_rate)
        frame.pts = None  # holes are none of its business
        parts = [converted.to_ndarray().T for converted in self._converters[form].resample(frame)]
        return np.ascontiguousarray(np.concatenate(parts) if parts else np.zeros((0, self._media.channels)), np.float32)


class _TimeLine:
    """Where a track is on its own time line, and what is missing before its next frame.

    Args:
        rate: hertz.
        start: seconds at which the time line begins.
    """

    def __init__(self, rate: int, start: float) -> None:
        self.position = 0
        """Samples given so far."""
        self.piece = max(1, int(rate * BLOCK_S))
        """Samples of the longest piece."""
        self._rate, self._start = rate, start

    def silences(self, time: float | None) -> Iterator[int]:
        """Samples of silence before a frame of that time, in pieces."""
        if time is None:
            return
        gap = time - self._start - self.position / self._rate
        if not -_GAP_S <= gap <= _LONGEST_GAP_S:
            self._start += gap  # another time line goes on from here
            return
        left = round(gap * self._rate) if gap > _GAP_S else 0
        while left > 0:
            piece = min(left, self.piece)
            self.position += piece
            left -= piece
            yield piece


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", "") or type(error).__name__).rstrip(".")
