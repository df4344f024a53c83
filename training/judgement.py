"""How a bundle that was made from phrases does on voices, sentences and people that it never heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.intent import rank
from edgevoice.asr.model import load_model
from edgevoice.config import AsrSettings
from training.calibrate import NONE
from training.decoded import load_audio
from training.manifest import Clip, read_manifest
from training.meter import Meter

SPEECH, PEOPLE, NOISES = "speech", "recorded", "noise"
"""The sets of a model from phrases, and their folders: synthetic voices that say commands and other sentences, people
who say something else, and no speech at all."""
POOR = 0.9
"""With fewer commands right, or more of anything else taken for one than this leaves, advice is given."""


@dataclass(frozen=True)
class Judgement:
    """How the bundle does on voices and other sentences that it never heard, clip by clip."""

    commands: int
    voices: int
    """That spoke them, none of them trained on."""
    accuracy: float
    """Share of the commands that are detected as what they mean."""
    confused: float
    """Share of the commands that are taken for another."""
    others: int
    """Sentences that mean none of the intents."""
    false_accepts: float
    """Share of them that are taken for one."""
    people: int
    """Recordings of real people who say none of the intents."""
    people_accepts: float
    """Share of them that are taken for one."""
    noises: int
    """Recordings without speech."""
    noise_accepts: float
    """Share of them that are taken for an intent."""

    def lines(self) -> list[str]:
        """What a person is told, and where the figures are poor, what helps."""
        commands = f"{self.commands} commands in {self.voices} voices that were not trained on"
        counted = (
            (self.false_accepts, self.others, "other sentences in the same voices"),
            (self.people_accepts, self.people, "recordings of other people"),
            (self.noise_accepts, self.noises, "noises"),
        )
        accepts = ", ".join(f"{share:.1%} of {count} {what}" for share, count, what in counted if count)
        told = [
            f"right\t{self.accuracy:.1%} of {commands} ({self.confused:.1%} were taken for another intent)",
            *([f"false accepts\t{accepts}"] if accepts else []),
        ]
        if self.accuracy < POOR:
            told.append("what helps\tphrases that differ more from other intents', longer ones, or more of them")
        if max(self.false_accepts, self.people_accepts, self.noise_accepts) > 1 - POOR:
            told.append("what helps\trecordings of your own without a command (--others), a lower --false-accept-rate")
        return told


def unheard_clips(work: Path) -> list[Clip]:
    """What a model is judged by: the test split of every set in its work folder."""
    sets = [read_manifest(work / name / "manifest.csv") for name in (SPEECH, PEOPLE, NOISES)]
    return [clip for clips in sets for clip in clips if clip.split == "test"]


def judge(bundle: Path, clips: Sequence[Clip]) -> Judgement:
    """Runs whole clips through the bundle, as `edgevoice classify` does."""
    model = load_model(load_bundle(bundle), None, AsrSettings(provider="cpu"))
    manifest = model.manifest
    heard: list[tuple[Clip, str]] = []
    with Meter("clips to judge by", len(clips)) as meter:
        for clip in clips:
            logits = model.encode(load_audio(clip.path)).intent_logits
            assert logits is not None
            best = rank(logits, manifest)[0]
            heard.append((clip, best.label if best.score >= manifest.threshold(best.label) else NONE))
            meter.advance()
    return tally(heard)


def tally(heard: Sequence[tuple[Clip, str]]) -> Judgement:
    """The figures of test clips and the labels they were taken for, `NONE` included."""
    commands = [(clip.intent, label) for clip, label in heard if clip.intent != NONE]
    taken = [(clip.dataset, label != NONE) for clip, label in heard if clip.intent == NONE]
    others, people, noises = ([hit for name, hit in taken if name == each] for each in (SPEECH, PEOPLE, NOISES))
    return Judgement(
        commands=len(commands),
        voices=len({clip.speaker for clip, _ in heard if clip.intent != NONE}),
        accuracy=_share(meant == label for meant, label in commands),
        confused=_share(label not in (NONE, meant) for meant, label in commands),
        others=len(others),
        false_accepts=_share(others),
        people=len(people),
        people_accepts=_share(people),
        noises=len(noises),
        noise_accepts=_share(noises),
    )


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return sum(counted) / max(1, len(counted))
