"""The audio that live captions are measured on: clips of real speech, one after the other, with pauses between them.

It is put together the same way every time: clips of the splits that models are judged on (dev and test) where a set has
them, one of each set in turn, in an order drawn from a fixed seed, so that every speaker comes early and late. Between
them 0.7 to 2 s of faint noise, in which a segment ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgevoice.config import SAMPLE_RATE, VadSettings
from edgevoice.errors import UsageError
from edgevoice.vad.detector import make_detector
from edgevoice.vad.segmenter import MARGIN_S, SegmentClosed, Segmenter, SegmentOpened
from training.decoded import load_audio
from training.manifest import Clip, read_manifest

Samples = npt.NDArray[np.float32]

SETS = ("librispeech-test-other", "speechocean762", "vctk-p239", "ljspeech-32")
"""Folders of ../shared/data: people who read. The bundled model was trained on none of their dev clips."""
SHARED = Path("../shared/data")
JUDGED = ("dev", "test")
PAUSES_S = (0.7, 2.0)
NOISE_DBFS = -65.0
_FADE = SAMPLE_RATE // 100
_LONGEST_S = 19.0
"""A longer clip could be cut in two at the segmenter's maximum."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One clip in the audio."""

    start: float
    """Seconds."""
    end: float
    text: str
    """Normalised."""
    dataset: str
    speaker: str


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A stream of speech and what is said in it."""

    samples: Samples
    """Mono, 16 kHz, -1..1."""
    utterances: tuple[Utterance, ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / SAMPLE_RATE

    def utterance_at(self, second: float) -> int:
        """Which utterance a moment belongs to: the one it is in or nearest to."""
        distances = [max(each.start - second, second - each.end) for each in self.utterances]
        return int(np.argmin(distances))


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech as the segmenter finds it, whatever model hears it."""

    start: float
    """Seconds, pre-roll included."""
    end: float
    """Seconds, the silence behind it included that belongs to it."""
    speech_end: float
    """Where the speaker stops, as the detector hears it: the hangover counts from here."""
    forced: bool
    """Cut at its maximum length."""


def usual_sets() -> list[Path]:
    """Manifests of the sets that the published figures are of.

    Raises:
        UsageError: they are not here.
    """
    found = [SHARED / name / "manifest.csv" for name in SETS]
    for file in found:
        if not file.is_file():
            raise UsageError(f"There are no recordings in {file.parent}", "Name others with --data MANIFEST")
    return found


def make_audio(manifests: Sequence[Path], minutes: float, seed: int = 5) -> Audio:
    """At least so many minutes of speech and pauses.

    Raises:
        UsageError: the recordings that have a text do not last that long.
    """
    rng = np.random.default_rng(seed)
    waiting = [_shuffled(_judged(read_manifest(file)), rng) for file in manifests]
    pieces, length = [_noise(1.0, rng)], SAMPLE_RATE
    utterances: list[Utterance] = []
    while length < minutes * 60 * SAMPLE_RATE:
        waiting = [clips for clips in waiting if clips]
        if not waiting:
            what = f"The recordings last {length / SAMPLE_RATE / 60:.1f} minutes, and {minutes:g} are to be heard"
            raise UsageError(what, "Lower --minutes, or name more with --data MANIFEST")
        # the set of which the least was heard so far, in seconds
        heard = [sum(u.end - u.start for u in utterances if u.dataset == clips[0].dataset) for clips in waiting]
        clip = waiting[int(np.argmin(heard))].pop()
        speech, pause = _faded(load_audio(clip.path)), _noise(float(rng.uniform(*PAUSES_S)), rng)
        start, end = length / SAMPLE_RATE, (length + len(speech)) / SAMPLE_RATE
        utterances.append(Utterance(start, end, clip.text, clip.dataset, clip.speaker))
        pieces += [speech, pause]
        length += len(speech) + len(pause)
    return Audio(np.concatenate([*pieces, _noise(1.0, rng)]), tuple(utterances))


def segments_of(samples: Samples, settings: VadSettings) -> list[Segment]:
    """What the detector and the segmenter of the settings make of audio; the same for whoever decodes it."""
    detector = make_detector(settings)
    segmenter = Segmenter(settings, detector.frame_samples)
    size, found = detector.frame_samples, []
    count = len(samples) // size
    changes: list[SegmentOpened | SegmentClosed] = []
    for frame in samples[: count * size].reshape(count, size):
        changes += segmenter.feed(detector.probability(frame))
    changes += segmenter.flush(len(samples) - count * size)
    margin = min(MARGIN_S, settings.hangover_s)
    for change in changes:
        if isinstance(change, SegmentClosed):
            end = change.end / SAMPLE_RATE
            speech_end = end if change.forced else end - margin
            found.append(Segment(change.start / SAMPLE_RATE, end, speech_end, change.forced))
    return found


def _judged(clips: Sequence[Clip]) -> list[Clip]:
    usable = [clip for clip in clips if clip.text and clip.duration_s <= _LONGEST_S]
    return [clip for clip in usable if clip.split in JUDGED] or usable


def _shuffled(clips: list[Clip], rng: np.random.Generator) -> list[Clip]:
    return [clips[i] for i in rng.permutation(len(clips))]


def _noise(seconds: float, rng: np.random.Generator) -> Samples:
    noise = rng.normal(0, 10 ** (NOISE_DBFS / 20), round(seconds * SAMPLE_RATE))
    return noise.astype(np.float32)


def _faded(samples: Samples) -> Samples:
    """Without clicks at its ends."""
    faded = samples.copy()
    ramp = np.linspace(0, 1, min(_FADE, len(samples)), dtype=np.float32)
    faded[: len(ramp)] *= ramp
    faded[len(faded) - len(ramp) :] *= ramp[::-1]
    return faded
