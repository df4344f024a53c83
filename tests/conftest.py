"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.rig import PulseRig, missing_programs


@pytest.fixture
def pulse() -> Iterator[PulseRig]:
    """A private PulseAudio server with microphones that play what the test wants."""
    missing = missing_programs()
    if missing:
        message = f"the microphone rig needs {', '.join(missing)}"
        if os.environ.get("EDGEVOICE_REQUIRE_RIG") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with PulseRig() as rig:
        yield rig
