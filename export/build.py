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

import numpy as np

from edgevoice import __version__
from edgevoice.asr.bundle import (
    MANIFEST_NAME,
    Bundle,
    Graph,
    Manifest,
    Precision,
    ReaderSpec,
    Role,
    Streaming,
    load_bundle,
    sha256,
    write_manifest,
)
from edgevoice.asr.features import model_input
from edgevoice.asr.graph_file import references
from edgevoice.asr.steps import SIZE
from edgevoice.errors import ModelError, UsageError
from edgevoice.paths import known_models
from export import convert, disk, front, onnx_files, parity, reader, words
from export.fuse import fuse
from export.precision import halve, quantise
from export.words import Words
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
    reader: str = ""
    """Folder or hub id of a checkpoint of Moonshine or Whisper, or a bundle with a reader, that goes along; empty for
    none, or for the one that a bundle has already."""
    words: Words | None = None
    """A language model that the bundle brings along; None for none, or for the one that a bundle has already."""


def export(checkpoints: Sequence[str], output: Path, options: ExportOptions = ExportOptions()) -> Manifest:
    """Converts one checkpoint (CTC, intent or joint), or a CTC and an intent one, into the bundle `output`; or a bundle
    into another, with the graphs and precisions that this version makes of its weights. A reader may come along, or be
    all there is.

    Raises:
        ParityError: a graph does not do what its checkpoint does; nothing is left in `output`.
        UsageError: the checkpoints do not go together, or `output` exists and may not be replaced.
    """
    if not checkpoints and not options.reader:
        raise UsageError("There is nothing to export", "Name a checkpoint, or a reader with --reader")
    check_output(output, replace=options.replace)
    if options.extras and not options.extras.is_dir():
        raise UsageError(f"There is no folder {options.extras}", "Choose another --extras")
    clips = parity.load_clips(options.clips)
    before = _bundle(checkpoints) if checkpoints else None
    loaded = [] if before else [load_checkpoint(name) for name in checkpoints]
    language = options.language or (before.manifest.language if before else "")
    found = reader.find(find_here(options.reader), language) if options.reader else reader.of_bundle(before)
    needs = _needs(output, loaded, before, found, options)
    with disk.room(needs), tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as scratch:
        folder, beside = Path(scratch) / "bundle", Path(scratch) / "reader"
        folder.mkdir()
        beside.mkdir()
        _copy_extras(before, options.extras, folder)
        options = dataclasses.replace(options, name=options.name or ("" if before else output.resolve().name))
        manifest = _heard(loaded, before, folder, clips, options) if checkpoints else None
        spec = reader.put(found, beside, clips, options.precisions) if found else None
        if spec:
            _join(beside, folder)
            whole = dataclasses.replace(manifest, reader=spec) if manifest else _read(spec, options)
            manifest = seal(folder, whole)
        assert manifest is not None
        move_bundle(folder, output)
    return manifest


def _heard(
    loaded: Sequence[Checkpoint], before: Bundle | None, folder: Path, clips: parity.Clips, options: ExportOptions
) -> Manifest:
    """Writes what captions and what knows intents."""
    if before:
        scratch = folder.parent
        unpacked = [unpack(before.path, scratch / role, role) for role in before.manifest.graphs]  # type: ignore[arg-type]
        loaded = [load_checkpoint(str(name)) for name in unpacked]
    _check_pairing(loaded)
    if options.words:
        words.check(options.words, next((each.vocabulary for each in loaded if each.vocabulary), ()))
    return _build(loaded, folder, clips, options, before.manifest if before else None)


def _join(beside: Path, folder: Path) -> None:
    """Moves the files of a reader to the others; raises UsageError where one of that name is there."""
    for file in beside.iterdir():
        if (folder / file.name).exists():
            raise UsageError(f"There would be two files '{file.name}' in the bundle", "Choose another --reader")
        file.replace(folder / file.name)


def _read(spec: ReaderSpec, options: ExportOptions) -> Manifest:
    """The manifest of a bundle that is a reader and nothing else."""
    licence = options.licence or spec.licence
    return Manifest(
        name=options.name,
        graphs={},
        files={},
        language=options.language or spec.language,
        made_by=__version__,
        reader=dataclasses.replace(spec, name=options.name, licence=licence),
        licence=licence,
    )


def _bundle(checkpoints: Sequence[str]) -> Bundle | None:
    """The bundle that is to be exported again, if it is one; raises UsageError for one beside something else, or with
    nothing to export."""
    places = [find_here(name) for name in checkpoints]
    bundles = [place for place in places if (place / MANIFEST_NAME).is_file()]
    if bundles and len(places) > 1:
        raise UsageError(f"{bundles[0]} is a bundle already", "Export it alone, or name the checkpoints themselves")
    if not bundles:
        return None
    bundle = load_bundle(bundles[0])
    if not bundle.manifest.graphs:
        raise UsageError(f"{bundles[0]} is a reader and nothing else", "Name it with --reader")
    return bundle


def _needs(
    output: Path,
    loaded: Sequence[Checkpoint],
    before: Bundle | None,
    found: reader.Found | None,
    options: ExportOptions,
) -> list[disk.Need]:
    """What an export has on disks at once, as multiples of the weights in fp32, counted from the steps: beside the
    bundle a copy or two, and in the folder of temporary files what optimiser and quantiser hand from step to step."""
    weights = sum(each.numel() * 4 for checkpoint in loaded for each in checkpoint.model.parameters())
    if before:
        graphs = before.manifest.graphs.values()
        weights = sum(onnx_files.size(file) for graph in graphs for file in before.whole(graph, "fp32"))
    beside, temporary = (3.0, 3.0) if set(options.precisions) & set(REDUCED) else (2.0, 1.0)
    read, copies, passing = reader.needs(found, options.precisions)
    return [
        disk.Need(
            output.parent,
            round(weights * (beside + bool(before)) + read * copies),
            "Free some, or choose an --output on another disk",
        ),
        disk.Need(
            Path(tempfile.gettempdir()),
            round(max(weights * temporary, read * passing)),
            "Free some, or set TMPDIR to a folder on another disk",
        ),
    ]


def find_here(name: str) -> Path:
    """The folder of that name; where there is none, that of the model which is known by it."""
    return Path(name) if Path(name).is_dir() else known_models().get(name, Path(name))


def _copy_extras(before: Bundle | None, extras: Path | None, folder: Path) -> None:
    """What of a bundle and of the user's folder goes along: all but graphs, their weights, reader and manifest."""
    graphs = before.manifest.graphs.values() if before else ()
    files = [before.path / name for graph in graphs for name in graph.files] if before else []
    made = {data for file in files for data in references(file).files} | {*(reader.files_of(before) if before else ())}
    for source in [*([before.path] if before else []), *([extras] if extras else [])]:
        for file in sorted(source.iterdir()):
            if file.is_file() and file.suffix != ".onnx" and file.name not in {MANIFEST_NAME, *made}:
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
        apart = _cut_front(checkpoint, file)
        plain[role] = onnx_files.copy(file, folder.parent)
        # a step is written as it is to run
        fused = 0 if checkpoint.chunking else fuse(file, checkpoint.model, checkpoint.encoder_config)
        logger.info("attention: %s", f"{fused} nodes, one a layer" if fused else "as exported")
        convert.note_aliases(checkpoint.model, file, apart)
        graphs[role] = convert.graph(checkpoint, file, apart)
    manifest = _renewed(before, graphs, options) if before else _manifest(loaded, graphs, options)
    figures = {"fp32": _prove(loaded, folder, manifest, "fp32", clips)}
    parity.check_exact(figures["fp32"])
    reduced = [name for name in REDUCED if name in options.precisions]
    if reduced:
        seal(folder, manifest)
        exact = parity.decode(folder, "fp32", [*clips, *(parity.load_talk() if options.clips == parity.CLIPS else ())])
    for name in reduced:
        candidate = _candidate(name, manifest)
        try:
            _write(name, candidate, folder, plain, parity.loud_and_long(exact.clips))
            seal(folder, candidate)
            found = parity.compare_variants(folder, name, exact)
            parity.check_close(found)
        except (ModelError, parity.ParityError) as error:
            logger.warning("%s is left out: %s", name, error.what)
            for graph in candidate.graphs.values():
                for names in (graph.variants, graph.front):
                    if name in names:
                        onnx_files.remove(folder / names[name])
        else:
            manifest, figures[name] = candidate, found
    if manifest.vocabulary and not figures["fp32"].words:
        logger.warning("the model says nothing on the clips, so that its text proves little")
    manifest = dataclasses.replace(manifest, parity={name: p.as_dict() for name, p in figures.items()})
    if options.words:  # not before: what is proven is what the graph says
        manifest = dataclasses.replace(manifest, decoding=words.add(options.words, folder, manifest.decoding))
    return seal(folder, manifest)


def _cut_front(checkpoint: Checkpoint, file: Path) -> Path | None:
    """Makes two graphs of one, where windows that overlap would compute the same features again."""
    apart = file.with_suffix(".front.onnx")
    if not front.can_have(checkpoint) or not front.split(file, apart):
        return None
    logger.info("the convolutions are a graph of their own, which hears each frame once")
    return apart


def _prove(
    loaded: Sequence[Checkpoint], folder: Path, manifest: Manifest, precision: str, clips: parity.Clips
) -> parity.Parity:
    """The worst figures of the checkpoints, each compared through a bundle of its own graph."""
    results = []
    for checkpoint in loaded:
        role = _role(checkpoint)
        graphs: dict[str, Graph] = {role: manifest.graphs[role]}
        seal(folder, dataclasses.replace(manifest, graphs=graphs, streaming=_streaming(graphs)))
        result = parity.compare(checkpoint, folder, precision, clips)
        logger.info("%s %s: %s", role, precision, result.as_dict())
        results.append(result)
    return parity.Parity(
        clips=min(r.clips for r in results),
        seconds=results[0].seconds,
        largest_difference=max(r.largest_difference for r in results),
        text_error=max(r.text_error for r in results),
        intent_agreement=min(r.intent_agreement for r in results),
        words=max(r.words for r in results),
        noise=max(r.noise for r in results),
    )


def _candidate(precision: Precision, manifest: Manifest) -> Manifest:
    """The manifest with a variant more."""
    graphs = {}
    for role, graph in manifest.graphs.items():
        variants = {**graph.variants, precision: _named(graph.variants["fp32"], precision)}
        apart = dict(graph.front)
        if apart and precision == "fp16":  # int8 convolutions gain nothing
            apart[precision] = _named(apart["fp32"], precision)
        graphs[role] = dataclasses.replace(graph, variants=variants, front=apart)
    return dataclasses.replace(manifest, graphs=graphs)


def _named(fp32: str, precision: Precision) -> str:
    return str(Path(fp32).with_suffix(f".{precision}.onnx"))


def _write(
    precision: Precision, manifest: Manifest, folder: Path, plain: Mapping[str, Path], clips: parity.Clips
) -> None:
    """Writes that variant of each graph: fp16 of the fused graph, int8 of the plain one."""
    for role, graph in manifest.graphs.items():
        target = folder / graph.variants[precision]
        if precision == "int8":
            quantise(plain[role], target)
            continue
        inputs = [model_input(clip, graph.features) for clip in clips]
        kept = 0
        if graph.front:
            kept = halve(folder / graph.front["fp32"], folder / graph.front[precision], inputs)
            inputs = front.run(folder / graph.front["fp32"], inputs)
        beside = {SIZE: np.array(graph.chunks[len(graph.chunks) // 2])} if graph.chunks else {}
        kept += halve(folder / graph.variants["fp32"], target, inputs, beside)
        if kept:
            logger.info("fp16: %d nodes stay in fp32, whose values fp16 cannot hold", kept)


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
        streaming=_streaming(graphs),
        made_by=__version__,
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
        streaming=_streaming(graphs),
        made_by=__version__,
        files={},
        reader=None,
        parity={},
        name=options.name or before.name,
        language=options.language or before.language,
        licence=options.licence or before.licence,
        thresholds={label: max(limit, lowest) for label, limit in before.thresholds.items()},
        default_threshold=before.default_threshold if options.threshold is None else options.threshold,
        reject_label=reject,
        reject_bias=before.reject_bias if reject == before.reject_label else 0.0,
    )


def _streaming(graphs: Mapping[str, Graph]) -> Streaming:
    """Each frame once where all graphs can do that."""
    return "cached" if all(graph.chunks for graph in graphs.values()) else "window"


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
