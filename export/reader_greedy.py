"""Reads with the files of a bundle, greedily, step by step: what is compared with Transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from edgevoice.asr.bundle import ReaderSpec
from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import ModelError
from export import token_table
from export.reader_checkpoint import prefix
from training.features import Features

Array = npt.NDArray[np.float32]

Feeds = Mapping[str, Any]
"""What goes into a graph, by name."""

_PAST, _PRESENT, _CACHED = "past_key_values.", "present.", "use_cache_branch"


@dataclass(frozen=True)
class Written:
    """What was read in a clip."""

    ids: list[int]
    """Tokens, without those it begins with and the one that ends it."""
    logits: list[Array]
    """Before each token [vocabulary], and before the one that ends it."""


class Greedy:
    """A reader in one precision, on the CPU.

    Args:
        folder: that of the bundle.
        spec: its reader.
        precision: which of its files.

    Raises:
        ModelError: onnxruntime does not open them.
    """

    def __init__(self, folder: Path, spec: ReaderSpec, precision: str) -> None:
        self.spec = spec
        self._encoder = _session(folder / spec.encoder[precision])
        self._decoder = _session(folder / spec.decoder[precision])
        self._compute = Features(spec.features)
        self._tokens = token_table.read(folder / spec.tokens)

    def limit(self, samples: Array) -> int:
        """How many tokens it may write at most."""
        by_length = int(self.spec.tokens_per_s * len(samples) / SAMPLE_RATE) + 1
        return min(by_length, self.spec.longest_tokens - len(self.spec.start) - bool(self.spec.languages))

    def read(self, samples: Array, limit: int, language: str, log: list[Feeds] | None = None) -> Written:
        """Writes for mono samples at 16 kHz.

        Args:
            samples: the clip.
            limit: how many tokens at most.
            language: one of the spec's, or empty.
            log: takes what went into the encoder, and into each step of the decoder.

        Raises:
            ModelError: a graph fails.
        """
        heard = self._hear(samples)
        hidden = _run(self._encoder, heard)["last_hidden_state"]
        mask = {"encoder_attention_mask": heard["attention_mask"]} if "attention_mask" in heard else {}
        feeds = {**mask, "encoder_hidden_states": hidden, **self._nothing()}
        written = Written([], [])
        following: Sequence[int] = prefix(self.spec, language)
        if log is not None:
            log.append(heard)
        while True:
            cached = bool(written.logits)
            feeds |= {"input_ids": np.array([following]), _CACHED: np.array([cached])}
            if log is not None:
                log.append(dict(feeds))
            found = _run(self._decoder, feeds)
            written.logits.append(found["logits"][0, -1])
            best = self._best(written)
            if best == self.spec.end or len(written.ids) == limit:
                return written
            written.ids.append(best)
            following = [best]
            feeds |= {
                name: found[name.replace(_PAST, _PRESENT)]
                for name in feeds
                if name.startswith(_PAST) and not (cached and ".encoder." in name)
            }

    def spelt(self, ids: Sequence[int]) -> bytes:
        """The bytes of token ids."""
        return b"".join(self._tokens.get(number, b"") for number in ids)

    def text(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        return self.spelt(ids).decode("utf-8", "replace").strip()

    def _best(self, written: Written) -> int:
        logits = written.logits[-1].copy()
        logits[[*self.spec.suppressed, *(() if written.ids else self.spec.suppressed_first)]] = -np.inf
        return int(logits.argmax())

    def _hear(self, samples: Array) -> dict[str, npt.NDArray[Any]]:
        values = self._compute(samples)[None]
        feeds: dict[str, npt.NDArray[Any]] = {self._compute.input_name: values}
        if any(each.name == "attention_mask" for each in self._encoder.get_inputs()):
            feeds["attention_mask"] = np.ones(values.shape, np.int64)
        return feeds

    def _nothing(self) -> dict[str, Array]:
        """What it keeps before it has written anything."""
        kept = [each for each in self._decoder.get_inputs() if each.name.startswith(_PAST)]
        return {each.name: np.zeros((1, each.shape[1], 0, each.shape[3]), np.float32) for each in kept}


def _session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise ModelError(f"onnxruntime does not run {file.name}: {str(error).splitlines()[0]}") from error


def _run(session: Any, feeds: Feeds) -> dict[str, npt.NDArray[Any]]:
    names = [each.name for each in session.get_outputs()]
    try:
        values = session.run(names, {each.name: feeds[each.name] for each in session.get_inputs()})
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise ModelError(f"The reader fails: {str(error).splitlines()[0]}") from error
    return dict(zip(names, values, strict=True))
