"""Recordings as samples: decoded and resampled, and kept so that no epoch decodes them again."""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from collections.abc import Iterable
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import AudioError
from training.manifest import Clip

Samples = npt.NDArray[np.float32]

_SCALE = np.float32(32768)
_SLACK = SAMPLE_RATE // 20
"""Resampling and headers that round a duration may give this many samples more than was said."""


ROW = "Mend or remove its row in the manifest"
"""What to do about a recording that a table names."""


def load_audio(path: Path, remedy: str = ROW) -> Samples:
    """A recording of any rate and number of channels as mono float32 at 16 kHz.

    Raises:
        AudioError: it is not there, cannot be read or is empty; with what to do about it.
    """
    return decode(str(path), f"The recording {path}", remedy)


def decode(file: str | bytes, what: str, remedy: str = ROW) -> Samples:
    """The same of a file's path or content, with the name that an error calls it by."""
    if isinstance(file, str) and not Path(file).is_file():
        raise AudioError(f"{what} is not there", remedy)
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "error_string", error)  # libsndfile's own words, without the name of a buffer
        raise AudioError(f"{what} cannot be read: {reason}", remedy) from None
    mono = samples.mean(axis=1)
    if not len(mono):
        raise AudioError(f"{what} is empty", remedy)
    return mono if rate == SAMPLE_RATE else np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), dtype=np.float32)


_SPARED = 2 * 2**30
"""Bytes of the disk that are left to others."""


class DecodedClips:
    """Decoded clips as 16-bit samples in one file, about 115 MB an hour: whoever needs a clip first decodes it for all.

    The file is sparse and has a place for every clip, so that the workers of a DataLoader fill it side by side without
    a lock: two that decode the same clip write the same bytes. It lies in the system's temporary folder but has no name
    there, so that nothing is left of it, however the processes end; what fits, the operating system keeps in memory.

    Args:
        clips: that will be asked for.
    """

    def __init__(self, clips: Iterable[Clip]) -> None:
        self._place: dict[Path, tuple[int, int, int]] = {}
        end = 0
        for clip in clips:
            if clip.path not in self._place and np.isfinite(clip.duration_s):
                room = round(clip.duration_s * SAMPLE_RATE) + _SLACK
                self._place[clip.path] = (len(self._place), end, room)
                end += room
        # shared memory, so that every worker sees what the others have written
        self._lengths = torch.zeros(len(self._place), dtype=torch.int64).share_memory_()
        self._descriptor, name = tempfile.mkstemp(prefix="edgevoice-decoded-")
        Path(name).unlink()
        weakref.finalize(self, os.close, self._descriptor)

    def load(self, path: Path) -> Samples:
        """The clip's samples, mono float32 at 16 kHz.

        Raises:
            AudioError: it cannot be read or is empty.
        """
        number, start, room = self._place.get(path, (-1, 0, 0))
        length = int(self._lengths[number]) if number >= 0 else 0
        if length:
            kept = np.frombuffer(os.pread(self._descriptor, 2 * length, 2 * start), dtype=np.int16)
            if len(kept) == length:
                return kept.astype(np.float32) / _SCALE
        samples = np.clip(np.rint(load_audio(path) * _SCALE), -_SCALE, _SCALE - 1).astype(np.int16)
        if 0 < len(samples) <= room and self._has_space():
            try:
                whole = os.pwrite(self._descriptor, samples.tobytes(), 2 * start) == samples.nbytes
            except OSError:  # the disk is full: the clip is decoded again when it is needed again
                whole = False
            if whole:
                self._lengths[number] = len(samples)
        return samples.astype(np.float32) / _SCALE

    def _has_space(self) -> bool:
        """Whether the disk can spare the room: what is decoded may be decoded again, a checkpoint must be written."""
        disk = os.fstatvfs(self._descriptor)
        return disk.f_bavail * disk.f_frsize > _SPARED

    def __getstate__(self) -> dict[str, Any]:
        """For a worker that is spawned instead of forked: it is handed the open file."""
        return {**self.__dict__, "_descriptor": reduction.DupFd(self._descriptor)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes the open file over."""
        self.__dict__.update(state, _descriptor=state["_descriptor"].detach())
        weakref.finalize(self, os.close, self._descriptor)
