"""One training run, in stages: read the data, make the vocabulary, build the model, optimise, save."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, set_seed

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.errors import ConfigError
from training import metrics
from training.attention import use_fast_relative_key
from training.callbacks import SkipBadGradients, WeightAverage
from training.checkpoint import load_features, load_tokenizer, measure, save_features
from training.config import DataConfig, Task, TrainConfig, save_config
from training.dataset import AudioCache, Collator, DurationBatches, NoiseLibrary, SpeechDataset, load_audio
from training.manifest import Clip, Selection, read_manifest, select
from training.models import build_model
from training.vocabulary import build_tokenizer, canonical

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
    set_seed(config.trainer.seed)
    output.mkdir(parents=True, exist_ok=True)
    corpus = read_corpus(task, config.data)
    logger.info("training on %d clips, left out: %s", len(corpus.train), corpus.left_out or "none")
    features = _features(config, corpus)
    tokenizer = _tokenizer(task, config, corpus, output)
    labels = _labels(task, config.data, corpus)
    resolved = dataclasses.replace(config, model=dataclasses.replace(config.model, features=features))
    save_config(resolved, task, output)
    save_features(features, output)
    vocabulary, blank = canonical(tokenizer) if tokenizer is not None else ((), 0)
    model = build_model(
        task,
        resolved.model,
        vocabulary_size=len(vocabulary),
        blank=blank,
        labels=labels,
        intent_weight=config.trainer.intent_weight,
    )
    use_fast_relative_key(model)
    logger.info("%.2f M parameters", sum(p.numel() for p in model.parameters()) / 1e6)
    datasets = _datasets(task, resolved, corpus, tokenizer, labels)
    trainer = _trainer(task, resolved, model, datasets, vocabulary, blank, output)
    last = _last_checkpoint(output)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.save_model(str(output))
    figures = trainer.evaluate()
    (output / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def read_corpus(task: Task, config: DataConfig) -> Corpus:
    """Reads the manifests and leaves out what cannot be used.

    Raises:
        ConfigError: a manifest is missing or nothing is left to train on.
    """
    if not config.manifests:
        raise ConfigError("There is no data to train on", "Name a manifest with --data")
    train: list[Clip] = []
    dev: dict[str, tuple[Clip, ...]] = {}
    left_out: dict[str, int] = {}
    for name in config.manifests:
        clips = read_manifest(Path(name))
        chosen = _select(task, config, [clip for clip in clips if clip.split == "train"])
        for reason, count in chosen.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
        for clip in chosen.clips:
            train += [clip] * config.repeat.get(clip.dataset, 1)
        held = _select(task, config, [clip for clip in clips if clip.split == "dev"]).clips
        if held:
            dev[held[0].dataset] = _spread(held, config.evaluate_at_most)
    if not train:
        raise ConfigError(
            f"No clip is left to train on ({left_out or 'none in the split train'})", "Check the manifest"
        )
    if not dev:
        raise ConfigError("No clip has the split 'dev', so nothing could be measured", "Mark some rows of the manifest")
    return Corpus(tuple(train), dev, left_out)


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


def _features(config: TrainConfig, corpus: Corpus) -> FeatureSettings:
    if config.model.checkpoint:
        return load_features(config.model.checkpoint)
    return measure(config.model.features, corpus.train, seed=config.trainer.seed)


def _tokenizer(task: Task, config: TrainConfig, corpus: Corpus, output: Path) -> Any:
    if task == "intent":
        return None
    if config.model.checkpoint and _has_tokenizer(config.model.checkpoint):
        tokenizer = load_tokenizer(config.model.checkpoint)
        tokenizer.save_pretrained(output)
        return tokenizer
    return build_tokenizer((clip.text for clip in corpus.train), config.vocabulary, output)


def _has_tokenizer(checkpoint: str) -> bool:
    folder = Path(checkpoint)
    return not folder.is_dir() or any((folder / name).is_file() for name in ("vocab.json", "tokenizer.json"))


def _labels(task: Task, config: DataConfig, corpus: Corpus) -> list[str]:
    if task == "ctc":
        return []
    names = {clip.intent for clip in corpus.train if clip.intent} | ({config.missing_intent} - {""})
    if len(names) < 2:
        raise ConfigError(
            f"Intents need at least two labels, and the data has {len(names)}", "Check the column 'intent'"
        )
    return sorted(names)


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


def _trainer(
    task: Task,
    config: TrainConfig,
    model: Any,
    datasets: dict[str, SpeechDataset],
    vocabulary: tuple[str, ...],
    blank: int,
    output: Path,
) -> Trainer:
    settings = config.trainer
    dev = {name: dataset for name, dataset in datasets.items() if name != "train"}
    best = settings.best_metric or f"eval_{next(iter(dev))}_{'accuracy' if task == 'intent' else 'wer'}"
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
    return trainer


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
    found = sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    whole = [path for path in found if (path / "trainer_state.json").is_file()]
    return whole[-1] if whole else None
