"""The pictures of the screen in docs/, as SVG, from a real run of the demo: `python scripts/screenshot.py`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgevoice.commands.library import library_of, transcript_of
from edgevoice.config import ScreenSettings, Settings
from edgevoice.events import (
    CaptionFinished,
    CaptionRevised,
    CaptionUpdated,
    Event,
    IntentDetected,
    from_json,
)
from edgevoice.saved_sessions import session_files
from edgevoice.tui.app import CaptionApp
from edgevoice.tui.messages import EventArrived
from edgevoice.tui.revision import changed
from edgevoice.tui.sessions_app import SessionsApp
from edgevoice.tui.widgets.history import MARKED_S

ROOT = Path(__file__).resolve().parent.parent
REVISED = ROOT / "scripts" / "revision.jsonl"
"""A call whose sentences are put right; `edgevoice replay` plays it."""


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
    """The screen after the events and the keys, as SVG. The colours are the theme's, wherever this runs."""
    run = RecordedRun(events)
    app = CaptionApp(run, settings=Settings(screen=ScreenSettings(large=large)))
    async with app.run_test(size=size) as pilot:
        app.theme = theme
        await asyncio.to_thread(run.delivered.wait)
        await pilot.pause(2 * MARKED_S)  # in a run that takes its time, only what was just put right is marked
        if keys:
            await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title="edgevoice live")


@dataclass(frozen=True, slots=True)
class Picture:
    """One of the pictures of the documentation."""

    file: str
    size: tuple[int, int]
    theme: str = "dark"
    large: bool = False
    keys: tuple[str, ...] = ()


REVISION = ("screen-revision-before.svg", "screen-revision-at.svg", "screen-revision-after.svg")
"""A sentence that is put right: before, in the second in which the other words are marked, and after it."""
SESSION, SESSIONS = "screen-session.svg", "screen-sessions.svg"
DATES = ("2026-02-23_09-12-40", "2026-02-25_16-30-02", "2026-02-26_11-00-51", "2026-03-01_14-05-33")
PICTURES = (
    Picture("screen.svg", (120, 32)),
    Picture("screen-80x24.svg", (80, 24)),
    Picture("screen-160x45.svg", (160, 45)),
    Picture("screen-light.svg", (80, 24), theme="light", keys=("slash", "t", "h", "e", "enter")),
    Picture("screen-settings.svg", (80, 24), keys=("s", "slash", *"caption", "enter", "down", "down")),
    Picture("screen-large.svg", (80, 24), theme="contrast", large=True),
)


def recorded() -> list[Event]:
    """The demo, as the command itself tells it on this machine."""
    command = [sys.executable, "-m", "edgevoice", "demo", "--json"]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    return [from_json(line) for line in lines]


def in_mid_sentence(events: list[Event]) -> list[Event]:
    """Up to the moment, in the last part of the call, at which most is to be seen: an early intent among live words."""
    early = [n for n, event in enumerate(events) if isinstance(event, IntentDetected) and event.early]
    updates = [n for n, event in enumerate(events) if isinstance(event, CaptionUpdated)]
    last = early[-1] if early else updates[-1]
    return events[: 1 + next((n for n in updates if n > last), last)]


def with_most_changes(events: list[Event]) -> int:
    """Which of the events puts words right in most places, the last of them; -1 if none does."""
    heard = {(event.channel, event.segment): event.text for event in events if isinstance(event, CaptionFinished)}
    counts = {
        number: len(changed(heard.get((event.channel, event.segment), ""), event.text))
        for number, event in enumerate(events)
        if isinstance(event, CaptionRevised)
    }
    return max((number for number in counts if counts[number]), key=lambda number: (counts[number], number), default=-1)


async def revision_pictures(events: list[Event]) -> dict[str, str]:
    """A sentence that is put right, in three pictures as SVG; none if nothing was."""
    number = with_most_changes(events)
    if number < 0:
        return {}
    run = RecordedRun(events[:number])
    app = CaptionApp(run)
    async with app.run_test(size=(80, 20)) as pilot:
        await asyncio.to_thread(run.delivered.wait)
        await pilot.pause(2 * MARKED_S)  # what was put right before is marked no more
        shown = [app.export_screenshot(title="edgevoice live")]
        app.post_message(EventArrived(events[number]))
        await pilot.pause()
        shown.append(app.export_screenshot(title="edgevoice live"))
        await pilot.pause(2 * MARKED_S)
        shown.append(app.export_screenshot(title="edgevoice live"))
    return dict(zip(REVISION, shown, strict=True))


def saved_pictures() -> dict[str, str]:
    """The demo, saved a few times: the list with a search in all of them, and one of them with a search in it."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "calls"
        command = [sys.executable, "-m", "edgevoice", "demo", "--json", "--save", str(folder), "--record"]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        (session,) = session_files(folder)
        one = SessionsApp(replace(transcript_of(session), name=DATES[-1]))
        for file in session.files:
            kind = file.name.removeprefix(session.name)
            for number, date in enumerate(DATES):
                if number or "flac" not in kind:  # the first was not recorded
                    shutil.copy(file, folder / f"{date}{kind}")
            file.unlink()
        for shorter in DATES[1:3]:
            events = folder / f"{shorter}.jsonl"
            lines = events.read_text(encoding="utf-8").splitlines(keepends=True)
            events.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
        all_ = SessionsApp(replace(library_of(folder), folder="~/calls"))
        return {
            SESSION: asyncio.run(searched(one, "card", "edgevoice sessions open")),
            SESSIONS: asyncio.run(searched(all_, "card", "edgevoice sessions open")),
        }


async def searched(app: SessionsApp, wanted: str, title: str) -> str:
    """The screen while that is looked for, as SVG."""
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(1.0)  # what is read is read in a thread
        await pilot.press("slash", *wanted)
        await pilot.pause()
        return app.export_screenshot(title=title)


def read(file: Path) -> list[Event]:
    """The events in a file."""
    return [from_json(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def write(svg: str, target: Path) -> None:
    """Writes one picture."""
    # Some renderers drop the spaces between words of different style unless told to keep them.
    target.write_text(svg.replace("<svg ", '<svg xml:space="preserve" ', 1), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=Path, nargs="?", help="JSON lines, one event each; the demo if not given")
    parser.add_argument(
        "--only",
        choices=[*(each.file for each in PICTURES), *REVISION, SESSION, SESSIONS],
        help="one of the pictures",
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "docs")
    parsed = parser.parse_args(arguments)
    os.environ["XDG_CONFIG_HOME"] = "/home/you/.config"  # the settings of nobody who makes the pictures
    pictures = [each for each in PICTURES if parsed.only in (None, each.file)]
    if pictures:
        events = read(parsed.events) if parsed.events else in_mid_sentence(recorded())
    for wanted in pictures:
        theme, keys = f"edgevoice-{wanted.theme}", list(wanted.keys)
        write(asyncio.run(picture(events, wanted.size, theme, keys, large=wanted.large)), parsed.folder / wanted.file)
    if parsed.only in (None, *REVISION):
        for file, svg in asyncio.run(revision_pictures(read(parsed.events or REVISED))).items():
            if parsed.only in (None, file):
                write(svg, parsed.folder / file)
    if parsed.only in (None, SESSION, SESSIONS):
        for file, svg in saved_pictures().items():
            if parsed.only in (None, file):
                write(svg, parsed.folder / file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
