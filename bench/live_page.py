"""The page and the plot of `edgevoice bench live`, both from its JSON report alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.accuracy import percent

Report = Mapping[str, Any]
_DEFINITIONS = """## What the figures are

- **CPU**: seconds of all threads, user and system, per second of audio with its pauses, for captions and intents, after
  loading and 6 s of audio for warming up; detector and segmenter, which are the same for all, are part of it. **One
  pass**: each clip decoded once and whole by the same model and runtime, without the detector, per second of the same
  audio.
- **Updates**: passes through the model while somebody speaks, per second of speech.
- **Latencies** are those of a microphone: a block of 20 ms arrives when its time has come, work takes the time that it
  took here, and what is late waits ({waits}).
  **Update**: from the arrival of the newest audio to the end of the pass that hears it. **Word**: from its end (as the
  way's own final has it) to its first appearance in its place, and to the moment it is promised not to change; where
  nothing is promised, the final's. **Final**: from the end of speech as the detector hears it to the final caption;
  {hangover:g} s of it are the silence that ends a segment, and **over** is the rest. Each p50 / p95.
- **UPWR**: words that were shown and then changed, or moved by a change before them, over words of the finals; the
  final counts as the last text (Shangguan et al. 2020, arXiv 2006.01416; `bench/stability.py`). In brackets: without
  last words that only became longer. **Of stable text**: the same of what was promised.
- **WER** of the finals, and of one pass over each clip by the same model: lower case without punctuation.
- **Memory**: resident at the end of the stream, model included. Each way is a process of its own, one after the other.

How early intents come, and how often they are right: `edgevoice bench early`."""


def page(report: Report, plot: str) -> str:
    """The figures as a page of Markdown.

    Args:
        report: as `bench.live` writes it.
        plot: file of the plot beside the page; "" for none.
    """
    where = f"{report['threads']} threads of {report['machine']['cores']} cores ({report['machine']['processor']})"
    packages = ", ".join(f"{name} {number}" for name, number in report["machine"]["packages"].items())
    heard = report["audio"]
    sets = ", ".join(f"{name} {minutes:.1f}" for name, minutes in heard["minutes_by_set"].items())
    every = f"updates every {1000 * report['hop_s']:.0f} ms"
    clips = f"{heard['utterances']} clips of {heard['speakers']} people ({sets} minutes)"
    lines = [
        "# Live captions, side by side",
        "",
        f"`{report['command']}`: {report['model']} on {where}, {every}. {packages}.",
        "",
        f"{heard['minutes']:.1f} minutes of real speech with pauses: {clips}, {heard['segments']} segments.",
    ]
    if report["random_weights"]:
        lines += ["", "The weights are random: there is no text to judge, so only cost and speed are shown."]
    if plot:
        lines += ["", f"![CPU cost against latency]({plot})"]
    lines += ["", *_costs(report), *_words(report), *_ratios(report), *_sets(report), *_streams(report)]
    lines += [*(f"\nLeft out: {note}" for note in report["left_out"])]
    waits = "the waits were waited" if report["paced"] else "only the waits are left out, see `bench/live_clock.py`"
    lines += ["", _DEFINITIONS.format(waits=waits, hangover=report["hangover_s"])]
    return "\n".join(lines)


def write_plot(report: Report, file: Path) -> bool:
    """Draws CPU cost against latency; False where there is nothing to draw it with, or nothing to draw."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "edgevoice"  # the same figures, the same file
    mpl.rcParams["svg.fonttype"] = "none"
    import matplotlib.pyplot as plt

    measure, title = "first", "from the end of a word to its appearance"
    if not any(row.get("first") for row in report["rows"]):
        measure, title = "update", "from the arrival of audio to the update"
    rows = [row for row in report["rows"] if row["mark"] and row.get(measure) and row["mode"] != "silence"]
    if measure == "first":
        rows += [row for row in report["rows"] if row["mode"] == "silence" and row.get(measure)]
    if not rows:
        return False
    figure, axes = plt.subplots(figsize=(8, 4.5))
    colours = {"a": "#b2182b", "b": "#ef8a62", "c": "#777777", "d": "#67a9cf", "e": "#2166ac"}
    for number, row in enumerate(rows, start=1):
        low, high = row[measure]["p50"], row[measure]["p95"]
        x, colour = row["cpu_per_s"], colours[row["mark"]]
        axes.plot([x, x], [_visible(low), _visible(high)], color=colour, linewidth=1, alpha=0.6)
        axes.plot(x, _visible(low), "o", color=colour, markersize=7, label=f"{number}  ({row['mark']}) {row['name']}")
        axes.annotate(str(number), (x, _visible(low)), xytext=(7, 4), textcoords="offset points", color=colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.set_xlabel("CPU seconds per second of audio, captions and intents")
    axes.set_ylabel(f"seconds {title},\nmedian and 95th percentile")
    axes.grid(visible=True, which="both", linewidth=0.3, alpha=0.6)
    axes.axvline(report["threads"], color="#777777", linestyle=":", linewidth=1)
    axes.set_title(f"{report['model']} (dotted: all {report['threads']} threads busy)", fontsize=10)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.18), ncols=2, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return True


def _costs(report: Report) -> list[str]:
    lines = ["## Cost", "", "| | way | CPU | one pass | keeps up | updates | update | final | over | memory |"]
    lines.append("|---" * 10 + "|")
    for row in report["rows"]:
        if row["error"]:
            lines.append(f"| {row['mark']} | {row['name']} | {row['error']} |" + " |" * 7)
            continue
        decodes = row["mode"] != "nothing"
        cells = [
            f"{row['cpu_per_s']:.3f}",
            f"{row['offline_cpu_per_s']:.3f}" if decodes else "-",
            "yes" if row["wall_per_s"] < 1 else f"no, {row['wall_per_s']:.1f} s a second",
            f"{row['updates_per_s']:.2f}" if decodes else "-",
            spread(row["update"]) if row["updates_per_s"] else "-",
            spread(row["final"]),
            spread(row["over_hangover"]),
            f"{row['resident_mb']:.0f} MB",
        ]
        lines.append(f"| {row['mark']} | {row['name']} | " + " | ".join(cells) + " |")
    return lines


def _words(report: Report) -> list[str]:
    rows = [row for row in report["rows"] if row.get("first")]
    if not rows:
        return []
    lines = ["", "## Words", "", "| | way | word first | word stable | UPWR | of stable text | WER | WER, one pass |"]
    lines.append("|---" * 8 + "|")
    for row in rows:
        cells = [
            spread(row["first"]),
            spread(row["stable"]),
            f"{row['upwr']:.1%} ({row['upwr_without_growth']:.1%})" if row["updates_per_s"] else "-",
            f"{row['stable_upwr']:.1%}" if row["mode"] in ("window", "cached") else "-",
            percent(row["wer"]),
            percent(row["offline_wer"]),
        ]
        lines.append(f"| {row['mark']} | {row['name']} | " + " | ".join(cells) + " |")
    return lines


def _ratios(report: Report) -> list[str]:
    if not report["ratios"]:
        return []
    lines = ["", "| | times as cheap as (a) | as (b) | of one offline pass, (c) | in real time |", "|---" * 5 + "|"]
    for each in report["ratios"]:
        cells = [
            _times(each.get("cheaper_than_a")),
            _times(each.get("cheaper_than_b")),
            _times(each.get("of_one_offline_pass")),
            "yes" if each["in_real_time"] else "no",
        ]
        lines.append(f"| {each['name']} | " + " | ".join(cells) + " |")
    return lines


def _sets(report: Report) -> list[str]:
    rows = [row for row in report["rows"] if row.get("by_set") and row["mode"] in ("window", "cached")]
    if not rows:
        return []
    lines = [
        "",
        "Live against one pass, set by set:",
        "",
        "| set | clips | " + " | ".join(r["name"] for r in rows) + " |",
    ]
    lines.append("|---" * (2 + len(rows)) + "|")
    for name, first in rows[0]["by_set"].items():
        cells = [f"{percent(r['by_set'][name]['live'])}, {percent(r['by_set'][name]['offline'])}" for r in rows]
        lines.append(f"| {name} | {first['clips']} | " + " | ".join(cells) + " |")
    return lines


def _streams(report: Report) -> list[str]:
    streams = report.get("streams")
    if not streams:
        return []
    lines = ["", f"## {streams['streams']} streams at once", ""]
    if streams.get("error"):
        return [*lines, streams["error"]]
    heard = (
        f"Over one model, each in real time for {streams['seconds']:.0f} s, begun at different places of the audio: "
    )
    cost = f"{streams['cpu_per_s']:.2f} CPU seconds per second for all of them together"
    updates, finals = spread(streams["update"]), spread(streams["over_hangover"])
    took = f"updates {updates}, finals over the hangover {finals} (p50 / p95)"
    behind = f"{streams['fell_behind']} fell behind, and the last ended {streams['late_s']:.1f} s after its audio"
    return [*lines, f"{heard}{cost}; {took}; {behind}; {streams['resident_mb']:.0f} MB of memory in all."]


def spread(value: Mapping[str, float] | None) -> str:
    """p50 / p95 of seconds, as milliseconds where they are few."""
    if not value:
        return "-"
    p50, p95 = value["p50"], value["p95"]
    if max(abs(p50), abs(p95)) < 10:
        return f"{1000 * p50:.0f} / {1000 * p95:.0f} ms"
    return f"{p50:.1f} / {p95:.1f} s"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _visible(seconds: float) -> float:
    """On a logarithmic axis."""
    return max(seconds, 1e-3)
