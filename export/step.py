"""A model that hears in chunks as one step of a stream: it takes what is new and what it remembers, and gives logits of
the new frames and what to remember. Each frame is encoded once; nothing is computed again.

The same graph decodes a whole recording, in one step with nothing to remember. What it remembers:

    frames   [batch]                          how many were heard before
    keys     [layers, batch, left, hidden]    of the frames before, the newest last; zeros where there were none
    values   [layers, batch, left, hidden]
    tails    [layers, batch, hidden, kernel]  the end of what each convolution over time heard; Wav2Vec2 has one
    pooled   [batch, width]                   the sum over frames of what the intent head takes the mean of
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Attention

from edgevoice.asr.steps import NEXT, SIZE
from export.onnx_configs import OPSET
from training.chunked import Chunking
from training.loading import Checkpoint
from training.models import ctc_head_of, encoder_of

STATE = ("frames", "keys", "values", "tails", "pooled")
"""Names of what is remembered, as inputs; as outputs they begin with `NEXT`."""


class Step(nn.Module):
    """One step of a checkpoint that hears in chunks. Until it is closed the checkpoint's model can do nothing else.

    Args:
        checkpoint: with a `chunking`.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model, self.task = checkpoint.model, checkpoint.task
        self.encoder: Any = encoder_of(checkpoint.model)[1]
        chunking = checkpoint.chunking
        assert chunking is not None
        self.chunking: Chunking = chunking
        self.left = chunking.chunks.left
        self._whole, chunking.mask = chunking.mask, self._mask
        layers: Any = self.encoder.encoder
        positions = getattr(layers, "pos_conv_embed", None)
        self._convolutions: list[Any] = [] if positions is None else [positions.conv]
        self._hooks: list[Any] = []
        self._changed: list[Any] = []
        for number, layer in enumerate(layers.layers):
            attention = getattr(layer, "self_attn", None) or layer.attention
            if isinstance(attention, Wav2Vec2Attention):
                attention.forward = _Forward(attention)  # type: ignore[method-assign, assignment]
                self._changed.append(attention)
            names = ("linear_k", "linear_v") if hasattr(attention, "linear_k") else ("k_proj", "v_proj")
            for what, name in zip(("keys", "values"), names, strict=True):
                hook = getattr(attention, name).register_forward_hook(partial(self._remember, what, number))
                self._hooks.append(hook)
            if hasattr(layer, "conv_module"):
                self._convolutions.append(layer.conv_module.depthwise_conv)
        for number, convolution in enumerate(self._convolutions):
            self._hooks.append(convolution.register_forward_pre_hook(partial(self._go_on, number)))
        self._before: dict[str, torch.Tensor] = {}
        self._after: dict[str, list[torch.Tensor]] = {}
        self.eval()  # the exporter gives a module back in the mode it had, and a new one is in that of training

    def close(self) -> None:
        """Gives the model back as it was."""
        for hook in self._hooks:
            hook.remove()
        for attention in self._changed:
            del attention.forward
        self.chunking.mask, self.chunking.size = self._whole, self.chunking.chunks.usual

    @property
    def heads(self) -> tuple[str, ...]:
        """ "ctc", "intent" or both, in the order of the outputs."""
        return ("ctc", "intent") if self.task == "joint" else (self.task,)

    def nothing(self, batch: int = 1) -> dict[str, torch.Tensor]:
        """What is remembered before anything was heard."""
        hidden, layers = self.encoder.config.hidden_size, len(self.encoder.encoder.layers)
        kernel = self._convolutions[0].kernel_size[0] - 1
        width = self.model.projector.out_features if "intent" in self.heads else 0
        return {
            "frames": torch.zeros(batch, dtype=torch.int64),
            "keys": torch.zeros(layers, batch, self.left, hidden),
            "values": torch.zeros(layers, batch, self.left, hidden),
            "tails": torch.zeros(len(self._convolutions), batch, hidden, kernel),
            **({"pooled": torch.zeros(batch, width)} if width else {}),
        }

    def forward(self, inputs: torch.Tensor, size: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Logits of each head, then what to remember.

        Args:
            inputs: what is new, as the encoder takes it; it begins where a chunk begins.
            size: frames of a chunk; a number.
            state: what is remembered, in the order of `nothing`.
        """
        self._before = dict(zip(STATE, state, strict=False))
        self._after = {"keys": [], "values": [], "tails": []}
        self.chunking.size = size
        hidden = self.encoder(inputs).last_hidden_state
        frames = self._before["frames"] + hidden.shape[1]
        logits, after = [], [frames, *(torch.stack(self._after[name]) for name in ("keys", "values", "tails"))]
        if "ctc" in self.heads:
            head = ctc_head_of(self.model)
            assert head is not None
            logits.append(head(hidden))
        if "intent" in self.heads:
            projected = self.model.projector(hidden)
            if self.task == "joint":
                projected = nn.functional.gelu(projected)
            pooled = self._before["pooled"] + projected.sum(dim=1)
            logits.append(self.model.classifier(pooled / frames[:, None].to(pooled.dtype)))
            after.append(pooled)
        return (*logits, *after)

    def _mask(self, hidden: torch.Tensor) -> torch.Tensor:
        """The frames that are remembered come before the new ones; as many of them count as were heard."""
        places = torch.arange(hidden.shape[1], device=hidden.device)
        begins = places // self.chunking.size * self.chunking.size
        keys = torch.arange(self.left + hidden.shape[1], device=hidden.device)  # the first new one is number `left`
        seen = (keys[None, :] < (begins + self.chunking.size + self.left)[:, None]) & (keys[None, :] >= begins[:, None])
        heard = keys[None, :] >= self.left - self._before["frames"][:, None]
        allowed = seen[None, None] & heard[:, None, None]
        return torch.zeros(allowed.shape, dtype=hidden.dtype).masked_fill(~allowed, torch.finfo(hidden.dtype).min)

    def _remember(self, what: str, layer: int, _: Any, __: Any, new: torch.Tensor) -> torch.Tensor:
        together = torch.cat([self._before[what][layer], new], dim=1)
        self._after[what].append(together[:, -self.left :])
        return together

    def _go_on(self, number: int, convolution: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        """The end of what was heard before, in place of the zeros that are put before the new frames."""
        kernel = convolution.kernel_size[0] - 1
        together = torch.cat([self._before["tails"][number], arguments[0][:, :, kernel:]], dim=2)
        self._after["tails"].append(together[:, :, -kernel:])
        return (together,)


class _Forward:
    """Wav2Vec2's attention with more keys than queries."""

    def __init__(self, module: Wav2Vec2Attention) -> None:
        self.module = module

    def __call__(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> tuple[Any, Any, Any]:
        module = self.module
        batch, frames, width = hidden_states.shape
        query, key, value = (
            linear(hidden_states).view(batch, -1, module.num_heads, module.head_dim).transpose(1, 2)
            for linear in (module.q_proj, module.k_proj, module.v_proj)
        )
        scores = torch.matmul(query * module.scaling, key.transpose(-2, -1)) + attention_mask
        mixed = torch.matmul(torch.softmax(scores, dim=-1), value).transpose(1, 2).reshape(batch, frames, width)
        return module.out_proj(mixed), None, None


def write(checkpoint: Checkpoint, file: Path) -> None:
    """Writes the graph of a checkpoint's step."""
    step = Step(checkpoint)
    with torch.no_grad(), closing(step):
        to_onnx(step, file)


def to_onnx(step: Step, file: Path) -> None:
    """Writes the graph of a step; batch and frames may be any number."""
    state = step.nothing(2)
    inputs = _noise(step)
    names = [step.model.main_input_name, SIZE, *state]
    axes: dict[str, dict[int, str]] = {names[0]: {0: "batch", 1: "time"}}
    for name in state:
        batch = 0 if state[name].ndim < 3 else 1
        axes |= {name: {batch: "batch"}, NEXT + name: {batch: "batch"}}
    outputs = [f"{head}_logits" for head in step.heads]
    axes |= {"ctc_logits": {0: "batch", 1: "new_frames"}, "intent_logits": {0: "batch"}}
    torch.onnx.export(
        step,
        (inputs, torch.tensor(step.chunking.chunks.usual), *state.values()),
        str(file),
        input_names=names,
        output_names=[*outputs, *(NEXT + name for name in state)],
        dynamic_axes={name: each for name, each in axes.items() if name in (*names, *outputs) or name.startswith(NEXT)},
        opset_version=OPSET,
        dynamo=False,
    )


def _noise(step: Step, frames: int = 23) -> torch.Tensor:
    """An input of so many frames, for two streams."""
    width = getattr(step.encoder.config, "feature_projection_input_dim", None)
    if width and step.model.main_input_name == "input_features":
        return torch.randn(2, frames, width)
    config = step.encoder.config
    length = frames
    for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
        length = (length - 1) * stride + kernel
    return torch.randn(2, length)
