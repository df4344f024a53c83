"""The tools that are measured beside each other, each through the door that its users take, in a process of its own.

edgevoice: `edgevoice transcribe` for whole sets of clips, `edgevoice live` for live captions. Moonshine: its own Python
package with its own detector of speech (`bench/peer_moonshine.py`), in an environment of its own.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peer_run import Measured, measured
from edgevoice.errors import EdgeVoiceError
from edgevoice.paths import cache_folder

MOONSHINE = "moonshine-voice==0.0.73"
"""The last version that brings the model along; later ones download it."""
_SCRIPT = Path(__file__).with_name("peer_moonshine.py")


@dataclass(frozen=True)
class Final:
    """What a tool says of one stretch of speech when that is over."""

    start: float
    """Seconds of the audio, as the tool says."""
    end: float
    text: str
    """As it stands in the end."""
    moment: float
    """When it came, seconds since the audio began."""
    revised: float | None = None
    """When its last text came, if that is not the first."""


@dataclass(frozen=True)
class Heard:
    """What a tool made of one recording."""

    finals: list[Final] = field(default_factory=list)
    updates: int = 0
    """How often text on the screen changed before it was final."""
    first_finals: list[str] = field(default_factory=list)
    """The texts before any was revised."""

    @property
    def text(self) -> str:
        """All that stands in the end."""
        return " ".join(each.text for each in self.finals if each.text.strip())

    @property
    def sentences(self) -> list[Final]:
        """Finals that have a text."""
        return [each for each in self.finals if each.text.strip()]


@dataclass(frozen=True)
class Tool:
    """One way to get captions."""

    key: str
    """In files."""
    name: str
    """In tables."""
    arguments: tuple[str, ...] = ()
    """Of edgevoice, besides those that say what to hear."""
    needs: str = ""
    """A flag that edgevoice must know."""
    python: Path | None = None
    """Moonshine's interpreter."""

    def write_down(self, files: Sequence[Path]) -> tuple[list[str], Measured]:
        """The text of each recording, one process for all.

        Raises:
            EdgeVoiceError: it failed.
        """
        names = [str(file) for file in files]
        if self.python:
            ran = measured([str(self.python), str(_SCRIPT), "files"], given="\n".join(names))
            texts = {line["file"]: line["text"] for _, line in ran.lines if line["event"] == "done"}
        else:
            ran = measured(_edgevoice("transcribe", "--format", "json", "--jobs", "1", "-q", *self.arguments, *names))
            texts = {line["file"]: line.get("text", "") for _, line in ran.lines}
        return [" ".join(texts[name].split()) for name in names], ran

    def caption(self, file: Path, *, paced: bool) -> tuple[Heard, Measured]:
        """What it makes of one recording live, in real time if that is asked.

        Raises:
            EdgeVoiceError: it failed.
        """
        if self.python:
            how = "live" if paced else "stream"
            ran = measured([str(self.python), str(_SCRIPT), how], given=f"{file}\n", ready=_is("ready"))
            return heard_of_moonshine(line for _, line in ran.lines), ran
        fast = () if paced else ("--fast",)
        command = _edgevoice("live", "--json", *fast, *self.arguments, "--input", str(file))
        ran = measured(command, ready=_is("stream_started"))
        return heard_of_edgevoice(ran.lines), ran


def tools(moonshine: Path) -> list[Tool]:
    """All that can be measured here, Moonshine first.

    Args:
        moonshine: folder of its environment.
    """
    ours = [
        Tool("edgevoice-live", "edgevoice, live words alone", ("--reader", "off"), needs="--reader"),
        Tool("edgevoice", "edgevoice", needs="--reader"),
    ]
    known = _flags()
    if not all(each.needs in known for each in ours):
        ours = [Tool("edgevoice-live", "edgevoice, live words alone")]
    return [Tool("moonshine", "Moonshine tiny", python=moonshine / "bin" / "python"), *ours]


def install_moonshine(folder: Path) -> None:
    """Makes Moonshine's environment if it is not there.

    Raises:
        EdgeVoiceError: it cannot be installed.
    """
    python = folder / "bin" / "python"
    check = [str(python), "-c", f"from importlib.metadata import version as v; assert v('{_name()}') == '{_version()}'"]
    if python.is_file() and not subprocess.run(check, capture_output=True, check=False).returncode:
        return
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", MOONSHINE],
    ):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            said = next(iter(ended.stderr.strip().splitlines()[-1:]), "no reason given")
            what = f"{MOONSHINE} cannot be installed: {said}"
            raise EdgeVoiceError(what, "Leave it out with --tools, or name a folder that has it with --moonshine")


def moonshine_folder() -> Path:
    """Where its environment is, if nobody says otherwise: outside of the tree."""
    return cache_folder() / "bench" / MOONSHINE.replace("==", "-")


def heard_of_edgevoice(lines: Iterable[tuple[float, Mapping[str, Any]]]) -> Heard:
    """What the events say. The audio began when the earliest of the levels says, which come ten times a second."""
    lines = list(lines)
    began = min((moment - event["at"] for moment, event in lines if event["event"] == "level_measured"), default=0.0)
    finals: dict[tuple[str, int], Final] = {}
    first: list[str] = []
    shown: dict[tuple[str, int], str] = {}
    updates = 0
    for moment, event in lines:
        segment = (event["channel"], event.get("segment", -1))
        if event["event"] == "caption_updated":
            text = f"{event['stable']} {event['tentative']}".strip()
            updates += text != shown.get(segment, "")
            shown[segment] = text
        elif event["event"] == "caption_finished":
            finals[segment] = Final(event["start"], event["end"], event["text"], moment - began)
            first.append(event["text"])
        elif event["event"] == "caption_revised":
            before = finals[segment]
            finals[segment] = Final(before.start, before.end, event["text"], before.moment, moment - began)
    return Heard(list(finals.values()), updates, first)


def heard_of_moonshine(lines: Iterable[Mapping[str, Any]]) -> Heard:
    """What its script printed. A line that is completed twice counts as it stands in the end."""
    finals: dict[int, Final] = {}
    updates = 0
    for line in lines:
        if line["event"] == "changed":
            updates += line["line"] not in finals
        elif line["event"] == "completed":
            first = finals[line["line"]].moment if line["line"] in finals else line["moment"]
            finals[line["line"]] = Final(line["start"], line["end"], line["text"], first)
    return Heard(list(finals.values()), updates, [each.text for each in finals.values()])


def _is(name: str) -> Any:
    return lambda line: line["event"] == name


def _edgevoice(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "edgevoice", *arguments]


@functools.cache
def _flags() -> str:
    return subprocess.run(_edgevoice("live", "--help"), capture_output=True, text=True, check=False).stdout


def _name() -> str:
    return MOONSHINE.partition("==")[0]


def _version() -> str:
    return MOONSHINE.partition("==")[2]
