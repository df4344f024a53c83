"""How fast training goes: clips a second beside the way of the Transformers example scripts.

python -m bench.training --shared ../shared/data --output docs/benchmarks/training.md

Both train the same Wav2Vec2 for CTC, from the same weights, on the same clips, with as many seconds of speech in an
average batch. Theirs (`run_speech_recognition_ctc.py`): all clips turned into arrays beforehand, which is not counted;
batches of a fixed number of clips, padded to the longest, in random order as the script has it by itself, and grouped
by length as its published commands have it. Ours: `edgevoice train`, which decodes as it goes and fills batches by the
second with clips of similar length. They take turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from transformers import Trainer, TrainingArguments, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

from bench.script import script
from edgevoice.config import SAMPLE_RATE
from training.callbacks import StepTimes
from training.config import TrainConfig, load_config
from training.decoded import load_audio
from training.manifest import Clip, read_manifest, write_manifest
from training.models import IGNORE
from training.run import prepared

ENCODER = {
    "model_type": "wav2vec2",
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "conv_dim": [64] * 7,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 64,
    "mask_time_prob": 0.0,
    "layerdrop": 0.0,
}
"""Small enough for a CPU; the layers are those of the large checkpoints."""
SETS = {
    "mixed lengths": (("speechocean762", 120), ("fsdd", 120), ("librispeech-test-other", 40)),
    "long clips": (("librispeech-test-other", 40), ("ljspeech-32", 32)),
}
"""Name -> folders of recordings with text, and how many clips of each."""
LONG_S = 6.0


@dataclass
class Speed:
    """How fast one way is: the speech that it went through, and the time that took; its first step is left out."""

    heard_s: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Seconds of speech a second."""
        return self.heard_s / self.seconds


class _Counted:
    """A collator that notes how many seconds of speech each batch holds."""

    def __init__(self, collate: Callable[[list[dict[str, Any]]], Any], key: str) -> None:
        self._collate, self._key = collate, key
        self.heard_s: list[float] = []

    def __call__(self, items: list[dict[str, Any]]) -> Any:
        self.heard_s.append(sum(len(item[self._key]) for item in items) / SAMPLE_RATE)
        return self._collate(items)

    def add_to(self, speed: Speed, times: StepTimes) -> None:
        """Counts the steps from the second on."""
        speed.heard_s += sum(self.heard_s[1 : len(times.ends)])
        speed.seconds += times.ends[-1] - times.ends[0]


def theirs(clips: Sequence[Clip], model: Any, tokenizer: Any, batch_clips: int, speed: Speed, *, grouped: bool) -> None:
    """One pass in the example script's way: a map over the data set, then the stock Trainer."""
    processor = Wav2Vec2Processor(Wav2Vec2FeatureExtractor(return_attention_mask=True), tokenizer)
    rows = [
        {
            "input_values": processor(load_audio(clip.path), sampling_rate=SAMPLE_RATE).input_values[0],
            "labels": tokenizer(clip.text).input_ids,
            "input_length": round(clip.duration_s * SAMPLE_RATE),
        }
        for clip in clips
    ]

    def pad(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Inputs and labels padded separately, labels with -100."""
        batch = processor.pad([{"input_values": each["input_values"]} for each in features], return_tensors="pt")
        labels = processor.pad(labels=[{"input_ids": each["labels"]} for each in features], return_tensors="pt")
        batch["labels"] = labels["input_ids"].masked_fill(labels.attention_mask.ne(1), IGNORE)
        return dict(batch)

    collate, times = _Counted(pad, "input_values"), StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=batch_clips,
            num_train_epochs=1,
            group_by_length=grouped,
            length_column_name="input_length",
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_steps=10**6,
        )
        data: Any = datasets.Dataset.from_list(rows)
        data.set_format("numpy", columns=["input_values"], output_all_columns=True)
        arguments.remove_unused_columns = False
        Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate, callbacks=[times]).train()
    collate.add_to(speed, times)


def ours(config: TrainConfig, weights: dict[str, torch.Tensor], speed: Speed) -> None:
    """One pass of `edgevoice train ctc`."""
    times = StepTimes()
    with tempfile.TemporaryDirectory() as folder, prepared("ctc", config, Path(folder) / "run") as run:
        run.trainer.model.load_state_dict(weights)
        run.trainer.data_collator = _Counted(run.trainer.data_collator, "inputs")
        run.trainer.add_callback(times)
        run.trainer.train()
        run.trainer.data_collator.add_to(speed, times)


def compare(clips: Sequence[Clip], batch_seconds: float, rounds: int, folder: Path) -> tuple[Speed, Speed, Speed]:
    """The ways on the same clips, taking turns: theirs in random order, theirs grouped by length, ours."""
    folder.mkdir(parents=True)
    training = [dataclasses.replace(clip, split="train") for clip in clips]
    measuring = [dataclasses.replace(clip, split="dev") for clip in clips[:2]]  # a run must have some
    manifest = write_manifest(folder / "manifest.csv", [*training, *measuring])
    config = load_config(
        None,
        [
            f'data.sources=["{manifest}"]',
            "data.split_by=column",
            "data.minimum_s=0.1",
            "data.maximum_s=60",
            f"trainer.batch_seconds={batch_seconds}",
            "trainer.evaluate_every=1000000",
            "trainer.epochs=1",
            "trainer.precision=fp32",
        ],
    )
    config.model.encoder.update(ENCODER)
    heard = sum(clip.duration_s for clip in clips)
    batch_clips = max(1, round(batch_seconds * len(clips) / heard))
    with prepared("ctc", config, folder / "run") as run:
        model, tokenizer = run.trainer.model, run.tokenizer
        weights = {name: value.clone() for name, value in model.state_dict().items()}
    mixed, grouped, own = Speed(), Speed(), Speed()
    for _ in range(rounds):
        for speed in (mixed, grouped):
            model.load_state_dict(weights)
            theirs(clips, model, tokenizer, batch_clips, speed, grouped=speed is grouped)
        ours(config, weights, own)
    return mixed, grouped, own


def table(rows: Mapping[str, tuple[Sequence[Clip], Speed, Speed, Speed]]) -> str:
    """The figures as a Markdown table; a set's mean length turns seconds of speech into clips."""
    head = "| data | clips | examples, random order | examples, grouped by length | edgevoice | ratio to either |"
    lines = [head, "|---" * 6 + "|"]
    for name, (clips, *speeds) in rows.items():
        mean = sum(clip.duration_s for clip in clips) / len(clips)
        rates = " | ".join(f"{speed.rate / mean:.2f} clips/s" for speed in speeds)
        mixed, grouped, own = (speed.rate for speed in speeds)
        lines.append(f"| {name} | {len(clips)} | {rates} | {own / mixed:.2f}, {own / grouped:.2f} |")
    return "\n".join(lines)


def read_set(shared: Path, name: str) -> list[Clip]:
    """The clips of a set of `SETS`."""
    chosen = []
    for folder, count in SETS[name]:
        clips = [clip for clip in read_manifest(shared / folder / "manifest.csv") if clip.text]
        if name == "long clips":
            clips = [clip for clip in clips if clip.duration_s >= LONG_S]
        chosen += clips[:: max(1, len(clips) // count)][:count]
    return chosen


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--batch-seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/training.md"))
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    rows: dict[str, tuple[list[Clip], Speed, Speed, Speed]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in SETS:
            clips = read_set(options.shared, name)
            rows[name] = (clips, *compare(clips, options.batch_seconds, options.rounds, Path(scratch) / name))
            print(table(rows).splitlines()[-1], flush=True)
    lengths = [np.percentile([clip.duration_s for clip in clips], [5, 50, 95]) for clips, *_ in rows.values()]
    spread = "; ".join(
        f"{name}: {low:.1f}, {mid:.1f} and {high:.1f} s" for name, (low, mid, high) in zip(rows, lengths, strict=True)
    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        "# Speed of training\n\n"
        f"`python -m bench.training --batch-seconds {options.batch_seconds:g} --rounds {options.rounds}`: "
        "the same Wav2Vec2 for CTC, weights, clips and seconds of speech in an average "
        f"batch ({options.batch_seconds:g} s), float32, {torch.get_num_threads()} threads; the stock Trainer as the "
        "Transformers example script uses it, without and with `--group_by_length`, and `edgevoice train`, taking "
        f"turns, {options.rounds} passes each. Lengths at the 5th, 50th and 95th percentile: {spread}.\n\n"
        + table(rows)
        + "\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(script(main))
