"""Accuracy per test set, never pooled: word and character error rate, and intents, through the runtime itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.intent import rank
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.audio.file import FileSource
from edgevoice.captions import final_captions
from edgevoice.config import AsrSettings, Settings
from edgevoice.events import IntentDetected
from edgevoice.pipeline import Pipeline
from edgevoice.text import normalise
from training.decoded import load_audio
from training.manifest import Clip, read_manifest
from training.metrics import error_rates

SPLITS = ("dev", "test", "test-other-engines")


@dataclass(frozen=True)
class Heard:
    """What the model made of one clip."""

    text: str
    intent: str
    """The best label; "" without an intent head."""
    score: float


@dataclass(frozen=True)
class Row:
    """The figures of one set."""

    dataset: str
    split: str
    path: str
    """"offline" (the whole clip in one pass) or "live" (detector, segmenter, streaming windows)."""
    clips: int
    minutes: float
    speakers: int
    wer: float | None
    cer: float | None
    intent_clips: int
    accuracy: float | None
    """Share of clips with an intent whose best label (among all, rejection included) is right."""

    def as_dict(self) -> dict[str, object]:
        """Plain types, rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in dataclasses.asdict(self).items()}


def measure(
    bundle: Path,
    manifests: Sequence[Path],
    *,
    splits: Sequence[str] | None = None,
    at_most: int = 400,
    live_at_most: int = 0,
) -> list[Row]:
    """One row for each manifest, split and path through the runtime; `live_at_most` 0 leaves the live path out."""
    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    rows = []
    for manifest in manifests:
        clips = read_manifest(manifest)
        for split in splits or SPLITS:
            usable = [c for c in clips if c.split == split and (c.text or c.intent)]
            for path, count in (("offline", at_most), ("live", live_at_most)):
                chosen = _evenly(usable, count)
                hear = offline if path == "offline" else through_pipeline
                if chosen:
                    rows.append(_row(split, path, chosen, [hear(model, clip) for clip in chosen]))
    return rows


def offline(model: AcousticModel, clip: Clip) -> Heard:
    """Decodes a whole clip in one pass."""
    encoding = model.encode(load_audio(clip.path))
    text = ""
    if encoding.log_probs is not None:
        words = model.decoder.words(encoding.log_probs, model.frame_seconds, 0.0)
        text = " ".join(word.word for word in words)
    if encoding.intent_logits is None:
        return Heard(text, "", 0.0)
    best = rank(encoding.intent_logits, model.manifest)[0]
    return Heard(text, best.label, best.score)


def through_pipeline(model: AcousticModel, clip: Clip) -> Heard:
    """What a user sees of a clip: the captions as they stand at the end, and the first intent that was announced."""
    events = list(Pipeline(FileSource(clip.path), model, Settings()).run())
    texts = [caption.text for caption in final_captions(events)]
    first = next((event for event in events if isinstance(event, IntentDetected)), None)
    label, score = (first.label, first.score) if first else (model.manifest.reject_label, 0.0)
    return Heard(" ".join(texts), label, score)


def table(rows: Iterable[Row]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| set | split | path | clips | minutes | voices | WER | CER | intent accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        accuracy = f"{percent(r.accuracy)} of {r.intent_clips}" if r.intent_clips else "-"
        cells = (
            r.dataset,
            r.split,
            r.path,
            r.clips,
            f"{r.minutes:.1f}",
            r.speakers or "not named",
            percent(r.wer),
            percent(r.cer),
            accuracy,
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _row(split: str, path: str, clips: Sequence[Clip], heard: Sequence[Heard]) -> Row:
    rates = error_rates([clip.text for clip in clips], [normalise(h.text) for h in heard])
    known = [(clip.intent, h.intent) for clip, h in zip(clips, heard, strict=True) if clip.intent and h.intent]
    return Row(
        dataset=clips[0].dataset,
        split=split,
        path=path,
        clips=len(clips),
        minutes=sum(clip.duration_s for clip in clips) / 60,
        speakers=len({clip.speaker for clip in clips} - {"", "unknown"}),
        wer=rates.get("wer"),
        cer=rates.get("cer"),
        intent_clips=len(known),
        accuracy=sum(a == b for a, b in known) / len(known) if known else None,
    )


def _evenly(clips: list[Clip], at_most: int) -> list[Clip]:
    return clips[:: max(1, -(-len(clips) // at_most))] if at_most else []


def percent(value: float | None) -> str:
    """A share as a table shows it."""
    return "-" if value is None else f"{100 * value:.1f} %"
