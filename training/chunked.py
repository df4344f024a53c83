"""Models that hear audio chunk by chunk: a frame sees its own chunk and a limited stretch before it, nothing after.

What such a model has computed never changes, so that live each frame is encoded once, from what is kept of the frames
before it (`export/step.py`). Chunks are sampled from several sizes in training, so that one model serves them all, as
in WeNet's U2 (Zhang et al. 2020, "Unified Streaming and Non-streaming Two-pass End-to-end Model for Speech
Recognition"). Wav2Vec2's positional convolution, which hears 1.26 s ahead, becomes a causal one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from edgevoice.asr.bundle import FeatureSettings
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ConfigError
from training.config import StreamingConfig
from training.models import encoder_of, frame_samples

STREAMABLE = ("wav2vec2", "wav2vec2-bert")
"""Encoders whose parts are causal, or can be made so."""
ACTIVATIONS = ("gelu", "relu", "silu", "swish")
"""Those that a step is exported with."""


@dataclass(frozen=True)
class Chunks:
    """How a model may be cut, in output frames of its encoder."""

    sizes: tuple[int, ...]
    """Frames of a chunk, shortest first; one is drawn for each batch in training."""
    left: int
    """Frames before its chunk that a frame sees."""

    @property
    def usual(self) -> int:
        """The size that is used where nothing is said: the one in the middle."""
        return self.sizes[len(self.sizes) // 2]


def chunks_of(config: StreamingConfig, frame_samples: int) -> Chunks:
    """A recipe's seconds in frames of so many samples."""
    frames = [max(1, round(seconds * SAMPLE_RATE / frame_samples)) for seconds in config.chunks_s]
    return Chunks(tuple(sorted(set(frames))), round(config.left_s * SAMPLE_RATE / frame_samples))


def hear_in_chunks(model: Any, features: FeatureSettings, wanted: StreamingConfig | None = None) -> Chunking | None:
    """Makes a model hear in chunks where the recipe wants it, or where it was trained so, as its configuration says.

    Raises:
        ConfigError: its encoder cannot be cut.
    """
    stored = getattr(model.config, "streaming", None)
    if wanted:
        chunks = chunks_of(wanted, frame_samples(encoder_of(model)[1].config, features))
    elif stored:
        chunks = Chunks(tuple(stored["sizes"]), stored["left"])
    else:
        return None
    if features.normalise == "utterance":
        raise ConfigError(
            "A model whose input is normalised over the whole recording cannot hear in chunks",
            'Choose model.features.normalise = "running", or train it with --streaming, which does',
        )
    model.config.streaming = {"sizes": list(chunks.sizes), "left": chunks.left}
    return Chunking(model, chunks)


class Chunking:
    """Makes an encoder hear in chunks. It adds a mask to the attention of every layer, and pads convolutions left.

    Args:
        model: one with a CTC or intent head or both, of a type in `STREAMABLE`.
        chunks: the sizes.

    Raises:
        ConfigError: the encoder cannot be cut.
    """

    def __init__(self, model: nn.Module, chunks: Chunks) -> None:
        encoder: Any = encoder_of(model)[1]
        check_streamable(encoder.config)
        self.chunks = chunks
        self.size = chunks.usual
        """Frames of a chunk outside of training."""
        self._now = self.size
        encoder.register_forward_pre_hook(self._draw)
        for layer in encoder.encoder.layers:
            layer.register_forward_pre_hook(self._add_mask, with_kwargs=True)
        positions = getattr(encoder.encoder, "pos_conv_embed", None)
        if positions is not None:
            positions.conv.padding = (0,)
            positions.padding.num_pad_remove = 0
            positions.conv.register_forward_pre_hook(_pad_left)

    def _draw(self, encoder: nn.Module, _: Any) -> None:
        sizes = self.chunks.sizes
        self._now = sizes[int(torch.randint(len(sizes), ()))] if encoder.training else self.size

    def _add_mask(self, _: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        hidden = arguments[0] if arguments else named["hidden_states"]
        mask = chunk_mask(hidden.shape[1], self._now, self.chunks.left, hidden)
        padding = named.get("attention_mask")
        return arguments, {**named, "attention_mask": mask if padding is None else torch.minimum(padding, mask)}


def chunk_mask(frames: int, size: int, left: int, like: torch.Tensor) -> torch.Tensor:
    """What is added to attention scores, 0 or the smallest number: [1, 1, frames, frames], of the type of `like`."""
    places = torch.arange(frames, device=like.device)
    begins = places // size * size
    seen = (places[None, :] < begins[:, None] + size) & (places[None, :] >= begins[:, None] - left)
    mask = torch.zeros(frames, frames, dtype=like.dtype, device=like.device)
    return mask.masked_fill(~seen, torch.finfo(like.dtype).min)[None, None]


def check_streamable(config: Any) -> None:
    """Raises ConfigError for an encoder that must hear a whole recording at once."""
    if config.model_type not in STREAMABLE:
        raise ConfigError(
            f"A {config.model_type} cannot be trained for streaming", f"Choose one of {', '.join(STREAMABLE)}"
        )
    if config.model_type == "wav2vec2" and config.feat_extract_norm != "layer":
        raise ConfigError(
            "This Wav2Vec2 cannot be trained for streaming: its convolutions are normalised over the whole recording",
            'Choose one with feat_extract_norm = "layer", such as facebook/wav2vec2-large-lv60 or wav2vec2-xls-r-300m',
        )
    if config.model_type == "wav2vec2-bert" and config.position_embeddings_type not in ("relative_key", None):
        raise ConfigError(
            f"Positions of the kind '{config.position_embeddings_type}' depend on the whole recording",
            'Choose position_embeddings_type = "relative_key"',
        )
    for key in ("hidden_act", "feat_extract_activation"):
        if getattr(config, key, "gelu") not in ACTIVATIONS:
            raise ConfigError(
                f"{key} is '{getattr(config, key)}', which cannot be exported for streaming",
                f"Choose one of {', '.join(ACTIVATIONS)}",
            )
    if getattr(config, "add_adapter", False):
        raise ConfigError("A model with an adapter cannot be trained for streaming", "Leave out add_adapter")


def _pad_left(conv: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (nn.functional.pad(arguments[0], (conv.kernel_size[0] - 1, 0)), *arguments[1:])
