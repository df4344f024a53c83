"""One graph of a model in its session, and the heads that are wanted from it; whoever waits for it is a batch."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from edgevoice.asr.batching import Axes, Batching, Named
from edgevoice.asr.bundle import Bundle, Graph
from edgevoice.asr.features import model_input
from edgevoice.asr.front import SegmentFeatures, TwoGraphs
from edgevoice.asr.opening import open_graph, open_here
from edgevoice.asr.session import DeviceLostError, Session
from edgevoice.asr.steps import SIZE, EncoderStream, choose_chunk
from edgevoice.config import AsrSettings
from edgevoice.errors import ModelError, ProviderError

Array = npt.NDArray[np.float32]
Head = Literal["ctc", "intent"]
T = TypeVar("T")

_FRONT = "front"


class GraphPass:
    """Runs a graph, on a GPU that is lost on the CPU from then on.

    Args:
        bundle: where its files are.
        graph: one of the bundle's.
        heads: what is wanted from it.
        settings: provider, precision, hop, server.
        lengths: samples that are decoded at a time on the live path.

    Raises:
        ModelError: it cannot be run, or lacks an output that the manifest names.
        ProviderError: the provider asked for cannot be used.
        ConfigError: the hop is no length of its chunks, or the address of the server is none.
    """

    def __init__(
        self, bundle: Bundle, graph: Graph, heads: tuple[Head, ...], settings: AsrSettings, lengths: range
    ) -> None:
        self.heads = heads
        self._bundle, self._graph, self._settings, self._lengths = bundle, graph, settings, lengths
        # a server has whole windows of it: what is remembered would have to go to and fro
        self._chunk = choose_chunk(graph, settings.hop_s) if graph.chunks and not settings.remote else 0
        free = threading.Lock()
        self._together = Batching(self._run, self._axes, self._shared, free)
        self._hearing = Batching(self._hear, self._axes_of_front, self._shared, free)
        self._encoding = Batching(self._encode, self._axes_of_features, self._shared, free)
        self.session, self.precision = open_graph(bundle, graph, settings, lengths, self._chunk)
        missing = {graph.outputs[head] for head in heads} - set(self.session.outputs)
        if missing:
            what = f"The model '{bundle.manifest.name}' has no output '{min(missing)}', which its manifest names"
            raise ModelError(what, "Export it again")

    def __call__(self, samples: Array, *, starting: bool = False) -> dict[Head, Array]:
        """Logits of each head, without the batch axis; nothing for audio shorter than the graph accepts."""
        if len(samples) < self._graph.minimum_samples:
            return {}
        inputs = {self._graph.input: model_input(samples, self._graph.features)}
        if self._chunk:
            inputs = self._complete({**inputs, SIZE: np.array(self._chunk)})
        return self._first(self._run(inputs, starting=True) if starting else self._together(inputs))

    def segment_features(self, hop: int) -> SegmentFeatures | None:
        """Keeps the features of a stretch of speech whose windows begin at whole hops of so many samples; None without
        a front, or where hops are not whole frames."""
        if not isinstance(self.session, TwoGraphs) or hop % self._graph.frame_samples:
            return None
        return SegmentFeatures(lambda array: self._hearing({_FRONT: array})[_FRONT], self._graph)

    def window(self, features: SegmentFeatures, audio: Array, start: int) -> dict[Head, Array]:
        """Logits of each head for the audio from `start` on, as a call gives them."""
        if len(audio) - start < self._graph.minimum_samples:
            return {}
        return self._first(self._encoding({_FRONT: features.window(audio, start)}))

    def _first(self, outputs: Mapping[str, Array]) -> dict[Head, Array]:
        return {head: outputs[self._graph.outputs[head]][0] for head in self.heads}

    def _hear(self, inputs: Named) -> dict[str, npt.NDArray[Any]]:
        return {_FRONT: self._surely(lambda: self._two_graphs().hear(inputs[_FRONT]))}

    def _encode(self, inputs: Named) -> dict[str, npt.NDArray[Any]]:
        return self._surely(lambda: self._two_graphs().encode(inputs[_FRONT]))

    def _surely(self, run: Callable[[], T], *, starting: bool = False) -> T:
        """What `run` gives, on the CPU if the GPU is lost."""
        try:
            return run()
        except DeviceLostError as error:
            # words that were said must not be lost; before the first of them, a provider that was named is meant
            if starting and self._settings.provider != "auto":
                raise ProviderError(error.what, "Use --provider cpu, or auto, which takes what works") from error
            self._go_on_without(error)
            return run()

    def _two_graphs(self) -> TwoGraphs:
        assert isinstance(self.session, TwoGraphs)
        return self.session

    @property
    def in_chunks(self) -> bool:
        """Whether it hears in chunks, in this process."""
        return bool(self._chunk)

    def by_head(self, outputs: Mapping[str, npt.NDArray[Any]]) -> dict[Head, Array]:
        """Those of the outputs that are wanted."""
        return {head: outputs[self._graph.outputs[head]] for head in self.heads} if outputs else {}

    def step(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The outputs by name of a graph that hears in chunks; see `Session.step`. What is remembered are arrays of
        this process, so that a GPU that is lost loses nothing."""
        return self._together(self._complete(inputs))

    def _complete(self, inputs: Named) -> dict[str, npt.NDArray[Any]]:
        """With what a stream remembers that has heard nothing, so that it can be one of a batch."""
        return {**self._session_here().nothing, **inputs}

    def stream(self) -> EncoderStream:
        """A stretch of speech that is about to begin."""
        return EncoderStream(self, self._graph, self._chunk)

    def _run(self, inputs: Named, *, starting: bool = False) -> dict[str, npt.NDArray[Any]]:
        return self._surely(lambda: self._run_in_session(inputs), starting=starting)

    def _run_in_session(self, inputs: Named) -> dict[str, npt.NDArray[Any]]:
        return self._session_here().step(inputs) if self._chunk else self.session.run(inputs[self._graph.input])

    def _shared(self) -> bool:
        """Whether several threads may run it at a time: on the CPU. A GPU's buffers are for one, and so is a server's
        connection."""
        return self.session.provider == "cpu"

    def _axes(self) -> Axes | None:
        """None where a stream's numbers would depend on its company: int8 scales what it hears by the loudest value
        of a whole batch."""
        return None if self.precision == "int8" else self.session.axes

    def _axes_of_front(self) -> Axes | None:
        return self._axes() and Axes({_FRONT: 0}, {_FRONT: 0})

    def _axes_of_features(self) -> Axes | None:
        return self._axes() and Axes({_FRONT: 0}, dict.fromkeys(self.session.outputs, 0))

    def _session_here(self) -> Session:
        assert isinstance(self.session, Session)
        return self.session

    def _go_on_without(self, lost: DeviceLostError) -> None:
        """The same graph on the CPU, in whatever precision suits it, from now on."""
        wanted = self._settings.precision
        precision = "auto" if wanted == "fp16" else wanted
        settings = dataclasses.replace(self._settings, provider="cpu", precision=precision)
        self.session, self.precision = open_here(self._bundle, self._graph, settings, self._lengths, self._chunk)
        self.session.note = lost.what
