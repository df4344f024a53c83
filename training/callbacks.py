"""What happens beside the optimiser's steps."""

from __future__ import annotations

import logging
import time
from typing import Any

import torch
from transformers import TrainerCallback

from edgevoice.errors import EdgeVoiceError

logger = logging.getLogger(__name__)

HOPELESS = 30
"""So many steps without a finite gradient in a row do not mend; fp16 needs up to sixteen to find its scale."""


class TrainingError(EdgeVoiceError):
    """A run cannot go on."""


class SkipBadGradients(TrainerCallback):  # type: ignore[misc]
    """Leaves out a step whose gradient is not finite: bf16 attention now and then gives one on CPU. Where that does not
    pass, the run ends: it would learn nothing more, and report the figures of weights that mean nothing.

    Raises:
        TrainingError: the weights are no longer finite, or no gradient is for `HOPELESS` steps or most of a short run.
    """

    def __init__(self) -> None:
        self._in_a_row = 0
        self._taken = 0

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Drops all gradients, so that the optimiser has nothing to do."""
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        if gradients and not torch.stack([g.float().sum() for g in gradients]).isfinite().all():
            logger.warning("step %d left out: its gradient is not finite", state.global_step)
            for parameter in model.parameters():
                parameter.grad = None
            self._in_a_row += 1
            if self._in_a_row >= HOPELESS or not _is_finite(model):
                raise _came_apart(state.global_step)
        else:
            self._in_a_row = 0
            self._taken += 1

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Sees whether a run too short for `HOPELESS` steps ended among them, and what the last step did."""
        if self._in_a_row > self._taken or not _is_finite(model):
            raise _came_apart(state.global_step)


def _is_finite(model: Any) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in model.parameters())


def _came_apart(step: int) -> TrainingError:
    return TrainingError(
        f"The training came apart: at step {step} its loss is no finite number any more",
        "Choose a lower trainer.learning_rate or more trainer.warmup_steps, and see with 'edgevoice train validate' "
        "whether a recording is damaged",
    )


class FreshBatches(TrainerCallback):  # type: ignore[misc]
    """Gives a run that goes on other batches and other augmentation than it began with."""

    def on_train_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **kwargs: Any) -> None:
        """Tells sampler and data set the step that the run goes on at."""
        if state.global_step:
            train_dataloader.dataset.draw_anew(state.global_step)
            if train_dataloader.batch_sampler is not None:  # a stream makes its own batches
                train_dataloader.batch_sampler.begin_at(state.global_step)


class StepTimes(TrainerCallback):  # type: ignore[misc]
    """Notes when each step ended, in seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Looks at the clock."""
        self.ends.append(time.monotonic())


class WeightAverage(TrainerCallback):  # type: ignore[misc]
    """Keeps an exponential moving average of the weights, and swaps it in while evaluating and saving.

    The average over the last steps lies nearer the middle of the valley than any single step; it costs one copy of
    the weights. After a resume it starts from the saved weights, which were the average.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: dict[str, torch.Tensor] = {}
        self.current: dict[str, torch.Tensor] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Moves the average; before an evaluation or a save, puts it into the model."""
        with torch.no_grad():
            self._move(model, state.global_step)
        self._swap_in(model, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Where evaluation comes by the epoch, it is only here that it is known to come."""
        self._swap_in(model, control)

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Puts the working weights back."""
        self._restore(model)

    def _swap_in(self, model: Any, control: Any) -> None:
        if (control.should_evaluate or control.should_save) and self.average and not self.current:
            with torch.no_grad():
                self.current = {name: p.detach().clone() for name, p in model.named_parameters()}
                self._load(model, self.average)

    def _move(self, model: Any, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            if name not in self.average:
                self.average[name] = parameter.detach().clone()
            else:
                self.average[name].lerp_(parameter.detach(), 1 - decay)

    def _restore(self, model: Any) -> None:
        if self.current:
            with torch.no_grad():
                self._load(model, self.current)
            self.current = {}

    @staticmethod
    def _load(model: Any, weights: dict[str, torch.Tensor]) -> None:
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
