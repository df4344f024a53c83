"""When a microphone counts as silent, and that it is said and taken back."""

from __future__ import annotations

import pytest

from edgevoice.quiet import GAP_S, LONG_PATIENCE_S, PATIENCE_S, SILENT_DBFS, Quiet

STEP = 0.1
ROOM, VOICE, MUTED = -62.0, -28.0, -120.0


def news(*spans: tuple[float, float]) -> list[tuple[float, bool]]:
    """What is said, and when, of so many seconds at a level, one after the other."""
    quiet, said, step = Quiet(), [], 0
    for seconds, dbfs in spans:
        for _ in range(round(seconds / STEP)):
            if quiet.heard(step * STEP, dbfs):
                said.append((round(step * STEP, 1), quiet.silent))
            step += 1
    return said


@pytest.mark.parametrize("dbfs", [MUTED, -95.0, SILENT_DBFS])
def test_silence_from_the_start_is_said_after_ten_seconds_and_once(dbfs: float) -> None:
    assert news((600, dbfs)) == [(PATIENCE_S, True)]


@pytest.mark.parametrize("dbfs", [ROOM, -75.0, VOICE])
def test_a_room_without_anybody_in_it_is_not_silent(dbfs: float) -> None:
    assert news((600, dbfs)) == []


def test_it_is_taken_back_as_soon_as_sound_comes() -> None:
    assert news((12, MUTED), (5, ROOM)) == [(PATIENCE_S, True), (12.0, False)]


def test_muted_in_the_middle() -> None:
    assert news((30, ROOM), (20, MUTED), (5, VOICE)) == [(30 + PATIENCE_S, True), (50.0, False)]


def test_a_source_that_wakes_up_slowly_is_no_noise_gate() -> None:
    """The first seconds of a device are often digital silence."""
    assert news((3, MUTED), (30, ROOM), (11, MUTED)) == [(33 + PATIENCE_S, True)]


def test_a_microphone_that_falls_silent_by_itself_is_given_more_time() -> None:
    """A noise gate lets nothing through between two sentences."""
    talk = [(3.0, VOICE), (2 * GAP_S, MUTED)]
    assert news(*talk, *talk, *talk, (40, MUTED), *talk) == []
    assert news(*talk, (3, VOICE), (LONG_PATIENCE_S + 1, MUTED)) == [(8 + LONG_PATIENCE_S, True)]


def test_pauses_shorter_than_the_patience_say_nothing() -> None:
    assert news(*[(1.0, VOICE), (0.5, MUTED)] * 100) == []
