"""Real bundles, small enough to make in milliseconds: ONNX graphs that recognise tones as words.

Each word of `WORDS` is a tone of its own pitch; `speak("one two")` makes the samples. The graph takes log-mel frames,
compares the energy at the four pitches with a fixed level, and so yields CTC logits; the intent logits count how much
of the time each tone sounds.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgevoice.asr.bundle import Bundle, FeatureSettings, Graph, Manifest, load_bundle, sha256, write_manifest
from edgevoice.asr.features import log_mel
from edgevoice.asr.steps import SIZE
from edgevoice.config import SAMPLE_RATE

Samples = npt.NDArray[np.float32]

WORDS = {"one": 420.0, "two": 950.0, "three": 1900.0, "four": 3600.0}
"""Word -> pitch in hertz."""
VOCABULARY = ("", *(f" {word}" for word in WORDS), "<unused>")
LABELS = ("greet", "pay", "stop", "none")
"""The intents of "one", "two" and "three"; "four" and silence are "none"."""


def tone(word: str, seconds: float) -> Samples:
    """One word."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * WORDS[word] * time)).astype(np.float32)


def silence(seconds: float, seed: int = 0) -> Samples:
    """A room with nobody in it (-70 dBFS)."""
    noise = np.random.default_rng(seed).normal(0, 3e-4, round(seconds * SAMPLE_RATE))
    return noise.astype(np.float32)


def speak(text: str, word_s: float = 0.2, gap_s: float = 0.16) -> Samples:
    """The words of `text`, each followed by a gap."""
    parts = [part for word in text.split() for part in (tone(word, word_s), np.zeros(round(gap_s * SAMPLE_RATE)))]
    samples = np.concatenate([np.zeros(0), *parts]).astype(np.float32)
    return samples + silence(len(samples) / SAMPLE_RATE)[: len(samples)]


def tiny_bundle(
    folder: Path,
    kind: Literal["shared", "ctc", "intent"] = "shared",
    precisions: tuple[str, ...] = ("fp32",),
    chunks: tuple[int, ...] = (),
    **changes: object,
) -> Bundle:
    """Writes a bundle into `folder` (made if missing) and loads it.

    Args:
        folder: where.
        kind: which heads the graph has.
        precisions: variants to list; each is a copy of the same float32 graph.
        chunks: frames of 20 ms that a chunk may have, for a graph that hears in chunks.
        changes: fields of the manifest to set otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(kind, in_chunks=bool(chunks)), folder / "model.onnx")
    variants = {name: "model.onnx" if name == "fp32" else f"model.{name}.onnx" for name in precisions}
    for name in set(variants.values()) - {"model.onnx"}:
        shutil.copy(folder / "model.onnx", folder / name)
    if "fp32" not in precisions:
        (folder / "model.onnx").unlink()
    graph = Graph(
        architecture="tiny",
        features=FeatureSettings(kind="log_mel"),
        input="frames",
        outputs={head: head for head in _heads(kind)},
        frame_samples=320 if kind != "intent" or chunks else 0,
        minimum_samples=560,
        variants=variants,
        chunks=chunks,
    )
    fields: dict[str, object] = {
        "name": f"tiny-{kind}",
        "graphs": {kind: graph},
        "files": {name: sha256(folder / name) for name in variants.values()},
        "language": "en",
        "vocabulary": tuple("" if piece == "<unused>" else piece for piece in VOCABULARY) if kind != "intent" else (),
        "labels": LABELS if kind != "ctc" else (),
        "reject_label": "none" if kind != "ctc" else "",
        "licence": "Apache-2.0",
        "streaming": "cached" if chunks else "window",
    }
    write_manifest(folder, Manifest(**{**fields, **changes}))  # type: ignore[arg-type]
    return load_bundle(folder)


def _heads(kind: str) -> tuple[str, ...]:
    return ("ctc", "intent") if kind == "shared" else (kind,)


def _graph(kind: str, *, in_chunks: bool = False) -> onnx.ModelProto:
    """frames [1, T, 160] -> ctc [1, T, vocabulary], intent [1, labels]; in chunks it remembers how often each word
    sounded."""
    weights, bias = _tone_weights()
    time = "T"
    nodes = [
        helper.make_node("MatMul", ["frames", "weights"], ["energies"]),
        helper.make_node("Add", ["energies", "bias"], ["ctc"]),
        helper.make_node("Softmax", ["ctc"], ["probabilities"], axis=-1),
        *(_remembering() if in_chunks else _MEAN),
        helper.make_node("MatMul", ["share", "label_weights"], ["votes"]),
        helper.make_node("Add", ["votes", "label_bias"], ["intent"]),
    ]
    constants = {"weights": weights, "bias": bias, **_label_weights()}
    batch = "batch" if in_chunks else 1
    words = len(VOCABULARY)
    shapes = {"ctc": [batch, time, words], "intent": [batch, len(LABELS)], "next_heard": [batch, words]}
    remembered = [
        helper.make_tensor_value_info(SIZE, TensorProto.INT64, []),
        helper.make_tensor_value_info("heard", TensorProto.FLOAT, shapes["next_heard"]),
    ]
    outputs = (*_heads(kind), "next_heard") if in_chunks else _heads(kind)
    if in_chunks:
        constants["time"] = np.array([1])
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, [batch, time, 160]),
            *(remembered if in_chunks else []),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [
            numpy_helper.from_array(value.astype(np.int64 if name == "time" else np.float32), name)
            for name, value in constants.items()
        ],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])


_MEAN = [helper.make_node("ReduceMean", ["probabilities"], ["share"], axes=[1], keepdims=0)]


def _remembering() -> list[onnx.NodeProto]:
    """The mean over all frames so far."""
    return [
        helper.make_node("ReduceSum", ["probabilities", "time"], ["now"], keepdims=0),
        helper.make_node("Add", ["heard", "now"], ["next_heard"]),
        helper.make_node("ReduceSum", ["next_heard", "time"], ["frames_heard"], keepdims=1),
        helper.make_node("Div", ["next_heard", "frames_heard"], ["share"]),
    ]


def _tone_weights() -> tuple[Samples, Samples]:
    """A word's logit is the log energy at its pitch less a level between speech and silence; blank is 0."""
    weights, bias = np.zeros((160, len(VOCABULARY))), np.zeros(len(VOCABULARY))
    for index, word in enumerate(WORDS, start=1):
        pitch = int(log_mel(tone(word, 0.1)).mean(axis=0).argmax())
        weights[[pitch, pitch + 80], index] = 0.5
        bias[index] = -20.0
    bias[-1] = -50.0
    return weights.astype(np.float32), bias.astype(np.float32)


def _label_weights() -> dict[str, Samples]:
    weights = np.zeros((len(VOCABULARY), len(LABELS)))
    weights[[1, 2, 3], [0, 1, 2]] = 30.0
    return {"label_weights": weights, "label_bias": np.array([0.0, 0.0, 0.0, 3.0])}
