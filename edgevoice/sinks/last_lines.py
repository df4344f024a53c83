"""A file that always holds the last two lines, for OBS and the like."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgevoice.captions import Captions, Change
from edgevoice.errors import ConfigError
from edgevoice.events import CaptionFinished, CaptionUpdated, Event, Failed, Recovered, StreamStarted
from edgevoice.files import is_special, replace_file, way_out, why
from edgevoice.lines import LINE_CELLS, filled
from edgevoice.sinks.line_breaks import LINES
from edgevoice.speakers import speaker
from edgevoice.text import plain

_KEPT = 32
"""Captions that are kept, since the newest may disappear when it turns out that nothing was said."""


class LastLines:
    """A sink that replaces a file whole whenever the words change, those being said included.

    Args:
        path: the file; its folder must be there.

    Raises:
        ConfigError: it cannot be written, or something is there that is no file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._captions = Captions()
        self._finished: list[tuple[CaptionFinished, list[str]]] = []
        """The newest captions as they stand, with their lines."""
        self._being_said: dict[str, list[str]] = {}
        self._channels: set[str] = set()
        self._shown: str | None = None
        self._failed: Failed | None = None
        if is_special(path):
            what = f"The last lines cannot be written to '{plain(str(path))}', which is no regular file"
            raise ConfigError(what, "Choose another name")
        try:
            replace_file(path, b"")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The last lines cannot be written to '{plain(str(path))}' ({why(error)})",
                "Choose a file in a folder that is there and may be written",
            ) from None

    def write(self, event: Event) -> Iterable[Event]:
        """Brings the file up to date."""
        if isinstance(event, StreamStarted):
            self._channels.add(event.channel)
        change = self._captions.take(event)
        if change:
            self._change(change)
        if isinstance(event, CaptionUpdated):
            self._being_said[event.channel] = self._lines(event.channel, f"{event.stable} {event.tentative}")
        elif isinstance(event, CaptionFinished):
            self._being_said.pop(event.channel, None)
        elif not change:
            return ()
        said = [*(lines for _, lines in self._finished), *self._being_said.values()]
        lines = [line for each in said for line in each]
        return self._show("".join(f"{line}\n" for line in lines[-LINES:]), event)

    def close(self) -> Iterable[Event]:
        """The last lines stay."""
        return ()

    def _change(self, change: Change) -> None:
        """Puts a caption behind the others, or in the place of what it was."""
        now = [(change.now, self._lines(change.now.channel, change.now.text))] if change.now else []
        places = (place for place, (caption, _) in enumerate(self._finished) if caption is change.before)
        place = next(places, len(self._finished))
        self._finished[place : place + 1] = now
        for caption, _ in self._finished[:-_KEPT]:
            self._captions.settle(caption)
        del self._finished[:-_KEPT]

    def _lines(self, channel: str, text: str) -> list[str]:
        name = f"{speaker(channel)}: " if len(self._channels) > 1 and text.strip() else ""
        shown = "\n".join(map(plain, (name + text).splitlines()))
        return [line.text for line in filled(shown, LINE_CELLS)]

    def _show(self, text: str, event: Event) -> Iterable[Event]:
        if text == self._shown:
            return ()
        shown = plain(str(self._path))
        try:
            replace_file(self._path, text.encode(errors="replace"))
        except OSError as error:
            if self._failed:
                return ()
            what = f"The last lines in '{shown}' are old, for the file cannot be replaced ({why(error)})"
            remedy = f"Captions go on; {way_out(error)}"
            self._failed = Failed(channel=event.channel, at=event.at, what=what, recoverable=True, remedy=remedy)
            return (self._failed,)
        self._shown = text
        failed, self._failed = self._failed, None
        now = f"The last lines in '{shown}' are new again"
        return (Recovered(channel=event.channel, at=event.at, what=failed.what, now=now),) if failed else ()
