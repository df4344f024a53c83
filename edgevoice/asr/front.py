"""Convolutions apart from the encoder behind them, so that windows which overlap do not hear the same audio twice.

What the convolutions of a Wav2Vec2 make of a stretch of audio depends on nothing around it, where they are normalised
frame by frame. Such a model comes as two graphs: the front makes features of audio, and the encoder logits of features.
One after the other they are the whole model; live, the features of a segment are computed once, as the audio comes, and
only the encoder hears a window again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgevoice.asr.batching import Axes
from edgevoice.asr.bundle import Graph
from edgevoice.asr.feature_stream import feature_stream
from edgevoice.asr.session import Session

Array = npt.NDArray[np.float32]


class TwoGraphs:
    """Front and encoder as one session."""

    def __init__(self, front: Session, encoder: Session) -> None:
        self._front, self._encoder = front, encoder
        self.provider, self.file = encoder.provider, encoder.file
        """Those of the encoder, which does most of the work."""
        self.note = encoder.note or front.note
        """Why it is not the provider, or the file, one might expect; empty when there is nothing to say."""
        self.outputs = encoder.outputs
        """Names of the encoder's outputs."""
        self.axes = Axes(front.axes.inputs, encoder.axes.outputs) if front.axes and encoder.axes else None
        """Where they hold one stream behind the other; None if they take one at a time."""

    def run(self, array: Array) -> dict[str, Array]:
        """The outputs by name for a whole stretch of audio; see `Session.run`."""
        return self.encode(self.hear(array))

    def hear(self, array: Array) -> Array:
        """The features of audio: [1, frames, width]."""
        return hear(self._front, array)

    def encode(self, features: Array) -> dict[str, Array]:
        """The outputs by name for features."""
        return self._encoder.run(features)


def hear(front: Session, array: Array) -> Array:
    """What a front makes of audio: [1, frames, width]."""
    (features,) = front.run(array).values()
    return features


class SegmentFeatures:
    """The features of a stretch of speech, each computed once.

    Args:
        hear: runs the front.
        graph: with a front.
    """

    def __init__(self, hear: Callable[[Array], Array], graph: Graph) -> None:
        self._front = hear
        self._step, self._reach = graph.frame_samples, graph.minimum_samples - graph.frame_samples
        self._input = feature_stream(graph)
        self._heard = self._count = 0
        self._kept = np.zeros((1, 0, 0), dtype=np.float32)

    def window(self, audio: Array, start: int) -> Array:
        """The features from sample `start`, where a frame begins, to the end of `audio`: [1, frames, width].

        Args:
            audio: all of the stretch, from its beginning; what was there before is not heard again.
            start: a whole number of frames.
        """
        self.hear(audio)
        return self._kept[:, start // self._step : (len(audio) - self._reach) // self._step + 1]

    def hear(self, audio: Array) -> None:
        """Computes the features of what is new in the audio so far."""
        if len(audio) > self._heard:
            self._input.feed(audio[self._heard :])
            self._heard = len(audio)
        ready = self._input.ready  # also what could not be computed the last time
        if ready:
            self._keep(self._front(self._input.look(ready)))
            self._input.drop(ready)

    def _keep(self, features: Array) -> None:
        _, frames, width = features.shape
        if self._count + frames > self._kept.shape[1]:
            grown = np.zeros((1, 2 * (self._count + frames), width), dtype=np.float32)
            if self._count:
                grown[:, : self._count] = self._kept[:, : self._count]
            self._kept = grown
        self._kept[:, self._count : self._count + frames] = features
        self._count += frames
