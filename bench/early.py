"""How early intents are announced, and how often they are right: early against final.

Each clip with an intent goes through the live path twice, followed by faint noise so that its segment ends by itself:
once as users run it, and once with early announcements turned off, which gives the verdict over the whole of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.live_clock import ArrivingSource, LeapingClock
from edgevoice.asr.bundle import Bundle
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.config import SAMPLE_RATE, AsrSettings, IntentSettings, Settings
from edgevoice.events import IntentDetected, SpeechEnded, SpeechStarted
from edgevoice.pipeline import Pipeline
from edgevoice.vad.segmenter import MARGIN_S
from training.decoded import load_audio
from training.manifest import Clip, read_manifest

Samples = npt.NDArray[np.float32]
_QUIET_S = 1.0
_PREFERRED = ("test", "dev")


@dataclass(frozen=True)
class Row:
    """The figures of one set."""

    dataset: str
    split: str
    clips: int
    early: int
    """Clips with an early announcement."""
    early_right: int
    """Of those, right."""
    final_right_of_early: int
    """Of those, clips whose verdict without early announcements is right."""
    share_heard: float | None
    """Median over early announcements: seconds from the beginning of speech to the announcement over seconds of
    speech, both as the detector hears them."""
    right: int
    """Clips whose first announcement, early or final, is right; none is right for the rejection class."""
    final_right: int
    """The same with early announcements turned off."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Announced:
    """What was announced of a clip."""

    label: str
    """The rejection class's if nothing was."""
    early: bool
    share: float
    """Of the speech that had been heard."""


def measure(bundle: Bundle, manifests: Sequence[Path], at_most: int) -> list[Row]:
    """One row for each manifest, of the clips whose intent the bundle knows, of the test split where there is one."""
    if not manifests or not bundle.manifest.labels:
        return []
    model = load_model(bundle, None, AsrSettings(provider="cpu"))
    rows = []
    for file in manifests:
        clips = [clip for clip in read_manifest(file) if clip.intent in bundle.manifest.labels]
        split = next((name for name in _PREFERRED if any(clip.split == name for clip in clips)), "")
        chosen = [clip for clip in clips if not split or clip.split == split]
        chosen = chosen[:: max(1, -(-len(chosen) // at_most))]
        if chosen:
            rows.append(_row(model, chosen, split))
    return rows


def announced(model: AcousticModel, samples: Samples, *, early: bool) -> Announced:
    """The first announcement of a clip through the live path, as if it came from a microphone."""
    noise = np.random.default_rng(0).normal(0, 5e-4, round(_QUIET_S * SAMPLE_RATE)).astype(np.float32)
    settings = dataclasses.replace(Settings(), intent=IntentSettings(early=early))
    clock = LeapingClock()
    source = ArrivingSource(np.concatenate([noise, samples, noise]), clock)
    begun: dict[int, float] = {}
    ended: dict[int, float] = {}
    first: IntentDetected | None = None
    for event in Pipeline(source, model, settings, clock=clock).run():
        if isinstance(event, SpeechStarted):
            begun[event.segment] = event.at - settings.vad.minimum_speech_s
        elif isinstance(event, SpeechEnded):
            ended[event.segment] = event.end - MARGIN_S
        elif isinstance(event, IntentDetected) and first is None:
            first = event
    if first is None:
        return Announced(model.manifest.reject_label, early=False, share=1.0)
    whole = max(1e-9, ended[first.segment] - begun[first.segment])
    share = min(1.0, (first.at - begun[first.segment]) / whole) if first.early else 1.0
    return Announced(first.label, early=first.early, share=share)


def _row(model: AcousticModel, clips: Sequence[Clip], split: str) -> Row:
    truth = [clip.intent for clip in clips]
    live = [announced(model, load_audio(clip.path), early=True) for clip in clips]
    final = [announced(model, load_audio(clip.path), early=False) for clip in clips]
    fired = [i for i, each in enumerate(live) if each.early]
    return Row(
        dataset=clips[0].dataset,
        split=split,
        clips=len(clips),
        early=len(fired),
        early_right=sum(live[i].label == truth[i] for i in fired),
        final_right_of_early=sum(final[i].label == truth[i] for i in fired),
        share_heard=median(live[i].share for i in fired) if fired else None,
        right=sum(each.label == said for each, said in zip(live, truth, strict=True)),
        final_right=sum(each.label == said for each, said in zip(final, truth, strict=True)),
    )
