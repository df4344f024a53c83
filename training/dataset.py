"""From clips to batches: decoding, resampling, augmentation, features, padding, and batches of equal duration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch
from torch.utils.data import Dataset, Sampler

from edgevoice.config import SAMPLE_RATE
from edgevoice.errors import AudioError
from training.augment import Augmentation
from training.features import Features
from training.manifest import Clip
from training.models import IGNORE

Samples = npt.NDArray[np.float32]


def load_audio(path: Path) -> Samples:
    """A recording of any rate and number of channels as mono float32 at 16 kHz.

    Raises:
        AudioError: it cannot be read or is empty.
    """
    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise AudioError(f"The clip {path} cannot be read: {error}", "Mend or remove its row in the manifest") from None
    mono = samples.mean(axis=1)
    if not len(mono):
        raise AudioError(f"The clip {path} is empty", "Remove its row from the manifest")
    return mono if rate == SAMPLE_RATE else np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), dtype=np.float32)


@dataclass
class AudioCache:
    """Decoded clips as 16-bit samples, so that an epoch does not decode them again; about 115 MB an hour."""

    clips: dict[Path, npt.NDArray[np.int16]] = field(default_factory=dict)

    def load(self, path: Path) -> Samples:
        """The clip's samples, mono float32 at 16 kHz."""
        if path not in self.clips:
            self.clips[path] = np.rint(np.clip(load_audio(path), -1, 1) * 32767).astype(np.int16)
        return self.clips[path].astype(np.float32) / np.float32(32767)


@dataclass(frozen=True)
class NoiseLibrary:
    """Recordings without speech and room impulse responses for augmentation."""

    noises: tuple[Samples, ...] = ()
    impulse_responses: tuple[Samples, ...] = ()


class SpeechDataset(Dataset[dict[str, Any]]):
    """Clips as model inputs with their labels."""

    def __init__(
        self,
        clips: Sequence[Clip],
        features: Features,
        *,
        tokenizer: Any = None,
        labels: dict[str, int] | None = None,
        missing_intent: str = "",
        augmentation: Augmentation | None = None,
        noise: NoiseLibrary = NoiseLibrary(),
        lead_s: float = 0.0,
        crop: int | None = None,
        cache: AudioCache | None = None,
        seed: int = 0,
    ) -> None:
        self.clips, self.features, self.tokenizer = clips, features, tokenizer
        self.labels, self.missing_intent = labels, missing_intent
        self.augmentation, self.noise, self.lead_s = augmentation, noise, lead_s
        self.crop = crop
        self.cache = cache if cache is not None else AudioCache()
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip = self.clips[index]
        item: dict[str, Any] = {"inputs": self.features(self.samples(clip))}
        if self.tokenizer is not None:
            item["labels"] = self.tokenizer(clip.text)["input_ids"]
        if self.labels is not None:
            item["intent"] = self.labels.get(clip.intent or self.missing_intent, IGNORE)
        return item

    def samples(self, clip: Clip) -> Samples:
        """The clip's audio, augmented afresh on every call where the dataset augments."""
        samples = self.cache.load(clip.path)[: self.crop]
        if self.augmentation is None:
            return samples
        if self.lead_s:
            samples = np.concatenate([self._near_silence(), samples])
        return self.augmentation.apply(samples, self.rng, self.noise.noises, self.noise.impulse_responses)

    def _near_silence(self) -> Samples:
        """What the pre-roll brings live: digital silence (a muted line) or faint noise, -90 to -50 dBFS."""
        count = int(self.rng.uniform(0, self.lead_s) * SAMPLE_RATE)
        level = 0.0 if self.rng.random() < 0.3 else 10 ** (self.rng.uniform(-90, -50) / 20)
        return np.asarray(self.rng.standard_normal(count) * level, dtype=np.float32)


@dataclass(frozen=True)
class Collator:
    """Pads inputs with zeros and labels with `IGNORE`, separately, as `DataCollatorCTCWithPadding` does."""

    input_name: str
    """ "input_values" or "input_features"."""
    pass_mask: bool = True
    """False for checkpoints that were trained without an attention mask (group-norm Wav2Vec2)."""
    intent_key: str = "intent_labels"
    """Name of the intent labels in the model's forward: "intent_labels" (joint) or "labels" (classification)."""

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
        batches: list[list[int]] = []
        batch: list[int] = []
        for index in np.argsort(self.durations * jitter):
            longest = max([self.durations[index], *(self.durations[i] for i in batch)])
            if batch and longest * (len(batch) + 1) > self.seconds:
                batches.append(batch)
                batch = []
            batch.append(int(index))
        return [*batches, batch] if batch else batches


def _pad_labels(rows: list[list[int]]) -> torch.Tensor:
    padded = np.full((len(rows), max(map(len, rows))), IGNORE, dtype=np.int64)
    for row, labels in enumerate(rows):
        padded[row, : len(labels)] = labels
    return torch.from_numpy(padded)
