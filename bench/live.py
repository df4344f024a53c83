"""`edgevoice bench live BUNDLE`: what live captions and intents cost, how soon they come and how still they stand.

The ways that a user could take instead hear the same audio, with the same weights: (a) Transformers and (b) Optimum
decoding the segment so far at every update, (c) decoding at silence only, (d) edgevoice's windows, (e) edgevoice's
chunks. Each runs in a process of its own (`bench.live_contender`), one after the other.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import live_streams
from bench.live_audio import Audio, Segment, make_audio, segments_of, usual_sets
from bench.live_contender import Run, Spec
from bench.live_figures import Figures, figures
from bench.live_models import Models, base_size_models, models_of
from bench.live_page import page, write_plot
from bench.model import machine
from bench.script import script
from edgevoice.asr.bundle import load_bundle
from edgevoice.config import VadSettings
from edgevoice.errors import EdgeVoiceError, UsageError
from edgevoice.paths import find_model
from training import network

logger = logging.getLogger(__name__)

EXAMPLE = """examples:
  edgevoice bench live banking-en --output docs/benchmarks/live-banking-en.md
  edgevoice bench live models/mine --checkpoint runs/mine --minutes 1 --json
  edgevoice bench live --base-size --work runs/base-size-live --output docs/benchmarks/live-base-size.md
"""
_ENDED = "It ended before it was done"


@dataclass(frozen=True)
class Contender:
    """One way of captioning."""

    mark: str
    """The letter it has in tables; more than one may have the same."""
    name: str
    spec: Spec


@dataclass
class Row:
    """What was measured of one contender."""

    contender: Contender
    figures: Figures | None = None
    error: str = ""
    """Why there is nothing; one sentence."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types, rounded."""
        spec = self.contender.spec
        return {
            "mark": self.contender.mark,
            "name": self.contender.name,
            "way": spec.way,
            "mode": spec.mode if spec.way == "edgevoice" else "again",
            "precision": spec.precision,
            **(self.figures.as_dict() if self.figures else {}),
            "error": self.error,
        }


def contenders_of(models: Models, spec: Spec) -> list[Contender]:
    """The ways that these models allow, the most usual first.

    Args:
        models: what there is to run.
        spec: audio and settings; way, bundle and mode are those of each contender.
    """

    def ours(mode: str, folder: Path, precision: str = "fp32") -> Spec:
        return dataclasses.replace(spec, bundle=str(folder), mode=mode, precision=precision)

    def theirs(way: str, folders: Sequence[Path]) -> Spec:
        return dataclasses.replace(spec, way=way, mode="again", checkpoints=[str(folder) for folder in folders])

    whole, found = models.bundle.path, []
    if models.checkpoints:
        way, name = ("transformers", "Transformers pipeline") if models.pipelines else ("pytorch", "PyTorch")
        found.append(Contender("a", f"{name}, segment again", theirs(way, models.checkpoints)))
    if models.optimum:
        found.append(Contender("b", "Optimum ORTModel, segment again", theirs("optimum", models.optimum)))
    else:
        found.append(Contender("b", "ONNX Runtime, segment again", ours("again", whole)))
    found.append(Contender("c", "at silence only, fp32", ours("silence", whole)))
    found += [
        Contender("d", f"edgevoice window, {precision}", ours("window", whole, precision))
        for precision in _precisions(models, "bundle")
    ]
    if models.cached:
        if models.cached is not models.bundle:
            name = "at silence only, fp32, the model of (e)"
            found.append(Contender("c", name, ours("silence", models.cached.path)))
        found += [
            Contender("e", f"edgevoice cached, {precision}", ours("cached", models.cached.path, precision))
            for precision in _precisions(models, "cached")
        ]
    found.append(Contender("", "detector and segmenter alone", ours("nothing", whole)))
    return found


def measure(contender: Contender, audio: Audio, segments: Sequence[Segment], cache: Path) -> Row:
    """Runs a contender to its end; its row says why if it failed."""
    spec = contender.spec
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(spec), file)
        file.flush()
        environment = {**os.environ, "OMP_NUM_THREADS": str(spec.threads), "XDG_CACHE_HOME": str(cache)}
        ended = subprocess.run(
            [sys.executable, "-m", "bench.live_contender", file.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            check=False,
        )
    lines = ended.stdout.splitlines()
    answer = json.loads(lines[-1]) if lines else {"error": _ENDED}
    if "error" in answer:
        return Row(contender, error=answer["error"])
    return Row(contender, figures(Run(**answer), audio, segments, spec.settings.vad.hangover_s))


def ratios(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """How many times as cheap each of edgevoice's ways is as (a) and (b), and what it costs beside one offline pass of
    the same model in the same runtime: that is (c). The detector, which all have, is in neither of these two."""
    whole = [row for row in rows if row.figures]
    detector = next((row.figures.cpu_per_s for row in whole if row.figures and not row.contender.mark), 0.0)
    found = []
    for row in whole:
        assert row.figures
        if row.contender.mark not in ("d", "e"):
            continue
        each: dict[str, Any] = {"name": row.contender.name}
        for other in whole:
            assert other.figures
            if other.contender.mark in ("a", "b"):
                each[f"cheaper_than_{other.contender.mark}"] = round(other.figures.cpu_per_s / row.figures.cpu_per_s, 2)
            same = (other.contender.spec.bundle, "fp32") == (row.contender.spec.bundle, row.contender.spec.precision)
            if other.contender.mark == "c" and same:
                encoder, once = (its.cpu_per_s - detector for its in (row.figures, other.figures))
                each["of_one_offline_pass"] = round(encoder / once, 2) if once > 0 else None
        each["in_real_time"] = row.figures.wall_per_s < 1
        found.append(each)
    return found


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _check(options)
    network.allow(())  # all is here; the contenders inherit it
    audio = make_audio(options.data or usual_sets(), options.minutes)
    segments = segments_of(audio.samples, VadSettings())
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        models = _models(options, scratch)
        np.save(scratch / "audio.npy", audio.samples)
        spec = Spec(
            way="edgevoice",
            bundle=str(models.bundle.path),
            audio=str(scratch / "audio.npy"),
            utterances=[(each.start, each.end) for each in audio.utterances],
            threads=options.threads,
            hop_s=options.hop,
            paced=options.paced,
        )
        rows = []
        for contender in contenders_of(models, spec):
            if options.only and contender.mark not in set(options.only):  # "" is in every string
                continue
            logger.info("%s (%.1f minutes of audio)", contender.name, audio.seconds / 60)
            rows.append(measure(contender, audio, segments, scratch / "cache"))
        streams = _streams(options, models, audio)
    report = _report(options, models, audio, segments, rows)
    report["streams"] = streams
    _show(options, report)
    return int(all(row.error for row in rows))


def _streams(options: argparse.Namespace, models: Models, audio: Audio) -> dict[str, Any]:
    """Several streams at once; why not, where they cannot be measured."""
    try:
        return live_streams.measure(models.cached or models.bundle, audio, options.streams, options.threads)
    except EdgeVoiceError as error:
        return {"streams": options.streams, "error": str(error)}


def _report(
    options: argparse.Namespace, models: Models, audio: Audio, segments: Sequence[Segment], rows: Sequence[Row]
) -> dict[str, Any]:
    sets: dict[str, float] = {}
    for each in audio.utterances:
        sets[each.dataset] = sets.get(each.dataset, 0.0) + each.end - each.start
    return {
        "model": models.bundle.manifest.name,
        "command": "edgevoice bench live " + ("--base-size" if options.base_size else models.bundle.manifest.name),
        "machine": machine(),
        "threads": options.threads,
        "hop_s": options.hop,
        "hangover_s": VadSettings().hangover_s,
        "paced": options.paced,
        "random_weights": options.base_size,
        "audio": {
            "minutes": round(audio.seconds / 60, 2),
            "speech_minutes": round(sum(each.end - each.start for each in audio.utterances) / 60, 2),
            "utterances": len(audio.utterances),
            "speakers": len({each.speaker for each in audio.utterances} - {"", "unknown"}),
            "segments": len(segments),
            "segment_minutes": round(sum(each.end - each.start for each in segments) / 60, 2),
            "minutes_by_set": {name: round(seconds / 60, 2) for name, seconds in sorted(sets.items())},
        },
        "rows": [row.as_dict() for row in rows],
        "ratios": ratios(rows),
        "left_out": models.notes,
    }


def _show(options: argparse.Namespace, report: dict[str, Any]) -> None:
    output: Path | None = options.output
    plot = output.with_suffix(".svg") if output and output.suffix == ".md" else None
    if plot and not write_plot(report, plot):
        plot = None
    text = page(report, plot.name if plot else "")
    print(json.dumps(report) if options.json else text)
    if output:
        output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if output and output.suffix == ".md":
        output.write_text(text + "\n", encoding="utf-8")


def _models(options: argparse.Namespace, scratch: Path) -> Models:
    if options.base_size:
        return base_size_models(options.work, scratch)
    return models_of(load_bundle(find_model(options.bundle)), options.checkpoint or [], scratch)


def _precisions(models: Models, which: str) -> list[str]:
    """Those that all graphs of a bundle have and the CPU runs."""
    bundle = models.cached if which == "cached" else models.bundle
    assert bundle
    graphs = bundle.manifest.graphs.values()
    return [name for name in ("fp32", "int8") if all(name in graph.variants for graph in graphs)]


def _check(options: argparse.Namespace) -> None:
    if options.base_size == bool(options.bundle):
        raise UsageError("Name a bundle, or --base-size, and not both", "For example: edgevoice bench live banking-en")
    for folder in options.checkpoint or []:
        if options.base_size or not (folder / "config.json").is_file():
            raise UsageError(f"{folder} is no checkpoint of this bundle", "Name the folder it was exported from")
    if options.output and not options.output.parent.is_dir():  # said now, not after minutes of measuring
        raise UsageError(f"There is no folder {options.output.parent}", "Choose another --output")
    if options.output and options.output.suffix not in (".json", ".md"):
        raise UsageError(f"{options.output} is neither .json nor .md", "Name it after what it shall be")
    if not 0 < options.minutes < 600 or not 0.05 <= options.hop <= 5:
        raise UsageError("--minutes and --hop make no sense", "Leave them out")
    if min(options.threads, options.streams) < 1:
        raise UsageError("--threads and --streams are at least 1", "Leave them out")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgevoice bench live",
        description="Cost, latency, stability and errors of live captions and intents, beside the same weights in "
        "PyTorch and Optimum where they are installed. Every way hears the same audio as if it came from a microphone.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", nargs="?", default="", help="folder or name of the bundle")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        action="append",
        help="its weights (unpacked from the bundle if it can); twice for one of captions and one of intents",
    )
    parser.add_argument(
        "--base-size", action="store_true", help="make and measure a base-size Wav2Vec2, random weights: cost only"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/base-size-live"), help="where --base-size makes it")
    parser.add_argument("--data", type=Path, metavar="CSV", action="append", help="manifests of the speech to hear")
    parser.add_argument("--minutes", type=float, default=5.0, help="of speech and pauses (5)")
    parser.add_argument("--streams", type=int, default=16, help="streams at once (16)")
    parser.add_argument("--hop", type=float, default=0.32, help="seconds from update to update (0.32)")
    parser.add_argument("--threads", type=int, default=2, help="of each way (2)")
    parser.add_argument("--only", metavar="LETTERS", default="", help="only these ways, such as de")
    parser.add_argument("--paced", action="store_true", help="wait for the audio in earnest; takes as long as it lasts")
    parser.add_argument("--json", action="store_true", help="JSON on stdout in place of the page")
    parser.add_argument("--output", type=Path, help="write the figures as JSON; named .md, as page and plot too")
    return parser


if __name__ == "__main__":
    sys.exit(script(run))
