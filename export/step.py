"""The graph of a model that hears in chunks: one step of a stream. It takes what is new and what it remembers, and
gives logits of the new frames and what to remember. Each frame is encoded once; nothing is computed again.

The same graph decodes a whole recording, in one step with nothing to remember. What it remembers, for each stream:

    frames    []                    how many were heard before
    keys_0    [heads, left, size]   of the frames before in each layer, the newest last; zeros where there were none
    values_0  [heads, left, size]
    tail_0    [kernel - 1, width]   the end of what each convolution over time heard; Wav2Vec2 has one, `tail`
    pooled    [width]               the sum over frames of what the intent head takes the mean of

Each layer's are inputs of their own: to cut one large input apart and to put it together again would copy it twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from edgevoice.asr.steps import NEXT, SIZE
from export import onnx_files
from export.onnx_configs import CTC_OUTPUT, INTENT_OUTPUT
from export.onnx_writer import Writer
from export.step_layers import BATCH, Stream, bert, wav2vec2
from training.loading import Checkpoint
from training.models import ctc_head_of, encoder_of


def write(checkpoint: Checkpoint, file: Path) -> None:
    """Writes the graph of a checkpoint's step; batch and frames may be any number.

    Args:
        checkpoint: one with a `chunking`, in fp32, without weights of two parts.
        file: where it goes.
    """
    with torch.no_grad():
        onnx_files.save(graph_of(checkpoint), file)


def graph_of(checkpoint: Checkpoint) -> onnx.ModelProto:
    """The graph of a checkpoint's step."""
    model, task = checkpoint.model, checkpoint.task
    assert checkpoint.chunking is not None
    encoder: Any = encoder_of(model)[1]
    put = Writer(model)
    features = encoder.config.model_type == "wav2vec2-bert"
    width = (encoder.config.feature_projection_input_dim,) if features else ()
    inputs = put.takes(model.main_input_name, np.float32, (BATCH, "time", *width))
    chunk, heard = put.takes(SIZE, np.int64, ()), put.takes("frames", np.int64, (BATCH,))
    stream = Stream(put, chunk, heard, checkpoint.chunking.chunks.left)
    hidden = (bert if features else wav2vec2)(stream, encoder, inputs)
    if task != "intent":
        head = ctc_head_of(model)
        assert head is not None
        logits = stream.by_frame(put.linear(hidden, head), head.out_features)
        put.gives(CTC_OUTPUT, logits, np.float32, (BATCH, "new_frames", head.out_features))
    frames = put.gives(NEXT + "frames", put("Add", heard, stream.frames), np.int64, (BATCH,))
    if task != "ctc":
        _intent(stream, checkpoint, hidden, frames)
    return put.written(last=NEXT)


def _intent(stream: Stream, checkpoint: Checkpoint, hidden: str, frames: str) -> None:
    """The intent head, on the mean over all frames so far."""
    put, model = stream.write, checkpoint.model
    projector, classifier = model.projector, model.classifier
    projected = put.linear(hidden, projector)
    if checkpoint.task == "joint":
        projected = put("Gelu", projected)
    by_frame = stream.by_frame(projected, projector.out_features)
    shape = (BATCH, projector.out_features)
    before = put.takes("pooled", np.float32, shape)
    pooled = put("Add", before, put("ReduceSum", by_frame, put.constant([1]), keepdims=0))
    pooled = put.gives(NEXT + "pooled", pooled, np.float32, shape)
    count = put("Cast", put("Unsqueeze", frames, put.constant([1])), to=onnx.TensorProto.FLOAT)
    logits = put.linear(put("Div", pooled, count), classifier)
    put.gives(INTENT_OUTPUT, logits, np.float32, (BATCH, classifier.out_features))
