"""What the speaker wants: the newest intent large, the runners-up as bars, the earlier ones as a list."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from edgevoice.speakers import speaker
from edgevoice.text import clock
from edgevoice.tui.intents import Intents, Minimum
from edgevoice.tui.views import Bar, IntentView
from edgevoice.tui.widgets.drawing import bar, cell, fit, marked_bar, percent, wrap

EARLY = "◆ early"
NONE = "no clear intent"
ROOMY = 14
"""Rows from which on the card has air around its text."""
FLAT = 10
"""Rows below which the earlier intents matter more than what else was possible."""
PERCENT = 6
"""Cells for a percentage, the gap before it included."""
WIDE = 32
"""Cells from which on a row has a score beside a speaker."""
SPEAKER = 5
REJECTED = "✗"
PICKED = "▸"


class _Drawn(Widget):
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "intent--found",
        "intent--early",
        "intent--idle",
        "intent--label",
        "intent--early-mark",
        "intent--track",
        "intent--text",
        "intent--muted",
    }

    intents: reactive[Intents] = reactive(Intents())

    def _look(self, name: str) -> Style:
        # Whole and not partial: Textual 8.2 drops the background of partial styles.
        return self.get_visual_style(f"intent--{name}")

    def _said(self, text: str, name: str) -> Content:
        return Content.styled(text, self._look(name))


def _guess(rejected: IntentView) -> str:
    """Why nothing was announced, in a few words."""
    if rejected.reason == "none":
        return f"none of the known ones, {percent(rejected.score)}"
    return f"best guess {rejected.label} {percent(rejected.score)}, {rejected.reason}"


class IntentPane(_Drawn, can_focus=True):
    """The tall form, beside the captions."""

    BINDING_GROUP_TITLE = "Intents"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "pick(-1)", "Newer", show=False, tooltip="a newer intent"),
        Binding("down", "pick(1)", "Older", show=False, tooltip="an older intent, with all that was known of it"),
        Binding("pageup", "pick(-10)", "Newer", show=False, tooltip="ten newer"),
        Binding("pagedown", "pick(10)", "Older", show=False, tooltip="ten older"),
        Binding("home", "pick(-1000)", "Newest", show=False, tooltip="the newest intent"),
    ]

    class Picked(Message):
        """Another intent is wanted, so many further back."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Hidden(Message):
        """There is no room for it any more."""

    def on_hide(self) -> None:
        """Says so."""
        self.post_message(self.Hidden())

    def action_pick(self, step: int) -> None:
        """Asks for another one."""
        self.post_message(self.Picked(step))

    def on_mouse_scroll_down(self) -> None:
        """Goes back by one."""
        self.action_pick(1)

    def on_mouse_scroll_up(self) -> None:
        """Comes forward by one."""
        self.action_pick(-1)

    def render(self) -> Content:
        """As many lines as fit, the intent on show first."""
        width, height = self.size
        lines = self._shown(width)[:-1] if self._flat else [*self._shown(width), *self._runners_up(width)]
        lines += self._earlier(width, height - len(lines))
        return Content("\n").join(lines[:height])

    @property
    def _flat(self) -> bool:
        return self.size.height < FLAT and bool(self.intents.earlier)

    def _shown(self, width: int) -> list[Content]:
        shown, minimum = self.intents.shown, self.intents.minimum
        if shown is None:
            return self._card([Content("no intent heard yet")], "idle", width)
        scale = self._scale(shown.score, minimum, width - 2)
        if shown.reason:
            guess = [fit(_guess(shown), width - 2)] if self._flat else wrap(Content(_guess(shown)), width - 2)[:3]
            return self._card([Content(NONE), *guess, *(scale if minimum else [])], "idle", width)
        score = percent(shown.score)
        label = wrap(Content(shown.label), width - 3 - len(score))[:2]
        first = label[0].pad_right(max(1, width - 2 - label[0].cell_length - len(score))) + score
        who = speaker(shown.channel) if self.intents.speakers else ""
        when = "  ".join(part for part in (clock(shown.at), who, EARLY if shown.early else "") if part)
        names = [first.stylize("bold"), *(row.stylize("bold") for row in label[1:])]
        return self._card([*names, *scale, Content(when)], "early" if shown.early else "found", width)

    def _scale(self, score: float, minimum: Minimum | None, width: int) -> list[Content]:
        """The score as a bar, with a mark and a line for what it takes."""
        if minimum is None:
            return [Content(marked_bar(score, None, width))]
        said = f"minimum {percent(minimum.score)}{', changed' if minimum.changed else ''}"
        return [Content(marked_bar(score, minimum.score, width)), Content(said)]

    def _card(self, rows: list[Content], name: str, width: int) -> list[Content]:
        """Rows on coloured ground, with air around them where there is room."""
        look = self._look(name)
        air = [Content("")] if self.size.height >= ROOMY else []
        padded = [Content(" ") + row for row in (*air, *rows, *air)]
        return [*(row.pad_right(max(0, width - row.cell_length)).stylize_before(look) for row in padded), Content("")]

    def _runners_up(self, width: int) -> list[Content]:
        current = self.intents.shown
        if current is None or not current.runners_up:
            return []
        rows = [self._runner_up(runner, width) for runner in current.runners_up[:3]]
        return [self._said("also possible", "muted"), *rows, Content("")]

    def _runner_up(self, runner: Bar, width: int) -> Content:
        name = max(8, width * 11 // 20)
        label = fit(runner.label, name - 1)
        cells = Content.assemble(label, " " * (name - label.cell_length)).stylize(self._look("text"))
        return cells + self._bar(runner.score, width - name)

    def _bar(self, score: float, width: int) -> Content:
        room = max(1, width - PERCENT)
        number = self._said(f"{percent(score):>{PERCENT}}", "muted")
        return self._said(bar(score, room), "track") + number

    def _earlier(self, width: int, room: int) -> list[Content]:
        """The others with their times; as many as fit, around the one that was picked."""
        intents = self.intents
        if room < 1 or not (intents.earlier or intents.rejected):
            return []
        titled = room > 2 or not intents.earlier
        rows = room - titled
        first = max(0, min(intents.picked - rows // 2, len(intents.earlier) - rows))
        shown = enumerate(intents.earlier[first : first + rows], first)
        title = [self._title(len(intents.earlier) - first - rows, width)] if titled else []
        return [*title, *(self._row(intent, width, number) for number, intent in shown)]

    def _title(self, below: int, width: int) -> Content:
        title = "earlier, with rejected" if self.intents.rejected else "earlier"
        title += f"  ({below} more)" if below > 0 else ""
        title, look = (f"{PICKED} {title}", "label") if self.has_focus else (title, "muted")
        return self._said(title[:width], look)

    def _row(self, intent: IntentView, width: int, number: int) -> Content:
        picked, speakers = number == self.intents.picked, self.intents.speakers
        who = cell(speaker(intent.channel), SPEAKER) if speakers else ""
        time = f"{clock(intent.at)}{PICKED if picked else ' '} {who}"
        score = f"{percent(intent.score):>{PERCENT}}" if not speakers or width >= WIDE else ""
        text = f"{REJECTED} {intent.label or intent.reason}" if intent.reason else intent.label
        label = fit(text, width - len(time) - len(score))
        gap = " " * max(0, width - len(time) - label.cell_length - len(score))
        look = self._look("label" if picked else "muted" if intent.reason else "text")
        return Content.assemble((time, self._look("muted")), label.stylize(look), gap, (score, look))


class IntentLine(_Drawn):
    """The flat form, for narrow terminals and large letters."""

    def render(self) -> Content:
        """One line: what, how sure, whether early, what it takes, and the next best."""
        current, minimum = self.intents.shown, self.intents.minimum
        picked = current if self.intents.picked >= 0 else None
        title = self._said(f"{PICKED} {clock(picked.at)} " if picked else "intent ", "muted")
        if current is None:
            return title + self._said("none heard yet", "muted")
        takes = f"  minimum {percent(minimum.score)}" if minimum and minimum.changed else ""
        if current.reason:
            return title + self._said(f"{NONE} ", "text") + self._said(f"({current.label}?){takes}", "muted")
        early = self._said(f"  {EARLY}", "early-mark") if current.early else Content("")
        score = self._said(f"  {percent(current.score)}", "text")
        others = takes + "".join(f"  {runner.label} {percent(runner.score)}" for runner in current.runners_up[:2])
        room = self.size.width - title.cell_length - score.cell_length - early.cell_length
        label = fit(current.label, room).stylize(self._look("label"))
        return title + label + score + early + self._said(others, "muted")
