"""Which intents are on show, and what it takes to announce them."""

from __future__ import annotations

from edgevoice.events import LabelScore
from edgevoice.tui.intents import KEPT, IntentLog
from edgevoice.tui.views import IntentView


def intent(segment: int, key: str = "card_issues", *, reason: str = "", at: float | None = None) -> IntentView:
    when = float(segment) if at is None else at
    return IntentView("mic", segment, when, key.replace("_", " "), 0.8, key=key, reason=reason)


def log(*intents: IntentView, **thresholds: float) -> IntentLog:
    made = IntentLog()
    made.begin([LabelScore(label=label, score=score) for label, score in thresholds.items()])
    for each in intents:
        made.add(each)
    return made


def labels(made: IntentLog) -> list[str]:
    return [each.label for each in made.view().earlier]


class TestHistory:
    def test_the_newest_is_on_show_and_not_in_the_list(self) -> None:
        view = log(intent(1, "a"), intent(2, "b"), intent(3, "c")).view()
        assert view.shown is not None
        assert view.shown.label == "c"
        assert [each.label for each in view.earlier] == ["b", "a"]

    def test_rejected_ones_come_on_demand_in_order_of_time(self) -> None:
        made = log(intent(1, "a"), intent(2, "b", reason="below threshold"), intent(3, "c"), intent(4, "d"))
        assert labels(made) == ["c", "a"]
        made.show_rejected(shown=True)
        assert labels(made) == ["c", "b", "a"]
        made.show_rejected(shown=False)
        assert labels(made) == ["c", "a"]

    def test_a_cooldown_is_no_news_but_can_be_looked_up(self) -> None:
        made = log(intent(1, "a"), intent(2, "a", reason="cooldown"))
        assert made.newest is not None
        assert not made.newest.reason
        made.show_rejected(shown=True)
        assert [each.reason for each in made.view().earlier] == ["cooldown"]

    def test_it_is_bounded_and_the_rejected_push_nothing_out(self) -> None:
        made = log(intent(0, "a"), *(intent(i, "b", reason="none") for i in range(1, KEPT + 50)))
        assert labels(made) == ["a"]
        made.show_rejected(shown=True)
        assert len(made.view().earlier) == KEPT

    def test_two_sides_are_in_order_of_time(self) -> None:
        made = log(intent(1, "a", at=5.0), intent(2, "b", at=3.0), intent(3, "c", at=6.0))
        assert labels(made) == ["a", "b"]


class TestPicking:
    def test_going_back_and_forward(self) -> None:
        made = log(*(intent(i, "abcd"[i]) for i in range(4)))
        seen = []
        for step in (1, 1, 1, 1, -1, -10):
            made.pick(step)
            view = made.view()
            assert view.shown is not None
            seen.append((view.shown.label, view.picked))
        assert seen == [("c", 0), ("b", 1), ("a", 2), ("a", 2), ("b", 1), ("d", -1)]

    def test_the_picked_one_stays_on_show_when_others_come(self) -> None:
        made = log(intent(1, "a"), intent(2, "b"))
        made.pick(1)
        made.add(intent(3, "c"))
        view = made.view()
        assert view.shown is not None
        assert (view.shown.label, view.picked) == ("a", 1)
        assert made.unpick()
        assert not made.unpick()

    def test_nothing_can_be_picked_of_nothing(self) -> None:
        made = log()
        made.pick(1)
        assert made.view().shown is None


class TestMinimums:
    def test_steps_up_and_down_from_wherever_it_stands(self) -> None:
        made = log(intent(1), card_issues=0.7066)
        seen = [made.move_minimum(direction) for direction in (1, 1, -1, -1, -1)]
        assert [score for _, score in seen if seen] == [0.75, 0.8, 0.75, 0.7, 0.65]
        assert {label for label, _ in seen if seen} == {"card_issues"}

    def test_it_stays_between_nothing_and_all(self) -> None:
        made = log(intent(1), card_issues=0.97)
        assert [made.move_minimum(1), made.move_minimum(1)] == [("card_issues", 0.99)] * 2
        assert made.move_minimum(-1) == ("card_issues", 0.95)
        made = log(intent(1), card_issues=0.02)
        assert [made.move_minimum(-1), made.move_minimum(-1)] == [("card_issues", 0.0)] * 2

    def test_one_that_began_higher_is_not_lowered_by_moving_it_up(self) -> None:
        made = log(intent(1), card_issues=0.995)
        assert made.move_minimum(1) == ("card_issues", 0.995)

    def test_every_step_moves(self) -> None:
        made = log(intent(1), card_issues=0.0)
        assert [made.move_minimum(1) for _ in range(20)][-1] == ("card_issues", 0.99)
        assert [made.move_minimum(-1) for _ in range(20)][-1] == ("card_issues", 0.0)

    def test_it_is_that_of_the_label_on_show_and_its_change_is_said(self) -> None:
        made = log(intent(1, "a"), intent(2, "b"), a=0.5, b=0.6)
        made.pick(1)
        made.move_minimum(1)
        minimum = made.view().minimum
        assert minimum is not None
        assert (minimum.score, minimum.changed) == (0.55, True)
        made.move_minimum(-1)
        minimum = made.view().minimum
        assert minimum is not None
        assert not minimum.changed
        made.unpick()
        minimum = made.view().minimum
        assert minimum is not None
        assert (minimum.score, minimum.changed) == (0.6, False)

    def test_what_means_nothing_has_none(self) -> None:
        made = log(intent(1, "none", reason="none"), card_issues=0.5)
        assert made.view().minimum is None
        assert made.move_minimum(1) is None
        assert log().move_minimum(1) is None

    def test_a_rejected_one_can_be_let_through(self) -> None:
        made = log(intent(1, reason="below threshold"), card_issues=0.85)
        assert made.move_minimum(-1) == ("card_issues", 0.8)

    def test_a_second_stream_does_not_undo_a_change_and_clearing_neither(self) -> None:
        made = log(intent(1), card_issues=0.5)
        made.move_minimum(1)
        made.begin([LabelScore(label="card_issues", score=0.5)])
        made.clear()
        made.add(intent(2))
        minimum = made.view().minimum
        assert minimum is not None
        assert (minimum.score, minimum.changed) == (0.55, True)
