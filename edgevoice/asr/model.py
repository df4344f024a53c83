"""`AcousticModel`: from 16 kHz samples to CTC log-probabilities and intent logits, whatever graphs a bundle has."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from edgevoice.asr.batching import Axes, Batching, Named
from edgevoice.asr.bundle import LONGEST_WINDOW_S, Bundle, Graph, Manifest
from edgevoice.asr.decoder import make_decoder
from edgevoice.asr.features import model_input
from edgevoice.asr.front import SegmentFeatures, TwoGraphs, hear
from edgevoice.asr.session import (
    DeviceLostError,
    NoNumbersError,
    Session,
    SessionOptions,
    are_numbers,
    open_session,
)
from edgevoice.asr.steps import SIZE, EncoderStream, choose_chunk
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ConfigError, ModelError, ProviderError

if TYPE_CHECKING:
    from edgevoice.asr.remote import RemoteSession

Array = npt.NDArray[np.float32]
Head = Literal["ctc", "intent"]
T = TypeVar("T")

_FRONT = "front"
_USE_FP32 = "Set EDGEVOICE_ASR_PRECISION=fp32"
_LONGEST = int((LONGEST_WINDOW_S + 1) * SAMPLE_RATE)
"""Samples. Neither a segment nor an utterance may be longer, whatever the settings say: a minute and what a detector's
frame or a resampler adds."""
_SMALL = 50_000_000
"""Bytes of a graph."""
_PREFERRED = {"cpu": ("int8", "fp32", "fp16"), "cuda": ("fp16", "fp32"), "tensorrt": ("fp16", "fp32")}


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """What the model heard in one stretch of audio."""

    log_probs: Array | None
    """[frames, vocabulary], natural logarithms; no frames if the audio is too short, None without a CTC head."""
    intent_logits: Array | None
    """[labels]; None if the audio is too short or the model has no intent head."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where one graph runs."""

    heads: tuple[Head, ...]
    """What is wanted from it."""
    provider: str
    note: str
    """Why it is not the provider one might expect; empty when there is nothing to say."""


class AcousticModel:
    """A bundle in running order. With `intent_bundle` the intent head comes from that second bundle.

    Streams in threads of their own may share it: what they want of a graph at the same time is run as one batch.

    Raises:
        ModelError: a graph that cannot be run, or a precision that the bundle does not have.
        ProviderError: the provider asked for cannot be used.
        ConfigError: the address of the server is none, hot words or a language model cannot be used, or the hop is
            longer than its windows, or no length of its chunks.
    """

    def __init__(self, bundle: Bundle, settings: AsrSettings, intent_bundle: Bundle | None = None) -> None:
        self.manifest = combined_manifest(bundle.manifest, intent_bundle.manifest if intent_bundle else None)
        self.decoder = make_decoder(bundle, settings)
        """Makes words of its log-probabilities."""
        _check_windows(self.manifest, settings)
        self._lengths = live_lengths(self.manifest, settings.hop_s)
        self._passes = [
            _Pass(its, graph, heads, settings, live_lengths(self.manifest, settings.hop_s, graph.minimum_samples))
            for its, graph, heads in _plan(bundle, intent_bundle)
        ]
        graph = bundle.manifest.graph_for("ctc")
        self.frame_seconds = graph.frame_samples / SAMPLE_RATE if graph else 0.0
        """Seconds from one CTC frame to the next; 0 without a CTC head."""
        self.heads: tuple[str, ...] = tuple(head for each in self._passes for head in each.heads)

    @property
    def provider(self) -> str:
        """What it runs on: "cpu", "cuda", "tensorrt" or "remote grpc://..."; two of them with a + between if its graphs
        run in different places. A GPU that fails makes it "cpu"."""
        return "+".join(dict.fromkeys(each.session.provider for each in self._passes))

    @property
    def running(self) -> tuple[Running, ...]:
        """Where each of its graphs runs now."""
        return tuple(Running(each.heads, each.session.provider, each.session.note) for each in self._passes)

    @property
    def note(self) -> str:
        """Why it is not the provider one might expect; empty when there is nothing to say."""
        return next((each.session.note for each in self._passes if each.session.note), "")

    @property
    def precision(self) -> str:
        """The variants that run, of all its graphs."""
        return "+".join(dict.fromkeys(each.precision for each in self._passes))

    def encode(self, samples: Array) -> Encoding:
        """One pass through each graph for 16 kHz mono float32 samples in -1..1.

        Raises:
            ModelAwayError: the server that runs the graph cannot be reached for now.
            ModelError: the graph failed, or its output does not fit the manifest.
        """
        return self._encode(samples)

    def stream(self) -> ModelStream | None:
        """A stretch of speech that is about to begin, for graphs that hear in chunks; None where one does not, or runs
        on a server, which would have to be sent all that is remembered."""
        if all(each.in_chunks for each in self._passes):
            return ModelStream(self, [(each, each.stream()) for each in self._passes])
        return None

    def front(self) -> ModelFront | None:
        """A stretch of speech that is about to begin, which is decoded in windows; None where nothing of what was
        computed for one window is of use for the next."""
        features = [each.segment_features(self._lengths.step) for each in self._passes]
        return ModelFront(self, list(zip(self._passes, features, strict=True))) if any(features) else None

    def warm_up(self) -> None:
        """Runs the shortest window and the longest, so that the first words do not wait for allocations. A GPU has run
        all of them when it was opened, since every length has kernels of its own there.

        Raises:
            ProviderError: the provider that was asked for by name fails.
        """
        for length in (self._lengths[0], self._lengths[-1]):
            self._encode(_noise(length), starting=True)

    def _encode(self, samples: Array, *, starting: bool = False) -> Encoding:
        return self.encoding(
            {head: value for each in self._passes for head, value in each(samples, starting=starting).items()}
        )

    def encoding(self, logits: Mapping[Head, Array]) -> Encoding:
        """Logits of the heads as an encoding, checked: [frames, vocabulary] and [labels].

        Raises:
            ModelError: they do not fit the manifest, or are no numbers.
        """
        ctc, intent = logits.get("ctc"), logits.get("intent")
        if "ctc" in self.heads and ctc is None:
            ctc = np.zeros((0, len(self.manifest.vocabulary)), dtype=np.float32)
        self._check(ctc, len(self.manifest.vocabulary), "tokens")
        self._check(intent, len(self.manifest.labels), "intents")
        return Encoding(None if ctc is None else log_softmax(ctc), intent)

    def _check(self, logits: Array | None, expected: int, what: str) -> None:
        if logits is None:
            return
        name, found = self.manifest.name, logits.shape[-1]
        if found != expected:
            raise ModelError(f"The model '{name}' has {found} {what} and its manifest {expected}", "Export it again")
        if not are_numbers(logits):
            raise ModelError(f"The model '{name}' puts out values that are no numbers", _USE_FP32)


class ModelStream:
    """One stretch of speech through all graphs of a model, each frame once."""

    def __init__(self, model: AcousticModel, streams: Sequence[tuple[_Pass, EncoderStream]]) -> None:
        self._model, self._streams = model, streams
        self._intents: Array | None = None

    def feed(self, samples: Array) -> None:
        """Takes the next samples (16 kHz, mono, -1..1)."""
        for _, stream in self._streams:
            stream.feed(samples)

    @property
    def due(self) -> bool:
        """Whether a whole chunk has come."""
        return any(stream.due for _, stream in self._streams)

    def advance(self) -> Encoding:
        """The log-probabilities of the frames that are new, and the intent logits of all so far. If a graph fails, the
        stream stays where it is."""
        due = [(each, stream, stream.look()) for each, stream in self._streams if stream.due]
        logits = {head: value for each, _, step in due for head, value in each.by_head(step.logits).items()}
        intents = logits.get("intent", self._intents)
        encoding = self._model.encoding(logits if intents is None else {**logits, "intent": intents})
        for _, stream, step in due:  # not before all went well: what fails is tried again
            stream.take(step)
        self._intents = intents
        return encoding

    def rest(self, samples: int) -> Encoding:
        """What `advance` would give if the stream had ended after so many samples, chunks that are not whole included.
        The stream stays where it is."""
        logits = {
            head: value for each, stream in self._streams for head, value in each.by_head(stream.rest(samples)).items()
        }
        intents = logits.get("intent", self._intents)
        return self._model.encoding(logits if intents is None else {**logits, "intent": intents})


class ModelFront:
    """One stretch of speech through all graphs of a model, in windows. What a window has in common with those before is
    not computed again where a graph has a front."""

    def __init__(self, model: AcousticModel, passes: Sequence[tuple[_Pass, SegmentFeatures | None]]) -> None:
        self._model, self._passes = model, passes

    def hear(self, audio: Array) -> None:
        """Computes what of the audio so far is kept, and decodes nothing."""
        for _, features in self._passes:
            if features:
                features.hear(audio)

    def encode(self, audio: Array, start: int, end: int) -> Encoding:
        """One pass for `audio[start:end]`.

        Args:
            audio: all of the stretch so far.
            start: a whole number of hops.
            end: of the window.

        Raises:
            ModelError: as `AcousticModel.encode`.
        """
        logits: dict[Head, Array] = {}
        for each, features in self._passes:
            logits |= each.window(features, audio[:end], start) if features else each(audio[start:end])
        return self._model.encoding(logits)


class _Pass:
    """One graph in one session, and the heads that are wanted from it."""

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
        self.session: Session | TwoGraphs | RemoteSession
        opened = _open_remote(bundle, graph, settings) or _open_here(bundle, graph, settings, lengths)
        self.session, self.precision = opened
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
        self.session, self.precision = _open_here(self._bundle, self._graph, settings, self._lengths)
        self.session.note = lost.what


def _open_here(bundle: Bundle, graph: Graph, settings: AsrSettings, lengths: range) -> tuple[Session | TwoGraphs, str]:
    """A session on this machine, and its precision. `lengths` are those of the live path."""
    front = _open_front(bundle, graph, settings, lengths) if graph.front else None

    def files(provider: str) -> list[Path]:
        return [bundle.file(graph, name) for name in _precisions(graph, provider, settings.precision)]

    def inputs(counts: Iterable[int]) -> list[Array]:
        arrays = [model_input(_noise(count), graph.features) for count in counts]
        return [hear(front, array) for array in arrays] if front else arrays

    # an int8 graph has no kernels on the GPU
    provider = "cpu" if settings.precision == "int8" and settings.provider == "auto" else settings.provider
    usual = lengths[-1] if lengths else graph.minimum_samples
    options = SessionOptions(
        threads=_threads(bundle, graph, settings),
        digests=bundle.manifest.files if settings.keep_optimised else {},
        search=settings.convolution_search,
        cuda_graph=settings.cuda_graph,
        windows=lambda: inputs(lengths[:1] if graph.chunks else lengths),
        extremes=lambda: inputs((graph.minimum_samples, usual, _LONGEST)),
        beside={SIZE: np.array(choose_chunk(graph, settings.hop_s))} if graph.chunks else {},
    )
    try:
        session = open_session(files, provider, options)
    except NoNumbersError as error:
        remedy = _USE_FP32 if settings.precision != "fp32" and "fp32" in graph.variants else "Use --provider cpu"
        raise ModelError(f"The model '{bundle.manifest.name}' puts out values that are no numbers", remedy) from error
    names = {bundle.file(graph, name): name for name in _precisions(graph, session.provider, settings.precision)}
    return TwoGraphs(front, session) if front else session, names[session.file]


def _open_front(bundle: Bundle, graph: Graph, settings: AsrSettings, lengths: range) -> Session:
    """A session for the front of a graph: in the precision that is wanted where it has it."""
    front = dataclasses.replace(graph, variants=graph.front, front={})
    precision = settings.precision if settings.precision in graph.front else "auto"
    provider = "cpu" if settings.precision == "int8" and settings.provider == "auto" else settings.provider
    # live it hears a hop at a time, and the samples that a frame shares with the next
    usual = lengths.step + graph.minimum_samples - 2 * graph.frame_samples
    hops = range(usual, usual + 1)
    session, _ = _open_here(bundle, front, dataclasses.replace(settings, provider=provider, precision=precision), hops)
    assert isinstance(session, Session)
    return session


def _threads(bundle: Bundle, graph: Graph, settings: AsrSettings) -> int:
    """Threads on the CPU. A step of a small model is over before a second one has woken up."""
    size = min(bundle.file(graph, name).stat().st_size for name in graph.variants)
    return 1 if graph.chunks and size <= _SMALL else settings.threads


def live_lengths(manifest: Manifest, hop_s: float, shortest: int = 0) -> range:
    """How many samples the live path decodes at a time: every whole number of hops up to the largest window.

    Args:
        manifest: of the captions.
        hop_s: from one update to the next.
        shortest: how many samples the graph takes at least.
    """
    hop = max(1, round(hop_s * SAMPLE_RATE))
    largest = max(hop, int(manifest.windows[-1] * SAMPLE_RATE) // hop * hop)
    return range(max(hop, math.ceil(shortest / hop) * hop), largest + 1, hop)


def _check_windows(manifest: Manifest, settings: AsrSettings) -> None:
    """Raises ConfigError for settings that no window of the model can hold."""
    longest = manifest.windows[-1]
    if manifest.streaming != "window" and not settings.remote:
        return
    for name, seconds in (("asr.hop_s", settings.hop_s), ("asr.context_s", settings.context_s)):
        if seconds > longest:
            what = f"{name} is {seconds:g}, and the longest window of the model '{manifest.name}' is {longest:g} s"
            raise ConfigError(what, f"Choose {longest:g} or less")


def _noise(length: int) -> Array:
    """Something to hear, as loud as speech: half precision may overflow at what it holds for silence."""
    return np.random.default_rng(0).normal(0, 0.05, length).astype(np.float32)


def _open_remote(bundle: Bundle, graph: Graph, settings: AsrSettings) -> tuple[RemoteSession, str] | None:
    """A session on the server that the settings name, if they name one; the precision is the server's choice."""
    if not settings.remote:
        return None
    from edgevoice.asr.remote import open_remote  # gRPC comes with an extra, and few need it

    return open_remote(settings.remote, bundle.manifest, graph, settings.remote_timeout_s), "as served"


def load_model(bundle: Bundle, intent_bundle: Bundle | None, settings: AsrSettings) -> AcousticModel:
    """The model of one bundle, or captions from the first and intents from the second; warmed up."""
    model = AcousticModel(bundle, settings, intent_bundle)
    model.warm_up()
    return model


def choose_precision(graph: Graph, provider: str, wanted: str) -> str:
    """The variant to run: for "auto" the fastest that the provider has kernels for.

    Raises:
        ProviderError: int8 on a GPU, where the quantised operators would silently run on the CPU.
    """
    return _precisions(graph, provider, wanted)[0]


def _precisions(graph: Graph, provider: str, wanted: str) -> list[str]:
    """The variants that may run, best first; one unless `wanted` is "auto"."""
    names = [wanted]
    if wanted == "auto":
        preferred = [name for name in _PREFERRED[provider] if name in graph.variants]
        names = preferred or [*graph.variants][:1] or ["fp32"]
    if names[0] == "int8" and provider != "cpu":
        raise ProviderError(f"int8 models do not run on {provider}", f"{_USE_FP32}, or --provider cpu")
    return names


def combined_manifest(captions: Manifest, intents: Manifest | None) -> Manifest:
    """The manifest of two bundles used as one: vocabulary and windows of the first, labels of the second."""
    if intents is None:
        return captions
    return dataclasses.replace(
        captions,
        name=f"{captions.name} + {intents.name}",
        labels=intents.labels,
        thresholds=intents.thresholds,
        default_threshold=intents.default_threshold,
        early_threshold=intents.early_threshold,
        temperature=intents.temperature,
        reject_label=intents.reject_label,
        reject_bias=intents.reject_bias,
    )


def log_softmax(logits: Array) -> Array:
    """The logarithm of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), dtype=np.float32)


def _plan(bundle: Bundle, intent_bundle: Bundle | None) -> Sequence[tuple[Bundle, Graph, tuple[Head, ...]]]:
    """Which graphs to run for which heads; a graph that serves both heads is run once."""
    ctc = bundle.manifest.graph_for("ctc")
    source = intent_bundle or bundle
    intent = source.manifest.graph_for("intent")
    if intent_bundle and intent is None:
        raise ModelError(f"The model '{source.manifest.name}' has no intents", "Choose another --intent-model")
    if ctc is not None and ctc is intent:
        return [(bundle, ctc, ("ctc", "intent"))]
    plan: list[tuple[Bundle, Graph, tuple[Head, ...]]] = []
    if ctc is not None:
        plan.append((bundle, ctc, ("ctc",)))
    if intent is not None:
        plan.append((source, intent, ("intent",)))
    return plan
