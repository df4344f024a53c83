"""`AcousticModel`: from 16 kHz samples to CTC log-probabilities and intent logits, whatever graphs a bundle has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Bundle, Graph, Manifest
from edgevoice.asr.decoder import make_decoder
from edgevoice.asr.front import SegmentFeatures
from edgevoice.asr.graph_pass import GraphPass, Head
from edgevoice.asr.opening import USE_FP32, live_lengths, noise
from edgevoice.asr.revision import Reviser
from edgevoice.asr.session import are_numbers
from edgevoice.asr.steps import EncoderStream
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ConfigError, ModelError

Array = npt.NDArray[np.float32]


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
            GraphPass(its, graph, heads, settings, live_lengths(self.manifest, settings.hop_s, graph.minimum_samples))
            for its, graph, heads in _plan(bundle, intent_bundle)
        ]
        graph = bundle.manifest.graph_for("ctc")
        self.frame_seconds = graph.frame_samples / SAMPLE_RATE if graph else 0.0
        """Seconds from one CTC frame to the next; 0 without a CTC head."""
        self.heads: tuple[str, ...] = tuple(head for each in self._passes for head in each.heads)
        self.reviser: Reviser | None = None
        """Reads sentences once more when they are over; None for nobody."""
        self.reader_note = ""
        """Why nobody does, where one might expect it; empty when there is nothing to say."""

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
            self._encode(noise(length), starting=True)

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
            raise ModelError(f"The model '{name}' puts out values that are no numbers", USE_FP32)


class ModelStream:
    """One stretch of speech through all graphs of a model, each frame once."""

    def __init__(self, model: AcousticModel, streams: Sequence[tuple[GraphPass, EncoderStream]]) -> None:
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

    def __init__(self, model: AcousticModel, passes: Sequence[tuple[GraphPass, SegmentFeatures | None]]) -> None:
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


def _check_windows(manifest: Manifest, settings: AsrSettings) -> None:
    """Raises ConfigError for settings that no window of the model can hold."""
    longest = manifest.windows[-1]
    if manifest.streaming != "window" and not settings.remote:
        return
    for name, seconds in (("asr.hop_s", settings.hop_s), ("asr.context_s", settings.context_s)):
        if seconds > longest:
            what = f"{name} is {seconds:g}, and the longest window of the model '{manifest.name}' is {longest:g} s"
            raise ConfigError(what, f"Choose {longest:g} or less")


def load_model(bundle: Bundle, intent_bundle: Bundle | None, settings: AsrSettings) -> AcousticModel:
    """The model of one bundle, or captions from the first and intents from the second; warmed up."""
    model = AcousticModel(bundle, settings, intent_bundle)
    model.warm_up()
    return model


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
    if not plan:
        what = f"The model '{bundle.manifest.name}' is a reader, which hears neither captions nor intents by itself"
        raise ModelError(what, "Choose another --model")
    return plan
