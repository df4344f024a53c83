"""From clips to batches: augmentation, features, labels, padding, and batches of equal duration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from edgevoice.config import SAMPLE_RATE
from training.augment import Augmentation
from training.decoded import DecodedClips, Samples
from training.features import Features
from training.manifest import Clip
from training.models import IGNORE

_SHORTEST = SAMPLE_RATE // 2
"""Samples of the shortest beginning: less holds hardly a word."""
Durations = npt.NDArray[np.floating] | Sequence[float]


@dataclass(frozen=True)
class NoiseLibrary:
    """Recordings without speech and room impulse responses for augmentation."""

    noises: tuple[Samples, ...] = ()
    impulse_responses: tuple[Samples, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What turns a clip's samples into a model's input with its labels."""

    features: Features
    tokenizer: Any = None
    """None where there is no text to learn."""
    labels: Mapping[str, int] | None = None
    """None where there is no intent to learn."""
    missing_intent: str = ""
    augmentation: Augmentation | None = None
    noise: NoiseLibrary = NoiseLibrary()
    lead_s: float = 0.0
    tail_s: float = 0.0
    cut_others: float = 0.0
    crop: int | None = None

    def __call__(self, samples: Samples, clip: Clip, rng: np.random.Generator) -> dict[str, Any]:
        """ "inputs" and, as far as they are learnt, "labels" (token ids) and "intent"; damaged afresh on every call."""
        samples = samples[: self.crop]
        beginning = self._beginning(samples, clip, rng)
        item: dict[str, Any] = {"inputs": self.features(self._damaged(beginning, rng))}
        if self.tokenizer is not None:
            # nobody knows how much of the text is in a part
            item["labels"] = self.tokenizer(clip.text if len(beginning) == len(samples) else "")["input_ids"]
        if self.labels is not None:
            item["intent"] = self.labels.get(clip.intent or self.missing_intent, IGNORE)
        return item

    def seconds(self, clip: Clip) -> float:
        """How long a clip is when it is heard, with all the silence that may be put around it."""
        cut = min(clip.duration_s, self.crop / SAMPLE_RATE) if self.crop else clip.duration_s
        return cut + (self.lead_s + self.tail_s if self.augmentation is not None else 0.0)

    def _beginning(self, samples: Samples, clip: Clip, rng: np.random.Generator) -> Samples:
        """All of a clip, or of one that means no intent perhaps only a beginning."""
        means_none = (clip.intent or self.missing_intent) == self.missing_intent != ""
        if self.augmentation is None or not means_none or rng.random() >= self.cut_others:
            return samples
        return samples[: max(_SHORTEST, int(len(samples) * rng.uniform()))]

    def _damaged(self, samples: Samples, rng: np.random.Generator) -> Samples:
        if self.augmentation is None:
            return samples
        if self.lead_s or self.tail_s:
            before, behind = (self._near_silence(seconds, rng) for seconds in (self.lead_s, self.tail_s))
            samples = np.concatenate([before, samples, behind])
        return self.augmentation.apply(samples, rng, self.noise.noises, self.noise.impulse_responses)

    def _near_silence(self, at_most_s: float, rng: np.random.Generator) -> Samples:
        """What surrounds speech live: digital silence (a muted line) or faint noise, -90 to -50 dBFS."""
        count = int(rng.uniform(0, at_most_s) * SAMPLE_RATE)
        level = 0.0 if rng.random() < 0.3 else 10 ** (rng.uniform(-90, -50) / 20)
        return np.asarray(rng.standard_normal(count) * level, dtype=np.float32)


class SpeechDataset(Dataset[dict[str, Any]]):
    """Clips as model inputs with their labels."""

    def __init__(
        self, clips: Sequence[Clip], preparation: Preparation, audio: DecodedClips, seed: Sequence[int] = (0,)
    ) -> None:
        self.clips, self.preparation, self.audio = clips, preparation, audio
        self.seed = tuple(seed)
        self.draw_anew()

    def draw_anew(self, *more: int) -> None:
        """Makes the augmentation from now on that of these numbers: of the step a run goes on at, of a worker."""
        self.seed = (*self.seed, *more)
        self.rng = np.random.default_rng(self.seed)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip = self.clips[index]
        return self.preparation(self.audio.load(clip.path), clip, self.rng)


def own_draws(worker: int) -> None:
    """A DataLoader's `worker_init_fn`: forked with the same generator, all workers would damage clips alike."""
    info: Any = torch.utils.data.get_worker_info()
    info.dataset.draw_anew(worker)


@dataclass(frozen=True)
class Collator:
    """Pads inputs with zeros and labels with `IGNORE`, separately, as `DataCollatorCTCWithPadding` does."""

    input_name: str
    """ "input_values" or "input_features"."""
    pass_mask: bool = True
    """False for checkpoints that were trained without an attention mask (group-norm Wav2Vec2)."""
    intent_key: str = "intent_labels"
    """Name of the intent labels in the model's forward: "intent_labels" (joint) or "labels" (classification)."""

    @property
    def unit(self) -> str:
        """What an input is a row of."""
        return "samples" if self.input_name == "input_values" else "frames"

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Items of `SpeechDataset` as one batch."""
        arrays = [item["inputs"] for item in items]
        longest = max(len(array) for array in arrays)
        inputs = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=np.float32)
        mask = np.zeros((len(arrays), longest), dtype=np.int64)
        for row, array in enumerate(arrays):
            inputs[row, : len(array)] = array
            mask[row, : len(array)] = 1
        batch = {self.input_name: torch.from_numpy(inputs)}
        if self.pass_mask:
            batch["attention_mask"] = torch.from_numpy(mask)
        if "labels" in items[0]:
            batch["labels"] = _pad_labels([item["labels"] for item in items])
        if "intent" in items[0]:
            batch[self.intent_key] = torch.tensor([item["intent"] for item in items])
        return batch


class DurationBatches(Sampler[list[int]]):
    """Batches of similar clips that hold at most `seconds` of audio each, in a new random order every epoch.

    Args:
        durations: seconds of each clip.
        seconds: of audio in a batch, for each of the processes.
        seed: of the order.
        part: this process's number.
        parts: processes that train together, each on its share of every batch.
    """

    def __init__(self, durations: Sequence[float], seconds: float, seed: int, *, part: int = 0, parts: int = 1) -> None:
        self.durations = np.asarray(durations)
        self.seconds = seconds * parts
        self.part, self.parts = part, parts
        self.seed = seed
        self.epoch = 0
        self.start = 0
        self.batches = len(self._split(0))

    def begin_at(self, step: int) -> None:
        """Makes the orders from now on those of a run that goes on at this step, instead of those it has seen."""
        self.start = step

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._split(self.epoch)
        self.epoch += 1
        order = np.random.default_rng([self.seed, self.epoch, self.start]).permutation(len(batches))
        # every epoch must have the same number of batches, or the scheduler's steps would not add up
        for position in range(self.batches):
            batch = batches[order[position % len(batches)]]
            # a process without a single clip would leave the others waiting
            yield batch[self.part :: self.parts] or batch[:1]

    def _split(self, epoch: int) -> list[list[int]]:
        jitter = np.random.default_rng([self.seed, epoch, 1, self.start]).uniform(0.9, 1.1, len(self.durations))
        return of_similar_length(self.durations, self.seconds, np.argsort(self.durations * jitter))


def of_similar_length(durations: Durations, seconds: float, order: Iterable[int]) -> list[list[int]]:
    """Cuts clips, in an order of about their length, into batches that hold at most so many seconds with padding."""
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in order:
        longest = max(longest, float(durations[index]))
        if batch and longest * (len(batch) + 1) > seconds:
            batches.append(batch)
            batch, longest = [], float(durations[index])
        batch.append(int(index))
    return [*batches, batch] if batch else batches


def _pad_labels(rows: list[list[int]]) -> torch.Tensor:
    padded = np.full((len(rows), max(map(len, rows))), IGNORE, dtype=np.int64)
    for row, labels in enumerate(rows):
        padded[row, : len(labels)] = labels
    return torch.from_numpy(padded)
