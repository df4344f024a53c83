"""`edgevoice train ctc|intent|joint|validate|synthesise|from-phrases`."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

EXAMPLE = """examples:
  edgevoice train joint --config small --data corpus/mine/manifest.csv --output runs/mine
  edgevoice train ctc --model facebook/wav2vec2-base --data recordings/manifest.csv --output runs/ctc
  edgevoice train from-phrases intents.toml --output models/desk
  edgevoice train synthesise --sentences sentences.csv --output corpus/mine --hours 5
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    if arguments and arguments[0] == "synthesise":
        from training import synthesise

        return synthesise.run(arguments[1:])
    if arguments and arguments[0] == "from-phrases":
        from training import from_phrases

        return from_phrases.run(arguments[1:])
    if arguments and arguments[0] == "validate":
        from training import check

        return check.run(arguments[1:])
    options = _parser().parse_args(arguments)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from training.config import load_config
    from training.run import train

    flags = [f"trainer.max_steps={options.max_steps}"] if options.max_steps is not None else []
    config = load_config(options.config, [*options.set, *flags])
    if options.model:
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, checkpoint=options.model))
    if options.data:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, sources=tuple(options.data)))
    try:
        figures = train(options.task, config, options.output)
    except KeyboardInterrupt:
        logger.info("stopped; the same command goes on from the last checkpoint in %s", options.output)
        raise
    for name, value in figures.items():
        if not name.endswith(("_second", "_runtime")):
            print(f"{name}\t{value:.4f}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice train",
        description="Fine-tune a Wav2Vec2-family model with the Transformers Trainer, or train one from nothing.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "task",
        choices=["ctc", "intent", "joint", "validate", "synthesise", "from-phrases"],
        help="what to train; or look at data first; or make a corpus; or make a bundle from phrases alone",
    )
    parser.add_argument("--model", help="hub id or folder of a checkpoint to start from")
    parser.add_argument(
        "--data",
        action="append",
        metavar="SOURCE",
        help="manifest (.csv, .jsonl: path, text, intent, speaker, split), folder with a folder of recordings a label, "
        "or hub data set NAME:CONFIG (repeatable)",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the run; continued if it holds one")
    parser.add_argument("--config", type=Path, help="recipe: a TOML file, or small or banking-en, which come along")
    parser.add_argument("--max-steps", type=int, help="optimiser steps")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override the recipe")
    return parser
