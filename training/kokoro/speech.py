"""Kokoro speaks: text to phonemes to tokens, a style for their number, and the network.

The phonemes are espeak-ng's, as it prints them; what Kokoro does not know of them is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from edgevoice.errors import ModelError
from training.augment import Audio
from training.kokoro.files import NETWORK, VOCABULARY, folder, voice_file
from training.kokoro.speakers import SPEEDS, Speaker

RATE = 24_000
LONGEST = 509
"""Tokens; a style table has a row for every number of them from 0."""
_WIDTH = 256
_EDGE = 0
"""The token before and after."""
_MARKS = re.compile(r"[,.;:!?](?=\s|$)")
_TIMEOUT_S = 20


class Kokoro:
    """The network, loaded. It computes in one thread: whoever has more cores starts more processes.

    Args:
        made: the folder that `fetch.make` wrote.
    """

    def __init__(self, made: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(made / NETWORK, options, providers=["CPUExecutionProvider"])
        self._vocabulary: Mapping[str, int] = json.loads((made / VOCABULARY).read_text(encoding="utf-8"))["vocab"]
        self._made = made

    def say(self, text: str, speaker: Speaker, speed: float = 1.0) -> Audio:
        """Speech at `RATE`, with a moment of silence at both ends. The same again is the same, bit for bit.

        Args:
            text: English; what it has of punctuation is heard.
            speaker: who.
            speed: a factor, held to `SPEEDS`.

        Raises:
            ModelError: there is nothing to say, or too much at once.
        """
        said = tokens(phonemes(text, speaker.language), self._vocabulary)
        if not 2 < len(said) <= LONGEST + 2:
            raise ModelError(
                f"'{text[:40]}' has {len(said) - 2} sounds, and Kokoro speaks 1 to {LONGEST} at once",
                "Split or leave out the sentence",
            )
        inputs = {
            "tokens": np.array([said], np.int64),
            "style": style(speaker, len(said) - 2, self._made),
            "speed": np.array([np.clip(speed, *SPEEDS)], np.float32),
        }
        return np.asarray(self._session.run(None, inputs)[0], dtype=np.float32).reshape(-1)


@cache
def kokoro() -> Kokoro:
    """The one that was fetched, loaded once in a process."""
    return Kokoro(folder())


def phonemes(text: str, language: str) -> str:
    """What espeak-ng prints for the text, with the punctuation between that it leaves out, and a full stop at the end.

    Args:
        text: English.
        language: a voice of espeak-ng.

    Raises:
        ModelError: it does not run.
    """
    argv = ("espeak-ng", "-q", "--ipa", "-v", language, "--stdin")
    try:
        run = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ModelError(f"espeak-ng gives no phonemes: {error}", "Install it: apt install espeak-ng") from None
    clauses = [line.strip() for line in run.stdout.splitlines() if line.strip()]
    if not clauses:
        return ""
    marks = _MARKS.findall(text)
    if len(marks) == len(clauses) - 1:
        marks.append(".")
    if len(marks) != len(clauses):  # it parts a text elsewhere too
        return " ".join(clauses) + "."
    return " ".join(clause + mark for clause, mark in zip(clauses, marks, strict=True))


def tokens(said: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Phonemes as numbers, with one of silence before and after; what is not in the vocabulary is left out."""
    return [_EDGE, *(vocabulary[char] for char in said if char in vocabulary), _EDGE]


def style(speaker: Speaker, count: int, made: Path) -> npt.NDArray[np.float32]:
    """[1, 256]: how somebody says so many tokens; of a mixture, the weighted mean."""
    shares = np.array([share for _, share in speaker.shares], dtype=np.float32)
    return np.asarray(shares[None] @ np.stack([_styles(made, voice)[count] for voice, _ in speaker.shares]))


@cache
def _styles(made: Path, voice: str) -> npt.NDArray[np.float32]:
    """[510, 256]: a voice's table."""
    return np.fromfile(voice_file(made, voice), dtype="<f4").reshape(-1, _WIDTH)
