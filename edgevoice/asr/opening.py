"""Opens the graphs of a bundle: in which precision, with how many threads, for audio of which lengths."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import LONGEST_WINDOW_S, Bundle, Graph, Manifest
from edgevoice.asr.features import model_input
from edgevoice.asr.front import TwoGraphs, hear
from edgevoice.asr.session import NoNumbersError, Session, SessionOptions, open_session
from edgevoice.asr.steps import SIZE
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ModelError, ProviderError

if TYPE_CHECKING:
    from edgevoice.asr.remote import RemoteSession

Array = npt.NDArray[np.float32]

USE_FP32 = "Set EDGEVOICE_ASR_PRECISION=fp32"
_LONGEST = int((LONGEST_WINDOW_S + 1) * SAMPLE_RATE)
"""Samples. Neither a segment nor an utterance may be longer, whatever the settings say: a minute and what a detector's
frame or a resampler adds."""
_SMALL = 50_000_000
"""Bytes of a graph."""
_PREFERRED = {"cpu": ("int8", "fp32", "fp16"), "cuda": ("fp16", "fp32"), "tensorrt": ("fp16", "fp32")}


def open_graph(
    bundle: Bundle, graph: Graph, settings: AsrSettings, lengths: range, chunk: int = 0
) -> tuple[Session | TwoGraphs | RemoteSession, str]:
    """A session on this machine or on the server that the settings name, and its precision.

    Args:
        bundle: where the files are.
        graph: one of its graphs.
        settings: provider, precision, threads, server.
        lengths: samples that are decoded at a time on the live path.
        chunk: frames that a graph with chunks hears at a time.

    Raises:
        ModelError: it cannot be run, or does not have the precision.
        ProviderError: the provider asked for cannot be used.
        ConfigError: the address of the server is none.
    """
    if not settings.remote:
        return open_here(bundle, graph, settings, lengths, chunk)
    from edgevoice.asr.remote import open_remote  # gRPC comes with an extra, and few need it

    return open_remote(settings.remote, bundle.manifest, graph, settings.remote_timeout_s), "as served"


def open_here(
    bundle: Bundle, graph: Graph, settings: AsrSettings, lengths: range, chunk: int = 0
) -> tuple[Session | TwoGraphs, str]:
    """As `open_graph`, on this machine in any case."""
    front = _open_front(bundle, graph, settings, lengths) if graph.front else None

    def files(provider: str) -> list[Path]:
        return [bundle.file(graph, name) for name in precisions(graph, provider, settings.precision)]

    def inputs(counts: Iterable[int]) -> list[Array]:
        arrays = [model_input(noise(count), graph.features) for count in counts]
        return [hear(front, array) for array in arrays] if front else arrays

    # an int8 graph has no kernels on the GPU
    provider = "cpu" if settings.precision == "int8" and settings.provider == "auto" else settings.provider
    usual = lengths[-1] if lengths else graph.minimum_samples
    options = SessionOptions(
        threads=_threads(bundle, graph, settings),
        digests=bundle.manifest.files if settings.keep_optimised else {},
        search=settings.convolution_search,
        cuda_graph=settings.cuda_graph,
        windows=lambda: inputs(lengths[:1] if chunk else lengths),
        extremes=lambda: inputs((graph.minimum_samples, usual, _LONGEST)),
        beside={SIZE: np.array(chunk)} if chunk else {},
    )
    try:
        session = open_session(files, provider, options)
    except NoNumbersError as error:
        remedy = USE_FP32 if settings.precision != "fp32" and "fp32" in graph.variants else "Use --provider cpu"
        raise ModelError(f"The model '{bundle.manifest.name}' puts out values that are no numbers", remedy) from error
    names = {bundle.file(graph, name): name for name in precisions(graph, session.provider, settings.precision)}
    return TwoGraphs(front, session) if front else session, names[session.file]


def _open_front(bundle: Bundle, graph: Graph, settings: AsrSettings, lengths: range) -> Session:
    """A session for the front of a graph: in the precision that is wanted where it has it."""
    front = dataclasses.replace(graph, variants=graph.front, front={})
    precision = settings.precision if settings.precision in graph.front else "auto"
    provider = "cpu" if settings.precision == "int8" and settings.provider == "auto" else settings.provider
    # live it hears a hop at a time, and the samples that a frame shares with the next
    usual = lengths.step + graph.minimum_samples - 2 * graph.frame_samples
    hops = range(usual, usual + 1)
    session, _ = open_here(bundle, front, dataclasses.replace(settings, provider=provider, precision=precision), hops)
    assert isinstance(session, Session)
    return session


def _threads(bundle: Bundle, graph: Graph, settings: AsrSettings) -> int:
    """Threads on the CPU. A step of a small model is over before a second one has woken up."""
    size = min(bundle.file(graph, name).stat().st_size for name in graph.variants)
    return 1 if graph.chunks and size <= _SMALL else settings.threads


def precisions(graph: Graph, provider: str, wanted: str) -> list[str]:
    """The variants that may run, the fastest that the provider has kernels for first; one unless `wanted` is "auto".

    Raises:
        ProviderError: int8 on a GPU, where the quantised operators would silently run on the CPU.
    """
    names = [wanted]
    if wanted == "auto":
        preferred = [name for name in _PREFERRED[provider] if name in graph.variants]
        names = preferred or [*graph.variants][:1] or ["fp32"]
    if names[0] == "int8" and provider != "cpu":
        raise ProviderError(f"int8 models do not run on {provider}", f"{USE_FP32}, or --provider cpu")
    return names


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


def noise(length: int) -> Array:
    """Something to hear, as loud as speech: half precision may overflow at what it holds for silence."""
    return np.random.default_rng(0).normal(0, 0.05, length).astype(np.float32)
