"""One training run, in stages: read the data, make the vocabulary, build the model, optimise, save."""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import set_seed

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.errors import ConfigError, ModelError, UsageError
from training import calibrate
from training.attention import use_fast_relative_key
from training.checkpoint import load_features, load_tokenizer, measure, save_features
from training.config import ModelConfig, Task, TrainConfig, save_config
from training.corpus import Corpus, intent_labels, read_corpus, with_known_intents, with_room_for_text
from training.dataset import AudioCache, NoiseLibrary, SpeechDataset, load_audio
from training.features import Features, complete
from training.manifest import read_manifest
from training.models import build_model
from training.report import Outcome, write_report
from training.trainer import build_trainer, measure_sets
from training.vocabulary import build_tokenizer, canonical, spell
from training.warm_start import checkpoint_folder

logger = logging.getLogger(__name__)


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
    labels = intent_labels(task, config.data, corpus)
    corpus = with_known_intents(task, corpus, {*labels, ""})
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
    compute = Features(features)
    logger.info("%.2f M parameters", sum(p.numel() for p in model.parameters()) / 1e6)
    if tokenizer is not None:
        corpus = with_room_for_text(corpus, tokenizer, model, compute)
    logger.info("training on %d clips, left out: %s", len(corpus.train), corpus.left_out or "none")
    datasets = _datasets(task, resolved, compute, corpus, tokenizer, labels)
    last = _last_checkpoint(output)
    if last:
        _check_same_model(last, model, vocabulary, labels)
    trainer = build_trainer(task, resolved, model, datasets, vocabulary, blank, best, output)
    # nothing is written before everything is known to fit together, and by one process only
    if trainer.is_world_process_zero():
        output.mkdir(parents=True, exist_ok=True)
        save_config(resolved, task, output)
        save_features(features, output)
        if tokenizer is not None:
            tokenizer.save_pretrained(output)
        (output / calibrate.FILE).unlink(missing_ok=True)  # it is that of other weights
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.save_model(str(output))
    measured = measure_sets(task, trainer)
    figures = {f"eval_{name}_{key}": value for name, row in measured.figures.items() for key, value in row.items()}
    if not trainer.is_world_process_zero():
        return figures
    (output / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    outcome = Outcome(
        task=task,
        config=resolved,
        base=config.model.checkpoint,
        labels=tuple(labels),
        parameters=sum(p.numel() for p in model.parameters()),
        trained_on=_by_dataset(corpus),
        left_out=corpus.left_out,
        history=trainer.state.log_history,
        steps=trainer.state.global_step,
        figures=measured.figures,
        intents=measured.intents,
    )
    write_report(outcome, output)
    return figures


def _by_dataset(corpus: Corpus) -> dict[str, tuple[int, float]]:
    """Data set -> training clips and hours."""
    found: dict[str, tuple[int, float]] = {}
    for clip in corpus.train:
        count, hours = found.get(clip.dataset, (0, 0.0))
        found[clip.dataset] = count + 1, hours + clip.duration_s / 3600
    return found


def _features(config: TrainConfig, start: ModelConfig, corpus: Corpus) -> FeatureSettings:
    if start.checkpoint:
        return load_features(start.checkpoint)
    settings = complete(start.features, str(start.encoder.get("model_type", "")))
    return measure(settings, corpus.train, seed=config.trainer.seed)


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


def _best_metric(task: Task, config: TrainConfig, corpus: Corpus) -> str:
    """What chooses the best checkpoint; the Trainer would miss it at the first evaluation only."""
    known = []
    for dataset, clips in corpus.dev.items():
        has_text = task != "intent" and any(clip.text for clip in clips)
        has_intent = task != "ctc" and (config.data.missing_intent or any(clip.intent for clip in clips))
        names = [*(("wer", "cer") if has_text else ()), *(("accuracy", "f1") if has_intent else ())]
        known += [f"eval_{dataset}_{name}" for name in names]
    best = config.trainer.best_metric or (known[0] if known else "")
    if best not in known:
        raise ConfigError(f"trainer.best_metric is '{best}', which is not measured", f"Choose from {', '.join(known)}")
    return best


def _datasets(
    task: Task, config: TrainConfig, compute: Features, corpus: Corpus, tokenizer: Any, labels: list[str]
) -> dict[str, SpeechDataset]:
    common: dict[str, Any] = {
        "features": compute,
        "tokenizer": tokenizer,
        "labels": {name: index for index, name in enumerate(labels)} if task != "ctc" else None,
        "missing_intent": config.data.missing_intent,
        "crop": config.data.crop,
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
