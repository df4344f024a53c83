"""Puts a reader into a bundle: out of a checkpoint, proven, or out of another bundle, as it is there."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from edgevoice.asr.bundle import MANIFEST_NAME, Bundle, Precision, ReaderSpec, load_bundle
from edgevoice.asr.graph_file import references
from edgevoice.errors import ModelError, UsageError
from export import onnx_files, reader_graphs, reader_parity, token_table
from export.parity import Clips, ParityError
from export.reader_checkpoint import ReaderCheckpoint, load_reader

logger = logging.getLogger(__name__)

REDUCED: tuple[Precision, ...] = ("fp16", "int8")


Found = ReaderCheckpoint | Bundle
"""Where a reader comes from."""


def find(place: Path, language: str) -> Found:
    """The reader that lies in a folder, or that the hub has under that name.

    Args:
        place: folder of a checkpoint or of a bundle, or a hub id.
        language: the one to read, where a checkpoint has several or does not say; empty for what it has.

    Raises:
        ModelError: a bundle is damaged; there is no such checkpoint, or it is no Moonshine or Whisper.
        UsageError: a bundle has no reader; or the checkpoint does not read that language.
    """
    if not (place / MANIFEST_NAME).is_file():
        return load_reader(str(place), language)
    bundle = load_bundle(place)
    if bundle.manifest.reader is None:
        raise UsageError(f"The bundle {place} has no reader", "Name another one with --reader")
    return bundle


def of_bundle(bundle: Bundle | None) -> Bundle | None:
    """A bundle, if it has a reader."""
    return bundle if bundle and bundle.manifest.reader else None


def needs(found: Found | None, precisions: Collection[str]) -> tuple[int, float, float]:
    """Bytes of a reader, and how many times as much it takes on the disk of the bundle, and for temporary files."""
    if found is None:
        return 0, 0.0, 0.0
    if isinstance(found, Bundle):
        return sum((found.path / name).stat().st_size for name in files_of(found)), 1.0, 0.0
    weights = sum(each.numel() * 4 for each in found.model.parameters())
    # the three graphs, two of which hold the decoder, and both a copy and what is made of it; then the files
    return (weights, 7.0, 3.0) if set(precisions) & set(REDUCED) else (weights, 5.0, 0.0)


def put(found: Found, folder: Path, clips: Clips, precisions: Collection[str]) -> ReaderSpec:
    """Puts a reader's files into a folder: those of a bundle as they are, those of a checkpoint proven.

    Raises:
        ParityError: what was written differs from the checkpoint.
    """
    if isinstance(found, Bundle):
        return _take_along(found, folder)
    return _convert(found, folder, clips, precisions)


def files_of(bundle: Bundle) -> list[str]:
    """The names of a bundle's files that are its reader's."""
    spec = bundle.manifest.reader
    if spec is None:
        return []
    weights = {name for file in spec.files for name in references(bundle.path / file).files}
    return sorted({*spec.files, *weights, spec.tokens})


def _take_along(bundle: Bundle, folder: Path) -> ReaderSpec:
    spec = bundle.manifest.reader
    assert spec is not None
    for name in files_of(bundle):
        shutil.copy2(bundle.path / name, folder / name)
    licence = spec.licence or ("" if bundle.manifest.graphs else bundle.manifest.licence)
    return dataclasses.replace(spec, licence=licence)


def _convert(checkpoint: ReaderCheckpoint, folder: Path, clips: Clips, precisions: Collection[str]) -> ReaderSpec:
    """fp32 is always there, and a reduced precision only if it holds."""
    spec = _with(checkpoint.spec, "fp32")
    token_table.write(checkpoint.tokens, folder / spec.tokens)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".reader-") as scratch:
        logger.info("converting the reader %s", spec.name)
        graphs = _exact(checkpoint, spec, folder, Path(scratch))
        exact = reader_parity.prove(checkpoint, folder, spec, clips)
        logger.info("reader fp32: %s", exact.figures.as_dict())
        if not exact.figures.words:
            logger.warning("the reader writes nothing for the clips, so that its text proves little")
        figures = {"fp32": exact.figures}
        feeds = reader_parity.examples(folder, spec, clips) if "fp16" in precisions else [[], [], []]
        for name in (each for each in REDUCED if each in precisions):
            candidate = _with(spec, name)
            encoder, decoder = folder / candidate.encoder[name], folder / candidate.decoder[name]
            try:
                kept = reader_graphs.reduce(name, graphs, checkpoint.model, feeds, encoder, decoder)
                found = reader_parity.compare(folder, candidate, name, clips, exact)
            except (ModelError, ParityError) as error:
                logger.warning("the reader in %s is left out: %s", name, error.what)
                onnx_files.remove(encoder)
                onnx_files.remove(decoder)
                continue
            logger.info("reader %s: %s", name, found.as_dict())
            if kept:
                logger.info("%d of its nodes stay in fp32, whose values fp16 cannot hold", kept)
            spec, figures[name] = candidate, found
    return dataclasses.replace(spec, parity={name: each.as_dict() for name, each in figures.items()})


def _exact(checkpoint: ReaderCheckpoint, spec: ReaderSpec, folder: Path, scratch: Path) -> reader_graphs.Graphs:
    """Writes the files in fp32, and gives the graphs that they were made of."""
    try:
        graphs = reader_graphs.export(checkpoint.model, scratch)
        reader_graphs.write(graphs, checkpoint.model, folder / spec.encoder["fp32"], folder / spec.decoder["fp32"])
    except (ValueError, TypeError, KeyError) as error:  # of Optimum, for a shape that it does not foresee
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        what = f"The reader '{spec.name}' cannot be converted: {reason}"
        raise ModelError(what, "Report the checkpoint") from error
    return graphs


def _with(spec: ReaderSpec, precision: Precision) -> ReaderSpec:
    """The spec with a precision more."""
    ending = "onnx" if precision == "fp32" else f"{precision}.onnx"
    return dataclasses.replace(
        spec,
        encoder={**spec.encoder, precision: f"reader.encoder.{ending}"},
        decoder={**spec.decoder, precision: f"reader.decoder.{ending}"},
    )
