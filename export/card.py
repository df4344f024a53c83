"""Writes a bundle's card from a template and the figures that were measured on it, and seals the folder again.

python -m export.card BUNDLE --template card.md --figures accuracy.json --sample "a voice"
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.accuracy import Row, table
from edgevoice.asr.bundle import Manifest, read_manifest
from export.build import seal


def write_card(bundle: Path, template: Path, figures: Sequence[Row], sample: str) -> None:
    """Fills the template in, keeps the figures in the manifest, and renews the checksums."""
    manifest = read_manifest(bundle)
    text = template.read_text(encoding="utf-8").format(
        figures=table(figures),
        model=_model(manifest),
        parity=_parity(manifest),
        recipe=_recipe(manifest),
        sample=sample,
    )
    (bundle / "README.md").write_text(text, encoding="utf-8")
    training = {**manifest.training, "figures": [row.as_dict() for row in figures]}
    seal(bundle, dataclasses.replace(manifest, training=training))


def _model(manifest: Manifest) -> str:
    lines = []
    for role, graph in manifest.graphs.items():
        features = graph.features
        mel = f"{features.mel_bins} log-mel bins, {features.stride} frames stacked, {features.normalise} normalisation"
        lines.append(
            f"Graph `{role}`: {graph.architecture}, {mel if features.kind == 'log_mel' else 'raw audio'}, one output "
            f"frame every {graph.frame_samples / 16:.0f} ms; variants: {', '.join(sorted(graph.variants))}."
        )
    lines.append(f"Vocabulary: {len(manifest.vocabulary)} pieces. Intents: {', '.join(manifest.labels)}.")
    return " ".join(lines)


def _parity(manifest: Manifest) -> str:
    parts = [
        f"{precision} on {p['clips']} clips: log-probabilities within {p['largest_difference']:.1g}, "
        f"text {100 * p['text_error']:.1f} % different, intents equal on {100 * p['intent_agreement']:.0f} %"
        for precision, p in manifest.parity.items()
    ]
    return "; ".join(parts)


def _recipe(manifest: Manifest) -> str:
    record: dict[str, Any] = next(iter(manifest.training.values()), {})
    trainer = record.get("trainer")
    if not trainer:
        return ""
    return (
        f"Trained for {trainer['max_steps']} steps of {trainer['batch_seconds']:.0f} s of audio, peak learning rate "
        f"{trainer['learning_rate']}."
    )


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True, help="JSON that 'edgevoice bench accuracy' wrote")
    parser.add_argument("--sample", default="", help="whose voice the sample call has")
    options = parser.parse_args(arguments)
    rows = [Row(**row) for row in json.loads(options.figures.read_text(encoding="utf-8"))]
    write_card(options.bundle, options.template, rows, options.sample)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
