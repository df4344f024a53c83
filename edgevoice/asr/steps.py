"""A stream through graphs that hear in chunks: every frame is encoded once, from what is remembered of those before.

What a step remembers are plain arrays that go into the next (`export/step.py` lists them). So a step can be tried
without taking it: what is left of a chunk is encoded when a speaker seems to have finished, and if they go on after
all, the chunk is encoded as a whole when the rest of it has come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Graph
from edgevoice.asr.feature_stream import feature_stream
from edgevoice.errors import ConfigError

Array = npt.NDArray[Any]
SIZE = "chunk_frames"
"""The graph's input that says how many frames a chunk has."""
NEXT = "next_"
"""Begins the names of outputs that are remembered."""
_NEAR = 0.25
"""How far a chunk may be from the length that is asked for, as a share of it: chunks are whole frames."""


class Stepping(Protocol):
    """What is needed of `edgevoice.asr.session.Session`."""

    def step(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The graph's outputs by name, for its inputs by name; what is not named is zero."""
        ...


def choose_chunk(graph: Graph, seconds: float) -> int:
    """The frames of the chunk that is as long as asked for.

    Raises:
        ConfigError: the model was not trained for such chunks.
    """
    lengths = graph.chunk_lengths
    nearest = min(range(len(lengths)), key=lambda index: abs(lengths[index] - seconds))
    if abs(lengths[nearest] - seconds) > _NEAR * seconds:
        raise ConfigError(
            f"asr.hop_s is {seconds:g}, and the model was not trained for chunks of that length",
            f"Choose one of {', '.join(f'{length:.2f}' for length in lengths)} with --hop or EDGEVOICE_ASR_HOP_S",
        )
    return graph.chunks[nearest]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What came out of some chunks."""

    frames: int
    logits: Mapping[str, Array]
    """By output: of the new frames [frames, vocabulary], and of the intents over all frames so far [labels]."""
    after: Mapping[str, Array]
    """What is remembered behind them."""


class EncoderStream:
    """One stretch of speech through one graph.

    Args:
        session: runs the graph.
        graph: with chunks.
        chunk: its frames.
    """

    def __init__(self, session: Stepping, graph: Graph, chunk: int) -> None:
        self._session, self._graph, self._chunk = session, graph, chunk
        self._features = feature_stream(graph)
        self._remembered: dict[str, Array] = {}

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        """Takes the next samples (16 kHz, mono, -1..1)."""
        self._features.feed(samples)

    @property
    def due(self) -> bool:
        """Whether a whole chunk has come."""
        return self._features.ready >= self._chunk

    def look(self) -> Step:
        """Encodes the whole chunks that have come. The stream stays where it is until they are taken."""
        frames = self._features.ready // self._chunk * self._chunk
        outputs = self._step(frames)
        after = {name.removeprefix(NEXT): each for name, each in outputs.items() if name.startswith(NEXT)}
        return Step(frames, self._logits(outputs), after)

    def take(self, step: Step) -> None:
        """Goes on to what comes after it."""
        self._features.drop(step.frames)
        self._remembered = dict(step.after)

    def rest(self, samples: int) -> Mapping[str, Array]:
        """The logits of a step if the stream had ended after so many samples: also the frames of a chunk that is not
        whole. The stream stays where it is. Empty where no frame is new."""
        frames = self._features.ready_within(samples)
        return self._logits(self._step(frames)) if frames else {}

    def _step(self, frames: int) -> dict[str, Array]:
        inputs = {self._graph.input: self._features.look(frames), SIZE: np.array(self._chunk)}
        return self._session.step({**inputs, **self._remembered})

    def _logits(self, outputs: Mapping[str, Array]) -> Mapping[str, Array]:
        return {name: outputs[name][0] for name in self._graph.outputs.values()}
