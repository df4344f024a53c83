"""What counts as lost audio, and what is only late."""

from __future__ import annotations

import numpy as np
import pytest

from edgevoice.audio.loss import LossWatch

BLOCK = 320


def reported(times: list[float], flagged: int | None = None) -> float:
    watch = LossWatch(16_000)
    return sum(watch.heard((n + 1) * BLOCK, at, flagged=n == flagged) for n, at in enumerate(times))


def test_jitter_is_no_loss() -> None:
    random = np.random.default_rng(1)
    assert reported([n * 0.02 + float(random.exponential(0.05)) for n in range(20_000)]) == 0


@pytest.mark.parametrize("ppm", [-2000, -500, 500, 1500])
def test_a_drifting_clock_is_no_loss(ppm: int) -> None:
    assert reported([n * 0.02 * (1 + ppm * 1e-6) for n in range(180_000)]) == 0


def test_a_stall_that_is_caught_up_is_no_loss() -> None:
    times = [n * 0.02 if n < 500 or n > 650 else 13.0 + (n - 500) * 0.0001 for n in range(2000)]
    assert reported(times) == 0


def test_a_hole_is_a_loss_of_its_size() -> None:
    times = [n * 0.02 + (3.0 if n >= 500 else 0) for n in range(1000)]
    assert reported(times) == pytest.approx(3.0, abs=0.01)


def test_two_holes_count_twice_and_small_ones_add_up() -> None:
    assert reported([n * 0.02 + (n // 500) * 0.7 for n in range(1500)]) == pytest.approx(1.4, abs=0.02)
    assert reported([n * 0.02 + (n // 100) * 0.1 for n in range(1500)]) == pytest.approx(1.4, abs=0.6)


def test_a_flag_counts_what_is_missing_at_once_and_only_once() -> None:
    times = [n * 0.02 + (0.2 if n >= 500 else 0) for n in range(1000)]
    assert reported(times, flagged=500) == pytest.approx(0.2, abs=0.001)


def test_a_late_first_block_is_no_loss() -> None:
    assert reported([5.0 + n * 0.02 if n > 20 else 5.42 for n in range(500)]) == 0
