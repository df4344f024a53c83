"""A trained checkpoint, loaded to be used: weights, features, vocabulary and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForAudioClassification, AutoModelForCTC

from edgevoice.asr import ctc
from edgevoice.asr.bundle import FeatureSettings
from edgevoice.asr.model import Encoding, log_softmax
from edgevoice.errors import ModelError
from training.attention import use_fast_relative_key
from training.checkpoint import load_features, load_tokenizer
from training.chunked import Chunking, hear_in_chunks
from training.config import RECORD
from training.features import Features
from training.folders import beside
from training.models import JointConfig, JointModel, pretrained, read_config
from training.vocabulary import canonical

Task = Literal["ctc", "intent", "joint"]


@dataclass(frozen=True)
class Checkpoint:
    """A model and all it takes to use it."""

    name: str
    task: Task
    model: Any
    """The PyTorch model."""
    features: FeatureSettings
    vocabulary: tuple[str, ...]
    blank: int
    labels: tuple[str, ...]
    chunking: Chunking | None = None
    """How it hears in chunks, if it was trained for streaming."""

    @property
    def encoder_config(self) -> Any:
        """The Transformers configuration of the encoder."""
        return self.model.encoder.config if self.task == "joint" else self.model.config

    @cached_property
    def compute(self) -> Features:
        """Computes the model's input."""
        return Features(self.features)

    def encode(self, samples: npt.NDArray[np.float32]) -> Encoding:
        """What the model makes of mono samples at 16 kHz, in the runtime's terms."""
        inputs = torch.from_numpy(self.compute(samples))[None]
        with torch.no_grad():
            output = self.model(**{self.compute.input_name: inputs})
        if self.task == "joint":
            return Encoding(log_softmax(output.ctc_logits[0].numpy()), output.intent_logits[0].numpy())
        logits = output.logits[0].numpy()
        return Encoding(log_softmax(logits), None) if self.task == "ctc" else Encoding(None, logits)

    def text(self, encoding: Encoding) -> str:
        """The words of an encoding; "" without a CTC head."""
        return "" if encoding.log_probs is None else ctc.text(encoding.log_probs, self.vocabulary, self.blank)


def load_checkpoint(name: str) -> Checkpoint:
    """Loads a folder or hub id, safetensors only, in evaluation mode and with eager attention, which exports well.

    Raises:
        ModelError: it is not there, lacks a part, or has neither a CTC nor a classification head.
    """
    config = read_config(name)
    task = _task(name, config)
    if task == "joint":
        model = pretrained(JointModel, name, resized=False)
        model.encoder.config._attn_implementation = "eager"  # noqa: SLF001 - an encoder inside is not asked for it
    else:
        auto = AutoModelForCTC if task == "ctc" else AutoModelForAudioClassification
        model = pretrained(auto, name, resized=False, attn_implementation="eager")
    use_fast_relative_key(model)
    features = load_features(name)
    chunking = hear_in_chunks(model, features)
    vocabulary, blank = _vocabulary(name, model.config.vocab_size) if task != "intent" else ((), 0)
    labels = tuple(model.config.id2label[i] for i in sorted(model.config.id2label)) if task != "ctc" else ()
    return Checkpoint(name, task, model.eval().to(torch.float32), features, vocabulary, blank, labels, chunking)


def _vocabulary(name: str, size: int) -> tuple[tuple[str, ...], int]:
    """The tokens that a head of that size can put out, and the blank. Tokenizers of the hub often have "<s>" and "</s>"
    added behind the vocabulary that the head was trained for; a head may also be rounded up."""
    vocabulary, blank = canonical(load_tokenizer(name))
    return (*vocabulary, *("",) * size)[:size], blank


def training_record(name: str) -> dict[str, Any]:
    """The resolved recipe beside the weights, if `edgevoice train` wrote one."""
    import json

    file = beside(Path(name), RECORD) / RECORD
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _task(name: str, config: Any) -> Task:
    if isinstance(config, JointConfig):
        return "joint"
    head = (config.architectures or [""])[0]
    if head.endswith("ForCTC"):
        return "ctc"
    if head.endswith(("ForSequenceClassification", "ForAudioClassification")):
        return "intent"
    raise ModelError(
        f"The checkpoint '{name}' is a {head or config.model_type}, without a CTC or intent head",
        "Give it one with 'edgevoice train ctc', 'intent' or 'joint' and --model",
    )
