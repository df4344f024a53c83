"""What a checkpoint makes of recordings, before it is exported: `edgevoice train predict CHECKPOINT FILE...`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.asr.intent import best_first
from edgevoice.errors import AudioError
from edgevoice.text import plain
from training.decoded import load_audio
from training.loading import Checkpoint, load_checkpoint

NO_RECORDING = "Name files that libsndfile reads: WAV, FLAC, Ogg or MP3"
"""What to do about a file that cannot be heard."""


def predict(checkpoint: Checkpoint, samples: npt.NDArray[np.float32], top_k: int = 5) -> dict[str, Any]:
    """The text, and the best labels with their scores as `transformers.pipeline("audio-classification")` gives them.

    Args:
        checkpoint: with either head or both.
        samples: mono at 16 kHz.
        top_k: labels to give, at most.

    Returns:
        "text" with a CTC head, "intents" (score and label, best first) with an intent head.
    """
    encoding = checkpoint.encode(samples)
    found: dict[str, Any] = {}
    if encoding.log_probs is not None:
        found["text"] = checkpoint.text(encoding)
    if encoding.intent_logits is not None:
        best = best_first(encoding.intent_logits, checkpoint.labels)[:top_k]
        found["intents"] = [{"score": each.score, "label": each.label} for each in best]
    return found


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code: 1 where any of the files cannot be heard, after all the others."""
    parser = argparse.ArgumentParser(
        prog="edgevoice train predict",
        description="What a checkpoint makes of recordings, each as a whole.",
        epilog="example:\n  edgevoice train predict runs/intents question.wav --top-k 3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="folder of a run, or hub id")
    parser.add_argument("files", type=Path, nargs="+", help="recordings")
    parser.add_argument("--top-k", type=int, default=5, help="labels to print (5)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each file")
    options = parser.parse_args(arguments)
    checkpoint = load_checkpoint(options.checkpoint)
    failed = False
    for file in options.files:
        try:
            found = predict(checkpoint, load_audio(file, NO_RECORDING), max(1, options.top_k))
        except AudioError as error:
            failed = True
            found = {"error": plain(str(error))}
        if options.json:
            print(json.dumps({"file": str(file), **found}, ensure_ascii=False))
            continue
        if "error" in found:
            print(f"edgevoice: {found['error']}", file=sys.stderr)
            continue
        print(plain(str(file)))
        if "text" in found:
            print(f"  {found['text']}")
        for each in found.get("intents", []):
            print(f"  {each['score']:6.1%}  {plain(each['label'])}")
    return 1 if failed else 0
