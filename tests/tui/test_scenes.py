"""A handful of screens, as they were when somebody last looked at them."""

from __future__ import annotations

import pytest

from tests.tui.scenes import SCENES, Scene, file_of, rendered


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_the_screen_looks_as_before(scene: Scene) -> None:
    shown = await rendered(scene)
    assert shown == file_of(scene).read_text(encoding="utf-8"), "as meant? python -m tests.tui.scenes"
