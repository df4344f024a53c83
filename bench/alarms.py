"""False alarms per hour: what a bundle takes for an intent in speech that holds no command, through the live path."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.audio.file import FileSource
from edgevoice.config import AsrSettings, Settings
from edgevoice.errors import ModelError, UsageError
from edgevoice.events import IntentDetected
from edgevoice.pipeline import Pipeline
from training.manifest import Clip, read_manifest
from training.meter import Meter


@dataclass(frozen=True)
class Row:
    """What happened on one set."""

    dataset: str
    clips: int
    minutes: float
    alarms: int
    labels: dict[str, int]
    """Intent -> how often it was announced, the most often first."""

    @property
    def per_hour(self) -> float:
        """Alarms per hour of speech."""
        return self.alarms / max(1e-9, self.minutes / 60)

    def as_dict(self) -> dict[str, object]:
        """Plain types, rounded."""
        return {**dataclasses.asdict(self), "minutes": round(self.minutes, 2), "per_hour": round(self.per_hour, 2)}


def measure(
    bundle: Path, manifests: Sequence[Path], *, minutes: float = 30.0, without: Collection[str] = ()
) -> list[Row]:
    """One row for each manifest, on at most so many minutes of it. Clips whose intent the bundle knows are left out: to
    announce them is no false alarm. So are those of the speakers `without`.

    Raises:
        ModelError: the bundle has no intents.
        UsageError: nothing of a manifest is left to listen to.
    """
    if not 0 < minutes < math.inf:
        raise UsageError(f"{minutes} minutes make no sense", "Choose how much to listen to, such as 30")
    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    if not model.manifest.labels:
        raise ModelError(f"The model '{model.manifest.name}' has no intents", "Name one that has")
    known = {*model.manifest.labels} - {model.manifest.reject_label}
    read = [[clip for clip in read_manifest(file) if clip.speaker not in without] for file in manifests]
    left = [[clip for clip in clips if clip.intent not in known] for clips in read]
    for file, clips in zip(manifests, left, strict=True):
        if not clips:
            raise UsageError(f"{file} has no speech without the model's intents", "Leave it out")
    return [_row(model, clips, minutes) for clips in left]


def table(rows: Iterable[Row]) -> str:
    """The figures as a Markdown table."""
    lines = ["| speech without commands | clips | minutes | false alarms | per hour | taken for |", "|---" * 6 + "|"]
    for r in rows:
        labels = ", ".join(f"{name} ({count})" for name, count in list(r.labels.items())[:3]) or "-"
        lines.append(f"| {r.dataset} | {r.clips} | {r.minutes:.1f} | {r.alarms} | {r.per_hour:.1f} | {labels} |")
    return "\n".join(lines)


def _row(model: AcousticModel, clips: Sequence[Clip], minutes: float) -> Row:
    chosen = _spread(clips, minutes * 60)
    found: Counter[str] = Counter()
    with Meter(chosen[0].dataset, sum(clip.duration_s for clip in chosen)) as meter:
        for clip in chosen:
            events = Pipeline(FileSource(clip.path), model, Settings()).run()
            found.update(event.label for event in events if isinstance(event, IntentDetected))
            meter.advance(clip.duration_s)
    return Row(
        dataset=chosen[0].dataset,
        clips=len(chosen),
        minutes=sum(clip.duration_s for clip in chosen) / 60,
        alarms=found.total(),
        labels=dict(found.most_common()),
    )


def _spread(clips: Sequence[Clip], seconds: float) -> list[Clip]:
    """Clips from all over the set that together last about so long, or less."""
    total = sum(clip.duration_s for clip in clips)
    return list(clips[:: max(1, math.ceil(total / max(1e-9, seconds)))])
