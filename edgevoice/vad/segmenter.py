"""Where speech begins and ends: arithmetic over probabilities, in samples, with no audio and no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgevoice.config import SAMPLE_RATE, VadSettings
from edgevoice.errors import ConfigError

HYSTERESIS = 0.15
"""Speech goes on while the probability is at most this far below the threshold."""
MARGIN_S = 0.2
"""At most so much of the silence after the last speech belongs to the segment."""
CUT_FROM = 0.8
"""A segment that grows too long is cut in the part after this share of the maximum."""


@dataclass(frozen=True, slots=True)
class SegmentOpened:
    """Somebody speaks."""

    segment: int
    """Counts from 1."""
    start: int
    """First sample, pre-roll included."""


@dataclass(frozen=True, slots=True)
class SegmentClosed:
    """The segment is complete."""

    segment: int
    start: int
    """First sample."""
    end: int
    """First sample that does not belong to it."""
    speech_end: int
    """End of the last frame of speech in it."""
    forced: bool
    """Cut at its maximum length: the next segment has opened at `end`."""


SegmentChange = SegmentOpened | SegmentClosed


class Segmenter:
    """Turns one probability per frame into segments that are in order and never overlap.

    Whoever keeps the audio must keep what a `SegmentOpened` may reach back to: `lookback` samples.

    Args:
        settings: thresholds and durations.
        frame_samples: samples that one probability stands for.
        sample_rate: hertz.

    Raises:
        ConfigError: the durations contradict each other.
    """

    def __init__(self, settings: VadSettings, frame_samples: int, sample_rate: int = SAMPLE_RATE) -> None:
        self._frame = frame_samples
        self._threshold = settings.threshold
        self._lower = max(settings.threshold - HYSTERESIS, 1e-6)  # a probability of 0 is silence at any threshold
        self._preroll = round(settings.preroll_s * sample_rate)
        self._hangover = max(1, round(settings.hangover_s * sample_rate))
        self._margin = min(round(MARGIN_S * sample_rate), self._hangover)
        frames = math.ceil(round(settings.minimum_speech_s * sample_rate) / frame_samples)
        self._minimum = max(1, frames) * frame_samples
        self._maximum = round(settings.maximum_s * sample_rate)
        self._check(settings)

        self._position = 0
        self._active = False
        self._run_start = 0
        self._speech_end = 0
        self._segment = 0
        self._start: int | None = None
        self._previous_end = 0
        self._cuts: list[tuple[float, int]] = []

    @property
    def lookback(self) -> int:
        """The furthest that a segment's start lies before the end of the frame that opens it, in samples."""
        return max(self._preroll + self._minimum, self._maximum - int(CUT_FROM * self._maximum) + self._frame)

    @property
    def position(self) -> int:
        """Samples heard so far."""
        return self._position

    @property
    def speech_end(self) -> int:
        """End of the last frame of speech, in samples."""
        return self._speech_end

    @property
    def ending(self) -> int | None:
        """Where the open segment will end if nobody goes on to speak, once all of it was heard; None until then. What
        it says can be found out while the rest of the hangover runs."""
        if self._start is None or self._active or self._position < self._speech_end + self._margin:
            return None
        return self._speech_end + self._margin

    def feed(self, probability: float) -> list[SegmentChange]:
        """Takes the next frame; returns what it changes, in order."""
        begin, end = self._position, self._position + self._frame
        changes: list[SegmentChange] = []
        self._note_speech(probability, begin, end)
        if self._start is not None and end - self._start > self._maximum:
            changes += self._cut(self._start)
        self._position = end
        if self._start is None:
            if self._active and end - self._run_start >= self._minimum:
                changes.append(self._open(max(self._run_start - self._preroll, self._previous_end)))
        elif end - self._speech_end >= self._hangover:
            changes.append(self._close(min(self._speech_end + self._margin, end)))
        return changes

    def flush(self, rest: int = 0) -> list[SegmentChange]:
        """No more audio comes: closes the segment that is open. The position stays.

        Args:
            rest: samples after the last frame, too few for another one.
        """
        self._active = False
        if self._start is None:
            return []
        return [self._close(min(self._speech_end + self._margin, self._position + rest))]

    def _note_speech(self, probability: float, begin: int, end: int) -> None:
        active = probability >= (self._lower if self._active else self._threshold)
        if active and not self._active:
            self._run_start = begin
        if active and (self._start is not None or end - self._run_start >= self._minimum):
            self._speech_end = end
        self._active = active
        if self._start is not None and begin - self._start >= CUT_FROM * self._maximum:
            self._cuts.append((probability, begin))

    def _cut(self, start: int) -> list[SegmentChange]:
        """Ends a segment that would grow too long: before its quietest late frame, the last one among equals."""
        if not self._active:  # the hangover is running: what was said is complete
            return [self._close(min(self._speech_end + self._margin, self._position))]
        cut = min(self._cuts, key=lambda candidate: (candidate[0], -candidate[1]))[1]
        self._start, self._previous_end, self._cuts = None, cut, []
        closed = SegmentClosed(self._segment, start, cut, cut, forced=True)
        return [closed, self._open(cut)]

    def _open(self, start: int) -> SegmentOpened:
        self._segment += 1
        self._start = start
        self._cuts = []
        return SegmentOpened(self._segment, start)

    def _close(self, end: int) -> SegmentClosed:
        assert self._start is not None
        closed = SegmentClosed(self._segment, self._start, end, min(self._speech_end, end), forced=False)
        self._start, self._previous_end, self._cuts = None, end, []
        return closed

    def _check(self, settings: VadSettings) -> None:
        if not 0 < settings.threshold <= 1:
            raise ConfigError(f"vad.threshold is {settings.threshold}", "Choose a value above 0, at most 1")
        if min(settings.preroll_s, settings.minimum_speech_s, settings.hangover_s) < 0:
            raise ConfigError("A duration of [vad] is negative", "Choose 0 or more seconds")
        longest_opening = self._preroll + self._minimum + self._frame
        if CUT_FROM * self._maximum < longest_opening or (1 - CUT_FROM) * self._maximum < self._frame:
            what = f"vad.maximum_s is {settings.maximum_s}, too short for vad.preroll_s and vad.minimum_speech_s"
            raise ConfigError(what, "Raise it, or lower the other two")
