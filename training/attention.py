"""A faster way to compute Wav2Vec2-BERT's "relative_key" attention, with the same weights and the same numbers.

Transformers looks up an embedding for every pair of frames, [frames, frames, head size], and multiplies each query by
it. There are only left + right + 1 (73) different embeddings, so it is enough to multiply each query by those and pick
the right product for every pair. That saves the memory of the lookup, and the exported
graph does not carry it either.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers.models.wav2vec2_bert.modeling_wav2vec2_bert import Wav2Vec2BertSelfAttention


def use_fast_relative_key(model: torch.nn.Module) -> None:
    """Replaces the forward of every relative_key attention in a model."""
    for module in model.modules():
        if isinstance(module, Wav2Vec2BertSelfAttention) and module.position_embeddings_type == "relative_key":
            module.forward = _Forward(module)  # type: ignore[method-assign, assignment]


class _Forward:
    """Bound forward of one attention module; an object instead of a closure, so that the model can be pickled."""

    def __init__(self, module: Wav2Vec2BertSelfAttention) -> None:
        self.module = module

    def __call__(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        relative_position_embeddings: torch.Tensor | None = None,
        output_attentions: bool = False,  # noqa: FBT001, FBT002 - the signature is Transformers'
    ) -> tuple[torch.Tensor, Any]:
        module = self.module
        batch = hidden_states.shape[0]
        query, key, value = (
            linear(hidden_states).view(batch, -1, module.num_heads, module.head_size).transpose(1, 2)
            for linear in (module.linear_q, module.linear_k, module.linear_v)
        )
        # scaling the query once is cheaper than scaling [frames, frames] scores
        query = query * (1.0 / math.sqrt(module.head_size))
        scores = torch.matmul(query, key.transpose(-2, -1)) + relative_scores(query, module)
        if attention_mask is not None:
            scores = scores + attention_mask
        weights = module.dropout(torch.softmax(scores, dim=-1))
        mixed = (
            torch.matmul(weights.to(value.dtype), value)
            .transpose(1, 2)
            .reshape(batch, -1, value.shape[1] * value.shape[3])
        )
        return module.linear_out(mixed), weights


def relative_scores(query: torch.Tensor, module: Wav2Vec2BertSelfAttention) -> torch.Tensor:
    """The part of the scores that depends on distance: [batch, heads, frames, frames]."""
    left, right = module.left_max_position_embeddings, module.right_max_position_embeddings
    products = torch.matmul(query, module.distance_embedding.weight.to(query.dtype).T)  # [batch, heads, frames, 73]
    positions = torch.arange(query.shape[2], device=query.device)
    distance = torch.clamp(positions[None, :] - positions[:, None], -left, right) + left
    return torch.gather(products, -1, distance.expand(query.shape[0], query.shape[1], -1, -1))
