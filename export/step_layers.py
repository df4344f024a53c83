"""The layers of encoders that hear in chunks, written for a step of a stream: Wav2Vec2 and Wav2Vec2-BERT.

A step of a third of a second is a dozen frames. Its matrix products are bound by reading their weights, and beside them
every node costs microseconds, whatever it does. So there are few: frames lie in rows, [batch * frames, width], except
where time or batch matter; layers that hear the same are one product; what depends on shapes alone is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from edgevoice.asr.steps import NEXT
from export.onnx_writer import Writer

_ACTIVATIONS = {"gelu": "Gelu", "relu": "Relu", "silu": "QuickGelu", "swish": "QuickGelu"}
"""What Transformers calls them (`training.chunked.ACTIVATIONS`) -> the operator."""
BATCH = "batch"
"""The axis of streams."""
_NEVER = -1e4
"""Added to a score that does not count; the softmax makes 0 of it, in half precision, too."""


class Stream:
    """What all layers of a step share: how many frames are new, which of them see which, and what is remembered.

    Args:
        write: the graph.
        chunk: the input that says how many frames a chunk has.
        heard: the input that says how many frames were heard before, for each stream.
        left: how many frames before its chunk a frame sees.
    """

    def __init__(self, write: Writer, chunk: str, heard: str, left: int) -> None:
        self.write, self.left = write, left
        self._chunk, self._heard = chunk, heard
        self._batch = self.frames = self.mask = ""
        self._shapes: dict[tuple[int, ...], str] = {}
        self._distances: dict[tuple[int, int, int], str] = {}

    def begin(self, hidden: str) -> None:
        """Takes note of what is new: [batch, frames, width]."""
        write = self.write
        self._batch = write("Shape", hidden, start=0, end=1)
        self.frames = write("Shape", hidden, start=1, end=2)
        zero, one = write.constant(0), write.constant(1)
        count = write("Squeeze", self.frames)
        places = write("Range", zero, count, one)  # the first new frame is number 0
        self._places = write("Unsqueeze", places, write.constant([1]))
        self._keys = write("Range", write.constant(-self.left), count, one)
        begins = write("Mul", write("Div", self._places, self._chunk), self._chunk)
        known = write("Reshape", write("Neg", self._heard), write.constant([-1, 1, 1, 1]))
        first = write("Max", write("Sub", begins, write.constant(self.left)), known)
        seen = write(
            "And",
            write("GreaterOrEqual", self._keys, first),
            write("Less", self._keys, write("Add", begins, self._chunk)),
        )
        self.mask = write("Where", seen, write.constant(0.0), write.constant(_NEVER))
        """What is added to the scores: [batch, 1, frames, left + frames]."""

    def by_frame(self, rows: str, *sizes: int) -> str:
        """[batch * frames, width] as [batch, frames, *sizes]."""
        if sizes not in self._shapes:
            self._shapes[sizes] = self.write("Concat", self._batch, self.write.constant([-1, *sizes]), axis=0)
        return self.write("Reshape", rows, self._shapes[sizes])

    def rows(self, frames: str, width: int) -> str:
        """[batch, frames, ...] as [batch * frames, width]."""
        return self.write("Reshape", frames, self.write.constant([-1, width]))

    def go_on(self, name: str, new: str, shape: Sequence[int], axis: int) -> str:
        """What was remembered and behind it what is new; as much of the end is remembered again.

        Args:
            name: of what is remembered, as an input.
            new: the same of the new frames.
            shape: of what is remembered, for one stream.
            axis: that of time.
        """
        write = self.write
        described: tuple[int | str, ...] = (BATCH, *shape)
        together = write("Concat", write.takes(name, np.float32, described), new, axis=axis)
        end = write.constant([np.iinfo(np.int64).max])
        last = write("Slice", together, self.frames, end, write.constant([axis]))
        write.gives(NEXT + name, last, np.float32, described)
        return together

    def distances(self, left: int, right: int, heads: int) -> str:
        """How far each key is from each frame, 0 for `left` frames or more before it: [batch, heads, frames, keys]."""
        write, key = self.write, (left, right, heads)
        if key not in self._distances:
            far = write("Sub", self._keys, write("Sub", self._places, write.constant(left)))
            near = write("Clip", far, write.constant(0), write.constant(left + right))
            shape = write("Concat", self._batch, write.constant([heads, 1, 1]), axis=0)
            self._distances[key] = write("Expand", near, shape)
        return self._distances[key]

    def norm(self, hidden: str, norm: nn.LayerNorm) -> str:
        """A layer norm over the last axis."""
        weight, bias = self.write.parameter(norm.weight), self.write.parameter(norm.bias)
        return self.write("LayerNormalization", hidden, weight, bias, axis=-1, epsilon=norm.eps)

    def activation(self, hidden: str, name: str) -> str:
        """An activation by Transformers' name."""
        operator = _ACTIVATIONS[name]
        return self.write(operator, hidden, **({"alpha": 1.0} if operator == "QuickGelu" else {}))

    def feed_forward(self, hidden: str, module: Any, activation: str, factor: float = 1.0) -> str:
        """Two layers with an activation between."""
        inner = self.activation(self.write.linear(hidden, module.intermediate_dense), activation)
        return self.write.linear(inner, module.output_dense, factor=factor)

    def plus(self, hidden: str, more: str) -> str:
        """The sum. The operator is not Add: onnxruntime would make one node of it and the layer norm behind it, whose
        kernel for the CPU takes several times as long as both."""
        return self.write("Sum", hidden, more)

    def convolution(self, name: str, rows: str, conv: Any) -> str:
        """A convolution over what was heard before and what is new, as rows.

        Args:
            name: of what is remembered for it.
            rows: what is new.
            conv: one as wide as its input, of stride 1, that hears nothing of what comes.
        """
        write, width, kernel = self.write, conv.out_channels, conv.kernel_size[0]
        heard = self.go_on(name, self.by_frame(rows, width), (kernel - 1, width), axis=1)
        # as an image of one column: onnxruntime has fast kernels for images, and they take this layout as it is
        image = write("Transpose", write("Unsqueeze", heard, write.constant([2])), perm=[0, 3, 1, 2])
        weights = [write.parameter(conv.weight, shape=(*conv.weight.shape, 1))]
        weights += [write.parameter(conv.bias)] if conv.bias is not None else []
        image = write("Conv", image, *weights, group=conv.groups, kernel_shape=[kernel, 1])
        return self.rows(write("Transpose", image, perm=[0, 2, 3, 1]), width)

    def attention(self, number: int, hidden: str, layers: tuple[nn.Linear, ...], heads: int, distance: Any) -> str:
        """Mixes the values of what each new frame sees.

        Args:
            number: of the layer.
            hidden: what it hears.
            layers: for queries, keys and values.
            heads: how many.
            distance: Wav2Vec2-BERT's attention, if its scores depend on distance.
        """
        write, width = self.write, layers[0].out_features
        size = width // heads
        scale = size**-0.5
        parts = self.by_frame(write.linear(hidden, *layers), 3 * heads, size)
        query, key, value = write.several(
            3, "Split", write("Transpose", parts, perm=[0, 2, 1, 3]), axis=1, num_outputs=3
        )
        keys = self.go_on(f"keys_{number}", key, (heads, self.left, size), axis=2)
        values = self.go_on(f"values_{number}", value, (heads, self.left, size), axis=2)
        scores = write("FusedMatMul", query, keys, alpha=scale, transB=1)
        if distance:
            # there are few different distances: it is enough to multiply by each, and to pick what is wanted
            products = write("FusedMatMul", query, write.transposed(distance.distance_embedding.weight), alpha=scale)
            left, right = distance.left_max_position_embeddings, distance.right_max_position_embeddings
            picked = write("GatherElements", products, self.distances(left, right, heads), axis=3)
            scores = write("Add", scores, picked)
        weights = write("Softmax", write("Add", scores, self.mask), axis=-1)
        mixed = write("Transpose", write("MatMul", weights, values), perm=[0, 2, 1, 3])
        return self.rows(mixed, width)


def bert(stream: Stream, encoder: Any, inputs: str) -> str:
    """Wav2Vec2-BERT: from features [batch, frames, width] to rows of the last layer."""
    write, config, projection = stream.write, encoder.config, encoder.feature_projection
    stream.begin(inputs)
    normed = stream.norm(stream.rows(inputs, config.feature_projection_input_dim), projection.layer_norm)
    hidden = write.linear(normed, projection.projection)
    for number, layer in enumerate(encoder.encoder.layers):
        hidden = _bert_layer(stream, number, layer, hidden, config)
    return hidden


def _bert_layer(stream: Stream, number: int, layer: Any, hidden: str, config: Any) -> str:
    def half_feed_forward(norm: nn.LayerNorm, module: Any) -> str:
        return stream.plus(hidden, stream.feed_forward(stream.norm(hidden, norm), module, config.hidden_act, 0.5))

    hidden = half_feed_forward(layer.ffn1_layer_norm, layer.ffn1)
    attention = layer.self_attn
    linear = (attention.linear_q, attention.linear_k, attention.linear_v)
    distance = attention if attention.position_embeddings_type == "relative_key" else None
    normed = stream.norm(hidden, layer.self_attn_layer_norm)
    mixed = stream.attention(number, normed, linear, attention.num_heads, distance)
    hidden = stream.plus(hidden, stream.write.linear(mixed, attention.linear_out))
    hidden = stream.plus(hidden, _convolution(stream, number, layer.conv_module, hidden, config.hidden_act))
    return stream.norm(half_feed_forward(layer.ffn2_layer_norm, layer.ffn2), layer.final_layer_norm)


def _convolution(stream: Stream, number: int, module: Any, hidden: str, activation: str) -> str:
    write = stream.write
    both = write.linear(stream.norm(hidden, module.layer_norm), module.pointwise_conv1)
    value, gate = write.several(2, "Split", both, axis=1, num_outputs=2)
    mixed = stream.convolution(f"tail_{number}", write("Mul", value, write("Sigmoid", gate)), module.depthwise_conv)
    normed = stream.activation(stream.norm(mixed, module.depthwise_layer_norm), activation)
    return write.linear(normed, module.pointwise_conv2)


def wav2vec2(stream: Stream, encoder: Any, inputs: str) -> str:
    """Wav2Vec2 with layer norms in its convolutions: from samples [batch, samples] to rows of the last layer."""
    write, config = stream.write, encoder.config
    sound = write("Unsqueeze", inputs, write.constant([1]))
    frames = ""
    for layer in encoder.feature_extractor.conv_layers:
        conv = layer.conv
        weights = [write.parameter(each) for each in (conv.weight, conv.bias) if each is not None]
        sound = write("Conv", sound, *weights, kernel_shape=[*conv.kernel_size], strides=[*conv.stride])
        frames = stream.norm(write("Transpose", sound, perm=[0, 2, 1]), layer.layer_norm)
        frames = stream.activation(frames, config.feat_extract_activation)
        sound = write("Transpose", frames, perm=[0, 2, 1])
    stream.begin(frames)
    projection = encoder.feature_projection
    normed = stream.norm(stream.rows(frames, config.conv_dim[-1]), projection.layer_norm)
    hidden = write.linear(normed, projection.projection)
    layers = encoder.encoder
    # what a frame learns of its place comes from those before it
    placed = stream.convolution("tail", hidden, layers.pos_conv_embed.conv)
    hidden = stream.plus(hidden, stream.activation(placed, config.feat_extract_activation))
    if config.do_stable_layer_norm:
        for number, layer in enumerate(layers.layers):
            hidden = _layer_normed_before(stream, number, layer, hidden, config.hidden_act)
        return stream.norm(hidden, layers.layer_norm)
    hidden = stream.norm(hidden, layers.layer_norm)
    for number, layer in enumerate(layers.layers):
        hidden = _layer_normed_behind(stream, number, layer, hidden, config.hidden_act)
    return hidden


def _self_attention(stream: Stream, number: int, attention: Any, hidden: str) -> str:
    linear = (attention.q_proj, attention.k_proj, attention.v_proj)
    mixed = stream.attention(number, hidden, linear, attention.num_heads, None)
    return stream.write.linear(mixed, attention.out_proj)


def _layer_normed_before(stream: Stream, number: int, layer: Any, hidden: str, activation: str) -> str:
    heard = _self_attention(stream, number, layer.attention, stream.norm(hidden, layer.layer_norm))
    hidden = stream.plus(hidden, heard)
    normed = stream.norm(hidden, layer.final_layer_norm)
    hidden = stream.plus(hidden, stream.feed_forward(normed, layer.feed_forward, activation))
    adapter = layer.adapter_layer
    if adapter is None:
        return hidden
    inner = stream.write.linear(stream.norm(hidden, adapter.norm), adapter.linear_1)
    return stream.plus(hidden, stream.write.linear(stream.activation(inner, "relu"), adapter.linear_2))


def _layer_normed_behind(stream: Stream, number: int, layer: Any, hidden: str, activation: str) -> str:
    heard = _self_attention(stream, number, layer.attention, hidden)
    hidden = stream.norm(stream.plus(hidden, heard), layer.layer_norm)
    fed = stream.feed_forward(hidden, layer.feed_forward, activation)
    return stream.norm(stream.plus(hidden, fed), layer.final_layer_norm)
