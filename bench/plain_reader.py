"""Moonshine tiny on plain onnxruntime, greedy and without any check: what a reader says when nothing holds it back.

For counting what a reader would invent by itself. The engine's own reader is no part of this.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from edgevoice.config import SAMPLE_RATE

_START, _END = 1, 2
TOKENS_PER_S = 6.5
"""As many as Moonshine's own tool allows."""
_LAYERS = re.compile(r"past_key_values\.(\d+)\.(decoder|encoder)\.(key|value)")
_HEADS, _WIDTH = 8, 36


class PlainReader:
    """The model in the folder `assets/tiny-en` of moonshine-voice 0.0.73.

    Args:
        folder: with `encoder_model.ort`, `decoder_model_merged.ort` and `tokenizer.bin`.
        threads: of onnxruntime.
    """

    def __init__(self, folder: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
            for name in ("encoder_model.ort", "decoder_model_merged.ort")
        )
        self._tokens = tokens_of((folder / "tokenizer.bin").read_bytes())
        self._pasts = [each.name for each in self._decoder.get_inputs() if _LAYERS.fullmatch(each.name)]

    def read(self, samples: npt.NDArray[np.float32]) -> tuple[str, float]:
        """The text of a segment, mono at 16 kHz, and the mean log-probability of its tokens (0 of none)."""
        mask = np.ones((1, len(samples)), dtype=np.int64)
        heard = self._encoder.run(None, {"input_values": samples[None], "attention_mask": mask})[0]
        past: dict[str, Any] = {name: np.zeros((1, _HEADS, 0, _WIDTH), dtype=np.float32) for name in self._pasts}
        ids, sure = [_START], []
        for _ in range(max(1, int(TOKENS_PER_S * len(samples) / SAMPLE_RATE))):
            first = len(ids) == 1
            given = {
                "input_ids": np.array([ids[-1:]], dtype=np.int64),
                "encoder_hidden_states": heard,
                "encoder_attention_mask": mask,
                "use_cache_branch": np.array([not first]),
                **past,
            }
            logits, *present = self._decoder.run(None, given)
            row = logits[0, -1].astype(np.float64)
            best = int(row.argmax())
            sure.append(float(row[best] - row.max() - np.log(np.exp(row - row.max()).sum())))
            if best == _END:
                break
            ids.append(best)
            past = {
                name: new if first or ".decoder." in name else past[name]
                for name, new in zip(self._pasts, present, strict=True)
            }
        return text_of([self._tokens[each] for each in ids[1:]]), float(np.mean(sure))


def tokens_of(packed: bytes) -> list[bytes]:
    """The vocabulary: token after token, each behind its length of one byte, from 128 on of two."""
    found, place = [], 0
    while place < len(packed):
        length, place = packed[place], place + 1
        if length >= 128:
            length, place = packed[place] * 128 + length - 128, place + 1
        found.append(packed[place : place + length])
        place += length
    return found


def text_of(tokens: list[bytes]) -> str:
    """Tokens put together, those that are marks in angle brackets left out."""
    joined = b"".join(each for each in tokens if not re.fullmatch(rb"<.+>", each))
    return joined.decode("utf-8", errors="replace").replace("▁", " ").strip()
