"""One training run, in stages: read the data, make the vocabulary, build the model, optimise, save."""

from __future__ import annotations

import dataclasses
import filecmp
import itertools
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import set_seed

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.errors import ConfigError, ModelError, UsageError
from training import calibrate
from training.attention import use_fast_relative_key
from training.checkpoint import causal, check_start, load_features, load_tokenizer, measure, save_features
from training.chunked import hear_in_chunks
from training.config import RECORD, ModelConfig, Task, TrainConfig, save_config
from training.corpus import Corpus, Room, intent_labels, read_corpus, with_known_intents, with_room_for_text
from training.dataset import NoiseLibrary, Preparation, SpeechDataset
from training.decoded import DecodedClips, load_audio
from training.features import Features, complete
from training.folders import check_own
from training.manifest import read_manifest
from training.models import build_model
from training.report import Outcome, write_report
from training.streaming import UNKNOWN, StreamDataset
from training.trainer import build_trainer, measure_sets, memory_explained
from training.vocabulary import build_tokenizer, canonical, spell
from training.warm_start import checkpoint_folder

logger = logging.getLogger(__name__)

METRICS = "metrics.json"
"""The figures of a run, which are written when it ends."""


@dataclass(frozen=True)
class Prepared:
    """A run before its first step: everything is read and fits together, and nothing is written."""

    task: Task
    config: TrainConfig
    """Resolved: its features are those that the model takes."""
    corpus: Corpus
    labels: list[str]
    tokenizer: Any
    datasets: Mapping[str, Any]
    test: Mapping[str, Any]
    """Set -> what is measured once, at the end."""
    trainer: Any
    last: Path | None
    """The checkpoint that the run goes on from."""


def train(task: Task, config: TrainConfig, output: Path) -> dict[str, float]:
    """Runs a training to its end, continuing from the last checkpoint in `output` if there is one.

    Returns:
        The figures of the best checkpoint, which lies in `output` itself: "eval_SET_FIGURE" on the dev sets, and
        "test_SET_FIGURE" where there are clips of that split.
    """
    with prepared(task, config, output) as run:
        return _carry_out(run, config.model.checkpoint, output)


@contextmanager
def prepared(task: Task, config: TrainConfig, output: Path) -> Iterator[Prepared]:
    """Everything of a run but its steps.

    Raises:
        EdgeVoiceError: data, model and recipe do not fit together.
    """
    if os.environ.get("RANK", "0") == "0":  # of several processes one writes, and may have begun to
        check_own(output, RECORD, "run of 'edgevoice train'")
    if config.model.checkpoint:
        check_start(config.model.checkpoint)  # before data are fetched and read
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = checkpoint_folder(config.model.checkpoint, Path(scratch))
        yield _prepare(task, config, dataclasses.replace(config.model, checkpoint=unpacked), output)


def _prepare(task: Task, config: TrainConfig, start: ModelConfig, output: Path) -> Prepared:
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
        label_smoothing=config.trainer.label_smoothing,
    )
    use_fast_relative_key(model)
    hear_in_chunks(model, features, start.streaming)
    compute = Features(features)
    logger.info("%.2f M parameters", sum(p.numel() for p in model.parameters()) / 1e6)
    if tokenizer is not None:
        corpus = with_room_for_text(corpus, tokenizer, model, compute)
    if corpus.stream:
        logger.info("training on %s as it is read", corpus.stream.name)
    else:
        logger.info("training on %d clips, left out: %s", len(corpus.train), corpus.left_out or "none")
    preparation = Preparation(
        features=compute,
        tokenizer=tokenizer,
        labels={name: index for index, name in enumerate(labels)} if task != "ctc" else None,
        missing_intent=config.data.missing_intent,
        crop=config.data.crop,
    )
    datasets = _datasets(config, preparation, corpus, Room(tokenizer, model, compute))
    nothing_kept = DecodedClips(())  # of what is heard only once
    test = {name: SpeechDataset(clips, preparation, nothing_kept) for name, clips in corpus.test.items()}
    last = last_checkpoint(output)
    if last:
        _check_same_model(last, model, vocabulary, labels)
    trainer = build_trainer(task, resolved, model, datasets, vocabulary, blank, best, output)
    return Prepared(task, resolved, corpus, labels, tokenizer, datasets, test, trainer, last)


def _carry_out(run: Prepared, base: str, output: Path) -> dict[str, float]:
    trainer, config, corpus = run.trainer, run.config, run.corpus
    # nothing is written before everything is known to fit together, and by one process only
    if trainer.is_world_process_zero():
        output.mkdir(parents=True, exist_ok=True)
        save_config(config, run.task, output)
        save_features(config.model.features, output)
        if run.tokenizer is not None:
            run.tokenizer.save_pretrained(output)
    with memory_explained(config.trainer):
        trainer.train(resume_from_checkpoint=str(run.last) if run.last else None)
    if corpus.stream and not trainer.state.global_step:
        left_out = run.datasets["train"].tally.left_out
        raise ConfigError(f"No clip of {corpus.stream.name} can be trained on ({left_out or 'there is none'})")
    if trainer.is_world_process_zero():
        save_whole(trainer.model, output)
    if corpus.stream:
        _warn_of_unknown(run.datasets["train"].tally.left_out.get(UNKNOWN, 0), corpus)
    with memory_explained(config.trainer):
        measured = measure_sets(run.task, trainer, trainer.eval_dataset)
        if run.test:
            logger.info("measuring %d clips of the split 'test'", sum(map(len, run.test.values())))
        judged = measure_sets(run.task, trainer, run.test)
    figures = {
        f"{prefix}_{name}_{key}": value
        for prefix, sets in (("eval", measured), ("test", judged))
        for name, row in sets.figures.items()
        for key, value in row.items()
    }
    if not trainer.is_world_process_zero():
        return figures
    (output / METRICS).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    outcome = Outcome(
        task=run.task,
        config=config,
        base=base,
        labels=tuple(run.labels),
        parameters=sum(p.numel() for p in trainer.model.parameters()),
        trained_on=_by_dataset(corpus, run.datasets["train"]),
        left_out={**corpus.left_out, **(run.datasets["train"].tally.left_out if corpus.stream else {})},
        history=trainer.state.log_history,
        steps=trainer.state.global_step,
        figures=measured.figures,
        intents=measured.intents,
        judged=judged.figures,
    )
    write_report(outcome, output)
    return figures


def _warn_of_unknown(count: int, corpus: Corpus) -> None:
    """Says what a stream has left out because nobody knew its intents beforehand."""
    if count:
        logger.warning(
            "%d clips were left out, since their intents were not among the rows that were looked through; known "
            "are %s. Leave out --stream-data, or choose data whose labels are listed (a ClassLabel)",
            count,
            ", ".join(sorted(corpus.intents)),
        )


def save_whole(model: Any, folder: Path) -> None:
    """Writes a model's configuration and weights so that the folder never holds half of them: whoever is killed while
    writing leaves what was there before. The calibration of other weights goes with them."""
    for left in folder.glob(".saving-*"):  # by one that was killed meanwhile
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
        model.save_pretrained(scratch)
        # configuration first: weights without it would be refused, and the old ones fit the same run
        files = sorted(Path(scratch).iterdir(), key=lambda each: each.suffix == ".safetensors")
        if any(file.suffix == ".safetensors" and not _same(file, folder / file.name) for file in files):
            (folder / calibrate.FILE).unlink(missing_ok=True)
        for file in files:
            file.replace(folder / file.name)


def _same(file: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(file, other, shallow=False)


def _by_dataset(corpus: Corpus, trained: Any) -> dict[str, tuple[int, float]]:
    """Data set -> training clips and hours; of a stream, as often as they were heard."""
    if corpus.stream:
        return {f"{corpus.stream.name}, streamed in this sitting": trained.tally.trained_on}
    found: dict[str, tuple[int, float]] = {}
    for clip in corpus.train:
        count, hours = found.get(clip.dataset, (0, 0.0))
        found[clip.dataset] = count + 1, hours + clip.duration_s / 3600
    return found


def _features(config: TrainConfig, start: ModelConfig, corpus: Corpus) -> FeatureSettings:
    if start.checkpoint:
        settings = load_features(start.checkpoint)
    else:
        settings = complete(start.features, str(start.encoder.get("model_type", "")))
    if start.streaming:
        settings = causal(settings)
    known = corpus.train or [clip for clips in corpus.dev.values() for clip in clips]
    return measure(settings, known, seed=config.trainer.seed)


def _tokenizer(task: Task, config: TrainConfig, start: ModelConfig, corpus: Corpus, scratch: Path) -> Any:
    """The checkpoint's own, if it has one (a model that was only pretrained has none), or one for these texts."""
    if task == "intent":
        return None
    texts = corpus.texts
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


def _datasets(config: TrainConfig, preparation: Preparation, corpus: Corpus, room: Room) -> dict[str, Any]:
    """What is trained on, under "train", and each dev set by its name."""
    damaging = dataclasses.replace(
        preparation,
        augmentation=config.augmentation,
        noise=_noise(config.data.noise),
        lead_s=config.data.lead_s,
        cut_others=config.data.cut_others,
        tail_s=config.data.tail_s,
    )
    part, parts = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    seed = config.trainer.seed
    audio = DecodedClips(itertools.chain(corpus.train, *corpus.dev.values()))
    training: Any = SpeechDataset(corpus.train, damaging, audio, [seed, part])
    if corpus.stream:
        seconds = config.trainer.batch_seconds
        training = StreamDataset(
            corpus.stream, damaging, seconds=seconds, room=room, seed=[seed], part=part, parts=parts
        )
    return {"train": training, **{name: SpeechDataset(clips, preparation, audio) for name, clips in corpus.dev.items()}}


def _noise(manifest: str) -> NoiseLibrary:
    if not manifest:
        return NoiseLibrary()
    clips = read_manifest(Path(manifest))
    responses = tuple(load_audio(clip.path) for clip in clips if clip.split == "rir")
    return NoiseLibrary(tuple(load_audio(clip.path) for clip in clips if clip.split != "rir"), responses)


def last_checkpoint(output: Path) -> Path | None:
    """The newest checkpoint of a run that is whole; one that was being written when the process was killed is not."""
    found = [path for path in output.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    newest_first = sorted(found, key=lambda path: -int(path.name.removeprefix("checkpoint-")))
    return next((path for path in newest_first if _is_whole(path)), None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))  # it is written last
        for weights in checkpoint.glob("*.safetensors"):  # several where a model is larger than 5 GB
            with safe_open(weights, "pt"):
                pass
        return any(checkpoint.glob("*.safetensors"))
    except (OSError, ValueError, SafetensorError):
        return False


def _check_same_model(checkpoint: Path, model: Any, vocabulary: tuple[str, ...], labels: list[str]) -> None:
    """Raises UsageError where a run cannot go on, because its data or recipe now ask for another model."""
    stored = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    shapes: dict[str, tuple[int, ...]] = {}
    for file in checkpoint.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            shapes |= {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
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
