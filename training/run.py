"""One training run, in stages: read the data, make the vocabulary, build the model, optimise, save."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import Trainer, TrainingArguments, set_seed

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError, ModelError, UsageError
from training import metrics
from training.attention import use_fast_relative_key
from training.callbacks import SkipBadGradients, WeightAverage
from training.checkpoint import load_features, load_tokenizer, measure, save_features
from training.config import DataConfig, ModelConfig, Task, TrainConfig, save_config
from training.dataset import AudioCache, Collator, DurationBatches, NoiseLibrary, SpeechDataset, load_audio
from training.manifest import Clip, Columns, Selection, read_manifest, select
from training.models import build_model, frame_lengths, output_frames
from training.sources import read_source
from training.splits import split
from training.vocabulary import build_tokenizer, canonical, frames_needed, spell
from training.warm_start import checkpoint_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """What a run trains and measures on."""

    train: tuple[Clip, ...]
    dev: dict[str, tuple[Clip, ...]]
    """Set name -> clips."""
    left_out: dict[str, int]


def train(task: Task, config: TrainConfig, output: Path) -> dict[str, float]:
    """Runs a training to its end, continuing from the last checkpoint in `output` if there is one.

    Returns:
        The figures of the best checkpoint, which lies in `output` itself.
    """
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is no folder", "Choose another --output")
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = checkpoint_folder(config.model.checkpoint, Path(scratch))
        return _train(task, config, dataclasses.replace(config.model, checkpoint=unpacked), output)


def _train(task: Task, config: TrainConfig, start: ModelConfig, output: Path) -> dict[str, float]:
    """`start` is `config.model` with a checkpoint that Transformers can load."""
    set_seed(config.trainer.seed)
    corpus = read_corpus(task, config.data, config.trainer.seed)
    labels = _labels(task, config.data, corpus)
    corpus = _with_known_intents(task, corpus, {*labels, ""})
    best = _best_metric(task, config, corpus)
    features = _features(config, start, corpus)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = _tokenizer(task, config, start, corpus, Path(scratch))
    resolved = dataclasses.replace(config, model=dataclasses.replace(config.model, features=features))
    vocabulary, blank = canonical(tokenizer) if tokenizer is not None else ((), 0)
    model = build_model(
        task,
        dataclasses.replace(start, features=features),
        vocabulary_size=len(vocabulary),
        blank=blank,
        labels=labels,
        intent_weight=config.trainer.intent_weight,
    )
    use_fast_relative_key(model)
    logger.info("%.2f M parameters", sum(p.numel() for p in model.parameters()) / 1e6)
    if tokenizer is not None:
        corpus = _with_room_for_text(corpus, tokenizer, model, features)
    logger.info("training on %d clips, left out: %s", len(corpus.train), corpus.left_out or "none")
    datasets = _datasets(task, resolved, corpus, tokenizer, labels)
    last = _last_checkpoint(output)
    if last:
        _check_same_model(last, model, vocabulary, labels)
    trainer = _trainer(task, resolved, model, datasets, vocabulary, blank, best, output)
    # nothing is written before everything is known to fit together
    output.mkdir(parents=True, exist_ok=True)
    save_config(resolved, task, output)
    save_features(features, output)
    if tokenizer is not None:
        tokenizer.save_pretrained(output)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.save_model(str(output))
    figures = trainer.evaluate()
    (output / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def read_corpus(task: Task, config: DataConfig, seed: int) -> Corpus:
    """Reads the sources and leaves out what cannot be used.

    Raises:
        ConfigError: a source is missing or nothing is left to train on.
    """
    if not config.sources:
        raise ConfigError("There is no data to train on", "Name a manifest, a folder or a hub data set with --data")
    columns = Columns(text=config.text_column, intent=config.intent_column, speaker=config.speaker_column)
    train: list[Clip] = []
    dev: dict[str, list[Clip]] = {}
    left_out: dict[str, int] = {}
    for name in config.sources:
        clips = split(read_source(name, columns), config.split_by, config.dev_share, config.test_share, seed)
        chosen = _select(task, config, [clip for clip in clips if clip.split == "train"])
        for reason, count in chosen.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
        for clip in chosen.clips:
            train += [clip] * config.repeat.get(clip.dataset, 1)
        for clip in _select(task, config, [clip for clip in clips if clip.split == "dev"]).clips:
            dev.setdefault(clip.dataset, []).append(clip)
    if not train:
        raise ConfigError(
            f"No clip is left to train on ({left_out or 'none in the split train'})", "Check the manifest"
        )
    if not dev:
        raise ConfigError(
            "No clip of the split 'dev' can be used, so nothing could be measured", "Mark some rows of the manifest"
        )
    spread = {name: _spread(clips, config.evaluate_at_most) for name, clips in dev.items()}
    missing = next(
        (c.path for c in [*train, *(c for clips in spread.values() for c in clips)] if not c.path.is_file()), None
    )
    if missing:
        raise ConfigError(f"The clip {missing} is not there", "Mend or remove its row in the manifest")
    return Corpus(tuple(train), spread, left_out)


def _spread(clips: Sequence[Clip], count: int) -> tuple[Clip, ...]:
    """At most `count` clips, taken evenly so that every speaker stays represented."""
    step = max(1, -(-len(clips) // count))
    return tuple(clips[::step])


def _select(task: Task, config: DataConfig, clips: list[Clip]) -> Selection:
    return select(
        clips,
        minimum_s=config.minimum_s,
        maximum_s=config.maximum_s,
        needs_text=task in ("ctc", "joint"),
        needs_intent=task == "intent" and not config.missing_intent,
    )


def _features(config: TrainConfig, start: ModelConfig, corpus: Corpus) -> FeatureSettings:
    if start.checkpoint:
        return load_features(start.checkpoint)
    return measure(start.features, corpus.train, seed=config.trainer.seed)


def _tokenizer(task: Task, config: TrainConfig, start: ModelConfig, corpus: Corpus, scratch: Path) -> Any:
    """The checkpoint's own, if it has one (a model that was only pretrained has none), or one for these texts."""
    if task == "intent":
        return None
    texts = [clip.text for clip in corpus.train]
    if start.checkpoint:
        try:
            return spell(load_tokenizer(start.checkpoint), texts)
        except ModelError as error:
            logger.info("%s; a new vocabulary is made from the texts", error.what)
    return build_tokenizer(texts, config.vocabulary, scratch)


def _labels(task: Task, config: DataConfig, corpus: Corpus) -> list[str]:
    if task == "ctc":
        return []
    names = {clip.intent for clip in corpus.train if clip.intent} | ({config.missing_intent} - {""})
    if len(names) < 2:
        raise ConfigError(
            f"Intents need at least two labels, and the data has {len(names)}", "Check the column 'intent'"
        )
    return sorted(names)


def _with_known_intents(task: Task, corpus: Corpus, known: set[str]) -> Corpus:
    """A dev clip whose intent is never trained can only be wrong: it does not count, and that is said."""
    unknown = [clip for clips in corpus.dev.values() for clip in clips if clip.intent not in known]
    if task == "ctc" or not unknown:
        return corpus
    names = ", ".join(sorted({clip.intent for clip in unknown}))
    logger.warning("%d dev clips do not count for intents: no training clip has %s", len(unknown), names)
    if task == "joint":
        return corpus  # they still have a text
    dev = {name: tuple(clip for clip in clips if clip.intent in known) for name, clips in corpus.dev.items()}
    dev = {name: clips for name, clips in dev.items() if clips}
    if not dev:
        raise ConfigError("No clip of the split 'dev' has an intent that is trained", "Check the column 'intent'")
    return dataclasses.replace(corpus, dev=dev)


def _best_metric(task: Task, config: TrainConfig, corpus: Corpus) -> str:
    """What chooses the best checkpoint; the Trainer would miss it at the first evaluation only."""
    names = {"ctc": ("wer", "cer"), "intent": ("accuracy", "f1"), "joint": ("wer", "cer", "accuracy", "f1")}[task]
    known = [f"eval_{dataset}_{name}" for dataset in corpus.dev for name in names]
    best = config.trainer.best_metric or known[0]
    if best not in known:
        raise ConfigError(f"trainer.best_metric is '{best}', which is not measured", f"Choose from {', '.join(known)}")
    return best


def _with_room_for_text(corpus: Corpus, tokenizer: Any, model: Any, features: FeatureSettings) -> Corpus:
    """Leaves out training clips with more tokens than frames: CTC has no way to spell them."""
    needed = {text: frames_needed(tokenizer(text)["input_ids"]) for text in {clip.text for clip in corpus.train}}
    samples = torch.tensor([round(clip.duration_s * SAMPLE_RATE) for clip in corpus.train])
    frames = output_frames(model, features, samples).tolist()
    kept = tuple(clip for clip, room in zip(corpus.train, frames, strict=True) if needed[clip.text] <= room)
    if not kept:
        raise ConfigError("Every clip has more text than the model has frames", "Use characters, or a smaller stride")
    if len(kept) == len(corpus.train):
        return corpus
    reasons = {**corpus.left_out, "more text than frames": len(corpus.train) - len(kept)}
    return dataclasses.replace(corpus, train=kept, left_out=reasons)


def _datasets(
    task: Task, config: TrainConfig, corpus: Corpus, tokenizer: Any, labels: list[str]
) -> dict[str, SpeechDataset]:
    common: dict[str, Any] = {
        "features": config.model.features,
        "tokenizer": tokenizer,
        "labels": {name: index for index, name in enumerate(labels)} if task != "ctc" else None,
        "missing_intent": config.data.missing_intent,
        "cache": AudioCache(),
    }
    training = SpeechDataset(
        corpus.train,
        augmentation=config.augmentation,
        noise=_noise(config.data.noise),
        lead_s=config.data.lead_s,
        seed=config.trainer.seed,
        **common,
    )
    return {"train": training, **{name: SpeechDataset(clips, **common) for name, clips in corpus.dev.items()}}


def _noise(manifest: str) -> NoiseLibrary:
    if not manifest:
        return NoiseLibrary()
    clips = read_manifest(Path(manifest))
    responses = tuple(load_audio(clip.path) for clip in clips if clip.split == "rir")
    return NoiseLibrary(tuple(load_audio(clip.path) for clip in clips if clip.split != "rir"), responses)


class DurationTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose training batches hold a number of seconds instead of a number of clips."""

    batch_seconds = 60.0
    frame_wise = False
    """Whether the first logits are those of a CTC head."""
    blank = 0

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        """Batches of clips of similar length."""
        dataset: Any = self.train_dataset
        durations = [clip.duration_s for clip in dataset.clips]
        workers = self.args.dataloader_num_workers
        loader = torch.utils.data.DataLoader(
            dataset,
            batch_sampler=DurationBatches(durations, self.batch_seconds, self.args.seed),
            collate_fn=self.data_collator,
            num_workers=workers,
            persistent_workers=workers > 0,
        )
        return self.accelerator.prepare_data_loader(loader)  # type: ignore[no-any-return]

    def prediction_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer's, but frames of padding say nothing: they are no part of the clip."""
        step: tuple[Any, Any, Any] = super().prediction_step(model, inputs, *args, **kwargs)
        loss, logits, labels = step
        mask = inputs.get("attention_mask")
        if mask is None or not self.frame_wise or logits is None:
            return loss, logits, labels
        frames, *others = logits if isinstance(logits, tuple) else (logits,)
        silence_padding(frames, frame_lengths(model, mask, frames.shape[1]), self.blank)
        return loss, (frames, *others) if others else frames, labels


def _trainer(
    task: Task,
    config: TrainConfig,
    model: Any,
    datasets: dict[str, SpeechDataset],
    vocabulary: tuple[str, ...],
    blank: int,
    best: str,
    output: Path,
) -> Trainer:
    settings = config.trainer
    dev = {name: dataset for name, dataset in datasets.items() if name != "train"}
    try:
        arguments = TrainingArguments(
            output_dir=str(output),
            max_steps=settings.max_steps,
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup_steps,
            lr_scheduler_type=settings.lr_scheduler_type,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm,
            adam_beta2=0.98,
            eval_strategy="steps",
            eval_steps=settings.evaluate_every,
            save_strategy="steps",
            save_steps=settings.evaluate_every,
            save_total_limit=settings.save_total_limit,
            load_best_model_at_end=True,
            metric_for_best_model=best,
            greater_is_better=best.endswith(("accuracy", "f1")),
            per_device_eval_batch_size=8,
            logging_steps=min(50, settings.evaluate_every),
            bf16=settings.bf16,
            use_cpu=not torch.cuda.is_available(),
            dataloader_num_workers=settings.workers,
            remove_unused_columns=False,
            label_names=["labels", "intent_labels"] if task == "joint" else ["labels"],
            report_to="none",
            seed=settings.seed,
            disable_tqdm=True,
            ignore_data_skip=True,  # a resumed run draws new random batches instead of decoding all it has seen
        )
    except ValueError as error:
        raise ConfigError(
            f"The recipe's trainer does not fit: {str(error).splitlines()[0]}", "See training/config.py for every key"
        ) from None
    trainer = DurationTrainer(
        model=model,
        args=arguments,
        data_collator=_collator(task, model, config),
        train_dataset=datasets["train"],
        eval_dataset=dev,
        compute_metrics=lambda prediction: _figures(task, prediction, vocabulary, blank),
        preprocess_logits_for_metrics=_reduce,
        callbacks=[SkipBadGradients(), *([WeightAverage(settings.average_decay)] if settings.average_decay else [])],
    )
    trainer.batch_seconds = settings.batch_seconds
    trainer.frame_wise, trainer.blank = task != "intent", blank
    return trainer


def silence_padding(logits: torch.Tensor, lengths: torch.Tensor, blank: int) -> None:
    """Makes the blank the best token of every frame beyond a row's length, in place: [rows, frames, vocabulary]."""
    beyond = torch.arange(logits.shape[1], device=logits.device)[None, :] >= lengths[:, None]
    logits[beyond] = torch.nn.functional.one_hot(torch.tensor(blank), logits.shape[-1]).to(logits)


def _collator(task: Task, model: Any, config: TrainConfig) -> Collator:
    encoder = getattr(model, "encoder", model) if task == "joint" else model
    # group-norm checkpoints (wav2vec2-base, HuBERT-base) were pretrained on zero-padded audio without a mask
    grouped = getattr(encoder.config, "feat_extract_norm", "") == "group"
    name = "input_values" if config.model.features.kind == "waveform" else "input_features"
    return Collator(name, pass_mask=not grouped, intent_key="intent_labels" if task == "joint" else "labels")


def _reduce(logits: Any, _labels: Any) -> Any:
    if isinstance(logits, (tuple, list)):
        return tuple(metrics.best_ids(item) for item in logits[:2])
    return metrics.best_ids(logits)


def _figures(task: Task, prediction: Any, vocabulary: tuple[str, ...], blank: int) -> dict[str, float]:
    if task == "ctc":
        return metrics.ctc_metrics(prediction.predictions, prediction.label_ids, vocabulary, blank)
    if task == "intent":
        return metrics.classification(prediction.label_ids, prediction.predictions)
    (ids, intents), (labels, truth) = prediction.predictions, prediction.label_ids
    return {**metrics.ctc_metrics(ids, labels, vocabulary, blank), **metrics.classification(truth, intents)}


def _last_checkpoint(output: Path) -> Path | None:
    found = [path for path in output.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    whole = [path for path in found if (path / "trainer_state.json").is_file()]  # it is written last
    return max(whole, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def _check_same_model(checkpoint: Path, model: Any, vocabulary: tuple[str, ...], labels: list[str]) -> None:
    """Raises UsageError where a run cannot go on, because its data or recipe now ask for another model."""
    stored = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    with safe_open(checkpoint / "model.safetensors", "pt") as weights:
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    changed = [
        *(["the task"] if stored.get("architectures") != [type(model).__name__] else []),
        *(["the vocabulary"] if vocabulary and canonical(load_tokenizer(str(checkpoint)))[0] != vocabulary else []),
        *(["the intents"] if labels and sorted(stored.get("id2label", {}).values()) != labels else []),
        *(["the model's size"] if any(wanted.get(name, shape) != shape for name, shape in shapes.items()) else []),
    ]
    if changed:
        raise UsageError(
            f"The run in {checkpoint.parent} cannot go on: {' and '.join(changed)} would be another than it began with",
            "Choose another --output, or the recipe and data that it began with",
        )
