"""Proof that a bundle does what its checkpoint does: both decode real clips, and every difference counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import training
from edgevoice.asr import ctc
from edgevoice.asr.bundle import load_bundle
from edgevoice.asr.model import AcousticModel, Encoding
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import EdgeVoiceError
from training.decoded import load_audio
from training.loading import Checkpoint
from training.manifest import read_manifest
from training.metrics import error_rates

CLIPS = Path(__file__).parent / "clips" / "manifest.csv"
TALK = Path(training.__file__).parent / "other_speech" / "manifest.csv"
LOGITS_TOLERANCE = 1e-4
"""Largest difference of log-probabilities (and intent logits) allowed in fp32."""
WER_TOLERANCE, INTENT_AGREEMENT = 0.01, 0.99
"""For reduced precisions: word error rate against the fp32 text, and share of equal intents."""

NOISE_TOLERANCE = 0.3
"""For reduced precisions of a model that says nothing on all clips, where the texts are equal whatever the weights: how
far log-probabilities may be off, as a share of how much they vary. int8 of random weights of base size is off by 0.07,
and a graph that puts out the same whatever it hears by 1."""


Array = npt.NDArray[np.float32]
Clips = Sequence[Array]


class ParityError(EdgeVoiceError):
    """The bundle does not do what the checkpoint does."""


@dataclass(frozen=True)
class Parity:
    """What was compared, and how far apart it was."""

    clips: int
    seconds: float
    largest_difference: float
    text_error: float
    """Word error rate of the bundle's text against PyTorch's."""
    intent_agreement: float
    """Share of clips with the same best intent; 1.0 without an intent head."""
    words: int
    """How many words were said to be in the clips; of none at all, an equal text proves nothing."""
    noise: float
    """How far the log-probabilities are apart, as a share of how much they vary from frame to frame; 0 without them."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for the manifest."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def load_clips(manifest: Path = CLIPS) -> Clips:
    """The clips of a manifest at 16 kHz."""
    return [load_audio(clip.path) for clip in read_manifest(manifest)]


def load_talk() -> Clips:
    """More clips, of many people, for what is counted instead of proven."""
    return [load_audio(clip.path) for clip in read_manifest(TALK) if clip.split != "train"]


@dataclass(frozen=True)
class Decoded:
    """What a bundle hears in clips."""

    clips: Clips
    """Those that are long enough."""
    encodings: Sequence[Encoding]
    text: Callable[[Encoding], str]


def decode(bundle: Path, precision: str, clips: Clips) -> Decoded:
    """Decodes every clip on the CPU.

    Raises:
        ModelError: it does not run, or puts out values that are no numbers.
    """
    settings = AsrSettings(provider="cpu", precision=precision, keep_optimised=False)  # type: ignore[arg-type]
    model = AcousticModel(load_bundle(bundle), settings)
    usable = [clip for clip in clips if len(clip) >= shortest(model)]
    return Decoded(usable, [_encode(model, clip) for clip in usable], _text_of(model))


def _encode(model: AcousticModel, clip: Array) -> Encoding:
    """As live, where the features of a segment are computed as it comes, a hop at a time; else in one go."""
    front = model.front()
    if front is None:
        return model.encode(clip)
    hop = round(AsrSettings().hop_s * SAMPLE_RATE)
    for end in range(hop, len(clip), hop):
        front.hear(clip[:end])
    return front.encode(clip, 0, len(clip))


def compare_variants(bundle: Path, precision: str, exact: Decoded) -> Parity:
    """Decodes every clip with a reduced precision, and compares it with fp32, both on the CPU. For fp16 this shows what
    rounding the weights does and little more: there the CPU computes in fp32, and rounds few of the results between
    (`export.precision.peaks` looks for those that fp16 cannot hold).

    Raises:
        ModelError: it does not run, or puts out values that are no numbers.
    """
    found = decode(bundle, precision, exact.clips)
    return _figures(list(zip(exact.encodings, found.encodings, strict=True)), exact.clips, exact.text)


def compare(checkpoint: Checkpoint, bundle: Path, precision: str, clips: Clips) -> Parity:
    """Decodes every clip with PyTorch and with the runtime, as `edgevoice live` would."""
    found = decode(bundle, precision, clips)
    if not found.clips:
        raise ParityError("None of the clips is long enough to compare anything on", "Choose other --clips")
    pairs = [(checkpoint.encode(clip), each) for clip, each in zip(found.clips, found.encodings, strict=True)]
    return _figures(pairs, found.clips, checkpoint.text)


def _figures(pairs: Sequence[tuple[Encoding, Encoding]], clips: Clips, text: Callable[[Encoding], str]) -> Parity:
    errors = error_rates([text(a) or "-" for a, _ in pairs], [text(b) or "-" for _, b in pairs])
    agreed = [_intent(a) == _intent(b) for a, b in pairs]
    return Parity(
        clips=len(pairs),
        seconds=sum(map(len, clips)) / SAMPLE_RATE,
        largest_difference=max(_difference(a, b) for a, b in pairs),
        text_error=errors["wer"],
        intent_agreement=sum(agreed) / len(agreed),
        words=sum(len(text(a).split()) for a, _ in pairs),
        noise=_noise(
            [(a.log_probs, b.log_probs) for a, b in pairs if a.log_probs is not None and b.log_probs is not None]
        ),
    )


def _noise(pairs: Sequence[tuple[Array, Array]]) -> float:
    if not pairs:
        return 0.0
    expected, found = (np.concatenate(each).astype(np.float64) for each in zip(*pairs, strict=True))
    spread = np.square(expected - expected.mean(axis=0)).mean()
    return float(np.sqrt(np.square(expected - found).mean() / max(spread, 1e-12)))


def check_exact(parity: Parity) -> None:
    """Fails unless an fp32 bundle equals its checkpoint.

    Raises:
        ParityError: logits, text or intents differ.
    """
    if not parity.largest_difference <= LOGITS_TOLERANCE or parity.text_error or parity.intent_agreement < 1:
        raise ParityError(
            f"The ONNX graph differs from PyTorch on {parity.clips} clips: logits by up to "
            f"{parity.largest_difference:.2g} (allowed {LOGITS_TOLERANCE:.0e}), text by {parity.text_error:.1%}, "
            f"intents equal on {parity.intent_agreement:.0%}",
            "Nothing was written; report the checkpoint's architecture",
        )


def check_close(parity: Parity) -> None:
    """Fails unless a reduced precision may be shipped.

    Raises:
        ParityError: text or intents differ; or nothing is said on the clips, and log-probabilities differ.
    """
    if not parity.text_error <= WER_TOLERANCE or not parity.intent_agreement >= INTENT_AGREEMENT:
        raise ParityError(f"text differs by {parity.text_error:.1%}, intents agree on {parity.intent_agreement:.1%}")
    if not parity.words and not parity.noise <= NOISE_TOLERANCE:
        raise ParityError(
            f"nothing is said on the clips, and log-probabilities are off by {parity.noise:.0%} of their variation"
        )


def loud_and_long(clips: Clips, count: int = 4, seconds: float = 8.0) -> Clips:
    """A few clips, or their beginnings, in which values grow large if in any."""
    by_length = sorted(range(len(clips)), key=lambda n: -len(clips[n]))[:count]
    by_level = sorted(range(len(clips)), key=lambda n: -float(np.square(clips[n]).mean()))[:count]
    return [clips[n][: int(seconds * SAMPLE_RATE)] for n in dict.fromkeys([*by_length, *by_level])]


def shortest(model: AcousticModel) -> int:
    """Samples of the shortest clip that every graph accepts."""
    return max(graph.minimum_samples for graph in model.manifest.graphs.values())


def _text_of(model: AcousticModel) -> Callable[[Encoding], str]:
    manifest = model.manifest

    def text(encoding: Encoding) -> str:
        return "" if encoding.log_probs is None else ctc.text(encoding.log_probs, manifest.vocabulary, manifest.blank)

    return text


def _intent(encoding: Encoding) -> int:
    return -1 if encoding.intent_logits is None else int(encoding.intent_logits.argmax())


def _difference(expected: Encoding, found: Encoding) -> float:
    pairs = ((expected.log_probs, found.log_probs), (expected.intent_logits, found.intent_logits))
    differences = [float(np.abs(a - b).max()) for a, b in pairs if a is not None and b is not None and a.size]
    return max(differences, default=0.0)
