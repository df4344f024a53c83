"""When a score counts: a temperature that makes scores honest, and a threshold for each intent.

The temperature is that of Guo et al., "On Calibration of Modern Neural Networks" (2017): one number that all logits are
divided by, fitted to the likelihood of clips that were not trained on. The thresholds then follow from a stated
false-accept rate, over all intents together: of the clips that mean none of them, the share that may be taken for one;
and of those that mean one, the share that may be taken for another. Which intent has to be stricter is decided by what
it costs: the threshold goes up where the fewest right detections are lost for each wrong one.

While a speaker still speaks, the beginning of a sentence may sound like a command that it does not become. The live
path looks at it every hop, and never withdraws what it announces, so it has many chances to be wrong. What may be
announced early therefore has a threshold of its own, found the way it is used: on the beginnings of the same clips.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgevoice.asr.bundle import WINDOWS_S, from_plain
from edgevoice.asr.intent import EARLY_SPEECH_S, sure_of_both
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import ConfigError, ModelError
from edgevoice.text import plain
from training import network
from training.config import load_resolved
from training.decoded import load_audio
from training.meter import Meter

if TYPE_CHECKING:
    from training.loading import Checkpoint

Array = npt.NDArray[np.floating]

FILE = "calibration.json"
NONE = "none"
"""The label that stands for no intent, where a checkpoint has it and nothing else is said."""
LOWEST, HIGHEST = 0.5, 0.99
"""No threshold is lower: a dev set without a single mistake is no proof that there are none. None is higher: scores of
1 are hardly ever given."""
_BIASES = np.arange(0.0, 8.05, 0.1)
_TEMPERATURES = np.geomspace(0.25, 8.0, 241)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a checkpoint's scores are worth."""

    temperature: float
    """Logits are divided by it before the softmax."""
    thresholds: dict[str, float]
    """Intent -> the smallest score at which it counts as detected; the label for "none" has none."""
    false_accept_rate: float
    """What was asked for: the largest share, of the clips that mean none of the intents and of those that mean another,
    to be taken for one."""
    clips: int
    """How many it rests on."""
    accepted: float | None
    """Share of the clips with an intent that are detected as theirs, at these thresholds; None without such clips."""
    false_accepts: float | None
    """Share of the clips that mean none of the intents and are taken for one; None without such clips."""
    confused: float | None = None
    """Share of the clips with an intent that are detected as another; None without such clips."""
    early_threshold: float = LOWEST
    """The smallest score at which an intent is announced while the speaker still speaks; its own threshold must be
    reached as well."""
    early: float | None = None
    """Share of the clips with an intent that are announced as theirs before they end; None where that was not tried."""
    reject_label: str = NONE
    """The label that means none of the intents, where the checkpoint has it."""
    reject_bias: float = 0.0
    """Subtracted from that label's logit, after the division by the temperature."""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"a temperature of {self.temperature}")
        if not 0 <= self.reject_bias < math.inf:
            raise ValueError(f"a bias of {self.reject_bias}")
        if not all(0 <= limit <= 1 for limit in (*self.thresholds.values(), self.early_threshold)):
            raise ValueError("thresholds are scores from 0 to 1")

    def save(self, folder: Path) -> None:
        """Writes it beside the weights."""
        text = json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def load(checkpoint: str) -> Calibration | None:
    """The calibration beside the weights of a checkpoint folder or hub id, if there is one.

    Raises:
        ConfigError: the file is damaged.
    """
    from training.checkpoint import stored_file

    file = stored_file(checkpoint, FILE)
    if file is None:
        return None
    try:
        found: Calibration = from_plain(Calibration, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "Calibrate the checkpoint again, or delete it") from None
    return found


def check_rate(rate: float) -> None:
    """Raises ConfigError for what is no false-accept rate."""
    if not 0 < rate < 1:
        raise ConfigError(f"A false-accept rate of {rate} is no rate", "Choose one between 0 and 1")


def calibrate(
    logits: Array,
    truth: npt.NDArray[np.integer],
    labels: Sequence[str],
    reject_label: str,
    false_accept_rate: float,
    beginnings: Sequence[Array] = (),
) -> Calibration:
    """The temperature and thresholds for logits [clips, labels] of clips with these labels [clips].

    Args:
        logits: of whole clips.
        truth: the label of each.
        labels: their names.
        reject_label: the one that means none of the intents.
        false_accept_rate: see `Calibration`; for whole clips, and once more for what is announced early.
        beginnings: for each clip, the logits [updates, labels] after every hop of it; nothing where no intent is
            announced early.

    Raises:
        ConfigError: there is nothing to go by.
    """
    check_rate(false_accept_rate)
    if not len(logits):
        raise ConfigError("There are 0 clips to calibrate on", "Give clips of a dev split that have intents")
    temperature = fit_temperature(logits, truth)
    reject = labels.index(reject_label) if reject_label in labels else -1
    bias = choose_bias(logits / temperature, truth, reject, false_accept_rate)
    # rounded up as the manifest keeps them, and so never laxer than they were chosen
    scores = adjusted(logits / temperature, reject, bias)
    limits = choose_limits(scores, truth, reject, false_accept_rate)
    best = scores.argmax(axis=1)
    detected = (scores.max(axis=1) >= limits[best]) & (best != reject)
    right, rejects = detected & (best == truth), truth == reject
    held = None
    if beginnings:
        held = np.stack([_held(adjusted(each / temperature, reject, bias), limits, reject) for each in beginnings])
    early = LOWEST if held is None else _early_limit(held, truth, reject, false_accept_rate)
    return Calibration(
        temperature=temperature,
        thresholds={name: float(limits[index]) for index, name in enumerate(labels) if index != reject},
        false_accept_rate=false_accept_rate,
        clips=len(truth),
        accepted=_share(right[~rejects]),
        false_accepts=_share(detected[rejects]),
        confused=_share((detected & ~right)[~rejects]),
        reject_label=reject_label,
        reject_bias=bias,
        early_threshold=early,
        early=None if held is None else _share((held[np.arange(len(truth)), truth] >= early)[~rejects]),
    )


def calibrate_run(
    folder: Path, reject_label: str, false_accept_rate: float, sources: Sequence[str] = ()
) -> Calibration:
    """Calibrates a run's checkpoint on its dev clips, and writes the result beside the weights.

    Args:
        folder: of the run; its `training.json` says which clips were held back, and how they were heard.
        reject_label: the label that stands for "none of the intents", if the model has it.
        false_accept_rate: of the clips that mean none of the intents, and of those that mean another, the share that
            may be taken for one.
        sources: other data, whose dev split is taken instead.

    Raises:
        ConfigError: it is no run, or none of the clips has one of its intents.
        ModelError: it holds no checkpoint, or one without intents.
    """
    check_rate(false_accept_rate)
    task, config = load_resolved(folder)
    from training.corpus import read_dev  # which takes the libraries that the network is decided for
    from training.loading import load_checkpoint

    checkpoint = load_checkpoint(str(folder))
    if not checkpoint.labels:
        raise ModelError(f"The checkpoint {folder} has no intents", "Calibrate one that 'train intent' or 'joint' made")
    if reject_label not in (*checkpoint.labels, NONE):
        labels = plain(", ".join(checkpoint.labels))
        raise ConfigError(f"The checkpoint has no label '{reject_label}'", f"Choose one of {labels}")
    data = config.data
    if sources:
        data = dataclasses.replace(data, sources=tuple(sources), streaming=False)
    indices = {name: index for index, name in enumerate(checkpoint.labels)}
    intents = [(clip, clip.intent or data.missing_intent) for clip in read_dev(task, data, config.trainer.seed)]
    known = [(clip, indices[intent]) for clip, intent in intents if intent in indices]
    logits, beginnings = [], []
    with Meter("clips to calibrate on", len(known)) as meter:
        for clip, _ in known:
            samples = load_audio(clip.path)[: data.crop]
            logits.append(checkpoint.encode(samples).intent_logits)
            beginnings.append(_beginnings(checkpoint, samples))
            meter.advance()
    found = calibrate(
        np.array(logits, dtype=np.float32).reshape(-1, len(indices)),
        np.array([label for _, label in known], dtype=np.int64),
        checkpoint.labels,
        reject_label,
        false_accept_rate,
        beginnings,
    )
    found.save(folder)
    return found


def _beginnings(checkpoint: Checkpoint, samples: Array) -> Array:
    """Intent logits after every hop of a clip, as far as the live path remembers all of it, in chunks or in the longest
    window: [updates, labels]."""
    hop, longest = round(AsrSettings().hop_s * SAMPLE_RATE), round(max(WINDOWS_S) * SAMPLE_RATE)
    ends = range(hop, len(samples) if checkpoint.chunking else min(len(samples), longest), hop)
    rows = [checkpoint.encode(samples[:end]).intent_logits for end in ends]
    return np.array(rows, dtype=np.float32).reshape(-1, len(checkpoint.labels))


def _held(scores: Array, limits: Array, reject: int) -> Array:
    """How sure a clip's updates [updates, labels] are of each label for two of them on end, the best pair of them:
    [labels]; 0 for what would not be announced. See `edgevoice.asr.intent.IntentTracker.early`."""
    held = np.zeros(len(limits))
    before: tuple[int, float] | None = None
    for update, row in enumerate(scores):
        label = int(row.argmax())
        now = (label, float(row[label])) if label != reject and row[label] >= limits[label] else None
        if (update + 1) * AsrSettings().hop_s >= EARLY_SPEECH_S:
            held[label] = max(held[label], sure_of_both(before, now))
        before = now
    return held


def _early_limit(held: Array, truth: npt.NDArray[np.integer], reject: int, false_accept_rate: float) -> float:
    """The smallest score [clips, labels] at which no more clips than allowed are announced as what they do not mean."""
    wrong = held.copy()
    wrong[np.arange(len(truth)), truth] = 0.0
    limit = LOWEST
    for group in (truth == reject, truth != reject):
        if group.any():
            worst = np.sort(wrong[group].max(axis=1))[::-1]
            allowed = int(false_accept_rate * len(worst))
            limit = max(limit, _just_above(worst[allowed]) if worst[allowed] >= LOWEST else LOWEST)
    return min(limit, 1.0)


def fit_temperature(logits: Array, truth: npt.NDArray[np.integer]) -> float:
    """The temperature under which the true labels are likeliest, of 0.25 to 8."""
    rows = np.arange(len(truth))
    likelihoods = [np.log(softmax(logits / t)[rows, truth] + 1e-12).mean() for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmax(likelihoods))]), 4)


def choose_bias(logits: Array, truth: npt.NDArray[np.integer], reject: int, false_accept_rate: float) -> float:
    """How much the label that means nothing can lose before too many clips of it are detected as an intent, at the
    lowest thresholds there are. Intents that are mistaken for each other are the thresholds' business.

    Args:
        logits: [clips, labels], divided by the temperature.
        truth: label of each clip.
        reject: the label that means none of the intents, or -1.
        false_accept_rate: of the clips of that label, the share that may be.
    """
    rejects = logits[truth == reject]
    if reject < 0 or not len(rejects):
        return 0.0
    chosen = 0.0
    for bias in _BIASES:
        scores = adjusted(rejects, reject, bias)
        detected = (scores.argmax(axis=1) != reject) & (scores.max(axis=1) >= LOWEST)
        if int(detected.sum()) > int(false_accept_rate * len(rejects)):
            break
        chosen = float(bias)
    return round(chosen, 4)


def adjusted(logits: Array, reject: int, bias: float) -> Array:
    """Scores [clips, labels] of logits whose label that means nothing, unless -1, loses so much."""
    lowered = logits.copy()
    if reject >= 0:
        lowered[:, reject] -= bias
    return softmax(lowered)


def choose_limits(scores: Array, truth: npt.NDArray[np.integer], reject: int, false_accept_rate: float) -> Array:
    """The smallest score that counts for each label: [labels].

    Args:
        scores: [clips, labels].
        truth: label of each clip.
        reject: the label that means none of the intents, or -1.
        false_accept_rate: of the clips of that label, and of the others, the share that may be detected as what they do
            not mean. It is kept unless a limit of `HIGHEST` is not enough.
    """
    best, top = scores.argmax(axis=1), scores.max(axis=1)
    groups = [group for group in (truth == reject, truth != reject) if group.any()]
    wrong = (best != truth) & (best != reject)
    limits = np.full(scores.shape[1], LOWEST)

    def excess(limits: Array) -> npt.NDArray[np.bool_]:
        """Wrong detections of the groups that have too many."""
        taken = wrong & (top >= limits[best])
        over = [group for group in groups if int((taken & group).sum()) > int(false_accept_rate * int(group.sum()))]
        return taken & np.any(over, axis=0) if over else np.zeros_like(wrong)

    while (too_many := excess(limits)).any():
        steps = []
        for clip in np.flatnonzero(too_many):
            label, limit = best[clip], _just_above(top[clip])
            stopped = (best == label) & (top >= limits[label]) & (top < limit)
            if limit <= HIGHEST:
                lost = int((stopped & (best == truth)).sum())
                steps.append((lost / int((stopped & too_many).sum()), int(label), limit))
        if not steps:
            break
        _, label, limit = min(steps)
        limits[label] = limit
    # a later step may have made an earlier one needless
    for label in np.flatnonzero(limits > LOWEST):
        for limit in sorted({LOWEST, *(_just_above(score) for score in top[wrong & (best == label)])}):
            laxer = limits.copy()
            laxer[label] = limit
            if LOWEST <= limit < limits[label] and not excess(laxer).any():
                limits = laxer
                break
    return limits


def _just_above(score: float) -> float:
    """The next score of four digits, which is what a manifest keeps."""
    return float(np.ceil((float(score) + 1e-6) * 1e4) / 1e4)


def softmax(logits: Array) -> Array:
    """Scores of each row: [clips, labels]."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def run(arguments: Sequence[str]) -> int:
    """`edgevoice train calibrate`: runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="edgevoice train calibrate",
        description="Choose a temperature and a threshold for each intent of a trained checkpoint, on dev clips.",
        epilog="example:\n  edgevoice train calibrate runs/mine --false-accept-rate 0.02",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="folder of a run; calibration.json is written into it")
    parser.add_argument("--data", action="append", metavar="SOURCE", help="dev clips of other data than the run's own")
    parser.add_argument("--reject-label", default=NONE, help="the label that stands for no intent (none)")
    parser.add_argument(
        "--false-accept-rate",
        type=float,
        default=0.05,
        help="of the clips that mean none of the intents, and of those that mean another, the share that may be taken "
        "for one, over all intents (0.05)",
    )
    options = parser.parse_args(arguments)
    _, config = load_resolved(options.checkpoint)
    network.allow(options.data or config.data.sources)
    found = calibrate_run(options.checkpoint, options.reject_label, options.false_accept_rate, options.data or ())
    for name, value in found.thresholds.items():
        print(f"{plain(name)}\t{value:.4f}")
    shares = {"detected": found.accepted, "confused": found.confused, "false accepts": found.false_accepts}
    said = [f"{name}\t{'-' if share is None else f'{share:.3f}'}" for name, share in shares.items()]
    print("\t".join([f"temperature\t{found.temperature}", *said]))
    if found.reject_bias:
        print(f"'{plain(found.reject_label)}' lowered by\t{found.reject_bias:.1f}")
    print(f"announced early from\t{found.early_threshold:.4f}\t{'-' if found.early is None else f'{found.early:.3f}'}")
    return 0


def _share(hits: npt.NDArray[np.bool_]) -> float | None:
    return round(float(hits.mean()), 4) if len(hits) else None
