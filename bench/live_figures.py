"""From what one contender did (`bench.live_contender.Run`) to the figures of its row.

Latencies are those of the clock of the audio (`bench.live_clock`). The end of a word is where the contender's own final
says that it ends, so a model that writes its letters late ends its words late, and seems that much quicker; the end of
speech is where the detector heard it, the same for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bench.live_audio import Audio, Segment
from bench.live_contender import Run
from bench.stability import Shown, Stability, delays, stability
from edgevoice.captions import final_captions
from edgevoice.events import CaptionFinished, from_dict
from edgevoice.text import normalise
from training.metrics import error_rates

_SAME_S = 0.05
"""Two ends of segments that are so near are the same."""


@dataclass(frozen=True)
class Spread:
    """Percentiles of what was measured, in the unit of the values."""

    count: int
    p50: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None of nothing."""
        if not len(values):
            return None
        p50, p95 = np.percentile(values, [50, 95])
        return cls(len(values), round(float(p50), 4), round(float(p95), 4))


@dataclass(frozen=True)
class Figures:
    """Of one contender on one stream. Latencies in seconds."""

    cpu_per_s: float
    """CPU seconds, detector included, per second of audio, pauses included."""
    wall_per_s: float
    """The same of the time that went by while it worked: above 1 it cannot keep up."""
    offline_cpu_per_s: float
    """CPU seconds of one pass over each utterance, without the detector, per second of the same audio."""
    updates_per_s: float
    """Passes while somebody spoke, per second of speech (of the segments)."""
    update: Spread | None
    """From the arrival of the newest audio to the end of the pass that hears it."""
    first: Spread | None
    """From the end of a word to its first appearance."""
    stable: Spread | None
    """From the end of a word to the moment it is promised, at the latest with the final."""
    final: Spread | None
    """From the end of speech to the final, where no segment was cut at its maximum; the hangover is part of it."""
    over_hangover: Spread | None
    """The same without the hangover."""
    stability: Stability
    wer: float | None
    """Of the captions as they stand at the end, so of the second readings where there are any; a word counts for the
    utterance that it is in or nearest to."""
    offline_wer: float | None
    """Of one pass over each utterance."""
    by_set: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """Set -> clips, WER live and offline."""
    resident_mb: float = 0.0
    peak_mb: float = 0.0
    load_s: float = 0.0
    segments: int = 0
    same_segments: bool = True
    """Whether its segments are those that everyone should hear."""
    failures: int = 0
    """Events that say that something failed."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, rounded."""
        plain = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        shown = self.stability
        ratios = {
            "upwr": shown.upwr,
            "upwr_without_growth": shown.upwr_without_growth,
            "stable_upwr": shown.stable_upwr,
        }
        return {**plain, **{name: round(value, 4) for name, value in ratios.items()}}


def figures(run: Run, audio: Audio, segments: Sequence[Segment], hangover_s: float) -> Figures:
    """What a contender's run over the audio says of it."""
    texts = texts_by_segment(run.events)
    finals = [event for _, event in run.events if event["event"] == "caption_finished"]
    first: list[float] = []
    stable: list[float] = []
    for event in finals:
        ends = [word["end"] for word in event["words"]]
        early, sure = delays(texts[event["segment"]], ends)
        first += early
        stable += sure
    closing = {event["segment"]: event for _, event in run.events if event["event"] == "speech_ended"}
    waits = _waits(run.events, segments)
    live = _texts_of_utterances(_captions(run.events), audio)
    speech_s = sum(each.end - each.start for each in segments)
    said = any(text.split() for text in run.offline_texts) or bool(first)
    return Figures(
        cpu_per_s=run.cpu_s / audio.seconds,
        wall_per_s=run.wall_s / audio.seconds,
        offline_cpu_per_s=run.offline_cpu_s / audio.seconds,
        updates_per_s=run.updates / speech_s if speech_s else 0.0,
        update=Spread.of([done - heard for heard, done in run.passes]),
        first=Spread.of(first),
        stable=Spread.of(stable),
        final=Spread.of(waits),
        over_hangover=Spread.of([wait - hangover_s for wait in waits]),
        stability=stability(texts.values()),
        wer=_wer(audio, live) if said else None,
        offline_wer=_wer(audio, run.offline_texts) if said else None,
        by_set=_by_set(audio, live, run.offline_texts) if said else {},
        resident_mb=run.resident_mb,
        peak_mb=run.peak_mb,
        load_s=run.load_s,
        segments=len(closing),
        same_segments=_same([event["end"] for event in closing.values()], [each.end for each in segments]),
        failures=sum(event["event"] == "failed" for _, event in run.events),
    )


def texts_by_segment(found: Iterable[tuple[float, Mapping[str, Any]]]) -> dict[int, list[Shown]]:
    """Segment -> all texts that were shown of it, in order; the final, which is stable, last."""
    texts: dict[int, list[Shown]] = defaultdict(list)
    for moment, event in found:
        if event["event"] == "caption_updated":
            shown = Shown(moment, tuple(event["stable"].split()), tuple(event["tentative"].split()))
            texts[event["segment"]].append(shown)
        elif event["event"] == "caption_finished":
            texts[event["segment"]].append(Shown(moment, tuple(event["text"].split())))
    return texts


def _waits(found: Iterable[tuple[float, Mapping[str, Any]]], segments: Sequence[Segment]) -> list[float]:
    """Seconds from the end of speech to each final."""
    waits = []
    for moment, event in found:
        if event["event"] == "caption_finished":
            ends = [each for each in segments if abs(each.end - event["end"]) < _SAME_S and not each.forced]
            waits += [moment - each.speech_end for each in ends[:1]]
    return waits


def _captions(found: Iterable[tuple[float, Mapping[str, Any]]]) -> list[CaptionFinished]:
    readings = "caption_finished", "caption_revised"
    return final_captions(from_dict(dict(event)) for _, event in found if event["event"] in readings)


def _texts_of_utterances(captions: Iterable[CaptionFinished], audio: Audio) -> list[str]:
    words: list[list[str]] = [[] for _ in audio.utterances]
    for caption in captions:
        for word in caption.words:
            words[audio.utterance_at((word.start + word.end) / 2)].append(word.word)
    return [" ".join(each) for each in words]


def _wer(audio: Audio, heard: Sequence[str], dataset: str = "") -> float | None:
    pairs = [
        (each.text, normalise(text))
        for each, text in zip(audio.utterances, heard, strict=True)
        if dataset in ("", each.dataset)
    ]
    return error_rates([said for said, _ in pairs], [text for _, text in pairs]).get("wer")


def _by_set(audio: Audio, live: Sequence[str], offline: Sequence[str]) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name in sorted({each.dataset for each in audio.utterances}):
        clips = sum(each.dataset == name for each in audio.utterances)
        rates = {"live": _wer(audio, live, name), "offline": _wer(audio, offline, name)}
        found[name] = {"clips": clips, **{k: None if v is None else round(v, 4) for k, v in rates.items()}}
    return found


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(abs(a - b) < _SAME_S for a, b in zip(one, other, strict=True))
