"""A training run as data: frozen dataclasses read from a TOML recipe, overridden by `--set section.key=value`, and
written back, resolved, into the run's folder."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgevoice.asr.bundle import FeatureSettings, from_plain
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError
from training.augment import Augmentation
from training.folders import beside
from training.splits import SplitBy

Task = Literal["ctc", "intent", "joint"]
CONFIGS = Path(__file__).parent / "configs"
RECORD = "training.json"
"""The resolved recipe in a run's folder."""


@dataclass(frozen=True, kw_only=True)
class StreamingConfig:
    """How a model hears that is trained for live captions; see `training.chunked`."""

    chunks_s: tuple[float, ...] = (0.16, 0.32, 0.64)
    """Seconds of the chunks it is trained with and may be run with, rounded to its frames."""
    left_s: float = 2.4
    """Seconds before its chunk that a frame hears through attention."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Where the weights come from."""

    checkpoint: str = ""
    """Hub id or folder of a checkpoint to start from, or the folder or name of a bundle (such as "banking-en"); empty
    to build `encoder` with random weights."""
    encoder: dict[str, Any] = field(default_factory=dict)
    """`model_type` and any other key of that type's Transformers configuration."""
    features: FeatureSettings = field(default_factory=lambda: FeatureSettings(kind="waveform", normalise="utterance"))
    """For a model built from `encoder`; a checkpoint brings its own. An empty `mean` is measured on the data."""
    regularisation: dict[str, Any] = field(default_factory=dict)
    """Dropout and masking (SpecAugment) by their names in Transformers' configurations, such as `mask_time_prob`,
    `attention_dropout` or `layerdrop`; what is not named stays as the checkpoint or `encoder` has it."""
    classifier_size: int = 256
    """Width of the intent head's projection."""
    freeze_features: bool = True
    """Keep the convolutional feature encoder of a pretrained checkpoint fixed; the Transformers guides train it."""
    streaming: StreamingConfig | None = None
    """Train it to hear chunk by chunk, each frame encoded once. A checkpoint that was trained so stays so."""


@dataclass(frozen=True, kw_only=True)
class VocabularyConfig:
    """The CTC targets of a model that has none yet."""

    kind: Literal["characters", "subwords"] = "characters"
    size: int = 256
    """Pieces, for "subwords" (byte-pair encoding over the training texts)."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is trained and measured on."""

    sources: tuple[str, ...] = ()
    """Each a manifest (.csv or .jsonl with the columns path, text, intent, speaker, split; text_norm is preferred over
    text), a folder with one folder of recordings a label, or NAME:CONFIG of the hub; see `training.sources`."""
    streaming: bool = False
    """Read the sources, data sets of the hub, while training, and store none of them; see `training.streaming`."""
    text_column: str = ""
    intent_column: str = ""
    speaker_column: str = ""
    """Columns to read, where the usual names (`training.manifest.NAMES`) do not tell."""
    split_by: SplitBy = "auto"
    """"column", "fraction", "speaker" or "auto"; see `training.splits.split`."""
    dev_share: float = 0.1
    test_share: float = 0.1
    """Shares of clips or speakers, where the data does not say which split a clip belongs to."""
    judge: bool = True
    """Measure the clips of the split "test" once at the end of the run, with the best model, which was chosen without
    them. Where the data is streamed there are none: its split "test" is not read."""
    repeat: dict[str, int] = field(default_factory=dict)
    """Set name (`training.manifest.Clip.dataset`) -> how often its training clips count; 1 where not named, 0 leaves
    them out."""
    missing_intent: str = ""
    """The label of clips without an intent; empty leaves them out of intent training."""
    minimum_s: float = 0.3
    maximum_s: float = 15.0
    """Clips outside these bounds are left out and counted in the report."""
    noise: str = ""
    """Manifest of recordings without speech (splits other than "rir") and room impulse responses (split "rir")."""
    crop_s: float = 0.0
    """Cut every clip to its first so many seconds, as the audio-classification guide does; 0 to hear them out."""
    lead_s: float = 0.0
    """Up to this much near-silence is put before a training clip, as the live segmenter's pre-roll does."""
    tail_s: float = 0.0
    """The same behind it, as the silence does that ends a segment. Clips that were cut closely need both: a model that
    has only ever heard speech takes the silence around it for part of a word."""
    cut_others: float = 0.0
    """The share of the training clips that mean no intent (`missing_intent`) of which only a beginning is heard, as
    live, where intents are looked for while the sentence goes on; their text is not learnt then."""
    evaluate_at_most: int = 200
    """Clips of each dev set used while training."""

    @property
    def crop(self) -> int | None:
        """`crop_s` as the end of a slice of samples at 16 kHz; None to hear clips out."""
        return round(self.crop_s * SAMPLE_RATE) or None


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How it is optimised; names as in `transformers.TrainingArguments` where they mean the same."""

    max_steps: int = 1000
    """Optimiser steps."""
    epochs: float = 0.0
    """Passes over the training data, in place of `max_steps`; 0 to count steps."""
    batch_seconds: float = 60.0
    """Seconds of audio in a batch; clips of similar length go together."""
    gradient_accumulation_steps: int = 1
    """Batches whose gradients are added up for one step."""
    learning_rate: float = 3e-4
    """Peak learning rate."""
    encoder_learning_rate: float = 0.0
    """Peak learning rate of all but the heads, for an encoder that is trained already; 0 for that of the heads."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises from 0."""
    warmup_ratio: float = 0.0
    """Share of the run that warms up, in place of `warmup_steps`."""
    lr_scheduler_type: str = "linear"
    """How the learning rate falls: "linear", "cosine", "constant_with_warmup", ..."""
    weight_decay: float = 0.01
    """AdamW's, on all weights but those of norms and biases."""
    adam_beta2: float = 0.98
    """AdamW's decay of its mean of squared gradients; Transformers' own is 0.999, which remembers for longer than many
    runs here last."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this length."""
    intent_weight: float = 0.5
    """Weight of the intent loss beside the CTC loss, for "joint"."""
    label_smoothing: float = 0.05
    """Share of a label that the intent loss spreads over all labels, for "joint"."""
    average_decay: float = 0.0
    """Exponential moving average of the weights, evaluated and saved in their place; 0 to switch off."""
    evaluate_every: int = 200
    """Steps from one evaluation, and checkpoint, to the next."""
    evaluate_by_epoch: bool = False
    """Evaluate after every epoch instead."""
    early_stopping: int = 0
    """End the run after so many evaluations in a row without a better model; 0 to go on."""
    save_total_limit: int = 2
    """Checkpoints that are kept, the best always among them."""
    best_metric: str = ""
    """For example "eval_banking-en_wer"; empty: the first dev set's WER (or accuracy, for "intent")."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """What is multiplied in; weights are float32 always. "auto": bf16 where the device computes in it, else fp32."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: less memory, a third more time."""
    workers: int = -1
    """Processes that decode and augment while the model computes. -1 for as many as suit the device: one for each core
    but one, at most 8, beside a GPU; none on a CPU, whose cores the model needs itself."""
    seed: int = 1
    """Of weights, splits, orders and augmentation."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augmentation: Augmentation | None = None
    trainer: TrainerConfig = field(default_factory=TrainerConfig)


def load_config(file: Path | None, assignments: typing.Sequence[str] = ()) -> TrainConfig:
    """Reads a recipe, a file or the name of one in training/configs, and applies `section.key=value` assignments
    (values as in TOML, bare words as text).

    Raises:
        ConfigError: the file cannot be read, or a key or value does not fit.
    """
    named = CONFIGS / f"{file}.toml"
    try:
        tree = tomllib.loads((named if named.is_file() else file).read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"The recipe {file} cannot be read: {error}", f"See {CONFIGS} for examples") from None
    for assignment in assignments:
        _assign(tree, assignment)
    try:
        config: TrainConfig = build(TrainConfig, tree)
        _check(config)
    except (TypeError, ValueError, AttributeError) as error:
        what = f"The recipe {file}" if file else "The recipe"
        raise ConfigError(f"{what} does not fit: {error}", "See training/config.py for every key") from None
    return config


def build(annotation: Any, tree: Any, name: str = "") -> Any:
    """`from_plain`, with optional dataclasses, and errors that name the key."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        if not isinstance(tree, Mapping):
            raise TypeError(f"{name}: {tree!r} is no table")
        hints = typing.get_type_hints(annotation)
        unknown = set(tree) - set(hints)
        if unknown:
            raise TypeError(f"unknown key '{min(unknown)}'; known: {', '.join(hints)}")
        dotted = f"{name}." if name else ""
        return annotation(**{key: _built(hints[key], value, dotted + key) for key, value in tree.items()})
    if typing.get_origin(annotation) is tuple and not isinstance(tree, (list, tuple)):
        raise TypeError(f"{name}: {tree!r} is no list")
    if annotation is bool and not isinstance(tree, bool):
        raise TypeError(f"{name}: {tree!r} is neither true nor false")
    try:
        return from_plain(annotation, tree)
    except (TypeError, ValueError, AttributeError) as error:
        raise TypeError(f"{name}: {error}") from None


_AT_LEAST: dict[str, float] = {
    "trainer.epochs": 0,
    "trainer.encoder_learning_rate": 0,
    "trainer.warmup_steps": 0,
    "trainer.weight_decay": 0,
    "trainer.intent_weight": 0,
    "trainer.early_stopping": 0,
    "trainer.save_total_limit": 1,
    "trainer.workers": -1,
    "trainer.seed": 0,
    "data.minimum_s": 0,
    "data.crop_s": 0,
    "data.lead_s": 0,
    "data.tail_s": 0,
    "vocabulary.size": 2,
    "model.classifier_size": 1,
}
"""Key -> the smallest value it may have."""
_MORE_THAN_0 = (
    "trainer.max_steps",
    "trainer.batch_seconds",
    "trainer.gradient_accumulation_steps",
    "trainer.evaluate_every",
    "trainer.learning_rate",
    "trainer.max_grad_norm",
    "data.evaluate_at_most",
    "model.features.stride",
    "model.features.mel_bins",
)
_REGULARISATION = re.compile("apply_spec_augment|mask_(time|feature)_(prob|length|min_masks)|.*dropout.*|.*layerdrop")
"""Keys of Transformers' configurations that change how a model is trained and not what weights it has."""
_SHARES = (
    "data.dev_share",
    "data.test_share",
    "data.cut_others",
    "trainer.warmup_ratio",
    "trainer.average_decay",
    "trainer.adam_beta2",
    "trainer.label_smoothing",
)
"""Keys whose value lies from 0 to less than 1."""


def _check(config: TrainConfig) -> None:
    """Raises ValueError for what would only break later, perhaps after hours."""
    for name, number in _numbers(dataclasses.asdict(config)):
        _must(math.isfinite(number), name, number, "no finite number")  # NaN would pass every comparison below
    values = {name: _value(config, name) for name in (*_AT_LEAST, *_MORE_THAN_0, *_SHARES)}
    for name, value in values.items():
        _must(not value < _AT_LEAST.get(name, -math.inf), name, value, f"less than {_AT_LEAST.get(name, 0):g}")
        _must(name not in _MORE_THAN_0 or value > 0, name, value, "not more than 0")
        _must(name not in _SHARES or 0 <= value < 1, name, value, "not from 0 to less than 1")
    data, trainer = config.data, config.trainer
    _must(data.maximum_s > data.minimum_s, "data.maximum_s", data.maximum_s, "not more than data.minimum_s")
    if data.streaming and (trainer.epochs or trainer.evaluate_by_epoch):
        name = "trainer.epochs" if trainer.epochs else "trainer.evaluate_by_epoch"
        raise ValueError(f"{name}: a stream has no known length; count steps (trainer.max_steps, evaluate_every)")
    if data.streaming and data.repeat:
        raise ValueError("data.repeat: what is streamed comes as often as it is read; leave it out, or data.streaming")
    if config.model.streaming:
        chunks, left = config.model.streaming.chunks_s, config.model.streaming.left_s
        if not chunks or list(chunks) != sorted(set(chunks)) or min(chunks) <= 0:
            raise ValueError(f"model.streaming.chunks_s: {list(chunks)} are not lengths of chunks, shortest first")
        _must(left > 0, "model.streaming.left_s", left, "not more than 0")
    for key in config.model.regularisation:
        if not _REGULARISATION.fullmatch(key):
            raise ValueError(f"model.regularisation: '{key}' is neither dropout nor masking")
    for key, value in dataclasses.asdict(config.augmentation or Augmentation()).items():
        name = f"augmentation.{key}"
        if isinstance(value, tuple):
            if not (len(value) == 2 and value[0] <= value[1]):
                raise ValueError(f"{name}: {list(value)} is no range [low, high]")
            _must(key not in ("speed_range", "rt60_range") or value[0] > 0, name, value[0], "not more than 0")
        else:
            _must(not key.endswith("probability") or 0 <= value <= 1, name, value, "not from 0 to 1")


def _numbers(tree: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a configuration, with its dotted name."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from _numbers(value, name)
    elif isinstance(tree, (int, float)):
        try:
            yield name, float(tree)
        except OverflowError:  # a whole number of hundreds of digits
            yield name, math.inf


def _value(config: TrainConfig, name: str) -> float:
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return float(value)


def _must(fits: bool, name: str, value: float, otherwise: str) -> None:  # noqa: FBT001 - an assertion's condition
    if not fits:
        raise ValueError(f"{name}: {value:g} is {otherwise}")


def save_config(config: TrainConfig, task: Task, folder: Path) -> None:
    """Writes the resolved configuration to `folder/training.json`."""
    text = json.dumps({"task": task, **dataclasses.asdict(config)}, indent=1, ensure_ascii=False)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def load_resolved(folder: Path) -> tuple[Task, TrainConfig]:
    """The task and the resolved configuration of a run, or of one of its checkpoints.

    Raises:
        ConfigError: the folder holds no run.
    """
    file = beside(folder, RECORD) / RECORD
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        task: Task = tree.pop("task")
        return task, build(TrainConfig, tree)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "Name the folder of a run") from None


def _built(annotation: Any, value: Any, name: str) -> Any:
    if value is None and type(None) in typing.get_args(annotation):
        return None
    return build(_not_none(annotation), value, name)


def _not_none(annotation: Any) -> Any:
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    return arguments[0] if type(None) in typing.get_args(annotation) else annotation


def _assign(tree: dict[str, Any], assignment: str) -> None:
    path, separator, text = assignment.partition("=")
    *sections, key = path.split(".")
    if not separator or not sections:
        raise ConfigError(f"'{assignment}' is no assignment", "Write --set section.key=value")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"'{assignment}': {section} is no section", "See training/config.py for every key")
    tree[key] = value
