"""Training that goes on from a bundle: its fp32 graph holds the weights under their names, its manifest the rest."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForAudioClassification, AutoModelForCTC

from edgevoice.asr.bundle import MANIFEST_NAME, Bundle, Graph, Role, load_bundle
from edgevoice.errors import ModelError
from edgevoice.paths import known_models
from training.checkpoint import save_features
from training.models import JointConfig, JointModel, check_harmless
from training.vocabulary import characters_tokenizer

logger = logging.getLogger(__name__)

TRANSPOSED = ".T"
"""Ends the name of a graph's matrix that is the transpose of the parameter of that name."""
FUSED = "qkv_proj"
"""Stands in the name of a graph's weight for q_proj, k_proj and v_proj, which it holds side by side."""
ALIASES = "edgevoice.aliases"
"""Key of a graph's metadata: a JSON object of parameters that have no tensor of their own -> the name of an equal one.
The exporter keeps one of equal tensors only."""
HELD = "edgevoice.held"
"""Key of a graph's metadata: a JSON object of parameters that are part of a tensor of another name or shape -> what
`Held` says."""
_NORMED = ".parametrizations.weight."
_TRAINING_ONLY = ("masked_spec_embed",)
"""Parameters that only training uses, so that no graph has them."""


@dataclass(frozen=True)
class Held:
    """Where in a graph a parameter is."""

    tensor: str
    """What holds it."""
    shape: tuple[int, ...]
    """Its own."""
    columns: tuple[int, int] | None = None
    """Where in the tensor's last axis it begins and ends; None for all of it."""
    factor: float = 1.0
    """What it was multiplied by: a power of two, so that it can be had back bit for bit."""
    transposed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)

    def taken_from(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """The parameter."""
        array = tensors[self.tensor]
        if self.columns:
            array = array[..., slice(*self.columns)]
        return (array.T if self.transposed else array).reshape(self.shape) / np.float32(self.factor)


def checkpoint_folder(name: str, scratch: Path) -> str:
    """What a recipe's `model.checkpoint` stands for: a bundle (its folder, or a name such as "banking-en") is unpacked
    into `scratch`; the folder or hub id of a checkpoint is returned as it is."""
    folder = known_models().get(name, Path(name))
    return str(unpack(folder, scratch)) if (folder / MANIFEST_NAME).is_file() else name


def unpack(path: Path, folder: Path, role: Role | None = None) -> Path:
    """Turns a verified bundle into a checkpoint in `folder`: weights, configuration, features, and a tokenizer where
    the vocabulary is one of characters.

    Args:
        path: the bundle.
        folder: of the checkpoint; made, or written over.
        role: the graph that is wanted of a bundle of two; None for that which captions.

    Raises:
        ModelError: it is damaged, or its graph does not hold all weights under their names.
    """
    bundle = load_bundle(path)
    role, graph = _trainable(bundle, (role,) if role else ("shared", "ctc", "intent"))
    model = _model(bundle, role, graph)
    _load_weights(model, bundle, graph)
    model.save_pretrained(folder)
    save_features(graph.features, folder)
    if role != "intent" and _spells_by_character(bundle.manifest.vocabulary):
        characters_tokenizer(bundle.manifest.vocabulary, bundle.manifest.blank, folder)
    return folder


def _trainable(bundle: Bundle, roles: Iterable[Role]) -> tuple[Role, Graph]:
    for role in roles:
        graph = bundle.manifest.graphs.get(role)
        if graph and graph.config and "fp32" in graph.variants:
            return role, graph
    raise _not_trainable(bundle)


def _model(bundle: Bundle, role: str, graph: Graph) -> Any:
    check_harmless(f"The model '{bundle.manifest.name}'", graph.config)
    options = dict(graph.config)
    model_type = options.pop("model_type", "")
    try:
        if role == "shared":
            return JointModel(JointConfig(**options))
        auto = AutoModelForCTC if role == "ctc" else AutoModelForAudioClassification
        return auto.from_config(AutoConfig.for_model(model_type, **options), trust_remote_code=False)
    except (TypeError, ValueError) as error:
        raise _not_trainable(bundle) from error


def _load_weights(model: Any, bundle: Bundle, graph: Graph) -> None:
    import onnx

    protos = [onnx.load(str(file)) for file in bundle.whole(graph, "fp32")]
    try:
        arrays = {name: array for proto in protos for name, array in named_weights(proto).items()}
        arrays |= {name: arrays[same] for proto in protos for name, same in _noted(proto, ALIASES).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _not_trainable(bundle) from error
    weights = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    wanted = model.state_dict()
    weights |= _weight_norms(weights, wanted)
    kept = {name: value for name, value in weights.items() if name in wanted and value.shape == wanted[name].shape}
    missing = {name for name in wanted if name not in kept and not name.endswith(_TRAINING_ONLY)}
    if missing:
        logger.info("not in the graph of %s: %s", bundle.path, ", ".join(sorted(missing)))
        raise _not_trainable(bundle)
    model.load_state_dict(kept, strict=False)


def named_weights(proto: Any) -> dict[str, np.ndarray]:
    """The tensors of a graph under the names and in the shape of the parameters that they were."""
    import onnx

    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    weights: dict[str, np.ndarray] = {}
    for held, array in tensors.items():
        transposed = held.endswith(TRANSPOSED)
        name = held.removesuffix(TRANSPOSED)
        parts = np.split(array, 3, axis=-1) if FUSED in name else [array]
        heads = ("q_proj", "k_proj", "v_proj") if FUSED in name else (FUSED,)
        for head, part in zip(heads, parts, strict=True):
            weights[name.replace(FUSED, head)] = part.T if transposed else part
    return weights | {name: Held(**where).taken_from(tensors) for name, where in _noted(proto, HELD).items()}


def _noted(proto: Any, key: str) -> dict[str, Any]:
    """A JSON object of a graph's metadata, empty where there is none."""
    found = {entry.key: entry.value for entry in proto.metadata_props}
    return dict(json.loads(found.get(key, "{}")))


def _weight_norms(weights: dict[str, torch.Tensor], wanted: Iterable[str]) -> dict[str, torch.Tensor]:
    """Magnitude and direction of the weights that training keeps apart and a graph has as one."""
    found = {}
    for name in wanted:
        owner, marked, part = name.rpartition(_NORMED)
        weight = weights.get(f"{owner}.weight")
        if marked and weight is not None:
            # the norm is taken over all axes but the last, as `torch.nn.utils.parametrizations.weight_norm(dim=2)` does
            magnitude = weight.norm(dim=tuple(range(weight.ndim - 1)), keepdim=True)
            found[name] = magnitude if part == "original0" else weight
    return found


def _spells_by_character(vocabulary: tuple[str, ...]) -> bool:
    return all(len(token) <= 1 for token in vocabulary)


def _not_trainable(bundle: Bundle) -> ModelError:
    return ModelError(
        f"The model '{bundle.manifest.name}' does not hold its weights in a form that can be trained",
        "Name the checkpoint it was exported from, or export it again",
    )
