"""The promise of stable words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevoice.asr.stable import SETTLE_S, StablePrefix
from edgevoice.events import Word


def word(text: str, start: float, end: float | None = None) -> Word:
    return Word(word=text, start=start, end=start + 0.2 if end is None else end, confidence=1.0)


def line(text: str, start: float = 0.0, every: float = 0.4) -> list[Word]:
    return [word(part, start + index * every) for index, part in enumerate(text.split())]


def texts(words: list[Word]) -> str:
    return " ".join(each.word for each in words)


def test_nothing_is_stable_after_one_pass():
    stable, tentative = StablePrefix().update(line("i lost my card"), now_s=10.0)
    assert (stable, texts(tentative)) == ([], "i lost my card")


def test_what_two_passes_agree_on_is_stable():
    prefix = StablePrefix()
    prefix.update(line("i lost my car"), now_s=10.0)
    stable, tentative = prefix.update(line("i lost my card please"), now_s=10.0)
    assert (texts(stable), texts(tentative)) == ("i lost my", "card please")


def test_a_word_at_the_newest_audio_stays_tentative():
    prefix = StablePrefix()
    for _ in range(2):
        stable, tentative = prefix.update(line("i lost"), now_s=0.7)
    assert (texts(stable), texts(tentative)) == ("i", "lost")


def test_the_same_word_elsewhere_is_no_agreement():
    prefix = StablePrefix()
    prefix.update([word("no", 1.0)], now_s=5.0)
    assert prefix.update([word("no", 1.6)], now_s=5.0)[0] == []


def test_a_later_pass_cannot_change_or_repeat_what_is_stable():
    prefix = StablePrefix()
    prefix.update(line("i lost my card"), now_s=10.0)
    prefix.update(line("i lost my card"), now_s=10.0)
    stable, tentative = prefix.update(line("we lust my cart", start=0.05), now_s=10.0)
    assert (texts(stable), tentative) == ("i lost my card", [])


@pytest.mark.parametrize("shift", [-0.15, -0.1, 0.0, 0.1, 0.15])
def test_a_repeated_word_is_neither_swallowed_nor_doubled(shift):
    prefix = StablePrefix()
    prefix.update([word("no", 1.0, 1.1)], now_s=1.4)
    assert texts(prefix.update([word("no", 1.0, 1.1)], now_s=1.4)[0]) == "no"
    said = [word("no", start + shift, start + shift + 0.1) for start in (1.0, 1.4, 1.8)]
    prefix.update(said, now_s=2.4)
    stable, tentative = prefix.update(said, now_s=2.7)
    assert (texts(stable), tentative) == ("no no no", [])


def test_a_new_word_that_a_stable_one_had_covered_is_kept():
    prefix = StablePrefix()
    for _ in range(2):
        prefix.update([word("go", 1.0, 1.5)], now_s=3.0)
    assert texts(prefix.finish([word("go", 1.0, 1.2), word("on", 1.3, 1.5)])) == "go on"


def test_words_that_leave_the_window_are_committed():
    prefix = StablePrefix()
    prefix.update(line("i lost my card"), now_s=10.0)
    prefix.commit_before(0.5)
    assert (texts(prefix.stable), texts(prefix.tentative)) == ("i lost", "my card")


WORDS = st.lists(st.sampled_from(["no", "yes", "card", "my"]), max_size=8)


@st.composite
def passes(draw: st.DrawFn) -> list[tuple[list[Word], float]]:
    """Hypotheses as wild as a bad model's, over ever more audio."""
    found, now = [], 0.0
    for _ in range(draw(st.integers(1, 8))):
        now += 0.32
        start = draw(st.floats(0, max(0.0, now - 1)))
        found.append(([each for each in line(" ".join(draw(WORDS)), start) if each.end <= now], now))
    return found


@given(passes(), WORDS)
def test_stable_only_grows_and_the_final_words_begin_with_it(hypotheses, final):
    prefix, before = StablePrefix(), []
    for words, now in hypotheses:
        stable, _ = prefix.update(words, now)
        assert stable[: len(before)] == before
        before = stable
    assert prefix.finish(line(" ".join(final)))[: len(before)] == before


@given(WORDS, st.floats(0, 4))
def test_the_same_hypothesis_twice_is_stable_except_what_is_too_new(spoken, now):
    words = [each for each in line(" ".join(spoken)) if each.end <= now]
    prefix = StablePrefix()
    prefix.update(words, now)
    stable, tentative = prefix.update(words, now)
    assert stable + tentative == words
    assert stable == [each for each in words if each.end <= now - SETTLE_S]


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(["no", "yes", "card"]), st.floats(0.1, 0.6)), max_size=14),
    st.lists(st.floats(-0.04, 0.04), min_size=14, max_size=14),
)
def test_nothing_is_doubled_or_lost_when_the_window_slides(spoken, jitter):
    """A model that hears every whole word of its window, with times that jitter, and junk where the window cuts one."""
    truth, place = [], 0.2
    for text, gap in spoken:
        truth.append(word(text, place, place + 0.25))
        place += 0.25 + gap
    prefix, start, now, turn = StablePrefix(), 0.0, 0.0, 0
    while now < place + 1.0:
        now, turn = now + 0.32, turn + 1
        heard = []
        for index, each in enumerate(truth):
            if each.end > now or each.end <= start:
                continue
            shift = jitter[(index + turn) % len(jitter)]
            text = each.word if each.start >= start else "junk"
            heard.append(word(text, max(start, each.start + shift), each.end + shift))
        stable, tentative = prefix.update(heard, now)
        start = max(0.0, (tentative[0].start if tentative else stable[-1].end if stable else 0.0) - 0.6)
    assert texts(prefix.finish(truth)) == texts(truth)
    assert texts(stable + tentative) == texts(truth)
