"""Early intents through the whole pipeline, whatever the model thinks from one update to the next: announced as soon as
the score has held for two updates, never withdrawn, never announced twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.bundle import Manifest
from edgevoice.asr.decoder import greedy_decoder
from edgevoice.asr.intent import EARLY_SPEECH_S, rank
from edgevoice.asr.model import Encoding
from edgevoice.audio.source import Block
from edgevoice.config import AsrSettings, IntentSettings, Settings, VadSettings
from edgevoice.events import Event, IntentDetected, IntentRejected, SpeechStarted
from edgevoice.pipeline import Pipeline
from tests.test_pipeline import ScriptedDetector, ScriptedSource, cut, of
from tests.tiny import silence

LABELS = ("pay", "stop", "none")
MANIFEST = Manifest(
    name="m",
    graphs={},
    files={},
    labels=LABELS,
    reject_label="none",
    thresholds={"stop": 0.7},
    default_threshold=0.5,
    early_threshold=0.6,
    temperature=2.0,
)
START, END = 0.5, 3.5
"""Short enough for one window; later ones are averaged with those before, see `WindowRecogniser`."""


class Thinker:
    """Gives the logits of a script, one for each look at the audio; in windows or in chunks."""

    frame_seconds, provider, note, heads, running, manifest = 0.02, "cpu", "", ("intent",), (), MANIFEST
    reviser, reader_note = None, ""

    def __init__(self, script: list[list[float]], *, chunks: bool) -> None:
        self.script, self.chunks, self.decoder = script, chunks, greedy_decoder(MANIFEST)
        self.looks: list[tuple[float, np.ndarray]] = []
        """Where in the stream, and what it thought."""
        self.pipeline: Pipeline | None = None

    def think(self) -> Encoding:
        assert self.pipeline
        logits = np.array(self.script[len(self.looks) % len(self.script)], dtype=np.float32)
        self.looks.append((self.pipeline._at(), logits))
        return Encoding(None, logits)

    def encode(self, samples: np.ndarray) -> Encoding:
        assert not self.chunks
        return self.think()

    def stream(self) -> Stretch | None:
        return Stretch(self) if self.chunks else None

    def front(self) -> None:
        """Nothing is kept from one window for the next."""


class Stretch:
    """Of a `Thinker` in chunks."""

    def __init__(self, model: Thinker) -> None:
        self.model, self.heard, self.done = model, 0, 0

    def feed(self, samples: np.ndarray) -> None:
        self.heard += len(samples)

    @property
    def due(self) -> bool:
        return self.heard - self.done >= 5120

    def advance(self) -> Encoding:
        self.done = self.heard // 5120 * 5120
        return self.model.think()

    def rest(self, samples: int) -> Encoding:
        return self.model.think()


def run(model: Thinker, *spans: tuple[float, float], **intent: float) -> tuple[list[Event], list[int]]:
    """The events, and for each how often the model had looked by then."""
    chosen = Settings(asr=AsrSettings(provider="cpu"), vad=VadSettings(maximum_s=8), intent=IntentSettings(**intent))
    blocks: list[Block] = cut(silence(spans[-1][1] + 1))
    model.pipeline = Pipeline(ScriptedSource(blocks), model, chosen, detector=ScriptedDetector(*spans))
    events, looks = [], []
    for event in model.pipeline.run():
        events.append(event)
        looks.append(len(model.looks))
    return events, looks


def expected(looks: list[tuple[float, np.ndarray]]) -> int | None:
    """After how many looks an intent is to be announced, told from the rule alone."""
    best = [rank(logits.copy(), MANIFEST)[0] for _, logits in looks]
    sure = [
        each.label != "none" and each.score >= max(MANIFEST.threshold(each.label), MANIFEST.early_threshold)
        for each in best
    ]
    for count in range(2, len(looks) + 1):
        same = best[count - 2].label == best[count - 1].label
        spoken = min(looks[count - 1][0], END) - START
        news = looks[count - 1][0] - looks[count - 2][0] >= 0.16 - 1e-6  # the last pass may follow an update at once
        if same and sure[count - 2] and sure[count - 1] and spoken >= EARLY_SPEECH_S - 1e-6 and news:
            return count
    return None


LOGITS = st.lists(st.sampled_from([-2.0, 0.0, 1.0, 2.0, 3.0, 5.0]), min_size=3, max_size=3)
SCRIPTS = st.lists(LOGITS, min_size=1, max_size=20)


@pytest.mark.parametrize("chunks", [False, True], ids=["windows", "chunks"])
def test_an_intent_is_announced_as_soon_as_it_has_held_for_two_updates(chunks: bool) -> None:
    @settings(deadline=None, max_examples=60)
    @given(SCRIPTS)
    def check(script: list[list[float]]) -> None:
        model = Thinker(script, chunks=chunks)
        events, looks = run(model, (START, END))
        assert len(of(events, SpeechStarted)) == 1
        assert len(model.looks) >= 9
        found = [
            (event, count) for event, count in zip(events, looks, strict=True) if isinstance(event, IntentDetected)
        ]
        early = [(event, count) for event, count in found if event.early]
        wanted = expected(model.looks)
        assert [count for _, count in early] == ([] if wanted is None else [wanted])
        verdicts = of(events, IntentDetected, IntentRejected)
        assert len(verdicts) == 1  # never withdrawn, never twice, never nothing
        if early:
            event, count = early[0]
            at, logits = model.looks[count - 1]
            assert event.label == rank(logits.copy(), MANIFEST)[0].label
            assert event.at == pytest.approx(at)

    check()


@pytest.mark.parametrize("chunks", [False, True], ids=["windows", "chunks"])
@settings(deadline=None, max_examples=30)
@given(script=SCRIPTS, cooldown=st.sampled_from([0.0, 2.0, 60.0]), pause=st.sampled_from([0.1, 0.3, 0.9]))
def test_every_segment_has_one_verdict(chunks: bool, script: list[list[float]], cooldown: float, pause: float) -> None:
    """Also with pauses in which the last pass is made ahead and thrown away, and across segments."""
    spans = [(0.5, 1.4), (1.4 + pause, 3.2), (3.2 + pause, 5.0)]
    events, _ = run(Thinker(script, chunks=chunks), *spans, cooldown_s=cooldown)
    segments = [event.segment for event in of(events, SpeechStarted)]
    verdicts = of(events, IntentDetected, IntentRejected)
    assert [event.segment for event in verdicts] == segments
    detected = of(events, IntentDetected)
    if cooldown == 60:
        assert len({event.label for event in detected}) == len(detected)
    off, _ = run(Thinker(script, chunks=chunks), *spans, early=False)
    assert not any(event.early for event in of(off, IntentDetected))


def test_the_frames_from_before_the_detection_count_in_chunks_as_in_windows() -> None:
    """Two looks are enough as soon as enough was said, though a chunk of pre-roll is there from the start."""
    for chunks in (False, True):
        events, _ = run(Thinker([[9.0, 0.0, 0.0]], chunks=chunks), (START, END))
        (found,) = of(events, IntentDetected)
        assert found.early
        assert START + EARLY_SPEECH_S <= found.at <= START + EARLY_SPEECH_S + 0.4
