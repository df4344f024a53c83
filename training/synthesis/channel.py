"""What lies between a mouth and a file: silence, a room, a telephone line, a level and the noise of the microphone."""

from __future__ import annotations

import math

import numpy as np

from edgevoice.config import SAMPLE_RATE
from training.augment import (
    PEAK_LIMIT,
    Audio,
    Augmentation,
    add_noise,
    coloured_noise,
    gain,
    limit,
    telephone,
)
from training.voices import Split

RMS_RANGE_DBFS = (-32.0, -18.0)
SILENCE_RANGE_S = (0.1, 0.5)
FLOOR_RANGE_DBFS = (-78.0, -62.0)  # no microphone gives digital zeros
TEST_SNR_RANGE = (10.0, 25.0)
TRAIN_AUGMENTATION = Augmentation(
    speed_probability=0.0,
    equalise_probability=0.25,
    room_probability=0.35,
    noise_probability=0.35,
    snr_range=(12.0, 35.0),
    telephone_probability=0.3,
    gain_range=(0.0, 0.0),
)


def transmit(speech: Audio, split: Split, index: int, rng: np.random.Generator) -> tuple[Audio, tuple[str, ...]]:
    """Give the recording and the names of its damage; of the clips not for training, every other one stays clean."""
    before, after = (int(rng.uniform(*SILENCE_RANGE_S) * SAMPLE_RATE) for _ in range(2))
    samples = np.pad(speech, (before, after))
    damage: tuple[str, ...] = ()
    if split == "train":
        samples, damage = TRAIN_AUGMENTATION.apply_named(samples, rng)
    elif index % 2:
        noise = coloured_noise(samples.size, rng.uniform(0.0, 2.0), rng)
        samples = telephone(add_noise(samples, noise, rng.uniform(*TEST_SNR_RANGE)), mu_law=True)
        damage = ("noise", "telephone")
    level = 20.0 * math.log10(float(np.sqrt(np.mean(np.square(samples)))))
    samples = gain(samples, rng.uniform(*RMS_RANGE_DBFS) - level)
    floor = gain(coloured_noise(samples.size, 1.0, rng), rng.uniform(*FLOOR_RANGE_DBFS))
    return limit(samples + floor, PEAK_LIMIT), damage
