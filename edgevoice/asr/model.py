"""`AcousticModel`: from 16 kHz samples to CTC log-probabilities and intent logits, whatever graphs a bundle has."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Bundle, Graph, Manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.session import DeviceLostError, Session, SessionOptions, open_session
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ModelError, ProviderError

if TYPE_CHECKING:
    from edgevoice.asr.remote import RemoteSession

Array = npt.NDArray[np.float32]
Head = Literal["ctc", "intent"]

_USE_FP32 = "Set EDGEVOICE_ASR_PRECISION=fp32"
_PREFERRED = {"cpu": ("int8", "fp32", "fp16"), "cuda": ("fp16", "fp32"), "tensorrt": ("fp16", "fp32")}


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """What the model heard in one stretch of audio."""

    log_probs: Array | None
    """[frames, vocabulary], natural logarithms; no frames if the audio is too short, None without a CTC head."""
    intent_logits: Array | None
    """[labels]; None if the audio is too short or the model has no intent head."""


class AcousticModel:
    """A bundle in running order. With `intent_bundle` the intent head comes from that second bundle.

    Raises:
        ModelError: a graph that cannot be run, or a precision that the bundle does not have.
        ProviderError: the provider asked for cannot be used.
        ConfigError: the address of the server is none.
    """

    def __init__(self, bundle: Bundle, settings: AsrSettings, intent_bundle: Bundle | None = None) -> None:
        self.manifest = combined_manifest(bundle.manifest, intent_bundle.manifest if intent_bundle else None)
        self._passes = [_Pass(*plan, settings) for plan in _plan(bundle, intent_bundle)]
        graph = bundle.manifest.graph_for("ctc")
        self.frame_seconds = graph.frame_samples / SAMPLE_RATE if graph else 0.0
        """Seconds from one CTC frame to the next; 0 without a CTC head."""
        self.heads: tuple[str, ...] = tuple(head for each in self._passes for head in each.heads)

    @property
    def provider(self) -> str:
        """What it runs on: "cpu", "cuda", "tensorrt" or "remote". A GPU that fails makes it "cpu"."""
        return self._passes[0].session.provider

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
        logits = {head: value for each in self._passes for head, value in each(samples).items()}
        ctc, intent = logits.get("ctc"), logits.get("intent")
        if "ctc" in self.heads and ctc is None:
            ctc = np.zeros((0, len(self.manifest.vocabulary)), dtype=np.float32)
        self._check(ctc, len(self.manifest.vocabulary), "tokens")
        self._check(intent, len(self.manifest.labels), "intents")
        return Encoding(None if ctc is None else log_softmax(ctc), intent)

    def warm_up(self) -> None:
        """Runs each window length once, so that the first words do not wait for allocations and kernel choices."""
        for samples in _windows(self.manifest):
            self.encode(samples)

    def _check(self, logits: Array | None, expected: int, what: str) -> None:
        if logits is None:
            return
        name, found = self.manifest.name, logits.shape[-1]
        if found != expected:
            raise ModelError(f"The model '{name}' has {found} {what} and its manifest {expected}", "Export it again")
        if not np.isfinite(logits.max(initial=0.0)):  # NaN wins every maximum; -inf is a fair way to say never
            raise ModelError(f"The model '{name}' puts out values that are no numbers", _USE_FP32)


class _Pass:
    """One graph in one session, and the heads that are wanted from it."""

    def __init__(self, bundle: Bundle, graph: Graph, heads: tuple[Head, ...], settings: AsrSettings) -> None:
        self.heads = heads
        self._bundle, self._graph, self._settings = bundle, graph, settings
        self.session: Session | RemoteSession
        self.session, self.precision = _open_remote(bundle, graph, settings) or _open_here(bundle, graph, settings)
        missing = {graph.outputs[head] for head in heads} - set(self.session.outputs)
        if missing:
            what = f"The model '{bundle.manifest.name}' has no output '{min(missing)}', which its manifest names"
            raise ModelError(what, "Export it again")

    def __call__(self, samples: Array) -> dict[Head, Array]:
        """Logits of each head, without the batch axis; nothing for audio shorter than the graph accepts."""
        if len(samples) < self._graph.minimum_samples:
            return {}
        array = model_input(samples, self._graph.features)
        try:
            outputs = self.session.run(array)
        except DeviceLostError as error:
            self._go_on_without(error)
            outputs = self.session.run(array)
        return {head: outputs[self._graph.outputs[head]][0] for head in self.heads}

    def _go_on_without(self, lost: DeviceLostError) -> None:
        """The same graph on the CPU, in whatever precision suits it, from now on."""
        wanted = self._settings.precision
        precision = "auto" if wanted == "fp16" else wanted
        settings = dataclasses.replace(self._settings, provider="cpu", precision=precision)
        self.session, self.precision = _open_here(self._bundle, self._graph, settings)
        self.session.note = lost.what


def _open_here(bundle: Bundle, graph: Graph, settings: AsrSettings) -> tuple[Session, str]:
    """A session on this machine, and its precision."""

    def file(provider: str) -> Path:
        return bundle.file(graph, choose_precision(graph, provider, settings.precision))

    # an int8 graph has no kernels on the GPU
    provider = "cpu" if settings.precision == "int8" and settings.provider == "auto" else settings.provider
    options = SessionOptions(
        threads=settings.threads,
        digests=bundle.manifest.files if settings.keep_optimised else {},
        search=settings.convolution_search,
        cuda_graph=settings.cuda_graph,
        windows=lambda: [model_input(noise, graph.features) for noise in _windows(bundle.manifest)],
    )
    session = open_session(file, provider, options)
    return session, choose_precision(graph, session.provider, settings.precision)


def _windows(manifest: Manifest) -> list[Array]:
    """Something to hear of each length that the live path decodes: faint noise."""
    noise = np.random.default_rng(0)
    lengths = [int(seconds * SAMPLE_RATE) for seconds in manifest.windows]
    return [noise.normal(0, 1e-3, length).astype(np.float32) for length in lengths]


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
    if wanted == "auto":
        preferred = (name for name in _PREFERRED[provider] if name in graph.variants)
        wanted = next(preferred, next(iter(graph.variants), "fp32"))
    if wanted == "int8" and provider != "cpu":
        raise ProviderError(f"int8 models do not run on {provider}", f"{_USE_FP32}, or --provider cpu")
    return wanted


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
