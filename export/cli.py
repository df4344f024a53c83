"""`edgevoice export CHECKPOINT --output BUNDLE`."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgevoice.errors import UsageError
from edgevoice.paths import MANIFEST_NAME
from training import network

if TYPE_CHECKING:
    from export.words import Words

EXAMPLE = """examples:
  edgevoice export runs/banking-en --output models/mine
  edgevoice export runs/ctc --intent runs/intent --output models/mine
  edgevoice export runs/banking-en --output models/mine --triton models-for-triton
  edgevoice export models/mine --triton models-for-triton
  edgevoice export runs/ctc --reader openai/whisper-small.en --output models/mine
  edgevoice export --reader runs/whisper --language en --output models/my-reader
  edgevoice export models/mine --output models/mine --force     (with the graphs and precisions of this version)
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    if options.checkpoint is None:
        _check_reader_alone(options)
    if options.triton:  # before an export that takes minutes
        from export.triton import check_apart, check_folder

        if options.output is not None:
            check_apart(options.triton, options.output)
        check_folder(options.triton)
    if options.output is None:
        return _serve_bundle(options.checkpoint, options.triton)
    checkpoints = [name for name in (options.checkpoint, options.intent) if name]
    network.allow([*checkpoints, *([options.reader] if options.reader else [])])
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for noisy in ("optimum", "transformers", "torch"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    from export.build import PRECISIONS, ExportOptions, export
    from export.parity import CLIPS

    precisions = options.precision.split(",")
    if not set(precisions) <= set(PRECISIONS):
        raise UsageError(f"Unknown precision in '{options.precision}'", f"Choose from {', '.join(PRECISIONS)}")
    if options.threshold is not None and not 0 <= options.threshold <= 1:
        raise UsageError(f"--threshold {options.threshold} is no probability", "Choose a number from 0 to 1")
    manifest = export(
        checkpoints,
        options.output,
        ExportOptions(
            name=options.name,
            precisions=precisions,
            reject_label=options.reject_label,
            threshold=options.threshold,
            clips=options.clips or CLIPS,
            replace=options.force,
            extras=options.extras,
            licence=options.licence,
            language=options.language,
            reader=options.reader,
            words=_words(options),
        ),
    )
    read = manifest.reader.parity if manifest.reader else {}
    for line, figures in {**manifest.parity, **{f"reader {name}": each for name, each in read.items()}}.items():
        print(f"{line}\t" + "\t".join(f"{name} {value}" for name, value in figures.items()))
    print(f"written\t{options.output}")
    if options.triton:
        _serve(options.output, options.triton)
    return 0


def _check_reader_alone(options: argparse.Namespace) -> None:
    """Raises UsageError for flags that need a checkpoint, where none is named."""
    if not options.reader:
        raise UsageError("There is nothing to export", "Name a checkpoint, or a reader with --reader")
    needing = {
        "--intent": options.intent,
        "--triton": options.triton,
        "--reject-label": options.reject_label,
        "--threshold": options.threshold is not None,
        "--language-model": options.language_model,
    }
    if options.output is None:
        raise UsageError(
            "--output is missing", "Say where the bundle goes: edgevoice export --reader R --output BUNDLE"
        )
    for flag, value in needing.items():
        if value:
            raise UsageError(f"{flag} needs a checkpoint for captions or intents", "Name one before --reader")


def _words(options: argparse.Namespace) -> Words | None:
    from export.words import Words

    for flag, value in (
        ("--language-model-weight", options.language_model_weight),
        ("--word-bonus", options.word_bonus),
    ):
        if value is not None and options.language_model is None:
            raise UsageError(f"{flag} is about --language-model, which is missing", "Leave it out, or name the file")
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{flag} {value} is no number to count with", "Choose another")
    if options.language_model_weight is not None and options.language_model_weight < 0:
        raise UsageError("--language-model-weight is negative", "Choose 0 or more")
    if options.language_model is None:
        return None
    return Words(options.language_model, options.language_model_weight, options.word_bonus)


def _serve_bundle(name: str, triton: Path | None) -> int:
    """A bundle that is there already needs no export to be served."""
    from edgevoice.errors import ModelError
    from edgevoice.paths import find_model

    if triton is None:
        raise UsageError(
            "--output is missing", "Say where the bundle goes: edgevoice export CHECKPOINT --output BUNDLE"
        )
    folder = Path(name)
    if not folder.is_dir():  # which goes before a model known by that name, as in an export
        with contextlib.suppress(ModelError):
            folder = find_model(name)
    if not (folder / MANIFEST_NAME).is_file():
        raise UsageError(
            f"{name} is no bundle, and --output is missing", "Name the bundle that desks will use: --output"
        )
    _serve(folder, triton)
    return 0


def _serve(bundle: Path, folder: Path) -> None:
    from edgevoice.asr.bundle import load_bundle
    from export.triton import write_repository

    for model in write_repository(load_bundle(bundle), folder):
        print(f"written\t{folder / model}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice export",
        description="Convert a checkpoint to a verified bundle: ONNX graphs, manifest, checksums. It is compared with "
        "PyTorch on real clips, and a difference fails the command.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        help="folder or hub id of a CTC, intent or joint checkpoint; or a bundle, to make it anew from its weights",
    )
    parser.add_argument("--intent", help="a second checkpoint, for intents, beside a CTC one")
    parser.add_argument(
        "--reader",
        default="",
        metavar="CHECKPOINT",
        help="what reads finished sentences once more: folder or hub id of a Moonshine or Whisper of any size, or a "
        "bundle with a reader; beside a checkpoint it goes along, alone it is a bundle of its own",
    )
    parser.add_argument("-o", "--output", type=Path, help="folder of the bundle")
    parser.add_argument(
        "--triton",
        type=Path,
        metavar="DIR",
        help="write a model repository for NVIDIA Triton too, which many desks share with 'edgevoice live --remote'",
    )
    parser.add_argument("--name", default="", help="name of the model (that of --output, or as the bundle was called)")
    parser.add_argument(
        "--precision",
        default="fp32,fp16,int8",
        help="variants to write (fp32,fp16,int8): fp16 is for a GPU, int8 for the CPU; each only if it holds",
    )
    parser.add_argument(
        "--clips", type=Path, help="manifest CSV of clips to compare on (twenty-one come with edgevoice)"
    )
    parser.add_argument("--extras", type=Path, help="folder whose files (card, sample) go into the bundle")
    parser.add_argument(
        "--reject-label", default="", help="label that stands for no intent (that of the calibration, or none)"
    )
    parser.add_argument(
        "--threshold", type=float, help="smallest score of a detected intent (0.5, or as it was calibrated)"
    )
    parser.add_argument("--licence", default="", help="licence of the weights")
    parser.add_argument("--language", default="", help="language of the captions, for example en")
    parser.add_argument(
        "--language-model",
        type=Path,
        metavar="FILE",
        help="a word list or an ARPA n-gram model (.gz too) that goes along: which words its captions expect",
    )
    parser.add_argument("--language-model-weight", type=float, help="how much an n-gram model counts (0.5)")
    parser.add_argument("--word-bonus", type=float, help="what each word is worth with an n-gram model (1.5)")
    parser.add_argument("--force", action="store_true", help="replace what is in --output")
    return parser
