"""`edgevoice train ctc|intent|joint|validate|predict|calibrate|synthesise|from-phrases`."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from edgevoice.text import plain
from training import network

logger = logging.getLogger(__name__)

EXAMPLE = """examples:
  edgevoice train joint --config small --data corpus/mine/manifest.csv --output runs/mine
  edgevoice train ctc --model facebook/wav2vec2-base --data recordings/manifest.csv --output runs/ctc
  edgevoice train from-phrases intents.toml --output models/desk
  edgevoice train synthesise --sentences sentences.csv --output corpus/mine --hours 5
"""


MODULES = {
    "validate": "training.check",
    "predict": "training.predict",
    "calibrate": "training.calibrate",
    "synthesise": "training.synthesise",
    "from-phrases": "training.from_phrases",
}
"""Command -> the module whose `run` takes its arguments; imported only when it is called."""
DECIDE = ("validate", "calibrate")
"""Those whose data may be named in a recipe: they know only when they have read it whether the network is needed."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    if arguments and arguments[0] in MODULES:
        if arguments[0] not in DECIDE:
            network.allow(_named(arguments[1:]))
        command: Callable[[Sequence[str]], int] = importlib.import_module(MODULES[arguments[0]]).run
        return command(arguments[1:])
    options = _parser().parse_args(arguments)
    alone = os.environ.get("RANK", "0") == "0"  # of several processes one speaks
    level = logging.INFO if alone else logging.WARNING
    _show_log(level)
    from training.config import StreamingConfig, load_config

    flags = []
    if options.max_steps is not None:
        flags = [f"trainer.max_steps={options.max_steps}", "trainer.epochs=0"]
    if options.stream_data:
        flags.append("data.streaming=true")
    config = load_config(options.config, [*options.set, *flags])
    if options.model:
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, checkpoint=options.model))
    if options.streaming and not config.model.streaming:
        config = dataclasses.replace(config, model=dataclasses.replace(config.model, streaming=StreamingConfig()))
    if options.data:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, sources=tuple(options.data)))
    network.allow([config.model.checkpoint, *config.data.sources], needed=bool(options.push_to_hub))
    from training import hub
    from training.run import train

    if options.push_to_hub:
        hub.check_login(options.push_to_hub)
    try:
        figures = train(options.task, config, options.output)
    except KeyboardInterrupt:
        logger.info("stopped; the same command goes on from the last checkpoint in %s, if there is one", options.output)
        raise
    if not alone:
        return 0
    for name, value in figures.items():
        print(f"{plain(name)}\t{value:.4f}")
    if options.push_to_hub:
        print(f"pushed\t{hub.push(options.output, options.push_to_hub)}")
    return 0


class _Plain(logging.Formatter):
    """A line a message: names of data sets, splits and labels come from the data, and may hold control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def _show_log(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler])


def _named(arguments: Sequence[str]) -> list[str]:
    """The arguments that may name something to read; folders to be written are none."""
    outputs = {"--output", "-o", "--work"}
    return [each for before, each in zip(["", *arguments], arguments, strict=False) if before not in outputs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice train",
        description="Fine-tune a Wav2Vec2-family model with the Transformers Trainer, or train one from nothing.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "task",
        choices=["ctc", "intent", "joint", *MODULES],
        help="what to train; or look at data, try or calibrate a checkpoint, make a corpus, or a bundle from phrases",
    )
    parser.add_argument("--model", help="checkpoint to start from: hub id, folder, or a bundle's name")
    parser.add_argument(
        "--data",
        action="append",
        metavar="SOURCE",
        help="manifest (.csv, .jsonl: path, text, intent, speaker, split), folder with a folder of recordings a label, "
        "or hub data set NAME:CONFIG (repeatable)",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the run; continued if it holds one")
    parser.add_argument("--config", type=Path, help="recipe: a TOML file, or the name of one in training/configs")
    parser.add_argument("--max-steps", type=int, help="optimiser steps")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override the recipe")
    parser.add_argument(
        "--streaming", action="store_true", help="train it for live captions: chunk by chunk, each frame encoded once"
    )
    parser.add_argument(
        "--stream-data", action="store_true", help="read the hub data sets while training, and store none of them"
    )
    parser.add_argument("--push-to-hub", metavar="OWNER/NAME", help="give the checkpoint to the hub, private at first")
    return parser
