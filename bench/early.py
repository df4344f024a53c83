"""How early intents are announced, and what that costs: the share of an utterance that was heard when its intent came,
and how often it is right beside the verdict on the whole of it. Through the live path, as a user runs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.accuracy import percent
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import load_model
from edgevoice.asr.recogniser import Model
from edgevoice.audio.file import FileSource
from edgevoice.config import AsrSettings, IntentSettings, Settings
from edgevoice.errors import ModelError
from edgevoice.events import CaptionFinished, Event, IntentDetected, SpeechEnded
from edgevoice.pipeline import Pipeline
from training.manifest import Clip, read_manifest
from training.meter import Meter

SPLITS = ("dev", "test", "test-other-engines")


@dataclass(frozen=True)
class Announced:
    """What became of one clip."""

    intent: str
    """The right one."""
    first: str
    """The first that was announced, early or not; empty for none."""
    early: bool
    """Whether that was while the speaker still spoke."""
    final: str
    """What the whole utterance is taken for where nothing is announced early; empty for none."""
    share: float = 1.0
    """Of the utterance, that was heard when it was announced early."""
    before_s: float = 0.0
    """Seconds from then to the end of the last word; negative where it came in the silence after it."""


@dataclass(frozen=True)
class Figures:
    """Of some clips with intents."""

    clips: int
    early: int
    """Clips whose first intent came early."""
    share_heard: float | None
    """Median share of the utterance that was heard then."""
    share_heard_p90: float | None
    """Nine in ten were heard no further than this."""
    before_end_s: float | None
    """Median seconds from then to the end of the last word."""
    right_early: float | None
    """Share of the early ones that are right."""
    right_final: float | None
    """Share of the same clips whose verdict on the whole is right."""
    accuracy: float
    """Share of all clips whose first announced intent is right."""
    accuracy_final: float
    """Share of all clips whose verdict on the whole is right: what waiting would give."""


@dataclass(frozen=True)
class Row:
    """The figures of one set."""

    dataset: str
    split: str
    minutes: float
    figures: Figures

    def as_dict(self) -> dict[str, object]:
        """Plain types, rounded."""
        plain = {"dataset": self.dataset, "split": self.split, "minutes": self.minutes}
        plain |= dataclasses.asdict(self.figures)
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in plain.items()}


def rows(
    bundle: Path, manifests: Sequence[Path], *, splits: Sequence[str] | None = None, at_most: int = 400
) -> list[Row]:
    """One row for each manifest and split, of clips whose intent the bundle knows.

    Raises:
        ModelError: the bundle has no intents.
    """
    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    if not model.manifest.labels:
        raise ModelError(f"The model '{model.manifest.name}' has no intents", "Name one that has")
    known = {*model.manifest.labels} - {model.manifest.reject_label}
    found = []
    for manifest in manifests:
        clips = read_manifest(manifest)
        for split in splits or SPLITS:
            usable = [clip for clip in clips if clip.split == split and clip.intent in known]
            chosen = usable[:: max(1, -(-len(usable) // max(1, at_most)))]
            if chosen:
                minutes = sum(clip.duration_s for clip in chosen) / 60
                found.append(Row(chosen[0].dataset, split, minutes, measure(model, chosen)))
    return found


def measure(model: Model, clips: Sequence[Clip]) -> Figures:
    """The figures of clips with intents, each heard twice: with early announcements and without."""
    heard = []
    with Meter("clips heard", len(clips)) as meter:
        for clip in clips:
            heard.append(_announced(model, clip))
            meter.advance()
    return figures(heard)


def figures(heard: Sequence[Announced]) -> Figures:
    """The figures of clips, at least one."""
    early = [each for each in heard if each.early]
    shares = [each.share for each in early]
    return Figures(
        clips=len(heard),
        early=len(early),
        share_heard=float(np.median(shares)) if early else None,
        share_heard_p90=float(np.quantile(shares, 0.9)) if early else None,
        before_end_s=float(np.median([each.before_s for each in early])) if early else None,
        right_early=_share(each.first == each.intent for each in early) if early else None,
        right_final=_share(each.final == each.intent for each in early) if early else None,
        accuracy=_share(each.first == each.intent for each in heard),
        accuracy_final=_share(each.final == each.intent for each in heard),
    )


def table(measured: Iterable[Row]) -> str:
    """The figures as a Markdown table."""
    head = (
        "| set | split | clips | early | heard by then, median / p90 | before the last word ends | right, early "
        "| right, those clips whole | right, all | right, all whole |"
    )
    lines = [head, "|---" * 10 + "|"]
    for row in measured:
        each = row.figures
        before = "-" if each.before_end_s is None else f"{each.before_end_s:.2f} s"
        cells = (
            row.dataset,
            row.split,
            each.clips,
            f"{percent(each.early / each.clips)}",
            f"{percent(each.share_heard)} / {percent(each.share_heard_p90)}",
            before,
            percent(each.right_early),
            percent(each.right_final),
            percent(each.accuracy),
            percent(each.accuracy_final),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _announced(model: Model, clip: Clip) -> Announced:
    events = _events(model, clip, early=True)
    final = _first(_events(model, clip, early=False))
    first = _first(events)
    if first is None or not first.early:
        label = first.label if first else ""
        return Announced(clip.intent, label, early=False, final=final.label if final else "")
    start, end = _spoken(events)
    share = (first.at - start) / max(1e-9, end - start)
    return Announced(
        clip.intent, first.label, True, final.label if final else "", min(1.0, max(0.0, share)), end - first.at
    )


def _events(model: Model, clip: Clip, *, early: bool) -> list[Event]:
    settings = Settings(intent=IntentSettings(early=early))
    return list(Pipeline(FileSource(clip.path), model, settings).run())


def _first(events: Iterable[Event]) -> IntentDetected | None:
    return next((event for event in events if isinstance(event, IntentDetected)), None)


def _spoken(events: Sequence[Event]) -> tuple[float, float]:
    """Where the first word of a clip begins and the last one ends, whatever pauses there are between them; where its
    speech does if it has none."""
    said = [(word.start, word.end) for event in events if isinstance(event, CaptionFinished) for word in event.words]
    spans = said or [(event.start, event.end) for event in events if isinstance(event, SpeechEnded)]
    return spans[0][0], spans[-1][1]


def _share(hits: Iterable[bool]) -> float:
    return float(np.mean([*hits]))
