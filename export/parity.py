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

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for the manifest."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


Clips = Sequence[npt.NDArray[np.float32]]


def load_clips(manifest: Path = CLIPS) -> Clips:
    """The clips of a manifest at 16 kHz."""
    return [load_audio(clip.path) for clip in read_manifest(manifest)]


def load_talk() -> Clips:
    """More clips, of many people, for what is counted instead of proven."""
    return [load_audio(clip.path) for clip in read_manifest(TALK) if clip.split != "train"]


def compare_variants(bundle: Path, precision: str, clips: Clips) -> Parity:
    """Decodes every clip with a reduced precision and with fp32, both on the CPU, where fp16 is computed in fp32 from
    weights and results that were rounded.

    Raises:
        ModelError: it does not run, or puts out values that are no numbers.
    """
    loaded = load_bundle(bundle)
    exact, reduced = (
        AcousticModel(loaded, AsrSettings(provider="cpu", precision=each, keep_optimised=False))  # type: ignore[arg-type]
        for each in ("fp32", precision)
    )
    usable = [clip for clip in clips if len(clip) >= shortest(exact)]
    return _figures([(exact.encode(clip), reduced.encode(clip)) for clip in usable], usable, _text_of(exact))


def compare(checkpoint: Checkpoint, bundle: Path, precision: str, clips: Clips) -> Parity:
    """Decodes every clip with PyTorch and with the runtime, as `edgevoice live` would."""
    settings = AsrSettings(provider="cpu", precision=precision, keep_optimised=False)  # type: ignore[arg-type]
    model = AcousticModel(load_bundle(bundle), settings)
    usable = [clip for clip in clips if len(clip) >= shortest(model)]
    if not usable:
        raise ParityError("None of the clips is long enough to compare anything on", "Choose other --clips")
    pairs = [(checkpoint.encode(clip), model.encode(clip)) for clip in usable]
    return _figures(pairs, usable, checkpoint.text)


def _figures(pairs: Sequence[tuple[Encoding, Encoding]], clips: Clips, text: Callable[[Encoding], str]) -> Parity:
    errors = error_rates([text(a) or "-" for a, _ in pairs], [text(b) or "-" for _, b in pairs])
    agreed = [_intent(a) == _intent(b) for a, b in pairs]
    return Parity(
        clips=len(pairs),
        seconds=sum(map(len, clips)) / SAMPLE_RATE,
        largest_difference=max(_difference(a, b) for a, b in pairs),
        text_error=errors["wer"],
        intent_agreement=sum(agreed) / len(agreed),
    )


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


def close_enough(parity: Parity) -> bool:
    """Whether a reduced precision may be shipped."""
    return parity.text_error <= WER_TOLERANCE and parity.intent_agreement >= INTENT_AGREEMENT


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
