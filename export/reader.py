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


def is_bundle(place: Path) -> bool:
    """Whether a folder holds a bundle."""
    return (place / MANIFEST_NAME).is_file()


def bundle_with_reader(place: Path) -> Bundle:
    """A bundle that has a reader.

    Raises:
        ModelError: it is damaged.
        UsageError: it has none.
    """
    bundle = load_bundle(place)
    if bundle.manifest.reader is None:
        raise UsageError(f"The bundle {place} has no reader", "Name another one with --reader")
    return bundle


def files_of(bundle: Bundle) -> list[str]:
    """The names of a bundle's files that are its reader's."""
    spec = bundle.manifest.reader
    if spec is None:
        return []
    weights = {name for file in spec.files for name in references(bundle.path / file).files}
    return sorted({*spec.files, *weights, spec.tokens})


def take_along(bundle: Bundle, folder: Path) -> ReaderSpec:
    """Copies the reader of a bundle into a folder, as it is.

    Raises:
        UsageError: it has none, or a file of that name is there.
    """
    spec = bundle.manifest.reader
    assert spec is not None
    for name in files_of(bundle):
        if (folder / name).exists():
            raise UsageError(f"There would be two files '{name}' in the bundle", "Export the reader anew")
        shutil.copy2(bundle.path / name, folder / name)
    licence = spec.licence or ("" if bundle.manifest.graphs else bundle.manifest.licence)
    return dataclasses.replace(spec, licence=licence)


def convert(checkpoint: ReaderCheckpoint, folder: Path, clips: Clips, precisions: Collection[str]) -> ReaderSpec:
    """Writes the files of a checkpoint's reader into a folder, and proves that they read as it does.

    Args:
        checkpoint: the reader.
        folder: where its files go.
        clips: what is read for it.
        precisions: the wanted ones; fp32 is always there, and a reduced one only if it holds.

    Raises:
        ParityError: what was written differs from the checkpoint.
    """
    spec = _with(checkpoint.spec, "fp32")
    token_table.write(checkpoint.tokens, folder / spec.tokens)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".reader-") as scratch:
        logger.info("converting the reader %s", spec.name)
        graphs = reader_graphs.export(checkpoint.model, Path(scratch))
        reader_graphs.write(graphs, checkpoint.model, folder / spec.encoder["fp32"], folder / spec.decoder["fp32"])
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
                kept = reader_graphs.reduce(name, graphs, feeds, encoder, decoder)
                found = reader_parity.compare(folder, candidate, name, clips, exact)
            except (ModelError, ParityError) as error:
                logger.warning("the reader in %s is left out: %s", name, error.what)
                onnx_files.remove(encoder)
                onnx_files.remove(decoder)
                continue
            if kept:
                logger.info("reader fp16: %d nodes stay in fp32, whose values fp16 cannot hold", kept)
            logger.info("reader %s: %s", name, found.as_dict())
            spec, figures[name] = candidate, found
    return dataclasses.replace(spec, parity={name: each.as_dict() for name, each in figures.items()})


def _with(spec: ReaderSpec, precision: Precision) -> ReaderSpec:
    """The spec with a precision more."""
    ending = "onnx" if precision == "fp32" else f"{precision}.onnx"
    return dataclasses.replace(
        spec,
        encoder={**spec.encoder, precision: f"reader.encoder.{ending}"},
        decoder={**spec.decoder, precision: f"reader.decoder.{ending}"},
    )
