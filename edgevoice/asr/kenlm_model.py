"""Binary language models of KenLM: the only importer of kenlm, which comes with the extra of that name.

They are mapped from disk rather than read, so that a model of gigabytes is there at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgevoice.asr.scorer import State, stranger
from edgevoice.errors import ConfigError, MissingExtraError
from edgevoice.text import plain

MAGIC = b"mmap lm http://kheafield.com/code"
"""How its files begin."""
_LN10 = math.log(10)


class KenlmScorer:
    """Scores words by a KenLM model. Its states are KenLM's.

    Args:
        file: the model.
        weight: what its logarithms are multiplied by.
        word_bonus: added for every word, against the taste for few long ones.
        known: words that are no strangers, though the model has not seen them.

    Raises:
        MissingExtraError: kenlm is not installed.
        ConfigError: the file is no model that it can read.
    """

    def __init__(self, file: Path, weight: float, word_bonus: float, known: Collection[str] = ()) -> None:
        try:
            import kenlm
        except ImportError:
            raise MissingExtraError("live --language-model", "kenlm") from None
        self._new_state = kenlm.State
        try:
            self._model: Any = kenlm.Model(str(file))
        except (OSError, RuntimeError, ValueError) as error:
            what = f"KenLM cannot read the language model '{plain(str(file))}': {plain(str(error))}"
            raise ConfigError(what, "Make it again with the build_binary of your version of KenLM") from None
        self._weight, self._bonus, self._welcome = weight, word_bonus, frozenset(known)

    def start(self, *, begins: bool) -> State:
        """See `WordScorer.start`."""
        state = self._new_state()
        (self._model.BeginSentenceWrite if begins else self._model.NullContextWrite)(state)
        return state  # type: ignore[no-any-return]

    def word(self, state: State, word: str) -> tuple[float, State]:
        """See `WordScorer.word`."""
        after = self._new_state()
        score = self._model.BaseScore(state, word, after) * _LN10
        strange = 0.0 if word in self._model or word in self._welcome else stranger(word)
        return self._weight * score + self._bonus + strange, after

    def partial(self, state: State, text: str) -> float:  # noqa: ARG002 - KenLM does not tell how its words begin
        """See `WordScorer.partial`."""
        return 0.0

    def end(self, state: State) -> float:
        """See `WordScorer.end`."""
        return float(self._weight * self._model.BaseScore(state, "</s>", self._new_state()) * _LN10)
