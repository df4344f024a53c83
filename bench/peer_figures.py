"""From what a tool did live to its figures. The end of speech is found in the clips themselves, so it is nobody's own.

A clip's speech is where 20 ms of it are louder than 30 dB below its loudest; pauses shorter than 0.2 s belong to it. A
final belongs to the last stretch of speech that it reaches into, and its delay counts from the end of that stretch; if
the tool cut there while somebody spoke, from where it cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.live_audio import Audio, Samples
from bench.live_figures import Spread
from bench.peer_scores import nearest
from bench.peer_tools import Final, Heard
from edgevoice.config import SAMPLE_RATE
from training.metrics import error_rates

_FRAME = SAMPLE_RATE // 50
_BELOW_DB = 30.0
_LOUD_PERCENT = 95
_PAUSE_FRAMES = 10
_GRAZE_S = 0.1
"""A stretch of which a final has no more than this is not its own."""
_REACH_S = 0.3
"""A tool that ends so much after the end of speech heard that end; one that ends before it cut."""


@dataclass(frozen=True)
class LiveFigures:
    """Of one tool in real time. Seconds."""

    seconds: float
    updates_per_s: float
    """Changes of the text on the screen per second of speech."""
    finals: int
    final: Spread | None
    """From the end of speech to the final."""
    revised: Spread | None
    """From the end of speech to the text that stands in the end, where it is not the first."""
    wer: float | None
    """Of all that stands in the end, fairly counted."""
    first_wer: float | None
    """Of all finals before any was revised."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, rounded."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def live_figures(heard: Heard, audio: Audio) -> LiveFigures:
    """What a tool's run over the audio says of it."""
    stretches = speech_of(audio)
    spoken_s = sum(end - start for start, end in stretches)
    said = " ".join(each.text for each in audio.utterances)
    shown = heard.sentences
    revised = [each for each in heard.finals if each.revised is not None]
    return LiveFigures(
        seconds=audio.seconds,
        updates_per_s=heard.updates / spoken_s if spoken_s else 0.0,
        finals=len(shown),
        final=Spread.of([each.moment - end_of_speech(each, stretches) for each in shown]),
        revised=Spread.of([(each.revised or 0.0) - end_of_speech(each, stretches) for each in revised]),
        wer=_wer(said, heard.text),
        first_wer=_wer(said, " ".join(heard.first_finals)),
    )


def speech_of(audio: Audio) -> list[tuple[float, float]]:
    """Start and end of each stretch of speech, in seconds."""
    found = []
    for each in audio.utterances:
        clip = audio.samples[round(each.start * SAMPLE_RATE) : round(each.end * SAMPLE_RATE)]
        found += [(each.start + start, each.start + end) for start, end in _stretches(clip)]
    return found


def end_of_speech(final: Final, stretches: Sequence[tuple[float, float]]) -> float:
    """Where the speaker stopped, in seconds, of what this is the final of."""
    begun = [end for start, end in stretches if start < final.end - _GRAZE_S]
    if not begun:
        return final.end
    return begun[-1] if begun[-1] <= final.end + _REACH_S else final.end


def _stretches(clip: Samples) -> list[tuple[float, float]]:
    count = len(clip) // _FRAME
    if not count:
        return []
    power = np.mean(np.square(clip[: count * _FRAME].reshape(count, _FRAME)), axis=1)
    level = 10 * np.log10(power + 1e-12)
    loud = np.flatnonzero(level > np.percentile(level, _LOUD_PERCENT) - _BELOW_DB)
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > _PAUSE_FRAMES) + 1)
    return [(run[0] * _FRAME / SAMPLE_RATE, (run[-1] + 1) * _FRAME / SAMPLE_RATE) for run in runs if len(run)]


def _wer(said: str, heard: str) -> float | None:
    reference, text = nearest(said, heard)
    return error_rates([reference], [text]).get("wer")
