"""The same weights in every form that the ways of captioning need: bundles, checkpoints, graphs of Optimum."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.base_size import LETTERS, SURE
from bench.model import checkpoint_for, has_pipeline, optimum_of
from edgevoice.asr.bundle import MANIFEST_NAME, Bundle, FeatureSettings, Role, load_bundle
from edgevoice.errors import EdgeVoiceError, ModelError

INTENTS = 14
"""Of the base-size model; as many as the bundled one has."""


@dataclass
class Models:
    """What there is to run."""

    bundle: Bundle
    cached: Bundle | None
    """The bundle that hears in chunks, which may be the same; None if there is none."""
    checkpoints: list[Path] = field(default_factory=list)
    """One with all heads, or one for captions and one for intents; none if there are none."""
    pipelines: bool = False
    """Whether Transformers has pipelines for the checkpoints."""
    optimum: list[Path] = field(default_factory=list)
    """The checkpoints as Optimum exports them."""
    notes: list[str] = field(default_factory=list)
    """What is left out, and why."""

    @contextmanager
    def leaving_out(self, what: str) -> Iterator[None]:
        """Within it an error is noted, and what it kept from being made is left out."""
        try:
            yield
        except EdgeVoiceError as error:
            self.notes.append(f"{what}. {error}")


def models_of(bundle: Bundle, checkpoints: list[Path], scratch: Path) -> Models:
    """All forms of a bundle's weights that can be made, in `scratch`. Without checkpoints they are unpacked from it."""
    chunks = all(graph.chunks for graph in bundle.manifest.graphs.values())
    found = Models(bundle, bundle if chunks else None, list(checkpoints))
    if not chunks:
        found.notes.append("edgevoice cached. The model does not hear in chunks: it was not trained with --streaming")
    if not checkpoints:
        with found.leaving_out("PyTorch and Optimum"):
            found.checkpoints = _unpacked(bundle, scratch)
    _with_optimum(found, scratch)
    return found


def base_size_models(work: Path, scratch: Path) -> Models:
    """All forms of base-size weights, drawn at random and kept in `work`: Wav2Vec2 base (12 layers of 768, 95 million
    weights) with convolutions normalised by layer, and heads for captions and intents.

    edgevoice runs one encoder with both heads (`joint`), and the same weights with attention in chunks and causal
    positions (`chunked`). For Transformers and Optimum, which know no such model, the same weights are two checkpoints
    of an encoder and a head each: what their user would have to run.

    Raises:
        EdgeVoiceError: they could not be exported.
    """
    names = ("joint", "chunked", "captions", "intents")
    joint, chunked, captions, intents = (work / name for name in names)
    if not all((folder / "model.safetensors").exists() for folder in (joint, chunked, captions, intents)):
        _write_checkpoints(joint, chunked, captions, intents)
    bundle = _exported(joint, work / "joint-bundle")
    cached = _exported(chunked, work / "chunked-bundle")
    found = Models(bundle, cached, [captions, intents])
    _with_optimum(found, scratch)
    return found


def _with_optimum(found: Models, scratch: Path) -> None:
    found.pipelines = bool(found.checkpoints) and all(has_pipeline(each) for each in found.checkpoints)
    if found.checkpoints:
        with found.leaving_out("Optimum"):
            found.optimum = [optimum_of(each, scratch / f"optimum-{i}") for i, each in enumerate(found.checkpoints)]


def _unpacked(bundle: Bundle, scratch: Path) -> list[Path]:
    if len(bundle.manifest.graphs) == 1:
        return [checkpoint_for(bundle, scratch / "checkpoint")]
    from training.warm_start import unpack

    roles: tuple[Role, ...] = ("shared", "ctc", "intent")
    return [unpack(bundle.path, scratch / role, role) for role in roles if role in bundle.manifest.graphs]


def _exported(checkpoint: Path, bundle: Path) -> Bundle:
    """The bundle of a checkpoint; made where there is none that this version can read."""
    if (bundle / MANIFEST_NAME).is_file():
        try:
            return load_bundle(bundle)
        except ModelError:  # of another version
            pass
    name = f"wav2vec2-base-size-{checkpoint.name}"
    chosen = ["--output", str(bundle), "--name", name, "--precision", "fp32,int8", "--force"]
    command = [sys.executable, "-m", "edgevoice", "export", str(checkpoint), *chosen]
    # through the command, which is found by name: export builds on bench, and not the other way round
    ended = subprocess.run(command, stdout=sys.stderr, check=False)
    if ended.returncode:
        raise EdgeVoiceError("The base-size model could not be exported", f"Try it: {' '.join(command[1:])}")
    return load_bundle(bundle)


def _write_checkpoints(joint: Path, chunked: Path, captions: Path, intents: Path) -> None:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForSequenceClassification

    from training.chunked import hear_in_chunks
    from training.config import StreamingConfig
    from training.models import JointConfig, JointModel

    torch.manual_seed(0)
    encoder = {"model_type": "wav2vec2", "feat_extract_norm": "layer", "apply_spec_augment": False}
    labels = {i: f"intent {i + 1}" for i in range(INTENTS)}
    maps: dict[str, Any] = {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
    both = JointModel(JointConfig(encoder=encoder, vocab_size=len(LETTERS), **maps)).eval()
    with torch.no_grad():
        both.ctc_head.bias[0] += SURE
    config: dict[str, Any] = {name: value for name, value in encoder.items() if name != "model_type"}
    letters = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(LETTERS), pad_token_id=0, **config))
    letters.wav2vec2.load_state_dict(both.encoder.state_dict())
    letters.lm_head.load_state_dict(both.ctc_head.state_dict())
    wanted = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(classifier_proj_size=256, **maps, **config))
    wanted.wav2vec2.load_state_dict(both.encoder.state_dict())
    wanted.projector.load_state_dict(both.projector.state_dict())
    wanted.classifier.load_state_dict(both.classifier.state_dict())
    for model, folder in ((letters, captions), (wanted, intents), (both, joint)):
        _save(model, folder)
    hear_in_chunks(both, _features(), StreamingConfig())
    _save(both, chunked)


def _features() -> FeatureSettings:
    return FeatureSettings(kind="waveform", normalise="none")


def _save(model: Any, folder: Path) -> None:
    from training.checkpoint import save_features
    from training.vocabulary import characters_tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    characters_tokenizer(LETTERS, 0, folder)
    save_features(_features(), folder)
    model.save_pretrained(folder)  # last: its presence says that all of it is there
