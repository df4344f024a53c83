"""A picture of the screen, as SVG, from a file of events: `screenshot.py events.jsonl picture.svg --size 120x32`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from edgevoice.config import ScreenSettings
from edgevoice.events import Event, from_json
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.themes import THEMES


class RecordedRun:
    """Delivers recorded events, then stays open, as a run in progress does."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._stopped = threading.Event()
        self.delivered = threading.Event()

    def run(self) -> Iterator[Event]:
        """All events at once."""
        yield from self._events
        self.delivered.set()
        self._stopped.wait()

    def stop(self) -> None:
        """Lets `run` end."""
        self._stopped.set()

    def pause(self) -> None:
        """Nothing to pause."""

    def resume(self) -> None:
        """Nothing to resume."""

    def set_threshold(self, label: str, value: float) -> None:
        """Nothing to decide."""


async def picture(events: list[Event], size: tuple[int, int], theme: str, keys: list[str], *, large: bool) -> str:
    """The screen after the events and the keys, as SVG."""
    run = RecordedRun(events)
    app = CaptionApp(run, screen=ScreenSettings(large=large))
    async with app.run_test(size=size) as pilot:
        app.theme = theme
        await asyncio.to_thread(run.delivered.wait)
        await pilot.pause()
        if keys:
            await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title="edgevoice live")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def main(arguments: list[str] | None = None) -> int:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path, help="JSON lines, one event each")
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    parser.add_argument("--size", type=_size, default=(120, 32), help="columns x rows (default 120x32)")
    parser.add_argument("--theme", choices=[theme.name.removeprefix("edgevoice-") for theme in THEMES], default="dark")
    parser.add_argument("--keys", nargs="*", default=[], help="keys to press first, for example question_mark")
    parser.add_argument("--large", action="store_true", help="large captions")
    parsed = parser.parse_args(arguments)
    lines = parsed.events.read_text(encoding="utf-8").splitlines()
    events = [from_json(line) for line in lines if line.strip()]
    svg = asyncio.run(picture(events, parsed.size, f"edgevoice-{parsed.theme}", parsed.keys, large=parsed.large))
    # Some renderers drop the spaces between words of different style unless told to keep them.
    parsed.picture.write_text(svg.replace("<svg ", '<svg xml:space="preserve" ', 1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
