"""The runtime's reader on files that are not a bundle yet, and what its graphs hear and say while it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import Bundle, Manifest, Precision, ReaderSpec
from edgevoice.asr.reader import Reader
from edgevoice.asr.session import KeptValue, Session, Value
from edgevoice.config import AsrSettings

Array = npt.NDArray[np.float32]

Feeds = Mapping[str, Any]
"""What goes into a graph, by name."""

FIRST_RUNS = 3
"""Of the encoder, the decoder's first step, and its second: what went into them is kept."""


@dataclass(frozen=True)
class Watched:
    """What was read in a clip."""

    text: str
    ids: Sequence[int]
    """Tokens, without those it begins with and the one that ends it."""
    logits: Sequence[Array]
    """Before each token [vocabulary], and before the one that ends it, as the graph gives them."""
    feeds: Sequence[Feeds]
    """What went into each of the first runs."""


class WatchedReader(Reader):
    """A reader in one precision, on the CPU.

    Args:
        folder: where its files lie.
        spec: what the manifest will say of it.
        precision: which of its files.

    Raises:
        ModelError: onnxruntime does not open them.
    """

    def __init__(self, folder: Path, spec: ReaderSpec, precision: Precision) -> None:
        bundle = Bundle(folder, Manifest(name=spec.name, graphs={}, files={}, reader=spec))
        super().__init__(bundle, AsrSettings(provider="cpu", precision=precision, keep_optimised=False))
        self._feeds: list[Mapping[str, Value]] = []
        self._logits: list[Array] = []

    def watch(self, clip: Array, language: str = "", prompt: str = "") -> Watched:
        """Reads mono samples at 16 kHz.

        Raises:
            ModelError: a graph fails.
        """
        self._feeds, self._logits = [], []
        (reading,) = self.read([clip], language=language, prompt=prompt)
        feeds = [{name: _array(value) for name, value in each.items()} for each in self._feeds]
        return Watched(reading.text, [piece.id for piece in reading.pieces], self._logits, feeds)

    def run_graph(self, session: Session, values: Mapping[str, Value]) -> dict[str, KeptValue]:
        """As it does anyway; keeps what goes in and comes out."""
        outputs = super().run_graph(session, values)
        if len(self._feeds) < FIRST_RUNS:
            self._feeds.append({name: value for name, value in values.items() if name in session.inputs})
        if "logits" in outputs:
            self._logits.append(_array(outputs["logits"])[0, -1].copy())
        return outputs


def _array(value: Value) -> npt.NDArray[Any]:
    """A copy: on the CPU, what stays where the graph runs may lie in the graph's own memory."""
    return np.array(value if isinstance(value, np.ndarray) else value.numpy())
