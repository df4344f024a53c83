"""Models to train: any Transformers checkpoint with a CTC or a classification head, and one encoder with both heads."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForAudioClassification,
    AutoModelForCTC,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.utils.generic import ModelOutput

from edgevoice.asr.bundle import MANIFEST_NAME, FeatureSettings
from edgevoice.asr.features import HOP
from edgevoice.errors import ConfigError, ModelError
from training.checkpoint import check_name, unreadable
from training.config import ModelConfig, Task

logger = logging.getLogger(__name__)

IGNORE = -100
"""Label of padding (CTC) and of clips without an intent."""


class JointConfig(PretrainedConfig):  # type: ignore[misc]
    """An encoder's configuration and the sizes of its two heads."""

    model_type = "edgevoice-joint"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        vocab_size: int = 32,
        classifier_size: int = 256,
        intent_weight: float = 0.5,
        label_smoothing: float = 0.05,
        pad_token_id: int = 0,
        **kwargs: Any,
    ) -> None:
        self.encoder = encoder or {"model_type": "wav2vec2-bert"}
        self.vocab_size = vocab_size
        self.classifier_size = classifier_size
        self.intent_weight = intent_weight
        self.label_smoothing = label_smoothing
        super().__init__(pad_token_id=pad_token_id, **kwargs)

    def encoder_config(self) -> PretrainedConfig:
        """The encoder's own configuration."""
        options = dict(self.encoder)
        return AutoConfig.for_model(options.pop("model_type"), **options)


@dataclass
class JointOutput(ModelOutput):  # type: ignore[misc]
    """Losses and logits of both heads."""

    loss: torch.Tensor | None = None
    ctc_logits: torch.Tensor | None = None
    """[batch, frames, vocabulary]"""
    intent_logits: torch.Tensor | None = None
    """[batch, labels]"""


class JointModel(PreTrainedModel):  # type: ignore[misc]
    """One encoder; a CTC head on every frame, and an intent head on the mean over frames of a projection."""

    config_class = JointConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True

    def __init__(self, config: JointConfig) -> None:
        super().__init__(config)
        encoder_config = config.encoder_config()
        self.encoder = AutoModel.from_config(encoder_config)
        self.main_input_name = self.encoder.main_input_name
        hidden = getattr(encoder_config, "output_hidden_size", None) or encoder_config.hidden_size
        self.dropout = nn.Dropout(getattr(encoder_config, "final_dropout", 0.0))
        self.ctc_head = nn.Linear(hidden, config.vocab_size)
        self.projector = nn.Linear(hidden, config.classifier_size)
        self.classifier = nn.Linear(config.classifier_size, config.num_labels)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear) and module in (self.ctc_head, self.projector, self.classifier):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)

    def forward(
        self,
        input_features: torch.Tensor | None = None,
        input_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        intent_labels: torch.Tensor | None = None,
    ) -> JointOutput:
        """Logits, and the weighted sum of CTC loss and cross-entropy when labels are given."""
        inputs = input_features if input_features is not None else input_values
        if inputs is None:
            raise ValueError("one of input_features and input_values is needed")
        hidden = self.dropout(self.encoder(inputs, attention_mask=attention_mask).last_hidden_state)
        ctc_logits = self.ctc_head(hidden)
        lengths = None if attention_mask is None else frame_lengths(self, attention_mask, hidden.shape[1])
        intent_logits = self.classifier(_masked_mean(nn.functional.gelu(self.projector(hidden)), lengths))
        loss = None
        if labels is not None:
            loss = ctc_loss(ctc_logits, labels, lengths, int(self.config.pad_token_id or 0))
        if intent_labels is not None:
            intent = _intent_loss(intent_logits, intent_labels, self.config.label_smoothing) * self.config.intent_weight
            loss = intent if loss is None else loss + intent
        return JointOutput(loss=loss, ctc_logits=ctc_logits, intent_logits=intent_logits)


AutoConfig.register("edgevoice-joint", JointConfig)
AutoModel.register(JointConfig, JointModel)


def frame_lengths(model: Any, attention_mask: torch.Tensor, frames: int) -> torch.Tensor:
    """Output frames of each row that are not padding: [rows], of at most `frames`."""
    lengths = attention_mask.sum(-1)
    encoder = getattr(model, "encoder", model)
    convert = getattr(encoder, "_get_feat_extract_output_lengths", None)
    if convert is not None:
        lengths = convert(lengths)
    return torch.clamp(lengths.long(), max=frames)


def ctc_loss(logits: torch.Tensor, labels: torch.Tensor, lengths: torch.Tensor | None, blank: int) -> torch.Tensor:
    """Mean CTC loss per target token, in float32. `labels` [batch, tokens] is padded with `IGNORE`; a row without any
    has no text that is known, and does not count."""
    spoken = (labels >= 0).any(dim=-1)
    if not bool(spoken.all()):
        if not bool(spoken.any()):
            return logits.sum() * 0.0
        logits, labels = logits[spoken], labels[spoken]
        lengths = None if lengths is None else lengths[spoken]
    log_probs = nn.functional.log_softmax(logits, dim=-1, dtype=torch.float32).transpose(0, 1)
    if lengths is None:
        lengths = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long)
    kept = labels >= 0
    with torch.autocast(device_type=logits.device.type, enabled=False):
        return nn.functional.ctc_loss(
            log_probs, labels.masked_select(kept), lengths, kept.sum(-1), blank=blank, zero_infinity=True
        )


def output_frames(model: Any, lengths: torch.Tensor) -> torch.Tensor:
    """Frames of the CTC head for inputs of these lengths: [clips]."""
    encoder = model.encoder if isinstance(model, JointModel) else model
    frames: torch.Tensor = encoder._get_feat_extract_output_lengths(lengths)  # noqa: SLF001 - all of the family have it
    return frames


def frame_samples(encoder_config: Any, features: FeatureSettings) -> int:
    """Samples (16 kHz) from one output frame of an encoder to the next."""
    adapted = 1
    if getattr(encoder_config, "add_adapter", False):
        adapted = int(encoder_config.adapter_stride**encoder_config.num_adapter_layers)
    if features.kind == "log_mel":
        return HOP * features.stride * adapted
    strides = math.prod(encoder_config.conv_stride)
    return adapted * (strides if features.kind == "waveform" else HOP * strides)


def build_model(
    task: Task,
    config: ModelConfig,
    *,
    vocabulary_size: int,
    blank: int,
    labels: list[str],
    intent_weight: float,
    label_smoothing: float = 0.05,
) -> Any:
    """The model a run trains, from a checkpoint or with random weights."""
    label_maps = {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}
    ctc = {
        "vocab_size": vocabulary_size,
        "pad_token_id": blank,
        "ctc_loss_reduction": "mean",
        "ctc_zero_infinity": True,
    }
    if task == "joint":
        sizes = {"vocab_size": vocabulary_size, "pad_token_id": blank}
        return _joint(config, sizes, label_maps, {"intent_weight": intent_weight, "label_smoothing": label_smoothing})
    options: dict[str, Any] = ctc if task == "ctc" else {**label_maps, "classifier_proj_size": config.classifier_size}
    auto: Any = AutoModelForCTC if task == "ctc" else AutoModelForAudioClassification
    source = read_config(config.checkpoint) if config.checkpoint else None
    if isinstance(source, JointConfig):
        options |= _regularisation(config, source.encoder_config())
        return _frozen(_one_head(auto, config.checkpoint, options), config)
    if source is not None:
        options |= _regularisation(config, source)
        return _frozen(pretrained(auto, config.checkpoint, **options), config)
    built = encoder_config(config, **options)
    if not takes(auto, built):
        raise _of_another_kind("The recipe's encoder", built, auto)
    return auto.from_config(built)


def _frozen(model: Any, config: ModelConfig) -> Any:
    """A model of which the convolutions that hear raw audio stay as they were pretrained, if that is wanted."""
    freeze = getattr(model.encoder if isinstance(model, JointModel) else model, "freeze_feature_encoder", None)
    if config.freeze_features and freeze is not None:
        freeze()
    return model


def _regularisation(config: ModelConfig, source: PretrainedConfig) -> dict[str, Any]:
    """What the recipe says of dropout and masking, as far as models of this type have it."""
    known = source.to_dict()
    for key in sorted(set(config.regularisation) - set(known)):
        logger.info("%s has no %s, which is left as it is", source.model_type, key)
    return {key: value for key, value in config.regularisation.items() if key in known}


def encoder_config(config: ModelConfig, **options: Any) -> PretrainedConfig:
    """The Transformers configuration of the recipe's `encoder` table.

    Raises:
        ConfigError: there is none, or its model type or a key is unknown, or it does not take these features.
    """
    encoder = dict(config.encoder)
    model_type = encoder.pop("model_type", None)
    if model_type is None:
        raise ConfigError(
            "There is nothing to train", "Name a checkpoint with --model or an [model.encoder] in --config"
        )
    try:
        unknown = set(encoder) - set(AutoConfig.for_model(model_type).to_dict())
        options |= _regularisation(config, AutoConfig.for_model(model_type))
        built = AutoConfig.for_model(model_type, **{**encoder, **options})
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"The encoder is not known: {str(error)[:120]}", "See training/configs for examples"
        ) from None
    if unknown:
        raise ConfigError(f"model.encoder has the unknown key '{min(unknown)}'", f"See Transformers' {model_type}")
    features = config.features
    given = features.mel_bins * features.stride if features.kind == "log_mel" else 0
    taken = getattr(built, "feature_projection_input_dim", 0)
    if features.kind != "extractor" and given != taken:
        sizes = " and ".join(f"{size} values a frame" if size else "raw audio" for size in (taken, given))
        raise ConfigError(
            f"The encoder and model.features do not fit: {sizes}",
            "Make model.encoder.feature_projection_input_dim equal to mel_bins times stride, "
            'or choose kind = "waveform" for a model of raw audio',
        )
    return built


def read_config(checkpoint: str) -> PretrainedConfig:
    """The Transformers configuration of a folder or hub id.

    Raises:
        ModelError: it is not there, or is of a kind that Transformers does not know.
    """
    check_name(checkpoint)
    try:
        if (Path(checkpoint) / MANIFEST_NAME).is_file():
            raise ModelError(
                f"'{checkpoint}' is a bundle, not a checkpoint",
                "Run it with 'edgevoice transcribe' or 'classify' and --model, or name the run that it was made from",
            )
        if Path(checkpoint).is_dir() and not (Path(checkpoint) / "config.json").is_file():
            raise FileNotFoundError("there is no such file")  # Transformers would guess a type from the folder's name
        config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:  # of JSON that is no object, too
        raise unreadable(checkpoint, "configuration (config.json)", error) from None
    check_harmless(f"The checkpoint '{checkpoint}'", vars(config))
    return config


def check_harmless(what: str, options: Mapping[str, Any]) -> None:
    """Raises ModelError for a configuration that names a repository of the hub as its attention: with the package
    `kernels` at hand, Transformers would fetch the program there and run it, whatever `trust_remote_code` says."""
    for key, value in options.items():
        if isinstance(value, Mapping):
            check_harmless(what, value)
        elif "attn_implementation" in str(key) and "/" in str(value):
            raise ModelError(f"{what} wants to run code of '{value}'", "Remove that line from its configuration")


def pretrained(auto: Any, checkpoint: str, *, resized: bool = True, **options: Any) -> Any:
    """A model with the weights of a folder or hub id, safetensors only.

    Args:
        auto: an Auto class of Transformers, or `JointModel`.
        checkpoint: folder or hub id.
        resized: give heads of another size than the checkpoint's random weights, to be trained.
        options: of the configuration.

    Raises:
        ModelError: the weights cannot be had or read, or the checkpoint is of another kind than `auto`.
    """
    config = read_config(checkpoint)
    if not takes(auto, config):
        raise _of_another_kind(f"The checkpoint '{checkpoint}'", config, auto)
    try:
        # Transformers must not offer to run code that lies beside the weights
        safe = {"use_safetensors": True, "trust_remote_code": False}
        return auto.from_pretrained(checkpoint, ignore_mismatched_sizes=resized, **safe, **options)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise unreadable(checkpoint, "weights (model.safetensors)", error) from None


def takes(auto: Any, config: PretrainedConfig) -> bool:
    """Whether an Auto class of Transformers knows a model of this configuration's type."""
    known: Any = getattr(auto, "_model_mapping", None)
    return known is None or type(config) in known


_HEADS: dict[str, tuple[Any, str]] = {
    "captions": (AutoModelForCTC, "ctc"),
    "intents": (AutoModelForAudioClassification, "intent"),
}
"""What a model can be trained for -> the Auto class, and the task of `edgevoice train`."""


def _of_another_kind(what: str, config: PretrainedConfig, auto: Any) -> ModelError:
    """What is said of a model that cannot have the head that is wanted: what it is, and which command takes it."""
    wanted = next(name for name, (each, _) in _HEADS.items() if each is auto)
    fitting = [f"'edgevoice train {task}'" for each, task in _HEADS.values() if takes(each, config)]
    said = f"{what} is a {config.model_type}, which cannot be trained for {wanted}"
    choose = "one of the Wav2Vec2 family"
    return ModelError(
        said, f"Use it with {' or '.join(fitting)}, or choose {choose}" if fitting else f"Choose {choose}"
    )


def _one_head(auto: Any, checkpoint: str, options: dict[str, Any]) -> Any:
    """A model of one head on the encoder of a joint checkpoint, with its CTC head where that fits."""
    joint = pretrained(JointModel, checkpoint)
    encoder = dict(joint.config.encoder)
    model = auto.from_config(AutoConfig.for_model(encoder.pop("model_type"), **{**encoder, **options}))
    encoder_of(model)[1].load_state_dict(joint.encoder.state_dict())
    _copy_head(joint.ctc_head, ctc_head_of(model))
    return model


def encoder_of(model: Any) -> tuple[str, nn.Module]:
    """The name and module of a model's encoder: the largest of its parts. What Transformers calls `base_model_prefix`
    names another attribute in some of the family."""
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    name = max(sizes, key=lambda each: sizes[each])
    return name, getattr(model, name)


def ctc_head_of(model: Any) -> nn.Linear | None:
    """The layer that gives a CTC model's logits, if it has one."""
    head: nn.Linear | None = getattr(model, "lm_head", getattr(model, "ctc_head", None))
    return head


def _copy_head(source: nn.Linear | None, target: nn.Linear | None) -> None:
    if source is not None and target is not None and source.weight.shape == target.weight.shape:
        target.load_state_dict(source.state_dict())


def _joint(
    config: ModelConfig, sizes: dict[str, Any], label_maps: dict[str, Any], loss: dict[str, float]
) -> JointModel:
    if not config.checkpoint:
        built = encoder_config(config)
        if not takes(AutoModelForCTC, built):
            raise _of_another_kind("The recipe's encoder", built, AutoModelForCTC)
        encoder = {"model_type": config.encoder.get("model_type"), **built.to_diff_dict()}
        return JointModel(_joint_config(encoder, config, sizes, label_maps, loss))
    source = check_joint(config.checkpoint)
    if isinstance(source, JointConfig):
        encoder = {**source.encoder, **_regularisation(config, source.encoder_config())}
        model = pretrained(JointModel, config.checkpoint, encoder=encoder, **sizes, **label_maps)
        model.config.update(loss)
        return _frozen(model, config)
    regularisation = _regularisation(config, source)
    encoder = {"model_type": source.model_type, **source.to_diff_dict(), **regularisation}
    model = JointModel(_joint_config(encoder, config, sizes, label_maps, loss))
    if (source.architectures or [""])[0].endswith("ForCTC"):
        trained = pretrained(AutoModelForCTC, config.checkpoint, **regularisation)
        model.encoder = encoder_of(trained)[1]
        _copy_head(ctc_head_of(trained), model.ctc_head)
    else:
        model.encoder = pretrained(AutoModel, config.checkpoint, **regularisation)
    return _frozen(model, config)


def check_joint(checkpoint: str) -> PretrainedConfig:
    """The configuration of a checkpoint that a joint model can go on from.

    Raises:
        ModelError: it has none, or its features have no length that captions could follow.
    """
    source = read_config(checkpoint)
    if not isinstance(source, JointConfig) and not takes(AutoModelForCTC, source):
        raise _of_another_kind(f"The checkpoint '{checkpoint}'", source, AutoModelForCTC)
    return source


def _joint_config(
    encoder: dict[str, Any],
    config: ModelConfig,
    sizes: dict[str, int],
    label_maps: dict[str, Any],
    loss: dict[str, float],
) -> JointConfig:
    options: dict[str, Any] = {**sizes, **loss, **label_maps}
    return JointConfig(encoder=encoder, classifier_size=config.classifier_size, **options)


def _masked_mean(hidden: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    if lengths is None:
        return hidden.mean(dim=1)
    mask = (torch.arange(hidden.shape[1], device=hidden.device)[None, :] < lengths[:, None]).unsqueeze(-1)
    return (hidden * mask).sum(dim=1) / lengths.clamp(min=1)[:, None]


def _intent_loss(logits: torch.Tensor, labels: torch.Tensor, smoothing: float) -> torch.Tensor:
    if not bool((labels != IGNORE).any()):
        return logits.sum() * 0.0
    return nn.functional.cross_entropy(logits.float(), labels, ignore_index=IGNORE, label_smoothing=smoothing)
