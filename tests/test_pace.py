"""How often captions come on a machine that cannot keep up: tables, and a machine played in arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevoice.pace import CALM_S, LATE_HOPS, LONGEST_CALM_S, QUIET_S, REPORT_S, SLOWEST, Load, Pace

HOP = 0.32
BLOCK = 0.02


class Machine:
    """Takes audio in as it comes; an update at `at` seconds takes `cost(at)` seconds. One that is asked to speak to
    nobody between `pauses` has no updates to make there."""

    def __init__(self, cost: Callable[[float], float], hop: float = HOP, pause: tuple[float, float] = (0, 0)) -> None:
        self.pace, self.hop, self.cost, self.pause = Pace(hop), hop, cost, pause
        self.news: list[tuple[float, Load]] = []
        self.updates: list[tuple[float, float]] = []
        """When each was made, and how late."""
        self.worst = self.now = self.due = self.at = 0.0

    def run(self, seconds: float) -> Machine:
        end = self.at + seconds
        while self.at < end - 1e-9:
            self.at += BLOCK
            self.now = max(self.now, self.at)
            late = self.now - self.at
            self.worst = max(self.worst, late)
            self.pace.heard(late)
            self._note()
            speaking = not self.pause[0] <= self.at < self.pause[1]
            if speaking and self.at - self.due >= self.hop - 1e-9:
                self.due = self.at
                if self.pace.allows(self.at):
                    self.updates.append((self.at, late))
                    self.now += self.cost(self.at)
                self._note()
        return self

    def _note(self) -> None:
        load = self.pace.news(self.at)
        if load:
            self.news.append((self.at, load))

    @property
    def hops(self) -> list[float]:
        """Every hop that was told, without repeats."""
        told = [load.hop / self.hop for _, load in self.news]
        return [hop for hop, before in zip(told, [1.0, *told], strict=False) if hop != before]


@pytest.mark.parametrize("cost", [0.0, 0.1, 0.3])
def test_who_keeps_up_is_left_alone(cost: float) -> None:
    machine = Machine(lambda _: cost).run(60)
    assert machine.news == []
    assert len(machine.updates) == int(60 / HOP)


@pytest.mark.parametrize(("cost", "expected"), [(0.5, 2), (1.0, 4), (2.0, 8), (4.0, 8)])
def test_the_hop_widens_until_updates_can_be_kept_up(cost: float, expected: int) -> None:
    machine = Machine(lambda _: cost).run(20)
    assert max(machine.hops) == expected
    assert machine.hops[: len(range(expected.bit_length() - 1))] == [2**n for n in range(1, expected.bit_length())]
    assert machine.worst <= LATE_HOPS * HOP + 2 * cost
    assert all(late <= LATE_HOPS * HOP for _, late in machine.updates)
    assert len(machine.updates) >= 20 / max(expected * HOP, cost) - 4


def test_one_long_stall_is_one_step_and_soon_forgotten() -> None:
    machine = Machine(lambda at: 1.5 if 5 <= at < 5.3 else 0.05).run(20)
    assert machine.hops == [2, 1]
    (_, fell), *_, (at, again) = machine.news
    assert fell.behind == pytest.approx(1.5, abs=0.1)
    assert not fell.keeping_up
    assert (again.keeping_up, again.hop) == (True, HOP)
    assert again.behind < 0.1
    assert at < 7.5 + CALM_S + 1


@pytest.mark.parametrize("cost", [0.34, 0.5, 1.0, 1.9])
def test_it_does_not_flap_under_a_load_that_stays(cost: float) -> None:
    machine = Machine(lambda _: cost).run(600)
    trials = sum(now < before for before, now in itertools.pairwise(machine.hops))
    assert trials <= 600 / LONGEST_CALM_S + 16
    told = [at for at, _ in machine.news]
    assert len(told) <= 600 / REPORT_S
    assert machine.worst <= LATE_HOPS * HOP + 2 * cost


@pytest.mark.parametrize("cost", [0.5, 1.0, 2.0, 3.0])
def test_when_the_load_falls_it_recovers_by_itself(cost: float) -> None:
    machine = Machine(lambda at: cost if at < 120 else 0.05).run(120 + LONGEST_CALM_S + 3 * (CALM_S + 3))
    assert machine.news[-1][1] == Load(pytest.approx(0, abs=0.1), HOP, True)  # type: ignore[arg-type]
    assert machine.pace.hop == HOP


def test_a_pause_ends_being_behind_and_a_long_one_the_wider_hop() -> None:
    """Nobody is kept waiting then, and a screen that says so for as long as nobody speaks would be wrong."""
    machine = Machine(lambda _: 1.0, pause=(10, 60)).run(60)
    (caught_up, before), (quiet, after) = machine.news[-2:]
    assert caught_up < 10 + 2 * REPORT_S
    assert (before.behind, before.keeping_up) == (0, False)
    assert quiet == pytest.approx(10 + QUIET_S, abs=3)
    assert (after.hop, after.keeping_up) == (HOP, True)


def test_what_was_behind_is_the_worst_since_it_was_told() -> None:
    pace = Pace(HOP)
    told = []
    for at, behind in [(1.0, 0.2), (1.1, 2.0), (1.2, 0.9), (3.5, 0.9), (3.6, 0.9), (5.4, 0.1), (5.6, 0.1), (7.7, 0.1)]:
        pace.heard(behind)
        pace.allows(at)
        load = pace.news(at)
        if load:
            told.append((at, load.behind, load.hop / HOP))
    assert told == [(1.1, 2.0, 2), (3.5, 0.9, 2), (7.7, 0.1, 2)]


LATENESS = st.lists(st.tuples(st.floats(0.02, 3), st.floats(-0.1, 6)), max_size=200)


@given(LATENESS, st.sampled_from([0.16, 0.32, 1.0]))
def test_whatever_happens(steps: list[tuple[float, float]], hop: float) -> None:
    """Steps of two within the limits, no update while audio is late, at least one at every hop while it is not, and
    only the truth is told."""
    pace, at, before, updated = Pace(hop), 0.0, hop, None
    for seconds, behind in steps:
        at += seconds
        pace.heard(behind)
        since = None if updated is None else at - updated
        allowed = pace.allows(at)
        assert pace.hop in {hop * factor for factor in (1, 2, 4, 8)}
        assert pace.hop / before in (0.5, 1, 2)
        assert not (allowed and behind > LATE_HOPS * hop)
        if behind <= LATE_HOPS * hop and (since is None or since >= before):
            assert allowed
        if allowed:
            assert since is None or before == hop or since >= before - hop
            updated = at
        load = pace.news(at)
        if load:
            assert load.hop == pace.hop
            assert load.keeping_up == (pace.hop == hop)
            assert 0 <= load.behind <= 6
        assert pace.news(at) is None
        before = pace.hop


@given(LATENESS)
def test_from_wherever_it_is_quiet_brings_it_back(steps: list[tuple[float, float]]) -> None:
    pace, at = Pace(HOP), 0.0
    for seconds, behind in steps:
        at += seconds
        pace.heard(behind)
        pace.allows(at)
    pace.heard(0.0)
    for _ in range(int((LONGEST_CALM_S + 3 * CALM_S + SLOWEST * HOP * 4) / HOP)):
        at += HOP
        pace.allows(at)
    assert pace.hop == HOP
    load = pace.news(at)
    assert load is None or load.keeping_up
