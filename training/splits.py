"""Which clips are trained on and which are measured: as the data says, by a share of the clips, or by speaker."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from edgevoice.errors import ConfigError
from training.manifest import Clip

logger = logging.getLogger(__name__)

SplitBy = Literal["auto", "column", "fraction", "speaker"]


def split(clips: Sequence[Clip], by: SplitBy, dev: float, test: float, seed: int) -> list[Clip]:
    """The clips with a split each.

    Args:
        clips: of one data set.
        by: "column" keeps what the data says. "fraction" draws clips of each intent. "speaker" keeps every speaker in
            one split only, so that what is measured is how strangers are understood; both pass over what the data says.
            "auto" is "column" where the data has a dev split; otherwise it keeps a test split of the data's own, and
            deals out the rest: by speaker where at least ten are named, else by fraction.
        dev: share of the clips (or speakers) that the model is chosen on.
        test: share that it is judged on at the end.
        seed: of the drawing.

    Raises:
        ConfigError: the clips do not allow it.
    """
    kept = by in ("auto", "column")
    fixed = [clip for clip in clips if kept and clip.split not in ("", "train")]
    open_ = [clip for clip in clips if not kept or clip.split in ("", "train")]
    names = {clip.split for clip in fixed}
    by = _chosen(by, open_, names)
    if by == "column":
        if any(not clip.split for clip in open_):
            first = next(clip for clip in open_ if not clip.split)
            raise ConfigError(
                f"{first.origin or first.path} says no split", 'Fill the column, or set data.split_by = "speaker"'
            )
        return list(clips)
    shares = {"dev": 0.0 if "dev" in names else dev, "test": 0.0 if "test" in names else test}
    dealt = _by_speaker(open_, shares, seed) if by == "speaker" else _by_fraction(open_, shares, seed)
    return fixed + dealt


def _chosen(by: SplitBy, clips: Sequence[Clip], names: set[str]) -> SplitBy:
    if by != "auto":
        return by
    if "dev" in names:
        return "column"
    return "speaker" if len(_speakers(clips)) >= 10 else "fraction"


def _by_fraction(clips: Sequence[Clip], shares: dict[str, float], seed: int) -> list[Clip]:
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.intent].append(clip)
    dealt = []
    for _, group in sorted(groups.items()):
        order = np.random.default_rng([seed, len(group)]).permutation(len(group))
        bounds = _bounds(len(group), shares)
        dealt += [dataclasses.replace(group[i], split=_split_at(place, bounds)) for place, i in enumerate(order)]
    return dealt


def _by_speaker(clips: Sequence[Clip], shares: dict[str, float], seed: int) -> list[Clip]:
    names = _speakers(clips)
    if len(names) < 3:
        raise ConfigError(
            f"{len(names)} speakers are named, too few to keep some of them for measuring",
            'Name them in the column speaker, or set data.split_by = "fraction"',
        )
    order = np.random.default_rng(seed).permutation(len(names))
    bounds = _bounds(len(names), shares)
    splits = {names[i]: _split_at(place, bounds) for place, i in enumerate(order)}
    unnamed = sum(clip.speaker not in splits for clip in clips)
    if unnamed:
        logger.warning("%d clips name no speaker; they are trained on", unnamed)
    return [dataclasses.replace(clip, split=splits.get(clip.speaker, "train")) for clip in clips]


def _bounds(count: int, shares: dict[str, float]) -> tuple[int, int]:
    """Places before the first are dev, from there to the second test; at least one of each that is wanted."""
    dev, test = (max(1, round(count * share)) if share and count > 2 else 0 for share in shares.values())
    return dev, dev + test


def _split_at(place: int, bounds: tuple[int, int]) -> str:
    return "dev" if place < bounds[0] else "test" if place < bounds[1] else "train"


def _speakers(clips: Iterable[Clip]) -> list[str]:
    return sorted({clip.speaker for clip in clips} - {"", "unknown"})
