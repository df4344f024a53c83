"""What a person sees of a run while it lasts: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from edgevoice.text import plain
from training.meter import spoken_time

logger = logging.getLogger(__name__)

_SHOWN = {"wer": "WER", "cer": "CER", "accuracy": "accuracy", "f1": "F1"}


class Progress(TrainerCallback):  # type: ignore[misc]
    """Shows steps, loss, rate and time left, and the figures of every evaluation."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._began, self._first = 0.0, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts the clock."""
        self._began, self._first = time.monotonic(), state.global_step
        if sys.stderr.isatty() and state.is_world_process_zero:
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, unit="step", dynamic_ncols=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Shows the loss."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        if self._bar is not None:
            self._bar.set_postfix_str(f"loss {logs['loss']:.3f}")
            return
        rate = (state.global_step - self._first) / max(1e-9, time.monotonic() - self._began)
        left = (state.max_steps - state.global_step) / max(1e-9, rate)
        logger.info(
            "step %d of %d, loss %.3f, learning rate %.1e, %.2f steps/s, %s left",
            state.global_step,
            state.max_steps,
            logs["loss"],
            logs.get("learning_rate", 0.0),
            rate,
            spoken_time(left),
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any) -> None:
        """Shows the figures of one dev set."""
        line = figures_line(metrics or {})
        if not line or not state.is_world_process_zero:
            return
        if self._bar is not None:
            self._bar.write(f"step {state.global_step}: {line}", file=sys.stderr)
        else:
            logger.info("step %d: %s", state.global_step, line)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leaves the bar where it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def figures_line(metrics: dict[str, Any]) -> str:
    """The figures of one dev set on a line, such as "calls: WER 31.0 %, accuracy 92.1 %"; "" if there are none."""
    shown = []
    dataset = ""
    for name, label in _SHOWN.items():
        key = next((key for key in metrics if key.startswith("eval_") and key.endswith(f"_{name}")), None)
        if key:
            dataset = key.removeprefix("eval_").removesuffix(f"_{name}")
            shown.append(f"{label} {100 * metrics[key]:.1f} %")
    return f"{plain(dataset)}: {', '.join(shown)}" if shown else ""
