"""What a word's confidence is worth: of the words with 0.8, four in five should be right.

The map is that of Platt, "Probabilistic outputs for support vector machines" (1999): a logistic curve over the logit of
the model's own confidence, two numbers, fitted to words of a dev set that were right or wrong. How far confidences are
from the truth is their expected calibration error (Naeini et al., "Obtaining Well Calibrated Probabilities Using
Bayesian Binning", 2015).

python -m training.confidence BUNDLE --data recordings/manifest.csv [--check other/manifest.csv] [--write]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import load_bundle, write_manifest
from edgevoice.asr.confidence import ConfidenceMap
from edgevoice.asr.model import AcousticModel
from edgevoice.config import AsrSettings
from edgevoice.errors import ConfigError
from edgevoice.text import normalise
from training.decoded import load_audio
from training.manifest import read_manifest

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FEWEST = 50
"""Words, right ones and wrong ones each, that a fit needs."""
BINS = 10
_EDGE = 1e-6
_STEPS = 50


def fit(confidences: Array, right: Flags) -> ConfidenceMap:
    """The map under which the words are likeliest to be as right as they are, by Newton's method.

    Args:
        confidences: of words [words], as the model has them.
        right: whether each was said.

    Raises:
        ConfigError: too few words to go by, or confidences that say nothing.
    """
    if min(int(right.sum()), int((~right).sum())) < FEWEST:
        what = f"Of {len(right)} words {int(right.sum())} are right, and a fit takes {FEWEST} right and {FEWEST} wrong"
        raise ConfigError(what, "Give more recordings")
    inputs = np.stack([_logit(confidences), np.ones(len(confidences))], axis=1)
    # Platt's targets, a little inside 0 and 1, keep the curve finite where the words can be told apart
    positive, negative = int(right.sum()), int((~right).sum())
    targets = np.where(right, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weights = np.zeros(2)  # from anywhere else, Newton may leap over the answer and never come back
    for _ in range(_STEPS):
        found = 1 / (1 + np.exp(-np.clip(inputs @ weights, -60, 60)))
        curvature = inputs.T @ (inputs * (found * (1 - found))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, inputs.T @ (targets - found))
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    if not weights[0] > 0:
        raise ConfigError("Surer words are not more often right", "Train the model further, or give other recordings")
    return ConfidenceMap(slope=round(float(weights[0]), 4), offset=round(float(weights[1]), 4))


def calibration_error(confidences: Array, right: Flags) -> float:
    """The expected calibration error: how far the words of a tenth of the scale are, on average, from as right as they
    are sure."""
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    gaps = [abs(float((confidences - right)[bins == each].sum())) for each in range(BINS)]
    return sum(gaps) / len(right)


def judged_words(model: AcousticModel, manifests: Sequence[Path], split: str) -> tuple[Array, Flags]:
    """Confidence of every word that a model hears in recordings with a text, and whether it was said there.

    Raises:
        ConfigError: there are none.
    """
    confidences: list[float] = []
    right: list[bool] = []
    clips = [clip for file in manifests for clip in read_manifest(file) if clip.split == split and clip.text]
    for clip in clips:
        encoding = model.encode(load_audio(clip.path))
        if encoding.log_probs is None:
            raise ConfigError(f"The model '{model.manifest.name}' writes no captions", "Choose one that does")
        words = model.decoder.words(encoding.log_probs, model.frame_seconds, 0.0)
        confidences += [word.confidence for word in words]
        right += matches(clip.text, [normalise(word.word) for word in words])
    if not confidences:
        raise ConfigError(f"There are no words in the {split} split", "Give recordings with a text")
    return np.array(confidences), np.array(right)


def matches(said: str, heard: Sequence[str]) -> list[bool]:
    """Whether each word that was heard is one that was said, in the alignment with the fewest errors."""
    right = [False] * len(heard)
    if not heard:
        return right
    for chunk in jiwer.process_words(said, " ".join(heard)).alignments[0]:
        if chunk.type == "equal":
            right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return right


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True, help="manifest to fit on")
    parser.add_argument("--check", type=Path, action="append", default=[], help="manifest to judge the fit on")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--write", action="store_true", help="put it into the bundle's manifest")
    options = parser.parse_args(arguments)
    bundle = load_bundle(options.bundle)
    plain = dataclasses.replace(bundle.manifest.decoding, confidence_slope=1.0, confidence_offset=0.0)
    manifest = dataclasses.replace(bundle.manifest, decoding=plain)
    model = AcousticModel(dataclasses.replace(bundle, manifest=manifest), AsrSettings(provider="cpu"))
    confidences, right = judged_words(model, options.data, options.split)
    found = fit(confidences, right)
    print(f"slope\t{found.slope}\toffset\t{found.offset}")
    for name, files in [("fitted on", options.data), *(("checked on", [each]) for each in options.check)]:
        confidences, right = judged_words(model, files, options.split)
        before, after = calibration_error(confidences, right), calibration_error(_mapped(found, confidences), right)
        names = ", ".join(file.parent.name for file in files)
        print(f"{name} {names}\t{len(right)} words\t{right.mean():.1%} right\tECE {before:.3f} -> {after:.3f}")
    if options.write:
        fitted = dataclasses.replace(plain, confidence_slope=found.slope, confidence_offset=found.offset)
        write_manifest(bundle.path, dataclasses.replace(bundle.manifest, decoding=fitted))
    return 0


def _mapped(to: ConfidenceMap, confidences: Array) -> Array:
    return np.array([to(float(each)) for each in confidences])


def _logit(probabilities: Array) -> Array:
    p = np.clip(probabilities, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(p / (1 - p)))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
