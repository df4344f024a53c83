"""What is left to look at after a run: `report.md` with the learning curve, the figures and the confusions, and the
model card, written from the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgevoice.text import plain
from training.config import Task, TrainConfig
from training.models import IGNORE

CURVE, CONFUSION = "learning-curve.png", "confusion-{}.png"
_FIGURES = {"wer": "WER", "cer": "CER", "accuracy": "intent accuracy", "f1": "macro-F1", "loss": "loss"}


@dataclass(frozen=True)
class Outcome:
    """Everything a report is written from."""

    task: Task
    config: TrainConfig
    base: str
    """What the run went on from; "" for random weights."""
    labels: tuple[str, ...]
    parameters: int
    trained_on: Mapping[str, tuple[int, float]]
    """Data set -> training clips and hours."""
    left_out: Mapping[str, int]
    history: Sequence[Mapping[str, Any]]
    """`trainer.state.log_history`."""
    steps: int
    figures: Mapping[str, Mapping[str, float]]
    """Dev set -> figure -> value, of the best checkpoint."""
    intents: Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]
    """Dev set -> true and predicted labels of its clips."""
    judged: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Test set -> figure -> value, of the same checkpoint, which was chosen without them."""


def write_report(outcome: Outcome, folder: Path) -> None:
    """Writes `report.md`, its pictures and the model card `README.md` into the run's folder."""
    _curve(outcome, folder / CURVE)
    confused = []
    titles = dict(zip(outcome.intents, _drawable(tuple(outcome.intents)), strict=True))
    for name, (truth, predicted) in outcome.intents.items():
        known = truth != IGNORE
        if _is_choice(outcome, name):
            file = folder / CONFUSION.format(name)
            matrix = confusion(truth[known], predicted[known], len(outcome.labels))
            _confusion(matrix, outcome.labels, titles[name], file)
            confused.append((name, matrix))
    figures, judged = figures_table(outcome.figures), _judged(outcome)
    lines = ["# Training report", "", _summary(outcome), "", "## Figures on the dev sets", "", figures, ""]
    if judged:
        lines += ["## Figures on the test sets", "", judged, ""]
    lines += ["## Learning curve", "", f"![Loss and figures by step]({CURVE})", ""]
    for name, matrix in confused:
        lines += [f"## Intents of {_name(name)}", "", f"![Confusions]({CONFUSION.format(name)})", ""]
        lines += [_by_label(matrix, outcome.labels), "", _mistakes(matrix, outcome.labels), ""]
    (folder / "report.md").write_text("\n".join(lines), encoding="utf-8")
    (folder / "README.md").write_text(model_card(outcome, figures), encoding="utf-8")


def figures_table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Figures of each set as a Markdown table."""
    names = [name for name in _FIGURES if any(name in row for row in figures.values())]
    lines = [f"| set | {' | '.join(_FIGURES[name] for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for dataset, row in figures.items():
        cells = [_cell(name, row.get(name)) for name in names]
        lines.append(f"| {_name(dataset)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(text: str) -> str:
    """A name of the data as it stands in a Markdown table, or on a line."""
    return plain(text).replace("\\", "\\\\").replace("|", "\\|").strip() or "-"


def confusion(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], labels: int) -> npt.NDArray[np.int64]:
    """How often label [row] was taken for label [column]: [labels, labels]."""
    matrix = np.zeros((labels, labels), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def model_card(outcome: Outcome, figures: str) -> str:
    """A card with the hub's front matter."""
    tags = {"ctc": "automatic-speech-recognition", "intent": "audio-classification"}
    pipeline = [f"pipeline_tag: {tags[outcome.task]}"] if outcome.task in tags else []
    base = [f"base_model: {outcome.base}"] if "/" in outcome.base and not Path(outcome.base).exists() else []
    front = ["---", "library_name: transformers", "tags:", "- edgevoice", *pipeline, *base, "---"]
    labels = f"\nIntents: {', '.join(map(_name, outcome.labels))}.\n" if outcome.labels else ""
    return "\n".join(
        [
            *front,
            "",
            f"# {outcome.task} model trained with edgevoice",
            "",
            _summary(outcome),
            labels,
            "Figures on the dev sets, on which the checkpoint was chosen:",
            "",
            figures,
            "",
            *([_judged(outcome), ""] if outcome.judged else []),
            "Run it live: `edgevoice export THIS --output models/mine`, then `edgevoice live --model models/mine`.",
            "",
        ]
    )


def _judged(outcome: Outcome) -> str:
    """The figures on the test sets with what they are; "" where there are none."""
    if not outcome.judged:
        return ""
    return f"Figures on the test sets, measured once with the chosen checkpoint:\n\n{figures_table(outcome.judged)}"


def _summary(outcome: Outcome) -> str:
    clips = sum(count for count, _ in outcome.trained_on.values())
    hours = sum(hours for _, hours in outcome.trained_on.values())
    sets = ", ".join(
        f"{_name(name)} ({count} clips, {hours:.2f} h)" for name, (count, hours) in outcome.trained_on.items()
    )
    trainer = outcome.config.trainer
    left = ", ".join(f"{count} {reason}" for reason, count in outcome.left_out.items())
    return (
        f"Task {outcome.task}, {outcome.parameters / 1e6:.2f} million parameters, "
        f"from {Path(outcome.base).name if outcome.base else 'random weights'}; {outcome.steps} steps of "
        f"{trainer.batch_seconds * trainer.gradient_accumulation_steps:g} s of audio, peak learning rate "
        f"{trainer.learning_rate:g}. Trained on {clips} clips, {hours:.2f} h: {sets}."
        + (f" Left out: {left}." if left else "")
    )


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if name == "loss" else f"{100 * value:.1f} %"


def _by_label(matrix: npt.NDArray[np.int64], labels: Sequence[str]) -> str:
    lines = ["| no. | intent | clips | found | right when named |", "|---|---|---|---|---|"]
    for index, label in enumerate(labels):
        clips, named, right = matrix[index].sum(), matrix[:, index].sum(), matrix[index, index]
        found = f"{100 * right / clips:.0f} %" if clips else "-"
        precise = f"{100 * right / named:.0f} %" if named else "-"
        lines.append(f"| {index + 1} | {_name(label)} | {clips} | {found} | {precise} |")
    return "\n".join(lines)


def _mistakes(matrix: npt.NDArray[np.int64], labels: Sequence[str], at_most: int = 5) -> str:
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:at_most]
    pairs = [np.unravel_index(each, wrong.shape) for each in order if wrong.flat[each]]
    if not pairs:
        return "No clip was taken for another intent."
    said = [f"{_name(labels[a])} for {_name(labels[b])} ({wrong[a, b]})" for a, b in pairs]
    return f"Most often taken, intent for intent: {'; '.join(said)}."


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure  # without pyplot, which would look for a display

    return Figure(figsize=(width, height), layout="constrained")


def _curve(outcome: Outcome, file: Path) -> None:
    figure = _figure(8, 4)
    left = figure.subplots()
    points = [(entry["step"], entry["loss"]) for entry in outcome.history if "loss" in entry]
    if points:
        left.plot(*zip(*points, strict=True), color="0.5", label="training loss")
    left.set(xlabel="step", ylabel="loss", title="Learning curve")
    left.set_ylim(bottom=0)
    right = left.twinx()
    right.set(ylabel="dev sets, %", ylim=(0, 101))
    for number, dataset in enumerate(outcome.figures):
        for name, style in (("accuracy", "-"), ("wer", "--")):
            key = f"eval_{dataset}_{name}"
            points = [(entry["step"], 100 * min(1.0, entry[key])) for entry in outcome.history if key in entry]
            if points and (name == "wer" or _is_choice(outcome, dataset)):
                label = f"{_drawable([dataset], number)[0]}, {_FIGURES[name]}"
                right.plot(*zip(*points, strict=True), style, color=f"C{number}", marker=".", label=label)
    if right.get_legend_handles_labels()[0]:
        legend = right.legend(loc="center left", bbox_to_anchor=(1.15, 0.5), fontsize="small")
        for text in legend.get_texts():
            text.set_parse_math(False)  # a '$' in a name begins no formula
    figure.savefig(file, dpi=120)


def _drawable(names: Sequence[str], first: int = 0) -> list[str]:
    """Names as the pictures' font can write them; where it has not all of a name's letters, the number of its row in
    the table below, counted from `first` + 1, stands for it."""
    from matplotlib import font_manager

    written = set(font_manager.get_font(font_manager.findfont(font_manager.FontProperties())).get_charmap())
    shown = [plain(name) for name in names]
    return [
        name if name and written.issuperset(map(ord, name)) else f"no. {number}"
        for number, name in enumerate(shown, first + 1)
    ]


def _is_choice(outcome: Outcome, dataset: str) -> bool:
    """Whether a set's clips have more than one label: otherwise there is nothing to confuse."""
    truth = outcome.intents.get(dataset, (np.zeros(0, dtype=np.int64),))[0]
    return len(set(truth[truth != IGNORE].tolist())) > 1


def _confusion(matrix: npt.NDArray[np.int64], labels: Sequence[str], title: str, file: Path) -> None:
    size = max(4.0, 0.42 * len(labels) + 2)
    figure = _figure(size + 1, size)
    axes = figure.subplots()
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(len(labels))
    names = _drawable(labels)
    axes.set_xticks(ticks, names, rotation=60, ha="right", fontsize=8, parse_math=False)
    axes.set_yticks(ticks, names, fontsize=8, parse_math=False)
    axes.set(xlabel="taken for", ylabel="meant")
    axes.set_title(f"Intents of {title}", parse_math=False)
    for row, column in np.argwhere(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=7, color=colour)
    figure.savefig(file, dpi=120)
