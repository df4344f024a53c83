"""One way of running a model, in a process of its own, told through its standard input what to time.

A process of its own shows the memory that one way takes, and lets several ways take turns on one machine. Started by
`bench.model`; each line in is a request, each line out its answer, both JSON:

    {"seconds": 4.0, "calls": 3, "warm": 1}  ->  {"times": [0.081, 0.08, 0.082]}
    {"memory": true}                         ->  {"resident_mb": 512.0, "peak_mb": 540.3}
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import EdgeVoiceError, ProviderError

Run = Callable[[npt.NDArray[np.float32]], object]
TASKS = {"ctc": "automatic-speech-recognition", "intent": "audio-classification"}
"""Head of a checkpoint -> the task of the pipelines."""


def edgevoice(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """A bundle through the runtime: log-probabilities to words, logits to intents."""
    from edgevoice.asr import ctc
    from edgevoice.asr.bundle import load_bundle
    from edgevoice.asr.intent import rank
    from edgevoice.asr.model import AcousticModel
    from edgevoice.asr.session import available_providers

    available_providers()  # imports onnxruntime, which is not part of loading a model
    started = time.perf_counter()
    bundle = load_bundle(options.path)
    verified = time.perf_counter()
    model = AcousticModel(
        bundle, AsrSettings(provider=options.provider, precision=options.precision, threads=options.threads)
    )
    figures = {"verify_s": verified - started, "load_s": time.perf_counter() - verified}

    def run(samples: npt.NDArray[np.float32]) -> object:
        found = model.encode(samples)
        if model.provider != options.provider:
            raise ProviderError(model.note)  # figures of the CPU are none of the GPU's
        text = ""
        if found.log_probs is not None:
            text = ctc.text(found.log_probs, model.manifest.vocabulary, model.manifest.blank)
        return text, None if found.intent_logits is None else rank(found.intent_logits, model.manifest)

    return run, {**figures, "provider": model.provider, "precision": model.precision}


def transformers(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """A checkpoint through the Transformers pipeline."""
    import torch
    from transformers import AutoModelForAudioClassification, AutoModelForCTC
    from transformers import pipeline as pipeline_for

    pipeline: Any = pipeline_for  # one overload a task
    torch.set_num_threads(options.threads)
    task = head_of(options.path)
    auto = AutoModelForCTC if task == "ctc" else AutoModelForAudioClassification
    started = time.perf_counter()
    model = auto.from_pretrained(options.path, use_safetensors=True, trust_remote_code=False)
    made = pipeline(TASKS[task], model=model, device=options.provider, **_processors(options.path, task))
    loaded = time.perf_counter() - started
    # it takes the dictionary apart, so each call needs a new one
    run = made if task != "ctc" else lambda samples: made({"raw": samples, "sampling_rate": SAMPLE_RATE})
    return run, {"load_s": loaded}


def pytorch(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """A checkpoint that no pipeline takes, called as training and export call it."""
    import torch

    from training.loading import load_checkpoint

    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    checkpoint = load_checkpoint(str(options.path))
    model = checkpoint.model.to(options.provider)

    def there(**inputs: Any) -> SimpleNamespace:
        found = model(**{name: tensor.to(options.provider) for name, tensor in inputs.items()})
        # to bring it here waits until the device has done it all, so no clock stops before
        return SimpleNamespace(**{name: tensor.cpu() for name, tensor in found.items() if torch.is_tensor(tensor)})

    checkpoint = dataclasses.replace(checkpoint, model=there)
    loaded = time.perf_counter() - started

    def run(samples: npt.NDArray[np.float32]) -> object:
        found = checkpoint.encode(samples)
        return checkpoint.text(found), found.intent_logits

    return run, {"load_s": loaded}


def optimum(options: argparse.Namespace) -> tuple[Run, dict[str, Any]]:
    """A checkpoint that `prepare` has exported, through Optimum's ORTModel as its documentation calls it: the pipeline
    does not take an ORTModelForCTC (optimum-onnx 0.1 with transformers 4.57)."""
    from onnxruntime import SessionOptions
    from optimum.onnxruntime import ORTModelForAudioClassification, ORTModelForCTC

    task = head_of(options.path)
    auto = ORTModelForCTC if task == "ctc" else ORTModelForAudioClassification
    threads = SessionOptions()
    threads.intra_op_num_threads = options.threads
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[options.provider]
    started = time.perf_counter()
    model = auto.from_pretrained(options.path, session_options=threads, provider=provider)
    processors = _processors(options.path, task)
    loaded = time.perf_counter() - started

    def run(samples: npt.NDArray[np.float32]) -> object:
        inputs = processors["feature_extractor"](samples, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        logits = model(**inputs.to(options.provider)).logits
        best = logits.argmax(dim=-1)
        return processors["tokenizer"].batch_decode(best) if task == "ctc" else best.item()

    return run, {"load_s": loaded}


def prepare(options: argparse.Namespace) -> None:
    """Exports a checkpoint with Optimum, as its ORTModel would each time it is loaded."""
    from optimum.onnxruntime import ORTModelForAudioClassification, ORTModelForCTC

    task = head_of(options.path)
    auto = ORTModelForCTC if task == "ctc" else ORTModelForAudioClassification
    auto.from_pretrained(options.path, export=True).save_pretrained(options.output)
    for processor in _processors(options.path, task).values():
        processor.save_pretrained(options.output)


def head_of(checkpoint: Path) -> str:
    """ "ctc", "intent" or "joint"."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") == "edgevoice-joint":
        return "joint"
    return "ctc" if str(next(iter(config.get("architectures") or [""]))).endswith("ForCTC") else "intent"


def _processors(checkpoint: Path, task: str) -> dict[str, Any]:
    from transformers import AutoFeatureExtractor, AutoTokenizer

    found = {"feature_extractor": AutoFeatureExtractor.from_pretrained(checkpoint, trust_remote_code=False)}
    if task == "ctc":
        found["tokenizer"] = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=False)
    return found


def serve(run: Run, requests: Any, answer: Callable[[dict[str, Any]], None]) -> None:
    """Answers requests until there are no more."""
    for line in requests:
        asked = json.loads(line)
        if asked.get("memory"):
            answer(memory())
            continue
        noise = np.random.default_rng(0).normal(0, 0.05, round(asked["seconds"] * SAMPLE_RATE)).astype(np.float32)
        times = []
        for _ in range(asked["warm"] + asked["calls"]):
            started = time.perf_counter()
            run(noise)
            times.append(time.perf_counter() - started)
        answer({"times": times[asked["warm"] :]})


def memory() -> dict[str, float]:
    """Megabytes that this process holds now, and the most it ever held; what is mapped from files counts."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux; second best, because it begins with what the parent held
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        return {"resident_mb": peak, "peak_mb": peak}
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines) if name[:2] == "Vm"}
    return {"resident_mb": kilobytes["VmRSS"] / 976.5625, "peak_mb": kilobytes["VmHWM"] / 976.5625}


WAYS: dict[str, Callable[[argparse.Namespace], tuple[Run, dict[str, Any]]]] = {
    "edgevoice": edgevoice,
    "transformers": transformers,
    "pytorch": pytorch,
    "optimum": optimum,
}


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=[*WAYS, "prepare"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    # answers have the standard output to themselves; whatever a library prints goes where errors go
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        if options.way == "prepare":
            prepare(options)
            return 0
        run, figures = WAYS[options.way](options)
        answer(figures)
        serve(run, sys.stdin, answer)
    except EdgeVoiceError as error:
        answer({"error": str(error)})
        return 1
    except Exception as error:  # noqa: BLE001 - whatever one way fails with, the others go on
        answer({"error": f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
