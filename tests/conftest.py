"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.rig import PulseRig, missing_programs

if TYPE_CHECKING:
    from tests.talk import Talk


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


@pytest.fixture(scope="session", params=["tiny", "banking-en"])
def talk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Somebody speaking, with a tiny model made for it, and with the model that comes with edgevoice."""
    from tests.talk import bundled_talk, tiny_talk

    make = tiny_talk if request.param == "tiny" else bundled_talk
    return make(tmp_path_factory.mktemp("talk"))
