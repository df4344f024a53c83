"""One way of captioning live audio, in a process of its own: `python -m bench.live_contender SPEC.json`.

Started by `bench.live`. SPEC holds a `Spec`; the answer is one line of JSON on standard output, a `Run` as a plain
object, or {"error": "..."}.

What is measured is the engine from the audio's arrival to its events, after the model was loaded and has run on the
first seconds of the audio: CPU seconds are those of all threads of this process, user and system, with the detector and
the segmenter, which every contender runs alike; the audio is in memory before.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bench.contender import TASKS, head_of, memory
from bench.live_clock import ArrivingSource, LeapingClock
from bench.live_loop import Decode, Heard, Loop
from edgevoice import events
from edgevoice.asr import ctc
from edgevoice.asr.bundle import Manifest, load_bundle
from edgevoice.asr.model import AcousticModel, Encoding, load_model
from edgevoice.config import SAMPLE_RATE, AsrSettings, Settings
from edgevoice.errors import EdgeVoiceError, ModelError
from edgevoice.events import Event, Word
from edgevoice.pipeline import Pipeline

Samples = npt.NDArray[np.float32]
WARM_S = 6.0
"""Seconds of the audio that are heard before anything is measured."""


@dataclass(frozen=True)
class Spec:
    """What to run, on what."""

    way: str
    """A key of `WAYS`."""
    bundle: str
    """Folder; its manifest says which intents there are, whoever finds them."""
    audio: str
    """A .npy file of mono float32 at 16 kHz."""
    utterances: list[tuple[float, float]]
    """Beginnings and ends of the clips in it, in seconds, for the offline pass."""
    checkpoints: list[str] = field(default_factory=list)
    """Folders, for the ways that run checkpoints: one with all heads, or one for captions and one for intents."""
    mode: str = "window"
    """Of edgevoice: "window", "cached", "silence" (decode at the end only), "again" (the whole segment at every
    update) or "nothing" (detector and segmenter alone)."""
    precision: str = "fp32"
    threads: int = 2
    hop_s: float = 0.32
    paced: bool = False

    @property
    def settings(self) -> Settings:
        """Of the engine."""
        asr = AsrSettings(provider="cpu", precision=self.precision, threads=self.threads, hop_s=self.hop_s)  # type: ignore[arg-type]
        return Settings(asr=asr)


@dataclass(frozen=True)
class Run:
    """What happened."""

    events: list[tuple[float, dict[str, Any]]]
    """When, in seconds on the clock of the audio, and what: events as they go over the wire."""
    passes: list[tuple[float, float]]
    """Of each pass through a model: until when audio had come, and when it was done; seconds."""
    updates: int
    """Passes while somebody spoke."""
    cpu_s: float
    """Of the whole stream."""
    wall_s: float
    """Of the whole stream, waits left out unless it was paced."""
    load_s: float
    resident_mb: float
    """At the end of the stream."""
    peak_mb: float
    offline_cpu_s: float
    """Of one pass over each utterance."""
    offline_texts: list[str]


class Engine(Protocol):
    """A loop or a pipeline."""

    def run(self) -> Iterator[Event]:
        """The events of the stream."""
        ...


class Watched:
    """A model, or a stream through one, that notes when its passes are done; everything else is as it was.

    Args:
        inner: what is watched.
        watch: is told of each pass.
        chunks: whether it may hear in chunks.
    """

    def __init__(self, inner: Any, watch: Callable[[str], None], *, chunks: bool) -> None:
        self._inner, self._watch, self._chunks = inner, watch, chunks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode(self, *arguments: Any) -> Encoding:
        """See `AcousticModel.encode`; also of what a model keeps between windows."""
        found: Encoding = self._inner.encode(*arguments)
        self._watch("encode")
        return found

    def stream(self) -> Any:
        """See `AcousticModel.stream`; None where it shall not hear in chunks."""
        return self._watched(self._inner.stream() if self._chunks else None)

    def front(self) -> Any:
        """What a model keeps between windows, where it does."""
        front = getattr(self._inner, "front", None)
        return self._watched(front() if front else None)

    def advance(self) -> Encoding:
        """See `ModelStream.advance`."""
        found: Encoding = self._inner.advance()
        self._watch("advance")
        return found

    def rest(self, samples: int) -> Encoding:
        """See `ModelStream.rest`."""
        found: Encoding = self._inner.rest(samples)
        self._watch("rest")
        return found

    def _watched(self, inner: Any) -> Any:
        return None if inner is None else Watched(inner, self._watch, chunks=False)


class Session:
    """One way, loaded: makes engines over sources, and decodes stretches at once."""

    def __init__(self, spec: Spec, manifest: Manifest, decode: Decode | None, model: AcousticModel | None) -> None:
        self._spec, self._manifest, self._decode, self._model = spec, manifest, decode, model

    def decode(self, samples: Samples) -> Heard:
        """One pass; nothing for the detector alone."""
        return self._decode(samples) if self._decode else Heard(())

    def live(self, samples: Samples) -> tuple[float, list[tuple[float, Event]], list[tuple[str, float, float]]]:
        """Hears a stream: seconds it took, its events and its passes with their times."""
        clock = LeapingClock(paced=self._spec.paced)
        source = ArrivingSource(samples, clock)
        passes: list[tuple[str, float, float]] = []

        def watch(kind: str) -> None:
            passes.append((kind, source.heard, clock()))

        engine = self._engine(source, clock, watch)
        began = time.perf_counter()
        found = [(clock(), event) for event in engine.run() if not isinstance(event, events.LevelMeasured)]
        return time.perf_counter() - began, found, passes

    def _engine(self, source: ArrivingSource, clock: LeapingClock, watch: Callable[[str], None]) -> Engine:
        mode, settings = self._spec.mode, self._spec.settings
        if self._model is not None and mode in ("window", "cached"):
            watched: Any = Watched(self._model, watch, chunks=mode == "cached")
            if mode == "cached" and watched.stream() is None:
                raise ModelError("The model does not hear in chunks", "Train one with --streaming")
            return Pipeline(source, watched, settings, clock=clock)
        if mode == "nothing":
            return Loop(source, None, self._manifest, settings, updates=False)

        def decode(samples: Samples) -> Heard:
            heard = self.decode(samples)
            watch("encode")
            return heard

        return Loop(source, decode, self._manifest, settings, updates=mode != "silence")


def edgevoice(spec: Spec) -> Session:
    """A bundle through the runtime."""
    bundle = load_bundle(Path(spec.bundle))
    model = load_model(bundle, None, spec.settings.asr)

    def decode(samples: Samples) -> Heard:
        found = model.encode(samples)
        words: list[Word] = []
        if found.log_probs is not None:
            words = model.decoder.words(found.log_probs, model.frame_seconds, 0.0)
        return Heard(tuple(words), found.intent_logits)

    return Session(spec, bundle.manifest, decode, model)


def transformers(spec: Spec) -> Session:
    """Checkpoints through the Transformers pipelines: one for captions with the times of words, one for intents."""
    import torch
    from transformers import AutoModelForAudioClassification, AutoModelForCTC
    from transformers import pipeline as pipeline_for

    pipeline: Any = pipeline_for
    torch.set_num_threads(spec.threads)
    manifest = load_bundle(Path(spec.bundle)).manifest
    made: dict[str, Any] = {}
    for folder in map(Path, spec.checkpoints):
        task = head_of(folder)
        auto = AutoModelForCTC if task == "ctc" else AutoModelForAudioClassification
        model = auto.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
        made[task] = pipeline(TASKS[task], model=model, device="cpu", **_processors(folder, task))

    def decode(samples: Samples) -> Heard:
        words: tuple[Word, ...] = ()
        logits = None
        if "ctc" in made:
            # it takes the dictionary apart, so each call needs a new one
            found = made["ctc"]({"raw": samples, "sampling_rate": SAMPLE_RATE}, return_timestamps="word")
            words = tuple(_word(each["text"], *each["timestamp"]) for each in found["chunks"])
        if "intent" in made:
            scores = {each["label"]: each["score"] for each in made["intent"](samples, top_k=None)}
            logits = np.log(np.array([max(1e-30, scores.get(name, 0.0)) for name in manifest.labels], dtype=np.float32))
        return Heard(words, logits)

    return Session(spec, manifest, decode, None)


def pytorch(spec: Spec) -> Session:
    """Checkpoints that no pipeline takes, called as training and export call them: one pass serves all its heads."""
    import torch

    from training.loading import load_checkpoint
    from training.models import frame_samples

    torch.set_num_threads(spec.threads)
    loaded = [load_checkpoint(folder) for folder in spec.checkpoints]

    def decode(samples: Samples) -> Heard:
        words: tuple[Word, ...] = ()
        logits = None
        for checkpoint in loaded:
            found = checkpoint.encode(samples)
            if found.log_probs is not None:
                frame_s = frame_samples(checkpoint.encoder_config, checkpoint.features) / SAMPLE_RATE
                tokens = ctc.greedy(found.log_probs, checkpoint.vocabulary, checkpoint.blank)
                words = tuple(ctc.words(tokens, frame_s, 0.0))
            logits = found.intent_logits if found.intent_logits is not None else logits
        return Heard(words, logits)

    return Session(spec, load_bundle(Path(spec.bundle)).manifest, decode, None)


def optimum(spec: Spec) -> Session:
    """Checkpoints that `bench.contender prepare` has exported, through Optimum's ORTModel as its documentation calls
    it."""
    from onnxruntime import SessionOptions
    from optimum.onnxruntime import ORTModelForAudioClassification, ORTModelForCTC

    made: dict[str, tuple[Any, Any, dict[str, Any]]] = {}
    for folder in map(Path, spec.checkpoints):
        task = head_of(folder)
        auto = ORTModelForCTC if task == "ctc" else ORTModelForAudioClassification
        threads = SessionOptions()
        threads.intra_op_num_threads = spec.threads
        model = auto.from_pretrained(folder, session_options=threads, provider="CPUExecutionProvider")
        processors = _processors(folder, task)
        made[task] = model, processors["feature_extractor"], processors

    def decode(samples: Samples) -> Heard:
        words: tuple[Word, ...] = ()
        logits = None
        for task, (model, extractor, processors) in made.items():
            found = model(**extractor(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")).logits
            if task == "ctc":
                frame_s = model.config.inputs_to_logits_ratio / SAMPLE_RATE
                decoded = processors["tokenizer"].decode(found[0].argmax(dim=-1), output_word_offsets=True)
                spans = [(w["word"], w["start_offset"], w["end_offset"]) for w in decoded.word_offsets]
                words = tuple(_word(word, start * frame_s, end * frame_s) for word, start, end in spans)
            else:
                logits = found[0].numpy()
        return Heard(words, logits)

    return Session(spec, load_bundle(Path(spec.bundle)).manifest, decode, None)


WAYS: dict[str, Callable[[Spec], Session]] = {
    "edgevoice": edgevoice,
    "transformers": transformers,
    "pytorch": pytorch,
    "optimum": optimum,
}


def measure(spec: Spec) -> Run:
    """Loads, warms up and hears the audio; then decodes each utterance at once."""
    started = time.perf_counter()
    session = WAYS[spec.way](spec)
    load_s = time.perf_counter() - started
    samples: Samples = np.load(spec.audio)
    session.live(samples[: round(WARM_S * SAMPLE_RATE)])
    gc.collect()
    cpu = time.process_time()
    wall_s, found, passes = session.live(samples)
    cpu_s = time.process_time() - cpu
    held = memory()
    cpu = time.process_time()
    whole = [session.decode(samples[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)]) for a, b in spec.utterances]
    offline_cpu_s = time.process_time() - cpu
    finals = sum(isinstance(event, events.SpeechEnded) for _, event in found)
    return Run(
        events=[(moment, events.to_dict(event)) for moment, event in found],
        passes=[(heard, done) for _, heard, done in passes],
        updates=max(0, sum(kind != "rest" for kind, _, _ in passes) - (0 if spec.mode == "cached" else finals)),
        cpu_s=cpu_s,
        wall_s=wall_s,
        load_s=load_s,
        resident_mb=held["resident_mb"],
        peak_mb=held["peak_mb"],
        offline_cpu_s=offline_cpu_s,
        offline_texts=[" ".join(word.word for word in heard.words) for heard in whole],
    )


def _word(text: str, start: float, end: float) -> Word:
    return Word(word=text.strip(), start=float(start), end=float(end), confidence=1.0)


def _processors(checkpoint: Path, task: str) -> dict[str, Any]:
    from transformers import AutoFeatureExtractor, AutoTokenizer

    found = {"feature_extractor": AutoFeatureExtractor.from_pretrained(checkpoint, trust_remote_code=False)}
    if task == "ctc":
        found["tokenizer"] = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
    return found


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    # the answer has the standard output to itself; whatever a library prints goes where errors go
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        spec = Spec(**json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
        answer = dataclasses.asdict(measure(spec))
    except EdgeVoiceError as error:
        answer = {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever one way fails with, the others go on
        answer = {"error": f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"}
    answers.write(json.dumps(answer) + "\n")
    answers.close()
    return int("error" in answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
