"""`edgevoice bench model BUNDLE`: how fast a model runs here, beside the same weights in PyTorch and Optimum.

Each way of running it (`bench.contender`) has its turns (`bench.turns`); the ratios are what counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.contender import head_of
from bench.turns import Contender, Row, measure
from edgevoice.asr.bundle import Bundle, load_bundle
from edgevoice.asr.session import available_providers
from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.paths import find_model
from training import network

EXAMPLE = """examples:
  edgevoice bench model banking-en
  edgevoice bench model models/mine --checkpoint runs/mine --json
  edgevoice bench model --base-size --work runs/base-size --output base-size.md
"""
LONG_S = 8.0
"""Seconds of audio in the longest window measured, beside those of the manifest."""
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "torch", "transformers", "optimum", "optimum-onnx")


def contenders_of(bundle: Bundle, checkpoint: Path | None, optimum: Path | None) -> list[Contender]:
    """Every provider with every precision it can run, then PyTorch and Optimum where there is something to run."""
    providers = available_providers()
    files = {name: (bundle.path / name).stat().st_size / 1e6 for name in bundle.manifest.files}
    graphs = list(bundle.manifest.graphs.values())
    precisions = [name for name in ("fp32", "fp16", "int8") if all(name in graph.variants for graph in graphs)]
    found = [
        Contender(
            "edgevoice",
            bundle.path,
            provider,
            precision,
            sum(files[file.name] for graph in graphs for file in bundle.whole(graph, precision)),
        )
        for provider in providers
        for precision in precisions
        if precision != "int8" or provider == "cpu"  # an int8 graph has no kernels on the GPU
    ]
    others = [name for name in providers if name != "tensorrt"]
    if checkpoint:
        way = "transformers" if has_pipeline(checkpoint) else "pytorch"
        found += [Contender(way, checkpoint, name, "fp32", _size_mb(checkpoint, "*.safetensors")) for name in others]
    if optimum:
        found += [Contender("optimum", optimum, name, "fp32", _size_mb(optimum, "*.onnx*")) for name in others]
    return found


def checkpoint_for(bundle: Bundle, scratch: Path) -> Path:
    """The bundle's weights as a checkpoint.

    Raises:
        EdgeVoiceError: PyTorch is not installed, or the bundle does not hold one model's weights.
    """
    if len(bundle.manifest.graphs) > 1:
        raise EdgeVoiceError("The bundle has two models, and no checkpoint is both of them")
    if not all(importlib.util.find_spec(name) for name in ("torch", "transformers", "onnx")):
        raise EdgeVoiceError("PyTorch is not installed", "It comes with the extra 'export'")
    from training.warm_start import unpack

    return unpack(bundle.path, scratch)


def optimum_of(checkpoint: Path, folder: Path) -> Path:
    """The checkpoint as Optimum exports it.

    Raises:
        EdgeVoiceError: Optimum is not installed, or does not know such a model.
    """
    if not importlib.util.find_spec("optimum") or not importlib.util.find_spec("optimum.onnxruntime"):
        raise EdgeVoiceError("Optimum is not installed", "It comes with the extra 'export'")
    if not has_pipeline(checkpoint):
        raise EdgeVoiceError("Optimum has no class for this kind of model")
    command = [sys.executable, "-m", "bench.contender", "prepare", str(checkpoint), "--output", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        reason = json.loads(ended.stdout.splitlines()[-1])["error"] if ended.stdout else "it ended early"
        raise EdgeVoiceError(f"Optimum cannot export it: {reason}")
    return folder


def table(rows: Sequence[Row], windows: Sequence[float]) -> str:
    """The figures as Markdown: one table of what each takes, one of how many times as fast it is as the references."""
    times = " | ".join(f"{window:g} s of audio, p50 / p95" for window in windows)
    head = f"| | on disk | first load | load | first call | memory | {times} |"
    lines = [head, "|---" * (6 + len(windows)) + "|"]
    for row in rows:
        if row.error:
            lines.append(f"| {row.contender.name} | {row.error} |" + " |" * (4 + len(windows)))
            continue
        cells = [
            f"{row.contender.disk_mb:.0f} MB",
            _shown(row.load_first_s, "{:.2f} s"),
            _shown(row.load_s, "{:.2f} s"),
            _shown(row.first_call_ms, "{:.0f} ms"),
            _shown(row.resident_mb, "{:.0f} MB"),
            *(f"{row.percentile(w, 50):.1f} / {row.percentile(w, 95):.1f} ms" for w in windows),
        ]
        lines.append(f"| {row.contender.name} | " + " | ".join(cells) + " |")
    compared = ratios(rows, windows)
    if compared:
        lines += ["", "| times as fast | " + " | ".join(f"{window:g} s" for window in windows) + " |"]
        lines.append("|---" * (1 + len(windows)) + "|")
        for each in compared:
            cells = [f"{each['by_window'][f'{window:g}']:.2f}" for window in windows]
            lines.append(f"| {each['fast']} / {each['slow']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratios(rows: Sequence[Row], windows: Sequence[float]) -> list[dict[str, Any]]:
    """How many times as fast each of ours is as our fp32 on the CPU, and as the others on the same provider."""
    whole = [row for row in rows if not row.error]
    found = []
    for fast in (row for row in whole if row.contender.way == "edgevoice"):
        for slow in whole:
            ours = slow.contender.way == "edgevoice"
            reference = (slow.contender.provider, slow.contender.precision) == ("cpu", "fp32") if ours else True
            comparable = ours or slow.contender.provider in (fast.contender.provider, "cpu")
            if slow is not fast and reference and comparable:
                by_window = {f"{window:g}": round(fast.faster_than(slow, window), 3) for window in windows}
                found.append({"fast": fast.contender.name, "slow": slow.contender.name, "by_window": by_window})
    return found


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _check(options)
    network.allow(())  # all is here; the contenders inherit it
    with tempfile.TemporaryDirectory() as scratch:
        bundle, checkpoint, notes = _models(options, Path(scratch))
        optimum = None
        if checkpoint:
            with _leaving_out("Optimum", notes):
                optimum = optimum_of(checkpoint, Path(scratch) / "optimum")
        windows = sorted({*bundle.manifest.windows, LONG_S})
        contenders = contenders_of(bundle, checkpoint, optimum)
        rows = measure(contenders, windows, threads=options.threads, rounds=options.rounds, calls=options.calls)
    report = {
        "model": bundle.manifest.name,
        "machine": machine(),
        "threads": options.threads,
        "rounds": options.rounds,
        "calls": options.calls,
        "rows": [row.as_dict() for row in rows],
        "ratios": ratios([row for row in rows if not row.error], windows),
        "left_out": notes,
    }
    page = _page(report, rows, windows)
    print(json.dumps(report) if options.json else page)
    if options.output:
        options.output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.output and options.output.suffix == ".md":
        command = "edgevoice bench model " + ("--base-size" if options.base_size else bundle.manifest.name)
        options.output.write_text(f"# A model's speed\n\n`{command}`: {page}\n", encoding="utf-8")
    return int(all(row.error for row in rows))


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    name = platform.processor() or platform.machine()
    file = Path("/proc/cpuinfo")
    if file.is_file():
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return {"processor": name, "cores": os.cpu_count(), "packages": {p: v for p in PACKAGES if (v := _version(p))}}


def _page(report: dict[str, Any], rows: Sequence[Row], windows: Sequence[float]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in report["machine"]["packages"].items())
    turns = f"taking turns: {report['rounds']} rounds of {report['calls']} calls"
    where = f"{report['threads']} threads of {report['machine']['cores']} cores ({report['machine']['processor']})"
    lines = [
        f"{report['model']} on {where}, {turns}. {packages}.",
        "",
        table(rows, windows),
        *(["", *(f"Left out: {note}" for note in report["left_out"])] if report["left_out"] else []),
    ]
    return "\n".join(lines)


def _models(options: argparse.Namespace, scratch: Path) -> tuple[Bundle, Path | None, list[str]]:
    """The bundle, the checkpoint with its weights if there is one, and why not."""
    notes: list[str] = []
    checkpoint: Path | None = None
    if options.base_size:
        from bench.base_size import base_size

        folder, checkpoint = base_size(options.work)
        return load_bundle(folder), checkpoint, notes
    bundle = load_bundle(find_model(options.bundle))
    if options.checkpoint:
        return bundle, options.checkpoint, notes
    with _leaving_out("PyTorch and Optimum", notes):
        checkpoint = checkpoint_for(bundle, scratch / "checkpoint")
    return bundle, checkpoint, notes


def _check(options: argparse.Namespace) -> None:
    if options.base_size == bool(options.bundle):
        raise UsageError("Name a bundle, or --base-size, and not both", "For example: edgevoice bench model banking-en")
    if options.checkpoint and (options.base_size or not (options.checkpoint / "config.json").is_file()):
        raise UsageError(
            f"{options.checkpoint} is no checkpoint of this bundle", "Name the folder it was exported from"
        )
    if options.output and not options.output.parent.is_dir():  # said now, not after minutes of measuring
        raise UsageError(f"There is no folder {options.output.parent}", "Choose another --output")
    if options.output and options.output.suffix not in (".json", ".md"):
        raise UsageError(f"{options.output} is neither .json nor .md", "Name it after what it shall be")
    if min(options.threads, options.rounds, options.calls) < 1:
        raise UsageError("--threads, --rounds and --calls are at least 1", "Leave them out")


@contextmanager
def _leaving_out(what: str, notes: list[str]) -> Iterator[None]:
    try:
        yield
    except EdgeVoiceError as error:
        notes.append(f"{what}. {error}")


def has_pipeline(checkpoint: Path) -> bool:
    """Whether Transformers' pipelines take it: one head, and features that a Transformers extractor computes."""
    from training.checkpoint import OWN_EXTRACTOR

    file = checkpoint / "preprocessor_config.json"
    features = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return head_of(checkpoint) != "joint" and features.get("feature_extractor_type") != OWN_EXTRACTOR


def _size_mb(folder: Path, pattern: str) -> float:
    return sum(file.stat().st_size for file in folder.glob(pattern)) / 1e6


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice bench model",
        description="Time, load, memory and disk of a bundle, for each provider and precision, beside the same weights "
        "in PyTorch and Optimum where they are installed. They take turns, so only the ratios count.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", nargs="?", default="", help="folder or name of the bundle")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="DIR", help="its weights (unpacked from the bundle if it can)"
    )
    parser.add_argument(
        "--base-size", action="store_true", help="make and measure a base-size Wav2Vec2, random weights"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/base-size"), help="where --base-size makes it, once")
    parser.add_argument("--threads", type=int, default=2, help="of each way (2)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way with each window (5)")
    parser.add_argument("--calls", type=int, default=5, help="timed calls of a turn (5)")
    parser.add_argument("--json", action="store_true", help="JSON on stdout in place of the tables")
    parser.add_argument("--output", type=Path, help="write the figures as JSON; named .md, as a page too")
    return parser
