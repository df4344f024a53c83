"""What went wrong and the way out, or a note; gone when there is nothing to say."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from edgevoice.text import sentence
from edgevoice.tui.views import Problem

DISMISS = "(Esc hides this)"


class Banner(Widget):
    """The message that matters most."""

    problem: reactive[Problem | None] = reactive(None, layout=True)
    more: reactive[int] = reactive(0)
    """Further messages behind this one."""

    def watch_problem(self, problem: Problem | None) -> None:
        """Shows itself only while there is something to say."""
        self.display = problem is not None
        self.set_class(problem is not None and problem.note, "-note")
        self.set_class(problem is not None and not problem.recoverable, "-fatal")

    def render(self) -> Content:
        """Symbol, what, remedy, and how to be rid of it."""
        problem = self.problem
        if problem is None:
            return Content("")
        symbol = "i" if problem.note else "!" if problem.recoverable else "✕"
        words = [symbol, sentence(problem.what), sentence(problem.remedy)]
        if self.more:
            words.append(f"(+{self.more} more)")
        if problem.recoverable:
            words.append(DISMISS)
        return Content(" ".join(word for word in words if word))
