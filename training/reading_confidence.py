"""How sure a reader's words are, fitted: of the words with 0.8, four in five should be right.

The confidence of a word is a logistic curve over three witnesses (`ReaderSpec.confidence_slope`): the reader's own
probability of the word, that of the whole sentence, and how badly the sound fits the word's letters by the captions'
model. Fitted on recordings with a text, as they are heard live, by maximum likelihood.

python -m training.reading_confidence READER --model BUNDLE --data recordings/manifest.csv [--check ...] [--write]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from edgevoice.asr.bundle import load_bundle, write_manifest
from edgevoice.asr.model import AcousticModel, load_model
from edgevoice.asr.reader import Reader
from edgevoice.asr.revision import LARGEST_MISFIT, Reviser, Sentence, WordEvidence
from edgevoice.asr.speech import SpeechDetector
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ConfigError
from edgevoice.text import normalise
from training.confidence import FEWEST, calibration_error, matches
from training.decoded import load_audio
from training.manifest import Clip, read_manifest

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass
class Judged:
    """Words that were read, and whether they were said."""

    evidence: list[WordEvidence] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)

    @property
    def inputs(self) -> Array:
        """What the curve is over [words, 3]; a misfit counts against a word."""
        rows = [(each.logit, each.sentence_log_prob, -min(each.misfit, LARGEST_MISFIT)) for each in self.evidence]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)

    @property
    def flags(self) -> Flags:
        """Whether each was said [words]."""
        return np.array(self.right, dtype=bool)


def judged(reviser: Reviser, model: AcousticModel, manifests: Sequence[Path], split: str, at_most: int) -> Judged:
    """The words that are read in recordings with a text, whole.

    Raises:
        ConfigError: there are none.
    """
    found = Judged()
    for file in manifests:
        clips = [clip for clip in read_manifest(file) if clip.split == split and clip.text]
        for clip in clips[:: max(1, -(-len(clips) // at_most))]:
            _judge(reviser, model, clip, found)
    if not found.right:
        raise ConfigError(f"No words are read in the {split} split", "Give recordings with a text")
    return found


def _judge(reviser: Reviser, model: AcousticModel, clip: Clip, found: Judged) -> None:
    samples = load_audio(clip.path)
    sentence = Sentence(samples, 0.0, len(samples) / SAMPLE_RATE, (), model.encode(samples).log_probs)
    words = reviser.evidence(sentence)
    texts = [normalise(each.text) for each in words]
    kept = [(each, text) for each, text in zip(words, texts, strict=True) if text and " " not in text]
    found.evidence += [each for each, _ in kept]
    found.right += matches(normalise(clip.text), [text for _, text in kept])


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", type=Path, help="folder of a bundle with a reader")
    parser.add_argument("--model", type=Path, required=True, help="folder of the captions' bundle")
    parser.add_argument("--data", type=Path, action="append", required=True, help="manifest to fit on")
    parser.add_argument("--check", type=Path, action="append", default=[], help="manifest to judge the fit on (dev)")
    parser.add_argument("--split", default="train")
    parser.add_argument("--at-most", type=int, default=200, help="clips of each set")
    parser.add_argument("--write", action="store_true", help="put it into the reader's manifest")
    options = parser.parse_args(arguments)
    bundle = load_bundle(options.reader)
    settings = AsrSettings(provider="cpu", threads=1)
    model = load_model(load_bundle(options.model), None, settings)
    reviser = Reviser(Reader(bundle, settings), SpeechDetector(), model.manifest, model.frame_seconds)
    words = judged(reviser, model, options.data, options.split, options.at_most)
    if min(words.flags.sum(), (~words.flags).sum()) < FEWEST:
        raise ConfigError(f"A fit takes {FEWEST} right and {FEWEST} wrong words", "Give more recordings")
    curve = LogisticRegression(C=100).fit(words.inputs, words.flags)
    slope, sentence, misfit = (round(float(each), 4) for each in curve.coef_[0])
    offset = round(float(curve.intercept_[0]), 4)
    print(f"slope\t{slope}\tsentence\t{sentence}\tmisfit\t{misfit}\toffset\t{offset}")
    _report("fitted on", options.data, words, curve)
    for file in options.check:
        _report("checked on", [file], judged(reviser, model, [file], "dev", options.at_most), curve)
    if options.write:
        assert bundle.manifest.reader
        fitted = dataclasses.replace(
            bundle.manifest.reader,
            confidence_slope=slope,
            confidence_sentence=sentence,
            confidence_misfit=misfit,
            confidence_offset=offset,
        )
        write_manifest(bundle.path, dataclasses.replace(bundle.manifest, reader=fitted))
    return 0


def _report(what: str, files: Sequence[Path], words: Judged, curve: LogisticRegression) -> None:
    error = calibration_error(curve.predict_proba(words.inputs)[:, 1], words.flags)
    names = ", ".join(file.parent.name for file in files)
    print(f"{what} {names}\t{len(words.right)} words\t{words.flags.mean():.1%} right\tECE {error:.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
