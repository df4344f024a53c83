"""Puts a bundle together: graphs, checksums, manifest, card. It appears at its place whole, or not at all."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevoice.asr.bundle import (
    MANIFEST_NAME,
    Bundle,
    Graph,
    Manifest,
    Precision,
    Role,
    load_bundle,
    sha256,
    write_manifest,
)
from edgevoice.errors import ModelError, UsageError
from edgevoice.paths import known_models
from export import convert, parity
from export.fuse import fuse
from export.precision import halve, quantise
from training import calibrate
from training.loading import Checkpoint, load_checkpoint, training_record
from training.sources import set_names
from training.warm_start import unpack

logger = logging.getLogger(__name__)

REDUCED: tuple[Precision, ...] = ("fp16", "int8")
PRECISIONS: tuple[Precision, ...] = ("fp32", *REDUCED)


@dataclass(frozen=True)
class ExportOptions:
    """What the user may choose."""

    name: str = ""
    """Of the model; empty for that of its folder, or for the one that a bundle has already."""
    precisions: Sequence[str] = PRECISIONS
    reject_label: str = ""
    """The label that stands for "no intent", if the model has it; empty for that of its calibration, or "none"."""
    threshold: float | None = None
    """The smallest score that counts; where the checkpoint is calibrated, no threshold is lower. None for 0.5, or for
    the calibrated ones as they are."""
    clips: Path = parity.CLIPS
    replace: bool = False
    extras: Path | None = None
    """A folder whose files (card, sample call) go into the bundle as they are."""
    licence: str = ""
    language: str = ""


def export(checkpoints: Sequence[str], output: Path, options: ExportOptions = ExportOptions()) -> Manifest:
    """Converts one checkpoint (CTC, intent or joint), or a CTC and an intent one, into the bundle `output`; or a bundle
    into another, with the graphs and precisions that this version makes of its weights.

    Raises:
        ParityError: the graph does not do what the checkpoint does; nothing is left in `output`.
        UsageError: the checkpoints do not go together, or `output` exists and may not be replaced.
    """
    check_output(output, replace=options.replace)
    if options.extras and not options.extras.is_dir():
        raise UsageError(f"There is no folder {options.extras}", "Choose another --extras")
    clips = parity.load_clips(options.clips)
    before = _bundle(checkpoints)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as scratch:
        if before:
            roles = before.manifest.graphs
            checkpoints = [str(unpack(before.path, Path(scratch) / role, role)) for role in roles]  # type: ignore[arg-type]
        loaded = [load_checkpoint(name) for name in checkpoints]
        _check_pairing(loaded)
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        _copy_extras([*([before.path] if before else []), *([options.extras] if options.extras else [])], folder)
        options = dataclasses.replace(options, name=options.name or ("" if before else output.resolve().name))
        manifest = _build(loaded, folder, clips, options, before.manifest if before else None)
        move_bundle(folder, output)
    return manifest


def _bundle(checkpoints: Sequence[str]) -> Bundle | None:
    """The bundle that is to be exported again, if it is one; raises UsageError for one beside something else."""
    places = [find_here(name) for name in checkpoints]
    bundles = [place for place in places if (place / MANIFEST_NAME).is_file()]
    if bundles and len(places) > 1:
        raise UsageError(f"{bundles[0]} is a bundle already", "Export it alone, or name the checkpoints themselves")
    return load_bundle(bundles[0]) if bundles else None


def find_here(name: str) -> Path:
    """The folder of that name; where there is none, that of the model which is known by it."""
    return Path(name) if Path(name).is_dir() else known_models().get(name, Path(name))


def _copy_extras(sources: Sequence[Path], folder: Path) -> None:
    for source in sources:
        for file in sorted(source.iterdir()):
            if file.is_file() and file.suffix != ".onnx" and file.name != MANIFEST_NAME:
                shutil.copy2(file, folder / file.name)


def move_bundle(folder: Path, output: Path) -> None:
    """Puts a whole bundle in its place, and what was there out of the way; both lie on one disk or the bundle is copied
    beside its place first."""
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as scratch:
        beside = Path(shutil.move(folder, Path(scratch) / "new"))
        if output.exists():
            output.replace(Path(scratch) / "replaced")
        beside.replace(output)


def check_output(output: Path, *, replace: bool) -> None:
    """Makes the folder that a bundle goes into; raises UsageError where one cannot, or must not, be written."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-"):
            pass
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}", "Choose another --output") from None
    if output.resolve() == Path.cwd() or os.path.ismount(output):
        raise UsageError(f"{output} cannot be replaced by a bundle", "Name a folder in it with --output")
    if not output.exists():
        return
    if not output.is_dir() or output.is_symlink():
        raise UsageError(f"{output} is no folder", "Choose another --output")
    if any(item.is_dir() for item in output.iterdir()):
        raise UsageError(f"{output} holds folders, so it is no bundle", "Choose another --output")
    if any(output.iterdir()) and not replace:
        raise UsageError(f"{output} is not empty", "Choose another --output, or replace it with --force")


def _build(
    loaded: Sequence[Checkpoint], folder: Path, clips: parity.Clips, options: ExportOptions, before: Manifest | None
) -> Manifest:
    graphs: dict[str, Graph] = {}
    plain: dict[str, Path] = {}
    for checkpoint in loaded:
        role = _role(checkpoint)
        file = folder / ("model.onnx" if len(loaded) == 1 else f"{role}.onnx")
        logger.info("converting %s (%s)", before.name if before else checkpoint.name, role)
        convert.to_onnx(checkpoint, file)
        plain[role] = Path(shutil.copy(file, folder.parent / file.name))
        fused = fuse(file, checkpoint.model, checkpoint.encoder_config)
        logger.info("attention: %s", f"{fused} nodes, one a layer" if fused else "as exported")
        convert.note_aliases(checkpoint.model, file)
        graphs[role] = convert.graph(checkpoint, file)
    manifest = _renewed(before, graphs, options) if before else _manifest(loaded, graphs, options)
    figures = {"fp32": _prove(loaded, folder, manifest, "fp32", clips)}
    parity.check_exact(figures["fp32"])
    measured = clips if options.clips != parity.CLIPS else [*clips, *parity.load_talk()]
    for name in REDUCED:
        if name not in options.precisions:
            continue
        candidate = _with(name, manifest, folder, plain)
        found = _reduced(candidate, folder, name, measured)
        if found and parity.close_enough(found):
            manifest, figures[name] = candidate, found
        else:
            why = (
                f"text differs by {found.text_error:.1%}, intents agree on {found.intent_agreement:.1%}"
                if found
                else ""
            )
            logger.warning("%s is left out: %s", name, why or "it puts out values that are no numbers")
            for graph in candidate.graphs.values():
                (folder / graph.variants[name]).unlink()
    manifest = dataclasses.replace(manifest, parity={name: p.as_dict() for name, p in figures.items()})
    return seal(folder, manifest)


def _reduced(manifest: Manifest, folder: Path, precision: str, clips: parity.Clips) -> parity.Parity | None:
    """How far a reduced precision is from fp32; None where it does not run."""
    seal(folder, manifest)
    try:
        return parity.compare_variants(folder, precision, clips)
    except ModelError as error:
        logger.info("%s: %s", precision, error.what)
        return None


def _prove(
    loaded: Sequence[Checkpoint], folder: Path, manifest: Manifest, precision: str, clips: parity.Clips
) -> parity.Parity:
    """The worst figures of the checkpoints, each compared through a bundle of its own graph."""
    results = []
    for checkpoint in loaded:
        role = _role(checkpoint)
        seal(folder, dataclasses.replace(manifest, graphs={role: manifest.graphs[role]}))
        result = parity.compare(checkpoint, folder, precision, clips)
        logger.info("%s %s: %s", role, precision, result.as_dict())
        results.append(result)
    return parity.Parity(
        clips=min(r.clips for r in results),
        seconds=results[0].seconds,
        largest_difference=max(r.largest_difference for r in results),
        text_error=max(r.text_error for r in results),
        intent_agreement=min(r.intent_agreement for r in results),
    )


def _with(precision: Precision, manifest: Manifest, folder: Path, plain: Mapping[str, Path]) -> Manifest:
    """The manifest with a variant more, whose files are written: fp16 of the fused graph, int8 of the plain one."""
    graphs = {}
    for role, graph in manifest.graphs.items():
        fp32 = folder / graph.variants["fp32"]
        target = fp32.with_suffix(f".{precision}.onnx")
        if precision == "int8":
            quantise(plain[role], target)
        else:
            halve(fp32, target)
        graphs[role] = dataclasses.replace(graph, variants={**graph.variants, precision: target.name})
    return dataclasses.replace(manifest, graphs=graphs)


def _manifest(loaded: Sequence[Checkpoint], graphs: dict[str, Graph], options: ExportOptions) -> Manifest:
    speech = next((c for c in loaded if c.vocabulary), None)
    classifier = next((c for c in loaded if c.labels), None)
    labels = classifier.labels if classifier else ()
    calibration = calibrate.load(classifier.name) if classifier else None
    calibrated = calibration.thresholds if calibration else {}
    reject = options.reject_label or (calibration.reject_label if calibration else calibrate.NONE)
    if reject not in (*labels, calibrate.NONE):
        raise UsageError(f"There is no label '{reject}'", f"Choose one of {', '.join(labels) or 'none'}")
    return Manifest(
        name=options.name,
        graphs=graphs,
        files={},
        language=options.language,
        vocabulary=speech.vocabulary if speech else (),
        blank=speech.blank if speech else 0,
        labels=labels,
        thresholds={label: max(limit, options.threshold or 0.0) for label, limit in calibrated.items()},
        default_threshold=0.5 if options.threshold is None else options.threshold,
        early_threshold=calibration.early_threshold if calibration else 0.0,
        temperature=calibration.temperature if calibration else 1.0,
        reject_bias=calibration.reject_bias if calibration and reject == calibration.reject_label else 0.0,
        reject_label=reject if reject in labels else "",
        training={_role(c): _summary(training_record(c.name)) for c in loaded},
        licence=options.licence,
    )


def _renewed(before: Manifest, graphs: dict[str, Graph], options: ExportOptions) -> Manifest:
    """What a bundle says of itself, with other graphs; what the user chose anew goes before it."""
    reject = options.reject_label or before.reject_label
    if options.reject_label and reject not in before.labels:
        raise UsageError(f"There is no label '{reject}'", f"Choose one of {', '.join(before.labels) or 'none'}")
    lowest = options.threshold or 0.0
    return dataclasses.replace(
        before,
        graphs=graphs,
        files={},
        parity={},
        name=options.name or before.name,
        language=options.language or before.language,
        licence=options.licence or before.licence,
        thresholds={label: max(limit, lowest) for label, limit in before.thresholds.items()},
        default_threshold=before.default_threshold if options.threshold is None else options.threshold,
        reject_label=reject,
        reject_bias=before.reject_bias if reject == before.reject_label else 0.0,
    )


def _role(checkpoint: Checkpoint) -> Role:
    return "shared" if checkpoint.task == "joint" else checkpoint.task


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    """What of a recipe belongs into a manifest: no paths of the machine it ran on."""
    if not record:
        return {}
    data = record["data"]
    named = [name for source in data["sources"] for name in set_names(source)]
    sets = [name for name in named if data.get("repeat", {}).get(name, 1)]  # 0 leaves a set out
    return {"task": record["task"], "data": sets, "trainer": record["trainer"]}


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Writes the manifest with the sha256 of every file that lies in the folder."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != MANIFEST_NAME)
    sealed = dataclasses.replace(manifest, files={name: sha256(folder / name) for name in names})
    write_manifest(folder, sealed)
    return sealed


def _check_pairing(loaded: Sequence[Checkpoint]) -> None:
    tasks = sorted(checkpoint.task for checkpoint in loaded)
    if tasks not in (["joint"], ["ctc"], ["intent"], ["ctc", "intent"]):
        raise UsageError(
            f"These checkpoints do not go together: {', '.join(tasks)}",
            "Give one, or a CTC one and --intent an intent one",
        )
