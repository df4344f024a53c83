"""The page of `bench.peers`, from its JSON report alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.accuracy import percent
from bench.live_page import spread

Report = Mapping[str, Any]
Cell = Callable[[str], str]
"""Key of a tool -> what its column says."""
README_SETS = (
    ("librispeech-test-other", "fair"),
    ("speechocean762", "fair"),
    ("commonvoice-deltas", "fair"),
    ("commonvoice-deltas", "as_written"),
    ("telephone, free speech", "fair"),
    ("single digits", "fair"),
)
"""Sets of the table that the README shows, and which of their error rates."""
_QUIET = 0.1
"""Cores that others may keep busy."""
_RATES = {"fair": "WER", "as_written": "the same as written: capitals, punctuation"}
_DEFINITIONS = """## What the figures are

- **Tools**: edgevoice as `edgevoice live` and `edgevoice transcribe` run it with its bundled model; Moonshine tiny
  (English) as {moonshine} brings it, through its own API, with its own
  detector and settings, updates every 0.5 s: nothing of either is tuned for this page. Each is a process of its own,
  one after the other, with as many threads as it takes by itself.
- **WER, fair**: lower case, no punctuation, numbers written out and read the way that is nearest to what was said,
  one spelling for mister and okay, hesitations left out, for reference and tool alike (`bench/peer_scores.py`).
  **Plain**: only lower case without punctuation, as on the other pages. **As written**: tokens between spaces must be
  the same, capitals and punctuation included, where the reference is written English. **Phrases**: share of the phrases
  that must occur in a coffee order and do; there is no transcript of them.
- Whole sets are written down as fast as the tool can, one process for all clips: `edgevoice transcribe`, and
  Moonshine's call for whole recordings, whose detector and model are those of its stream. Half a second of faint noise
  is around each clip.
- **Live**: {seconds:.0f} s of read speech with pauses in real time, edgevoice as `edgevoice live --input FILE`,
  Moonshine through its microphone transcriber with blocks of 64 ms in place of a microphone. **CPU**: seconds of all
  threads, user and system, per second of audio, pauses included. **Memory**: resident, files mapped into memory
  included; steady is the median of the second half. **Updates**: changes of the text on the screen before it is final,
  per second of speech. **Final**: from the end of speech in the clip (30 dB below its loudest,
  `bench/peer_figures.py`) to the text of the sentence; **revision**: from there to the text that stands in the end.
  p50 / p95.
- **Invented**: sentences with any text in audio in which nobody speaks: the hour that `bench/no_speech.py` makes, 60
  minutes of music, noises, signals, typing, coughs, machines and silence, fed as fast as a tool takes it. With a
  reader, what stands in the end.
- **Reader alone**: the bundled reader, greedy and without any check: each clip read whole, which spares it the cuts
  that Moonshine's detector makes in slow speech; of the hour, what edgevoice's detector takes for speech."""


def page(report: Report) -> str:
    """The figures as a page of Markdown; its first table is the one that the README shows."""
    lines = ["# Beside the peers", "", *_conditions(report), "", *compact(report), ""]
    lines += [*_words(report), *_written(report), *_live(report), *_hours(report)]
    seconds = max((each["seconds"] for each in report["live"].values()), default=0.0)
    return "\n".join([*lines, _DEFINITIONS.format(moonshine=f"`{report['moonshine']}`", seconds=seconds)])


def compact(report: Report) -> list[str]:
    """What matters most, a column for each tool."""
    rows: list[tuple[str, Cell]] = [(_title(name, rate), _error(report, name, rate)) for name, rate in README_SETS]
    rows += [
        ("CPU seconds per second of audio", lambda tool: _number(report, tool, "cpu_per_s", "{:.3f}")),
        ("memory, steady", lambda tool: _number(report, tool, "steady_mb", "{:.0f} MB")),
        ("updates per second of speech", lambda tool: _number(report, tool, "updates_per_s", "{:.1f}")),
        ("end of speech to final", lambda tool: spread(report["live"].get(tool, {}).get("final"))),
        ("end of speech to revision", lambda tool: spread(report["live"].get(tool, {}).get("revised"))),
        ("sentences invented in an hour without speech", lambda tool: _invented(report, tool)),
    ]
    return _table(report, [(title, cell) for title, cell in rows])


def _conditions(report: Report) -> list[str]:
    machine = report["machine"]
    others = report["others"]
    quiet = "quiet" if others < _QUIET else f"not quiet: others kept {others:.2f} cores busy"
    packages = machine["packages"]
    ours = f"edgevoice {report['edgevoice']} with {report['model']} (onnxruntime {packages.get('onnxruntime', '-')})"
    where = f"{machine['cores']} cores ({machine['processor']}), {quiet}"
    return [f"`{report['command']}` on {report['date']}: {ours} and {report['moonshine']}, {where}."]


def _words(report: Report) -> list[str]:
    names = {name: each for found in report["words"].values() for name, each in found.items()}
    columns = _columns(report, report["words"])
    lines = ["## Words, set by set", "", "WER, fair (plain):", ""]
    lines += [
        "| set | what | clips | minutes | " + " | ".join(columns.values()) + " |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for name, each in names.items():
        cells = [_both(report["words"].get(tool, {}).get(name)) for tool in columns]
        what = report["sets"][name]
        lines.append(f"| {name} | {what} | {each['clips']} | {each['minutes']:.1f} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _written(report: Report) -> list[str]:
    columns = _columns(report, report["words"])
    named = [name for name in report["sets"] if any(_rate(report, tool, name, "as_written") for tool in columns)]
    rows = [(name, _error(report, name, "as_written")) for name in named]
    if not rows:
        return []
    return ["WER as written, capitals and punctuation included:", "", *_table(report, rows, columns), ""]


def _live(report: Report) -> list[str]:
    if not report["live"]:
        return []

    def number(field: str, shape: str) -> Cell:
        return lambda tool: _number(report, tool, field, shape)

    rows: list[tuple[str, Cell]] = [
        ("CPU per second of audio", number("cpu_per_s", "{:.3f}")),
        ("without the start", number("cpu_per_s_without_start", "{:.3f}")),
        ("start", number("start_s", "{:.2f} s")),
        ("memory, peak", number("peak_mb", "{:.0f} MB")),
        ("memory, steady", number("steady_mb", "{:.0f} MB")),
        ("updates per second of speech", number("updates_per_s", "{:.2f}")),
        ("finals", number("finals", "{:d}")),
        ("end of speech to final", lambda tool: spread(report["live"].get(tool, {}).get("final"))),
        ("end of speech to revision", lambda tool: spread(report["live"].get(tool, {}).get("revised"))),
        ("WER, fair", lambda tool: percent(report["live"].get(tool, {}).get("wer"))),
        ("of the finals before any revision", lambda tool: percent(report["live"].get(tool, {}).get("first_wer"))),
    ]
    return ["## Live, in real time", "", *_table(report, rows), ""]


def _hours(report: Report) -> list[str]:
    return [line for name, found in report["hours"].items() if found for line in _hour(report, name, found)]


def _hour(report: Report, name: str, found: Mapping[str, Any]) -> list[str]:
    kinds = sorted({kind for each in found.values() for kind in each["minutes_by_kind"]})
    columns = _columns(report, found)
    rows = [(f"{kind}, {_minutes(found, kind)} min", _each(found, "by_kind", kind)) for kind in kinds]
    rows += [("all", _each(found, "invented")), ("taken for speech", _each(found, "segments"))]
    return [f"## Sentences invented: {name}", "", *_table(report, rows, columns), ""]


def _each(found: Mapping[str, Any], field: str, kind: str = "") -> Cell:
    return lambda tool: str(found[tool][field].get(kind, 0) if kind else found[tool][field])


def _columns(report: Report, found: Mapping[str, Any]) -> dict[str, str]:
    """Those tools of which there is something, and the reader alone, which is no tool."""
    titles = {**report["tools"], "reader-alone": "reader alone"}
    return {key: title for key, title in titles.items() if key in found}


def _table(report: Report, rows: Sequence[tuple[str, Cell]], columns: Mapping[str, str] | None = None) -> list[str]:
    columns = columns or report["tools"]
    lines = ["| | " + " | ".join(columns.values()) + " |", "|---" * (1 + len(columns)) + "|"]
    return lines + [f"| {title} | " + " | ".join(cell(tool) for tool in columns) + " |" for title, cell in rows]


def _rate(report: Report, tool: str, name: str, rate: str) -> float | None:
    found: float | None = report["words"].get(tool, {}).get(name, {}).get(rate)
    return found


def _error(report: Report, name: str, rate: str) -> Cell:
    return lambda tool: percent(_rate(report, tool, name, rate))


def _title(name: str, rate: str) -> str:
    return f"{_RATES[rate]}, {name}" if rate == "fair" else _RATES[rate]


def _both(score: Mapping[str, Any] | None) -> str:
    if not score:
        return "-"
    if score["phrases"] is not None:
        return f"{percent(score['phrases'])} of phrases"
    return f"{percent(score['fair'])} ({percent(score['plain'])})"


def _number(report: Report, tool: str, field: str, shape: str) -> str:
    value = report["live"].get(tool, {}).get(field)
    return "-" if value is None else shape.format(value)


def _invented(report: Report, tool: str) -> str:
    found = report["hours"].get(report["hour"], {}).get(tool)
    if not found:
        return "-"
    whole = found["minutes"] == 60
    return str(found["invented"]) if whole else f"{found['invented']} in {found['minutes']:g} minutes"


def _minutes(found: Mapping[str, Any], kind: str) -> str:
    return f"{max(each['minutes_by_kind'].get(kind, 0) for each in found.values()):g}"
