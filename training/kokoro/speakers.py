"""Whom Kokoro can speak as: the English voices that come with it, and people in between.

A voice is a table of style vectors, and a mean of several tables is a voice too, so that there can be as many speakers
as are wanted. Some voices are for tests: nobody in training is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

LICENCE = "Apache-2.0"
WOMEN = (
    *("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river"),
    *("af_sarah", "af_sky", "bf_alice", "bf_emma", "bf_isabella", "bf_lily"),
)
MEN = (
    *("am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx", "am_puck", "am_santa"),
    *("bm_daniel", "bm_fable", "bm_george", "bm_lewis"),
)
# Chosen up front and balanced by gender and accent, not by how well anything hears them.
TEST = frozenset({"af_heart", "af_sarah", "am_eric", "am_michael", "bf_emma", "bm_george"})
DEV = frozenset({"af_kore", "am_puck", "bm_fable"})
MIXED = 200
"""So many are made of the voices for training, half of them women."""
SPEEDS = (0.8, 1.25)
"""Slower or faster, as a factor, nobody sounds natural."""
_MOST_VOICES = 3
_EVEN = 2.0
"""How even the shares are: at 1 all are as likely, also those that leave one voice next to alone."""

Gender = Literal["female", "male"]


@dataclass(frozen=True)
class Speaker:
    """Somebody who speaks: the voices that they are made of, and how much of each; the shares are 1 in all."""

    name: str
    gender: Gender
    shares: tuple[tuple[str, float], ...]

    @property
    def language(self) -> str:
        """Whose phonemes they say, as espeak-ng calls it: those of the voice that is most of them."""
        most = max(self.shares, key=lambda share: share[1])[0]
        return "en-gb" if most.startswith("b") else "en-us"


@cache
def speakers() -> Mapping[str, Speaker]:
    """All of them by their names, in a fixed order."""
    unmixed = [Speaker(name, "female", ((name, 1.0),)) for name in WOMEN]
    unmixed += [Speaker(name, "male", ((name, 1.0),)) for name in MEN]
    mixtures = [mixed(f"mix-{gender}-{n:03d}", gender) for gender in ("female", "male") for n in range(MIXED // 2)]
    return {speaker.name: speaker for speaker in (*unmixed, *mixtures)}


def mixed(name: str, gender: Gender) -> Speaker:
    """Two or three voices for training in shares that are drawn; the same name gives the same speaker."""
    rng = np.random.default_rng(list(name.encode()))
    voices = [voice for voice in (WOMEN if gender == "female" else MEN) if voice not in TEST | DEV]
    chosen = rng.choice(voices, int(rng.integers(2, _MOST_VOICES + 1)), replace=False)
    shares = rng.dirichlet(np.full(len(chosen), _EVEN))
    return Speaker(name, gender, tuple(zip(map(str, chosen), map(float, shares), strict=True)))
