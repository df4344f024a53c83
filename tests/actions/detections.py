"""Intents as they are announced, for the tests of what they set off."""

from __future__ import annotations

from edgevoice.events import CaptionFinished, IntentDetected, SpeechEnded, StreamStarted


def detected(
    label: str = "pay",
    segment: int = 0,
    *,
    channel: str = "call",
    score: float = 0.9,
    at: float = 1.0,
    early: bool = False,
    words: str = "i want to pay",
) -> IntentDetected:
    return IntentDetected(
        channel=channel, at=at, segment=segment, label=label, score=score, runners_up=(), early=early, words=words
    )


def finished(segment: int = 0, text: str = "I want to pay\nmy bill", *, channel: str = "call") -> CaptionFinished:
    return CaptionFinished(
        channel=channel, at=2.0, segment=segment, start=0.0, end=2.0, text=text, words=(), latency=0.1
    )


def ended(segment: int = 0, *, channel: str = "call") -> SpeechEnded:
    return SpeechEnded(channel=channel, at=2.0, segment=segment, start=0.0, end=2.0)


def started(*labels: str, channel: str = "call") -> StreamStarted:
    return StreamStarted(
        channel=channel, at=0.0, source="s", sample_rate=16_000, model="m", provider="cpu", labels=labels or ("pay",)
    )
