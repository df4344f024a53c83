"""The Transformers Trainer as edgevoice uses it: batches of equal duration, figures of both heads, precision."""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from edgevoice.errors import ConfigError
from training import metrics
from training.callbacks import FreshBatches, SkipBadGradients, TrainingError, WeightAverage
from training.config import Task, TrainConfig, TrainerConfig
from training.dataset import Collator, DurationBatches, own_draws
from training.features import Features
from training.models import encoder_of, frame_lengths
from training.progress import Progress
from training.streaming import StreamDataset

EVALUATED_CLIPS = 8
"""Clips of a dev set that are measured together."""


class OutOfMemory(Exception):
    """A batch did not fit; the message describes it."""


class OutOfMemoryMeasuring(Exception):
    """A batch of a dev set did not fit; the message describes it."""


@contextmanager
def memory_explained(settings: TrainerConfig) -> Iterator[None]:
    """Turns running out of memory, wherever in a run, into a sentence with what to try.

    Raises:
        TrainingError: in its place.
    """
    try:
        yield
    except OutOfMemoryMeasuring as error:
        raise TrainingError(
            f"Out of memory while measuring {error}",
            "Long clips of the dev sets take the most: --set data.maximum_s=... leaves them out, or give a shorter one "
            "to that split",
        ) from None
    except (MemoryError, RuntimeError, OutOfMemory) as error:
        if not _is_out_of_memory(error):
            raise
        batch = f" on a batch of {error}" if isinstance(error, OutOfMemory) else ""
        seconds, accumulated = settings.batch_seconds, settings.gradient_accumulation_steps
        raise TrainingError(
            f"Out of memory{batch} (trainer.batch_seconds = {seconds:g})",
            f"The same learning in less memory: --set trainer.batch_seconds={seconds / 2:g} "
            f"--set trainer.gradient_accumulation_steps={2 * accumulated}; "
            "also --set trainer.gradient_checkpointing=true, or a smaller data.maximum_s",
        ) from None


class DurationTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose training batches hold a number of seconds instead of a number of clips."""

    batch_seconds = 60.0
    frame_wise = False
    """Whether the first logits are those of a CTC head."""
    blank = 0
    encoder_learning_rate = 0.0

    def get_train_dataloader(self) -> torch.utils.data.DataLoader[Any]:
        """Batches of clips of similar length."""
        dataset: Any = self.train_dataset
        workers = self.args.dataloader_num_workers
        options: dict[str, Any] = {
            "collate_fn": self.data_collator,
            "num_workers": workers,
            "persistent_workers": workers > 0,
        }
        if isinstance(dataset, StreamDataset):
            return torch.utils.data.DataLoader(dataset, batch_size=None, **options)
        durations = [dataset.preparation.seconds(clip) for clip in dataset.clips]
        # every process takes its share of the clips of a batch, so the Accelerator has nothing left to deal out; the
        # Trainer moves the tensors itself
        batches = DurationBatches(
            durations, self.batch_seconds, self.args.seed, part=self.args.process_index, parts=self.args.world_size
        )
        return torch.utils.data.DataLoader(dataset, batch_sampler=batches, worker_init_fn=own_draws, **options)

    def create_optimizer(self) -> torch.optim.Optimizer:
        """As the Trainer's, with a learning rate of its own for the encoder if there is one."""
        if self.optimizer is None and self.encoder_learning_rate:
            model: Any = self.model
            decaying = set(self.get_decay_parameter_names(model))
            prefix = f"{encoder_of(model)[0]}."
            groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    groups.setdefault((name.startswith(prefix), name in decaying), []).append(parameter)
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = kind(
                [
                    {
                        "params": parameters,
                        "weight_decay": self.args.weight_decay if decays else 0.0,
                        **({"lr": self.encoder_learning_rate} if in_encoder else {}),
                    }
                    for (in_encoder, decays), parameters in groups.items()
                ],
                **options,
            )
        optimizer: torch.optim.Optimizer = super().create_optimizer()
        return optimizer

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As the Trainer's, but a batch that does not fit into memory is named, with what to try."""
        try:
            loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise OutOfMemory(self._described(inputs)) from None
        return loss

    def _described(self, inputs: Any) -> str:
        """A batch in words."""
        collator: Any = self.data_collator
        rows, length = inputs[collator.input_name].shape[:2]
        return f"{rows} clips, {length} {collator.unit} each with their padding"

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """As the Trainer's, without its pickle of settings: `training.json` says more."""
        super()._save(output_dir, state_dict)
        Path(output_dir or str(self.args.output_dir), "training_args.bin").unlink(missing_ok=True)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """As the Trainer's, but of equals the later is the best: it has heard more, and a small dev set is full marks
        long before all is learnt that helps with strangers."""
        figure = metrics.get(str(self.args.metric_for_best_model))
        if figure is not None and figure == self.state.best_metric:
            self.state.best_metric = None
        best: bool = super()._determine_best_metric(metrics, trial)
        return best

    def prediction_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer's, but frames of padding say nothing: they are no part of the clip."""
        try:
            step: tuple[Any, Any, Any] = super().prediction_step(model, inputs, *args, **kwargs)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            raise OutOfMemoryMeasuring(self._described(inputs)) from None
        loss, logits, labels = step
        mask = inputs.get("attention_mask")
        if mask is None or not self.frame_wise or logits is None:
            return loss, logits, labels
        frames, *others = logits if isinstance(logits, tuple) else (logits,)
        silence_padding(frames, frame_lengths(model, mask, frames.shape[1]), self.blank)
        return loss, (frames, *others) if others else frames, labels


def build_trainer(
    task: Task,
    config: TrainConfig,
    model: Any,
    datasets: dict[str, Any],
    vocabulary: tuple[str, ...],
    blank: int,
    best: str,
    output: Path,
) -> Trainer:
    """A Trainer that is ready to run.

    Args:
        task: what is trained.
        config: the resolved recipe.
        model: to train.
        datasets: "train" (a SpeechDataset or a StreamDataset), and each dev set by its name.
        vocabulary: tokens by id, as `training.vocabulary.canonical` gives them.
        blank: id of the CTC blank.
        best: the figure that chooses the best checkpoint.
        output: the run's folder.

    Raises:
        ConfigError: Transformers does not take the recipe's settings.
    """
    settings = config.trainer
    trainer = DurationTrainer(
        model=model,
        args=_arguments(task, settings, best, output),
        data_collator=_collator(task, model, datasets["train"].preparation.features),
        train_dataset=datasets["train"],
        eval_dataset={name: dataset for name, dataset in datasets.items() if name != "train"},
        compute_metrics=lambda prediction: _figures(task, prediction, vocabulary, blank),
        preprocess_logits_for_metrics=_reduce,
        callbacks=_callbacks(settings),
    )
    trainer.remove_callback(PrinterCallback)  # Progress says it in words
    trainer.batch_seconds = settings.batch_seconds
    trainer.encoder_learning_rate = settings.encoder_learning_rate
    trainer.frame_wise, trainer.blank = task != "intent", blank
    return trainer


@dataclass(frozen=True)
class Measured:
    """What a model does on some sets."""

    figures: dict[str, dict[str, float]]
    """Set -> "loss", "wer", "accuracy", ... -> value."""
    intents: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
    """Set -> true and predicted labels of its clips; none for "ctc"."""


def measure_sets(task: Task, trainer: Trainer, sets: Mapping[str, Any]) -> Measured:
    """Runs every set through the trainer's model."""
    measured = Measured({}, {})
    for name, dataset in sets.items():
        result: Any = trainer.predict(dataset, metric_key_prefix="eval")
        kept = {key.removeprefix("eval_"): value for key, value in result.metrics.items()}
        measured.figures[name] = {key: kept[key] for key in ("loss", "wer", "cer", "accuracy", "f1") if key in kept}
        if task == "intent":
            measured.intents[name] = result.label_ids, result.predictions
        elif task == "joint":
            measured.intents[name] = result.label_ids[1], result.predictions[1]
    return measured


def precision(wanted: str) -> str:
    """The precision to multiply in: what is wanted, or for "auto" bf16 where the device has it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"  # noqa: SLF001 - nothing public tells


def silence_padding(logits: torch.Tensor, lengths: torch.Tensor, blank: int) -> None:
    """Makes the blank the best token of every frame beyond a row's length, in place: [rows, frames, vocabulary]."""
    beyond = torch.arange(logits.shape[1], device=logits.device)[None, :] >= lengths[:, None]
    logits[beyond] = torch.nn.functional.one_hot(torch.tensor(blank), logits.shape[-1]).to(logits)


def _arguments(task: Task, settings: TrainerConfig, best: str, output: Path) -> TrainingArguments:
    try:
        return TrainingArguments(
            output_dir=str(output),
            max_steps=-1 if settings.epochs else settings.max_steps,
            num_train_epochs=settings.epochs or 1.0,
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            learning_rate=settings.learning_rate,
            warmup_steps=0 if settings.warmup_ratio else settings.warmup_steps,
            warmup_ratio=settings.warmup_ratio,
            lr_scheduler_type=settings.lr_scheduler_type,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm,
            adam_beta2=settings.adam_beta2,
            eval_strategy="epoch" if settings.evaluate_by_epoch else "steps",
            eval_steps=settings.evaluate_every,
            save_strategy="epoch" if settings.evaluate_by_epoch else "steps",
            save_steps=settings.evaluate_every,
            save_total_limit=settings.save_total_limit,
            load_best_model_at_end=True,
            metric_for_best_model=best,
            greater_is_better=best.endswith(("accuracy", "f1")),
            per_device_eval_batch_size=EVALUATED_CLIPS,
            logging_steps=min(50, settings.evaluate_every),
            bf16=precision(settings.precision) == "bf16",
            fp16=precision(settings.precision) == "fp16",
            gradient_checkpointing=settings.gradient_checkpointing,
            use_cpu=not torch.cuda.is_available(),
            ddp_backend="gloo" if _several_processes() and not torch.cuda.is_available() else None,
            dataloader_num_workers=_workers(settings.workers),
            remove_unused_columns=False,
            label_names=["labels", "intent_labels"] if task == "joint" else ["labels"],
            report_to="tensorboard" if _has_tensorboard() else "none",
            logging_dir=str(output / "tensorboard"),
            seed=settings.seed,
            disable_tqdm=True,
            ignore_data_skip=True,  # a resumed run draws new random batches instead of decoding all it has seen
        )
    except ValueError as error:
        raise ConfigError(
            f"The recipe's trainer does not fit: {str(error).splitlines()[0]}", "See training/config.py for every key"
        ) from None


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether a device's memory, or the machine's, is exhausted; PyTorch has a class of its own for the first only."""
    kinds = (MemoryError, OutOfMemory, torch.OutOfMemoryError)
    return isinstance(error, kinds) or any(said in str(error) for said in ("can't allocate memory", "out of memory"))


def _workers(wanted: int) -> int:
    """Processes that prepare batches; see `training.config.TrainerConfig.workers`."""
    if wanted >= 0:
        return wanted
    return min(8, (os.cpu_count() or 2) - 1) if torch.cuda.is_available() else 0


def _several_processes() -> bool:
    """Whether torchrun or accelerate started this one among others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _has_tensorboard() -> bool:
    return importlib.util.find_spec("tensorboard") is not None


def _callbacks(settings: TrainerConfig) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [SkipBadGradients(), FreshBatches(), Progress()]
    if settings.average_decay:
        callbacks.append(WeightAverage(settings.average_decay))
    if settings.early_stopping:
        callbacks.append(EarlyStoppingCallback(settings.early_stopping))
    return callbacks


def _collator(task: Task, model: Any, features: Features) -> Collator:
    encoder = getattr(model, "encoder", model) if task == "joint" else model
    # group-norm checkpoints (wav2vec2-base, HuBERT-base) were pretrained on zero-padded audio without a mask
    grouped = getattr(encoder.config, "feat_extract_norm", "") == "group"
    masked = "attention_mask" in inspect.signature(model.forward).parameters and not grouped
    return Collator(features.input_name, pass_mask=masked, intent_key="intent_labels" if task == "joint" else "labels")


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
