"""How long a run will take, found out by taking its first steps with its own model, data and settings."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from training.callbacks import StepTimes
from training.config import Task, TrainConfig
from training.meter import spoken_time
from training.run import prepared

TRIED_STEPS = 5
_EVALUATION_SHARE = 0.4
"""What a second of audio costs when it is only measured, as a share of what it costs in training: no backward pass."""


@dataclass(frozen=True)
class Expected:
    """What lies ahead."""

    steps: int
    seconds_per_step: float
    seconds: float
    """Of the whole run, its evaluations included."""
    left_out: dict[str, int]
    """Reason -> training clips that this model cannot be trained on."""

    def line(self) -> str:
        """What a person is told."""
        each = f"{self.steps} steps of {self.seconds_per_step:.2f} s on this machine, with evaluations"
        left = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
        return f"expected time  {spoken_time(self.seconds)} ({each})" + (f"; left out: {left}" if left else "")


def expected_time(task: Task, config: TrainConfig) -> Expected:
    """Takes the first steps of a run, in a folder that is removed.

    Raises:
        EdgeVoiceError: data, model and recipe do not fit together. A stream is refused before, by `training.check`.
    """
    settings = config.trainer
    few = dataclasses.replace(
        settings, max_steps=TRIED_STEPS, epochs=0.0, evaluate_every=10**6, evaluate_by_epoch=False
    )
    clock = StepTimes()
    with tempfile.TemporaryDirectory() as scratch:
        with prepared(task, dataclasses.replace(config, trainer=few), Path(scratch) / "run") as run:
            run.trainer.add_callback(clock)
            run.trainer.train()
        batches = len(run.trainer.get_train_dataloader())
    # the first step also sets up what the others find ready
    per_step = (clock.ends[-1] - clock.ends[0]) / max(1, len(clock.ends) - 1)
    per_epoch = math.ceil(batches / settings.gradient_accumulation_steps)
    steps = math.ceil(settings.epochs * per_epoch) if settings.epochs else settings.max_steps
    evaluations = settings.epochs if settings.evaluate_by_epoch else steps // settings.evaluate_every
    dev_s, test_s = (
        sum(clip.duration_s for clips in sets.values() for clip in clips) for sets in (run.corpus.dev, run.corpus.test)
    )
    audio_per_step = settings.batch_seconds * settings.gradient_accumulation_steps
    per_second = _EVALUATION_SHARE * per_step / audio_per_step
    measuring = per_second * ((evaluations + 1) * dev_s + test_s)
    return Expected(steps, per_step, steps * per_step + measuring, run.corpus.left_out)
