"""Whisper's weights as CTranslate2 keeps them, read into Transformers' names: no package of theirs is needed.

The file is a list of tensors: version, kind of model, revision and how many; then name, rank, shape, type, bytes of
each; then aliases. Queries, keys and values of self-attention lie stacked in `self_attention/linear_0`, keys and values
of cross-attention in `attention/linear_1`; the bias of the keys, which Whisper has not, is zero.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.errors import ModelError

Array = npt.NDArray[Any]

_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_KIND = "WhisperSpec"
_STACKS = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": ("self_attn.out_proj",),
    "attention/linear_0": ("encoder_attn.q_proj",),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": ("encoder_attn.out_proj",),
    "ffn/linear_0": ("fc1",),
    "ffn/linear_1": ("fc2",),
}
"""Name in a layer -> Transformers' names of what is stacked there, first to last."""
_NORMS = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "ffn/layer_norm": "final_layer_norm",
}
_NORM_PARTS = {"gamma": "weight", "beta": "bias"}
_UNUSED = "alignment_heads"
"""Which of its heads tell the times of words; not a weight."""
_EMBEDDINGS = "model.decoder.embed_tokens.weight"
_WHOLE = {
    "embeddings/weight": "embed_tokens.weight",
    "position_encodings/encodings": "embed_positions.weight",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
    "conv1/weight": "conv1.weight",
    "conv1/bias": "conv1.bias",
    "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias",
}


def read_tensors(file: Path) -> dict[str, Array]:
    """Every tensor of a model by the name that it has there; scalars have no axes.

    Raises:
        ModelError: it is no such file, or of another kind of model.
    """
    try:
        return dict(_tensors(file.read_bytes()))
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise ModelError(f"{file} holds no weights of Whisper that can be read: {error}", "Fetch it again") from None


def _tensors(data: bytes) -> Iterator[tuple[str, Array]]:
    place = _Place(data)
    place.number("I")
    kind = place.text()
    if kind != _KIND:
        raise ValueError(f"it is a {kind}")
    place.number("I")
    for _ in range(place.number("I")):
        name = place.text()
        shape = [place.number("I") for _ in range(place.number("B"))]
        dtype = np.dtype(_TYPES[place.number("B")]).newbyteorder("<")
        yield name, np.frombuffer(place.take(place.number("I")), dtype).reshape(shape)


class _Place:
    """Where one is in a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self, code: str) -> int:
        """The unsigned number there, of a width as `struct` names it."""
        return int(struct.unpack("<" + code, self.take(struct.calcsize(code)))[0])

    def text(self) -> str:
        """The text there: its length in two bytes, and a zero at its end."""
        return self.take(self.number("H")).rstrip(b"\0").decode("ascii")

    def take(self, count: int) -> bytes:
        """So many bytes."""
        taken = self._data[self._position : self._position + count]
        if len(taken) < count:
            raise ValueError("it breaks off")
        self._position += count
        return taken


def whisper_state(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The weights under the names of `WhisperForConditionalGeneration`.

    Raises:
        ModelError: a tensor has no place there, or a bias that Whisper has not is not zero.
    """
    state: dict[str, Array] = {}
    for name, tensor in tensors.items():
        if tensor.ndim and not name.endswith(_UNUSED):
            state.update(_renamed(name, tensor))
    if _EMBEDDINGS not in state:
        raise ModelError("There are no embeddings among the weights", "Use weights of Whisper")
    return {**state, "proj_out.weight": state[_EMBEDDINGS]}


def _renamed(name: str, tensor: Array) -> Iterator[tuple[str, Array]]:
    side, _, rest = name.partition("/")
    if rest in _WHOLE:
        yield f"model.{side}.{_WHOLE[rest]}", tensor
        return
    layer, _, rest = rest.partition("/")
    part, _, kind = rest.rpartition("/")
    where = f"model.{side}.layers.{layer.removeprefix('layer_')}"
    if part in _NORMS and kind in _NORM_PARTS:
        yield f"{where}.{_NORMS[part]}.{_NORM_PARTS[kind]}", tensor
    elif part in _STACKS and kind in ("weight", "bias"):
        for target, piece in zip(_STACKS[part], np.split(tensor, len(_STACKS[part])), strict=True):
            if not (target.endswith("k_proj") and kind == "bias"):
                yield f"{where}.{target}.{kind}", piece
            elif piece.any():
                raise ModelError(f"'{name}' has a bias for its keys, which Whisper has not", "Use weights of Whisper")
    else:
        raise ModelError(f"'{name}' has no place in Whisper", "Use weights of Whisper")
