"""Confidences that mean what they say: of the words with 0.8, four in five are right."""

from __future__ import annotations

import math
from dataclasses import dataclass

_EDGE = 1e-6


@dataclass(frozen=True, kw_only=True)
class ConfidenceMap:
    """How a word's confidence follows from the probabilities of its tokens: sigmoid(`slope` * logit(p) + `offset`), as
    in Platt, "Probabilistic outputs for support vector machines" (1999). It never changes which word is surer."""

    slope: float = 1.0
    """More than 0; 1 as the model has it."""
    offset: float = 0.0
    """0 as the model has it."""

    def __call__(self, probability: float) -> float:
        """The confidence, 0 to 1, of a word whose tokens have this geometric mean."""
        if (self.slope, self.offset) == (1, 0):
            return probability
        p = min(max(probability, _EDGE), 1 - _EDGE)
        # the exponent is bounded, so that no manifest can make it overflow
        exponent = self.slope * math.log(p / (1 - p)) + self.offset
        return 1 / (1 + math.exp(-min(max(exponent, -60.0), 60.0)))
