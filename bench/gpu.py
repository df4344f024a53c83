"""What a CUDA machine makes of a model: `python -m bench.gpu`.

python -m bench.gpu prepare runs/gpu        on any machine, a minute: graphs of base size without their weights, 1 MB
python -m bench.gpu measure runs/gpu --output docs/benchmarks/gpu.md      where the GPU is, with edgevoice[gpu] and onnx

Weights are drawn at random where the graphs are measured; no speed depends on them. Every way of running takes its turn
in every round. PyTorch, where it is installed, tells how fast the GPU multiplies and copies, and so what the floor is.
Windows of 2, 4 and 8 s are compared; live captions decode whole hops instead, 0.32 to 3.84 s with the default settings
(`edgevoice.asr.opening.live_lengths`).
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench.model import machine
from bench.script import script
from edgevoice.asr.session import ConvolutionSearch, Session, SessionOptions, open_session
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import EdgeVoiceError, UsageError

WINDOWS_S = (2.0, 4.0, 8.0)
TWO_LENGTHS, NEW_LENGTHS = "two lengths in turn", "a new length every call"
GRAPHS = {"plain": "as exported", "fused": "attention fused", "half": "attention fused, fp16"}
_LARGE = 1000
"""Numbers in a tensor that is a weight; smaller ones are shapes, biases and scales, and are kept."""


@dataclass(frozen=True)
class Way:
    """One way of running the model."""

    graph: str
    """A key of `GRAPHS`."""
    search: ConvolutionSearch = "heuristic"
    cuda_graph: bool = False
    bound: bool = True
    """Whether the buffers of the windows stay on the device."""

    @property
    def name(self) -> str:
        """What it is called in the table."""
        launches = "CUDA graph" if self.cuda_graph else "buffers kept" if self.bound else "buffers copied"
        return f"{GRAPHS[self.graph]}, {launches}, {self.search}"


WAYS = (
    *(Way("fused", search, bound=False) for search in ("heuristic", "exhaustive", "default")),
    Way("plain"),
    Way("fused"),
    Way("half"),
    Way("plain", cuda_graph=True),
    Way("fused", cuda_graph=True),
    Way("half", cuda_graph=True),
)


@dataclass
class Row:
    """What one way took."""

    way: Way
    load_s: float = 0.0
    graphs: int = 0
    """How many window lengths were replayed as one CUDA graph."""
    error: str = ""
    """Why there is nothing; one sentence."""
    calls: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of a window, or one of the patterns of lengths -> seconds that each call took."""

    def milliseconds(self, what: str, percent: float) -> float:
        """A percentile of the calls."""
        return 1000 * float(np.percentile(self.calls[what], percent))


@dataclass(frozen=True)
class Peak:
    """What the GPU gives at best, as PyTorch measures it."""

    name: str
    fp32_tflops: float
    fp16_tflops: float
    copied_gb_s: float


def prepare(folder: Path) -> None:
    """Exports a base-size model three ways and empties its weights."""
    from bench.base_size import random_weights
    from export import convert
    from export.fuse import fuse
    from export.precision import halve
    from training.loading import load_checkpoint

    random_weights(folder / "checkpoint")
    checkpoint = load_checkpoint(str(folder / "checkpoint"))
    full = {name: folder / "checkpoint" / f"{name}.onnx" for name in GRAPHS}
    convert.to_onnx(checkpoint, full["plain"])
    full["fused"].write_bytes(full["plain"].read_bytes())
    fuse(full["fused"], checkpoint.model, checkpoint.encoder_config)
    halve(full["fused"], full["half"])
    for name, file in full.items():
        proto = onnx.load(str(file))
        for tensor in proto.graph.initializer:
            if np.prod(tensor.dims) > _LARGE:
                tensor.ClearField("raw_data")
                tensor.ClearField("float_data")
        (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())


def fill(source: Path, target: Path) -> int:
    """Gives an emptied graph random weights; returns how many bytes they take."""
    proto, rng, total = onnx.load(str(source)), np.random.default_rng(0), 0
    for tensor in proto.graph.initializer:
        count = int(np.prod(tensor.dims))
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if count > _LARGE and not tensor.raw_data:
            tensor.raw_data = rng.normal(0, 0.02, count).astype(kind).tobytes()
        total += count * kind.itemsize
    onnx.save(proto, str(target))
    return total


def measure(folder: Path, provider: str, rounds: int, calls: int) -> list[Row]:
    """Every way in its turn, round by round."""
    files = {name: folder / f"{name}-filled.onnx" for name in GRAPHS}
    rows = [Row(way) for way in WAYS]
    sessions: list[Session | None] = []
    for row in rows:
        began = time.perf_counter()
        try:
            session = _open(files[row.way.graph], provider, row.way)
        except EdgeVoiceError as error:
            row.error = error.what
            sessions.append(None)
            continue
        sessions.append(session)
        row.load_s, row.graphs = time.perf_counter() - began, session.graphs
        if row.way.cuda_graph and not row.graphs:
            row.error = "this graph cannot be recorded"
    lengths = np.random.default_rng(1)
    for number in range(rounds):
        for place in np.roll(np.arange(len(rows)), number):
            row, opened = rows[place], sessions[place]
            if opened is None or row.error:
                continue
            for seconds in WINDOWS_S:
                _time(row, f"{seconds:g}", opened, [seconds] * calls)
            if not row.way.bound:
                _time(row, TWO_LENGTHS, opened, [2.0, 4.0] * (calls // 2), warm=False)
                _time(row, NEW_LENGTHS, opened, list(lengths.uniform(2.0, 4.0, calls)), warm=False)
    return rows


def _open(file: Path, provider: str, way: Way) -> Session:
    windows: Callable[[], Sequence[Any]] = (lambda: [_audio(seconds) for seconds in WINDOWS_S]) if way.bound else tuple
    options = SessionOptions(threads=2, search=way.search, cuda_graph=way.cuda_graph, windows=windows)
    return open_session(file, provider, options)


def _time(row: Row, what: str, session: Session, seconds: Sequence[float], *, warm: bool = True) -> None:
    inputs = [_audio(each) for each in seconds]
    if warm:
        session.run(inputs[0])
    for array in inputs:
        began = time.perf_counter()
        session.run(array)
        row.calls.setdefault(what, []).append(time.perf_counter() - began)


def _audio(seconds: float) -> Any:
    return np.random.default_rng(0).normal(0, 1, (1, int(seconds * SAMPLE_RATE))).astype(np.float32)


def peak() -> Peak | None:
    """The GPU's best, by PyTorch: large products, and a large copy within its memory; None where there is none."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = True
    size, count = 8192, 2**29
    flops = 2 * size**3

    def seconds(run: Callable[[], object]) -> float:
        times = []
        for _ in range(10):
            torch.cuda.synchronize()
            began = time.perf_counter()
            run()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
        return min(times[2:])

    rates = []
    for kind in (torch.float32, torch.float16):
        matrix = torch.randn(size, size, device="cuda", dtype=kind)
        rates.append(flops / seconds(functools.partial(torch.matmul, matrix, matrix)) / 1e12)
    source = torch.zeros(count, device="cuda", dtype=torch.uint8)
    copied = 2 * count / seconds(source.clone) / 1e9
    return Peak(torch.cuda.get_device_name(0), rates[0], rates[1], copied)


def gigaflops(seconds: float) -> float:
    """Arithmetic of one pass of a base-size Wav2Vec2, in 10^9 operations (a multiplication and an addition are two)."""
    samples, channels, total = int(seconds * SAMPLE_RATE), 1, 0.0
    for kernel, stride in zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), strict=True):
        samples = (samples - kernel) // stride + 1
        total += samples * channels * 512 * kernel
        channels = 512
    layer = samples * (4 * 768 * 768 + 2 * 768 * 3072) + 2 * samples * samples * 768
    return 2e-9 * (total + samples * 512 * 768 + samples * 768 * (768 // 16) * 128 + 12 * layer)


def table(rows: Sequence[Row], weights: dict[str, int], best: Peak | None) -> str:
    """The figures as Markdown, the floor last."""
    patterns = (TWO_LENGTHS, NEW_LENGTHS)
    heads = [*(f"{seconds:g} s, p50 / p95" for seconds in WINDOWS_S), *(f"{each}, p50" for each in patterns)]
    lines = ["| | load | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
    for row in rows:
        if row.error:
            lines.append(f"| {row.way.name} | {row.error} |" + " |" * len(heads))
            continue
        cells = [f"{row.milliseconds(f'{s:g}', 50):.2f} / {row.milliseconds(f'{s:g}', 95):.2f} ms" for s in WINDOWS_S]
        cells += [f"{row.milliseconds(each, 50):.2f} ms" if each in row.calls else "" for each in patterns]
        lines.append(f"| {row.way.name} | {row.load_s:.1f} s | " + " | ".join(cells) + " |")
    if best:
        for name, rate, graph in (("fp32", best.fp32_tflops, "fused"), ("fp16", best.fp16_tflops, "half")):
            floors = [max(gigaflops(s) / rate, weights[graph] / best.copied_gb_s / 1e6) for s in WINDOWS_S]
            cells = [f"{floor:.3f} ms" for floor in floors] + [""] * len(patterns)
            lines.append(f"| floor, {name} | | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(rows: Sequence[Row], weights: dict[str, int], best: Peak | None, options: argparse.Namespace) -> str:
    """The table and what it means."""
    packages = ", ".join(f"{name} {number}" for name, number in machine()["packages"].items())
    where = best.name if best else f"no GPU that PyTorch knows, provider {options.provider}"
    floor = (
        f"The floor is the larger of the arithmetic at the {best.fp32_tflops:.0f} and {best.fp16_tflops:.0f} TFLOP/s "
        f"that PyTorch reaches in large products (TF32 and fp16), and the weights at {best.copied_gb_s:.0f} GB/s."
        if best
        else ""
    )
    return (
        "# On a GPU\n\n"
        f"`python -m bench.gpu`: Wav2Vec2 of base size, random weights, one window of audio a call, on {where}. "
        f"{options.rounds} rounds of {options.calls} calls, every way in its turn. {packages}. {floor}\n\n"
        "Live captions decode whole hops, 0.32 to 3.84 s with the default settings, each bound and recorded as these "
        "windows are.\n\n"
        f"{table(rows, weights, best)}\n"
    )


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["prepare", "measure"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--provider", default="cuda", help="cpu to try the script where there is no GPU")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks/gpu.md"), help="and the same as .json")
    options = parser.parse_args(arguments)
    if options.stage == "prepare":
        prepare(options.folder)
        return 0
    missing = [name for name in GRAPHS if not (options.folder / f"{name}.onnx").is_file()]
    if missing:
        raise UsageError(f"{options.folder} has no {missing[0]}.onnx", "Run the stage 'prepare' first")
    weights = {name: fill(options.folder / f"{name}.onnx", options.folder / f"{name}-filled.onnx") for name in GRAPHS}
    # in a process of its own: PyTorch would keep memory, and its libraries, beside those of onnxruntime
    code = "import json, bench.gpu as g; p = g.peak(); print(json.dumps(p and vars(p)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout
    best = Peak(**json.loads(found)) if found.strip() not in ("", "null") else None
    rows = measure(options.folder, options.provider, options.rounds, options.calls)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(page(rows, weights, best, options), encoding="utf-8")
    report = {"machine": machine(), "peak": best and asdict(best), "rows": [_as_dict(row) for row in rows]}
    options.output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


def _as_dict(row: Row) -> dict[str, Any]:
    figures = {
        what: {"p50_ms": row.milliseconds(what, 50), "p95_ms": row.milliseconds(what, 95), "calls": len(calls)}
        for what, calls in row.calls.items()
    }
    loaded = {"load_s": row.load_s, "graphs": row.graphs, "error": row.error}
    return {"way": row.way.name, **asdict(row.way), **loaded, "calls": figures}


if __name__ == "__main__":
    sys.exit(script(main))
