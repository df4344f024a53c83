"""edgevoice beside what one would take instead: words, capitals, cost, delays, and sentences that nobody said.

    python -m bench.peers --output docs/benchmarks/peers.md
    python -m bench.peers --only alarms --only live
    python -m bench.peers --at-most 2 --minutes 0.2 --hour 1 --work /tmp/peers

Every piece (a tool and what it is measured on) is kept in --work as soon as it is done; a run that is begun again with
the same options goes on where the last one stopped. What is named with --only is measured anew.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import soundfile

from bench import no_speech
from bench.live_audio import SETS as LIVE_SETS
from bench.live_audio import SHARED, Audio, make_audio
from bench.model import machine
from bench.no_speech import HOUR_NAME, Part, read_parts
from bench.peer_figures import live_figures
from bench.peer_page import page
from bench.peer_scores import score
from bench.peer_sets import SETS, Clip, PeerSet, clips_of, prepare, write_wave
from bench.peer_tools import MOONSHINE, Tool, install_moonshine, moonshine_folder, tools
from bench.script import script
from edgevoice.asr.bundle import load_bundle, read_manifest
from edgevoice.asr.reader import Reader
from edgevoice.config import SAMPLE_RATE, AsrSettings
from edgevoice.errors import UsageError
from edgevoice.paths import MANIFEST_NAME, bundled_model, bundled_reader
from edgevoice.version import __version__
from training.decoded import load_audio

logger = logging.getLogger(__name__)

PARTS = ("words", "live", "alarms")
TOOLS = ("moonshine", "edgevoice", "reader")
HOUR = "an hour without speech"
READER_ALONE = "reader-alone"
Clips = Mapping[str, Sequence[Clip]]
"""Those of each set."""
_TRAINED = "edgevoice's bundled model was trained on these clips"


@dataclass(frozen=True)
class Invented:
    """A sentence where nobody spoke."""

    start: float
    """Seconds."""
    end: float
    text: str


class Pieces:
    """What was measured, each in a file of its own.

    Args:
        folder: of the files.
        options: what they depend on; a piece made with others counts for nothing.
        again: the parts and tools to measure anew, all of them if it is empty of parts or of tools; None for none.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any], again: Sequence[str] | None) -> None:
        self._folder, self._options, self._again = folder, dict(options), again
        folder.mkdir(parents=True, exist_ok=True)

    def wants(self, part: str, tool: str) -> bool:
        """Whether both were named, or nothing was. The reader alone hears what edgevoice's detector found."""
        again = self._again or ()
        parts = [each for each in again if each in PARTS] or PARTS
        named = [each for each in again if each in TOOLS] or TOOLS
        also = "edgevoice" if tool == READER_ALONE and part == "alarms" else ""
        return part in parts and not {tool.partition("-")[0], also}.isdisjoint(named)

    def get(self, part: str, tool: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """A piece: measured now, or kept from before; None of what is neither there nor wanted."""
        file = self._folder / f"{part}-{tool}.json"
        kept = self._read(file)
        if not self.wants(part.partition(" ")[0], tool) or (kept is not None and self._again is None):
            return kept
        logger.info("%s: %s", tool, part)
        made = {**make(), "options": self._options}
        file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return made

    def _read(self, file: Path) -> dict[str, Any] | None:
        if not file.is_file():
            return None
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept if kept["options"] == self._options else None


def words(tool: Tool, data: Path, at_most: int, sets: Sequence[PeerSet] = SETS) -> dict[str, Any]:
    """Every set written down by a tool: the scores, and the texts."""
    clips = {which.name: clips_of(which, data, at_most) for which in sets}
    with tempfile.TemporaryDirectory() as scratch:
        texts, ran = tool.write_down(_prepared(clips, Path(scratch)))
    seconds = sum(clip.seconds for found in clips.values() for clip in found)
    return {**_scored(clips, texts, data), "cost": ran.cost(seconds)}


def words_of_reader(data: Path, at_most: int, sets: Sequence[PeerSet] = SETS) -> dict[str, Any]:
    """The same of a reader alone, which reads each clip whole."""
    clips = {which.name: clips_of(which, data, at_most) for which in sets}
    reader = _reader()
    with tempfile.TemporaryDirectory() as scratch:
        texts = [reader.read([load_audio(file)])[0].text for file in _prepared(clips, Path(scratch))]
    return _scored(clips, texts, data)


def live(tool: Tool, audio: Audio) -> dict[str, Any]:
    """A tool in real time: figures, what it took, and what it said when."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "speech.wav"
        write_wave(file, audio.samples)
        heard, ran = tool.caption(file, paced=True)
    said = [[round(each.start, 3), round(each.end, 3), round(each.moment, 3), each.text] for each in heard.finals]
    return {**live_figures(heard, audio).as_dict(), **ran.cost(audio.seconds), "said": said}


def alarms(tool: Tool, folder: Path) -> dict[str, Any]:
    """What a tool invents in a recording without speech, which it hears as one stream."""
    parts = read_parts(folder)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "hour.wav"  # which every tool reads
        write_wave(file, soundfile.read(folder / HOUR_NAME, dtype="float32")[0])
        heard, ran = tool.caption(file, paced=False)
    found = [Invented(each.start, each.end, each.text) for each in heard.finals]
    first = sum(bool(text.strip()) for text in heard.first_finals)
    return {**_count(found, parts), "invented_at_first": first, "cost": ran.cost(parts[-1].end)}


def reader_alone(folder: Path, segments: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """What a reader that nothing holds back makes of segments, each start, end and text."""
    reader = _reader()
    samples, _ = soundfile.read(folder / HOUR_NAME, dtype="float32")
    found = []
    for start, end, _ in segments:
        reading = reader.read([samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]])[0]
        found.append(Invented(start, end, reading.text))
    return _count(found, read_parts(folder))


def _reader() -> Reader:
    """The bundled one, with nothing to hold it back."""
    return Reader(load_bundle(bundled_reader()), AsrSettings(provider="cpu"))


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    _check(options)
    found = tools(options.moonshine)
    pieces = Pieces(options.work, _depends(options), options.only)
    if any(pieces.wants(part, found[0].key) for part in PARTS):
        install_moonshine(options.moonshine)
    report = {
        **_conditions(),
        "tools": {tool.key: tool.name for tool in found},
        "words": _words(pieces, found, options),
        "live": _live(pieces, found, options),
        "hours": _hours(pieces, found, options),
    }
    report["others"] = max((each["others"] for each in report["live"].values()), default=0.0)
    text = page(report)
    print(json.dumps(report) if options.json else text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
        options.output.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _prepared(clips: Clips, scratch: Path) -> list[Path]:
    return [file for name, found in clips.items() for file in prepare(found, scratch / name)]


def _scored(clips: Clips, texts: Sequence[str], data: Path) -> dict[str, Any]:
    """The scores of each set, and each of its texts beside what was said."""
    waiting = iter(texts)
    heard = {name: [next(waiting) for _ in found] for name, found in clips.items()}
    pairs = {name: zip(found, heard[name], strict=True) for name, found in clips.items()}
    return {
        "sets": {name: score(found, heard[name]).as_dict() for name, found in clips.items()},
        "texts": {
            name: [[str(clip.path.relative_to(data)), clip.plain or list(clip.phrases), text] for clip, text in found]
            for name, found in pairs.items()
        },
    }


def _words(pieces: Pieces, found: Sequence[Tool], options: argparse.Namespace) -> dict[str, Any]:
    what = (options.data, options.at_most)
    made = {each.key: pieces.get("words", each.key, partial(words, each, *what)) for each in found}
    made[READER_ALONE] = pieces.get("words", READER_ALONE, partial(words_of_reader, *what))
    return {key: piece["sets"] for key, piece in made.items() if piece}


def _live(pieces: Pieces, found: Sequence[Tool], options: argparse.Namespace) -> dict[str, Any]:
    audio = make_audio([options.data / name / "manifest.csv" for name in LIVE_SETS], options.minutes)
    made = {each.key: pieces.get("live", each.key, partial(live, each, audio)) for each in found}
    return {key: _without(piece, "said", "options") for key, piece in made.items() if piece}


def _hours(pieces: Pieces, found: Sequence[Tool], options: argparse.Namespace) -> dict[str, Any]:
    made_hour = options.work / f"no-speech-{options.hour}"
    if not (made_hour / no_speech.MANIFEST_NAME).is_file():
        no_speech.write(made_hour, options.hour, data=options.data)
    hours = {HOUR: made_hour, **{each.name: each for each in options.also}}
    return {name: _hour(pieces, found, name, folder) for name, folder in hours.items()}


def _hour(pieces: Pieces, found: Sequence[Tool], name: str, folder: Path) -> dict[str, Any]:
    part = "alarms" if name == HOUR else f"alarms in {name}"
    made = {each.key: pieces.get(part, each.key, partial(alarms, each, folder)) for each in found}
    if heard := made.get("edgevoice-live"):
        made[READER_ALONE] = pieces.get(part, READER_ALONE, partial(reader_alone, folder, heard["all"]))
    return {key: _without(piece, "all", "options") for key, piece in made.items() if piece}


def _depends(options: argparse.Namespace) -> dict[str, Any]:
    """What another piece would come out of."""
    model = hashlib.sha256((bundled_model() / MANIFEST_NAME).read_bytes()).hexdigest()
    chosen = {name: getattr(options, name) for name in ("at_most", "minutes", "hour")}
    return {**chosen, "moonshine": MOONSHINE, "edgevoice": __version__, "model": model}


def _conditions() -> dict[str, Any]:
    manifest = read_manifest(bundled_model())
    trained = json.dumps(manifest.training)
    return {
        "command": "python -m bench.peers",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": machine(),
        "edgevoice": __version__,
        "model": manifest.name,
        "moonshine": MOONSHINE,
        "hour": HOUR,
        "sets": {which.name: _what(which, trained) for which in SETS},
    }


def _what(which: PeerSet, trained: str) -> str:
    only_trained = which.splits == ("train",) and f'"{which.folder}"' in trained
    return f"{which.note}; {_TRAINED}" if only_trained else which.note


def _count(found: Sequence[Invented], parts: Sequence[Part]) -> dict[str, Any]:
    """How many have a text, by kind of sound; all of them in full."""
    kinds: Counter[str] = Counter()
    for each in found:
        if each.text.strip():
            kinds[_part_at((each.start + each.end) / 2, parts).kind] += 1
    seconds = dict.fromkeys((part.kind for part in parts), 0.0)
    for part in parts:
        seconds[part.kind] += part.end - part.start
    return {
        "minutes": round(parts[-1].end / 60, 2),
        "segments": len(found),
        "invented": kinds.total(),
        "by_kind": dict(kinds),
        "minutes_by_kind": {kind: round(each / 60, 1) for kind, each in seconds.items()},
        "all": [[round(each.start, 3), round(each.end, 3), each.text] for each in found],
    }


def _part_at(second: float, parts: Sequence[Part]) -> Part:
    return next((part for part in parts if part.start <= second < part.end), parts[-1])


def _without(piece: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in piece.items() if key not in names}


def _check(options: argparse.Namespace) -> None:
    if options.output and not options.output.parent.is_dir():  # said now, not after minutes of measuring
        raise UsageError(f"There is no folder {options.output.parent}", "Choose another --output")
    if options.output and options.output.suffix != ".md":
        raise UsageError(f"{options.output} is not .md", "Name the page; the JSON goes beside it")
    if not 1 <= options.hour <= 60 or not 0 < options.minutes < 60 or options.at_most < 0:
        raise UsageError("--hour, --minutes or --at-most make no sense", "Leave them out")
    for folder in options.also:
        read_parts(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=(*PARTS, *TOOLS),
        help="measure this anew, a part or a tool (repeatable), and take the rest from --work",
    )
    parser.add_argument("--at-most", type=int, default=0, metavar="CLIPS", help="of a set, from all over it (all)")
    parser.add_argument("--minutes", type=float, default=2.3, help="of speech and pauses in real time (2.3)")
    parser.add_argument("--hour", type=int, default=60, metavar="MINUTES", help="without speech (60)")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], metavar="DIR", help="another hour, such a folder"
    )
    parser.add_argument("--data", type=Path, default=SHARED, help=f"folder of the sets ({SHARED})")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="where the pieces are kept (runs/peers)")
    parser.add_argument("--moonshine", type=Path, default=moonshine_folder(), help="its environment, made if missing")
    parser.add_argument("--json", action="store_true", help="JSON on stdout in place of the page")
    parser.add_argument("--output", type=Path, metavar="PAGE.md", help="write the page, and the figures beside it")
    return parser


if __name__ == "__main__":
    sys.exit(script(run))
